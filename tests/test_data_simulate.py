"""Simulated events against the rule they follow: no motion, reversed motion, other thresholds, a plain loop."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
from sklearn.datasets import load_digits

from snnlib.data import events, open_images, simulate
from snnlib.data.digits import upsample
from snnlib.data.simulate import FINE, UNIT, Sensor, crossings, path
from snnlib.spec import SpecError

SHARP = Sensor(noise=0.0)  # all pixels alike


pytestmark = pytest.mark.usefixtures("no_settings_of_the_user")


@pytest.fixture(scope="module")
def digits() -> np.ndarray:
    return upsample(load_digits().images[:12])  # (12, 1, 16, 16)


def straight(steps: int, down: int, right: int) -> np.ndarray:
    """A straight path from the image's own place, in sixteenths of a pixel a step."""
    return np.arange(steps + 1)[:, None] * np.array([down, right])


def ramp(side: int = 16) -> list[list[int]]:
    """Grey levels that rise to the right by equal ratios, as closely as whole grey levels can."""
    return [[round(20 * 1.15**x) for x in range(side)]] * side


# ---- the three properties


def test_no_motion_gives_no_events(digits):
    still = np.zeros((49, 2), dtype=np.int64) + 5
    assert simulate.simulate(digits, 4, places=still).sum() == 0
    assert simulate.simulate(digits, 4).sum() > 0


def test_an_image_of_one_grey_level_gives_no_events():
    assert simulate.simulate(np.full((1, 3, 8, 8), 99, dtype=np.uint8), 4).sum() == 0


def test_going_back_swaps_polarity():
    """Along a path on which every pixel only brightens or only darkens, the way back gives the same events of the other
    polarity, pixel by pixel. A ramp that moves is such a path."""
    image = np.array([[ramp()]], dtype=np.uint8)
    there = straight(32, 0, 2)
    forward = simulate.simulate(image, 1, places=there, sensor=SHARP)[0, 0]
    back = simulate.simulate(image, 1, places=there[::-1], sensor=SHARP)[0, 0]
    assert forward[0].sum() > 100 and forward[1].sum() == 0  # moved to the right, each pixel sees what was darker
    assert np.array_equal(back, forward[::-1])


def test_reversed_velocity_swaps_polarity_of_a_linear_change():
    levels = np.arange(9)[:, None, None, None] * np.array([[[900, -700], [0, 411]]])  # (9, 1, 2, 2), from 0 on
    thresholds = np.full((2, 2, 2), 500)
    one, other = (sum(step.counts for step in crossings(signed, thresholds)) for signed in (levels, -levels))
    assert one.sum() > 20
    assert np.array_equal(one, other[::-1])


def test_reversing_the_eye_movement_over_digits_swaps_polarity_but_for_roundings(digits):
    """Over turning points a level is kept, so a pixel may gain or lose an event at each turn: of brightness as a whole,
    which must come out even, no more than one threshold."""
    there = path(16, 4)
    forward, back = (
        simulate.simulate(digits, 4, places=p, sensor=SHARP).astype(int).sum(1) for p in (there, there[::-1])
    )
    swapped = back[:, ::-1]
    assert np.abs(forward.sum((1, 2, 3)) - swapped.sum((1, 2, 3))).max() < 0.02 * forward.sum((1, 2, 3)).min()
    net = forward[:, 1] - forward[:, 0]  # the path is closed: as bright at its end as at its start
    assert np.abs(net).max() <= 1
    assert np.corrcoef(forward.ravel(), swapped.ravel())[0, 1] > 0.98


@pytest.mark.parametrize("threshold", [0.2, 0.1])
def test_half_the_threshold_gives_twice_the_events(threshold):
    """A monotone change by h gives floor(h / θ) events, and floor(2h / θ) is twice that, or one more."""
    image = np.array([[ramp()]], dtype=np.uint8)
    places = straight(32, 0, 2)
    whole, half = (
        simulate.simulate(image, 1, places=places, sensor=Sensor(value, noise=0.0)).astype(int)
        for value in (threshold, threshold / 2)
    )
    # a half-threshold is rounded to a unit of 2^-16: 20 events of 2^-17 each stay far below one event
    assert set(np.unique(half - 2 * whole)) <= {0, 1}
    assert whole.sum() > 50


def test_counts_scale_inversely_with_the_threshold_over_digits(digits):
    """Two events are at least one threshold of change apart, so a total variation V gives at most V / θ events. A
    monotone run by h gives at least h / θ - 2: it begins up to one threshold away from the kept level and ends up to
    one away from the next. So R runs give at least V / θ - 2 R, at each pixel."""
    places = path(16, 4)
    levels = np.stack(list(simulate.log_intensities(digits, places, SHARP)))  # (S + 1, N, H, W)
    total, runs = np.zeros(levels.shape[1:]), np.zeros(levels.shape[1:])
    for image, y, x in np.ndindex(levels.shape[1:]):
        steps = np.diff(levels[:, image, y, x])
        moving = np.sign(steps[steps != 0])
        total[image, y, x] = np.abs(steps).sum() / UNIT
        runs[image, y, x] = len(moving) and 1 + np.count_nonzero(np.diff(moving))
    sums = {}
    for threshold in (0.05, 0.1, 0.2):
        frames = simulate.simulate(digits, 4, sensor=Sensor(threshold, noise=0.0))
        assert frames.max() < 255
        counts = frames.astype(int).sum((1, 2))
        assert np.all(counts <= total / threshold * 1.001)
        assert np.all(counts >= total / threshold * 0.999 - 2 * runs)
        sums[threshold] = counts.sum()
    for threshold in (0.05, 0.1):
        assert abs(sums[threshold] - 2 * sums[2 * threshold]) <= 4 * runs.sum()
        assert 1.9 < sums[threshold] / sums[2 * threshold] < 2.3


# ---- the rule, pixel by pixel


def plain_loop(image: np.ndarray, places: np.ndarray, sensor: Sensor) -> np.ndarray:
    """The equations of the module in floating point: (2, H, W) events of one gray image."""
    side = image.shape[-1]
    thresholds = sensor.thresholds(side) / UNIT
    counts = np.zeros((2, side, side), dtype=int)

    def pixel(y: int, x: int) -> float:
        return float(image[min(max(y, 0), side - 1), min(max(x, 0), side - 1)])

    def log_intensity(y: float, x: float) -> float:
        top, left = math.floor(y), math.floor(x)
        v, u = y - top, x - left
        mixed = (1 - v) * ((1 - u) * pixel(top, left) + u * pixel(top, left + 1))
        mixed += v * ((1 - u) * pixel(top + 1, left) + u * pixel(top + 1, left + 1))
        return math.log(math.floor(mixed * FINE) / (255 * FINE) + sensor.epsilon)

    for y in range(side):
        for x in range(side):
            # the image moved down by d shows at y what was at y - d
            levels = [log_intensity(y - down / FINE, x - right / FINE) for down, right in places.tolist()]
            kept = levels[0]
            for level in levels[1:]:
                while level - kept >= thresholds[1, y, x] - 1e-4:
                    kept += thresholds[1, y, x]
                    counts[1, y, x] += 1
                while kept - level >= thresholds[0, y, x] - 1e-4:
                    kept -= thresholds[0, y, x]
                    counts[0, y, x] += 1
    return counts


def test_equals_a_plain_loop(digits):
    sensor = Sensor(0.23, noise=0.15, seed=4)
    have = simulate.simulate(digits[:1], 1, sensor=sensor)[0, 0]
    expected = plain_loop(digits[0, 0], path(16, 1), sensor)
    assert expected.sum() > 500
    # in whole numbers a crossing within 2^-16 of a level may fall to the other side: a handful of pixels at most
    assert np.count_nonzero(have != expected) <= 3
    assert np.abs(have - expected).max() <= 1


def test_the_frames_are_those_of_the_stream(digits):
    for bins in (1, 4, 5):
        stream, span = simulate.stream(digits[3], bins)
        have = events.frames(stream, bins, sensor=(16, 16), span=span)
        assert np.array_equal(have, simulate.simulate(digits[3:4], bins)[0])
        assert np.all(np.diff(stream["t"]) >= 0)
        assert stream["t"].min() >= span[0] and stream["t"].max() < span[1]


def test_events_are_where_the_log_intensity_meets_its_level():
    """One pixel that brightens by 3.5 thresholds over a step of 1000 µs: events at 2/7, 4/7 and 6/7 of it."""
    (step,) = crossings(np.array([[[[0]]], [[[3500]]]]), np.full((2, 1, 1), 1000))
    assert step.counts.ravel().tolist() == [0, 3]
    image = np.zeros((1, 4, 4), dtype=np.uint8)
    image[0, :, 2:] = 200
    stream, span = simulate.stream(
        image, 1, places=np.array([[0, 0], [0, -16]]), sensor=SHARP
    )  # to the left by a pixel
    at = stream[(stream["x"] == 1) & (stream["y"] == 0)]
    change = math.log(200 / 255 + 0.1) - math.log(0.1)
    expected = [k * 0.2 / change * span[1] for k in range(1, int(change / 0.2) + 1)]
    assert at["p"].tolist() == [1] * len(expected)
    assert at["t"] == pytest.approx(expected, abs=10)


def test_thresholds_scatter_as_told_and_are_one_camera(digits):
    thresholds = Sensor(0.2, noise=0.1).thresholds(64) / UNIT
    assert thresholds.mean() == pytest.approx(0.2, rel=0.01)
    assert thresholds.std() == pytest.approx(0.02, rel=0.05)
    assert np.all(Sensor(0.2, noise=0.0).thresholds(8) == round(0.2 * UNIT))
    assert not np.array_equal(Sensor(seed=1).thresholds(8), Sensor(seed=2).thresholds(8))
    together, alone = simulate.simulate(digits, 4), [simulate.simulate(digits[i : i + 1], 4)[0] for i in range(12)]
    assert np.array_equal(together, np.stack(alone))


def test_colour_counts_by_its_luminance():
    gray = upsample(load_digits().images[:2])
    assert np.array_equal(simulate.simulate(gray, 2), simulate.simulate(gray.repeat(3, axis=1), 2))


@pytest.mark.parametrize("bins", [1, 3, 4, 7, 50])
def test_the_path_is_closed_and_has_whole_bins(bins):
    places = path(32, bins)
    assert (len(places) - 1) % bins == 0 and len(places) > 48
    assert places[0].tolist() == places[-1].tolist() == [-64, 0]
    assert np.abs(places).sum(1).max() <= 65  # a diamond of half-width 4 pixels
    with pytest.raises(SpecError, match="frames = 0"):
        path(32, 0)


def test_unusable_settings():
    with pytest.raises(SpecError, match="threshold = 0"):
        Sensor(0)
    with pytest.raises(SpecError, match="a path of 5 steps cannot be cut into 4 frames"):
        simulate.simulate(np.zeros((1, 1, 8, 8), dtype=np.uint8), 4, places=straight(5, 1, 1))


# ---- as a data set


def test_moving_digits_are_the_digits_in_their_order():
    still, moving = open_images("digits"), open_images("moving-digits", frames=4)
    assert (moving.frames, moving.in_channels, moving.image_size, moving.num_classes) == (4, 2, 16, 10)
    assert moving.title == "moving digits (simulated events)" and not moving.is_subset
    for one, other in ((still.train, moving.train), (still.test, moving.test)):
        assert np.array_equal(one.labels, other.labels)
        assert np.array_equal(simulate.simulate(one.images[-3:], 4), other.images[-3:])
    counts = moving.train.images / 255
    assert moving.mean == pytest.approx(counts.mean(axis=(0, 1, 3, 4)), abs=1e-12)
    assert moving.std == pytest.approx(counts.std(axis=(0, 1, 3, 4)), abs=1e-12)
    assert moving.fingerprint != open_images("moving-digits", frames=2).fingerprint
    assert moving.spec.hash != still.spec.hash


def test_events_are_the_same_in_another_process_and_on_any_machine():
    """Whole numbers only: the fingerprint is a constant. It changes with the simulation, and then `VERSION` must."""
    code = "from snnlib.data import open_images; print(open_images('moving-digits', frames=4).fingerprint)"
    other = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()
    assert other == "a9f97bb34c5593e1"


def test_unusable_options():
    with pytest.raises(SpecError, match="give frames, the bins"):
        open_images("moving-digits")
    with pytest.raises(SpecError, match="size = 32 is not that of Digits, 16"):
        open_images("moving-digits", frames=4, size=32)
