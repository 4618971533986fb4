r"""Events simulated from still images under small eye movements.

N-MNIST, N-Caltech101 (Orchard et al. 2015) and CIFAR10-DVS (Li et al. 2017) were recorded by a camera before a still
image while one of the two moved on a small closed path. Here the image moves, by parts of a pixel, on a diamond around
its place. A pixel of log intensity :math:`L(t) = \log(I(t) + \varepsilon)` keeps the level :math:`L^*` of its last
event and sends the next one when

.. math:: L(t) - L^* \ge \theta_+ \quad \text{(brighter)} \qquad \text{or} \qquad
          L^* - L(t) \ge \theta_- \quad \text{(darker)},

upon which :math:`L^*` moves by that threshold. Thresholds differ from pixel to pixel,
:math:`\theta_\pm = \theta\,(1 + \sigma \xi)` with normal :math:`\xi`, and are the same for all images: it is
one camera.

All is computed in whole numbers (log intensity in units of 2^-16, places in sixteenths of a pixel), so that every
machine gets the same events.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from snnlib.data.cache import Raw, Source, short_key
from snnlib.data.events import EVENT, MOST, POLARITIES
from snnlib.spec import SpecError

VERSION = 1  # raise it when the same images would give other events: it is part of the cache's key
UNIT = 1 << 16  # log intensity of 1
FINE = 16  # parts of a pixel
REACH = 8  # the image moves by an eighth of its side from its place
LEAST_STEPS = 48  # along the path
DURATION = 300_000  # microseconds, as the saccades of N-MNIST
CHUNK = 256  # images at a time

Stills = dict[str, tuple[np.ndarray, np.ndarray]]  # split -> images (N, C, H, W), labels (N,)


@dataclass(frozen=True)
class Sensor:
    """Thresholds of log intensity: their mean, their relative scatter over pixels, and the seed that draws it."""

    threshold: float = 0.2
    noise: float = 0.1
    seed: int = 0
    epsilon: float = 0.1  # of full intensity: what keeps the logarithm of black finite

    def __post_init__(self) -> None:
        if not (self.threshold > 0 and self.noise >= 0 and self.epsilon > 0):
            raise SpecError(
                f"threshold = {self.threshold} and epsilon = {self.epsilon} must be above 0, "
                f"noise = {self.noise} not below"
            )

    def thresholds(self, side: int) -> np.ndarray:
        """(2, H, W) in units of 2^-16: for darker, for brighter; never below a fifth of the mean."""
        scatter = 1 + self.noise * np.random.default_rng(self.seed).standard_normal((POLARITIES, side, side))
        return np.rint(UNIT * self.threshold * np.maximum(scatter, 0.2)).astype(np.int32).clip(min=1)

    def log_table(self) -> np.ndarray:
        """Log intensity of each sixteenth of a grey level, 0 to 255: (4081,) in units of 2^-16."""
        return np.rint(UNIT * np.log(np.arange(255 * FINE + 1) / (255 * FINE) + self.epsilon)).astype(np.int32)


def path(side: int, bins: int) -> np.ndarray:
    """Places of the image over time, (S + 1, 2): down and right, in sixteenths of a pixel.

    A diamond around the image's own place, from its top over right, bottom and left back to the top. S is a multiple of
    `bins`, so that a step belongs to one bin.
    """
    if bins < 1:
        raise SpecError(f"frames = {bins} must be at least 1")
    steps = bins * -(-LEAST_STEPS // bins)
    reach = side * FINE // REACH
    corners = np.array([(-1, 0), (0, 1), (1, 0), (0, -1), (-1, 0)]) * reach
    at = 4 * np.arange(steps + 1) / steps
    return np.rint([np.interp(at, range(5), corners[:, axis]) for axis in (0, 1)]).astype(np.int64).T


def luminance(images: np.ndarray) -> np.ndarray:
    """(N, C, H, W) uint8 of one or three channels -> (N, H, W), 0 to 255 (weights of ITU-R BT.601)."""
    if images.shape[1] == 1:
        return images[:, 0].astype(np.int32)
    red, green, blue = (images[:, channel].astype(np.int32) for channel in range(3))
    return (299 * red + 587 * green + 114 * blue + 500) // 1000


def log_intensities(images: np.ndarray, places: np.ndarray, sensor: Sensor) -> Iterator[np.ndarray]:
    """Log intensity at every place of the path, each (N, H, W); beyond its edge an image goes on as at its edge."""
    gray, table = luminance(images), sensor.log_table()
    side = gray.shape[-1]
    margin = int(np.abs(places).max()) // FINE + 1
    padded = np.pad(gray, ((0, 0), (margin, margin), (margin, margin)), mode="edge")
    for down, right in places:
        (top, v), (left, u) = (divmod(margin * FINE - int(shift), FINE) for shift in (down, right))

        def crop(i: int, j: int, top: int = top, left: int = left) -> np.ndarray:
            return padded[:, top + i : top + i + side, left + j : left + j + side]

        # bilinear; the second neighbour counts nothing where the first is exactly met, and may then lie outside
        rows = [(FINE - v, 0), (v, min(1, v))]
        columns = [(FINE - u, 0), (u, min(1, u))]
        mixed = sum(a * b * crop(i, j) for a, i in rows for b, j in columns)  # 0 to 255 * FINE^2
        yield table[mixed >> (FINE.bit_length() - 1)]


@dataclass(frozen=True)
class Step:
    """Events of one step: how many at each pixel, (2, N, H, W); levels before it, and the log intensities around it."""

    counts: np.ndarray
    level: np.ndarray
    before: np.ndarray
    after: np.ndarray


def crossings(levels: Iterable[np.ndarray], thresholds: np.ndarray) -> Iterator[Step]:
    """The module's rule along a path of log intensities: (N, H, W) at each place -> a `Step` between each two."""
    levels = iter(levels)
    before = next(levels)
    last = before.copy()
    for after in levels:
        change = after - last
        counts = np.zeros((POLARITIES, *change.shape), dtype=np.int32)
        kept = last.copy()
        for polarity, sign in ((0, -1), (1, 1)):
            at = np.nonzero(sign * change >= thresholds[polarity])  # few pixels in each step: only these are divided
            threshold = thresholds[polarity][at[1:]]
            counts[polarity][at] = sign * change[at] // threshold
            last[at] += sign * counts[polarity][at] * threshold
        yield Step(counts, kept, before, after)
        before = after


def simulate(
    images: np.ndarray, bins: int, *, places: np.ndarray | None = None, sensor: Sensor | None = None
) -> np.ndarray:
    """Frames of events of square images: (N, C, H, W) uint8 -> (N, T, 2, H, W) uint8, counts up to 255.

    places: the image's path, see `path`, its default; its steps must be a multiple of `bins`.
    """
    sensor = sensor or Sensor()
    side = images.shape[-1]
    places = path(side, bins) if places is None else places
    steps = len(places) - 1
    if steps % bins:
        raise SpecError(f"a path of {steps} steps cannot be cut into {bins} frames; take a multiple of {bins}")
    frames = np.zeros((len(images), bins, POLARITIES, side, side), dtype=np.int32)
    for k, step in enumerate(crossings(log_intensities(images, places, sensor), sensor.thresholds(side))):
        frames[:, k * bins // steps] += step.counts.swapaxes(0, 1)  # (2, N, H, W) -> (N, 2, H, W)
    return np.minimum(frames, MOST).astype(np.uint8)


def stream(
    image: np.ndarray, bins: int, *, places: np.ndarray | None = None, sensor: Sensor | None = None
) -> tuple[np.ndarray, tuple[int, int]]:
    """The events of one image (C, H, W), by time, and the span they lie in, in microseconds.

    Between two places the log intensity is a straight line, and an event lies where that meets its level.
    """
    sensor = sensor or Sensor()
    side = image.shape[-1]
    places = path(side, bins) if places is None else places
    tick = DURATION // (len(places) - 1)
    thresholds = sensor.thresholds(side)
    parts = []
    for k, step in enumerate(crossings(log_intensities(image[None], places, sensor), thresholds)):
        for polarity, sign in ((0, -1), (1, 1)):
            y, x = np.nonzero(step.counts[polarity, 0])
            number = step.counts[polarity, 0, y, x]
            y, x = (np.repeat(values, number) for values in (y, x))
            nth = np.arange(len(y)) - np.repeat(np.cumsum(number) - number, number) + 1
            level = step.level[0, y, x] + sign * nth * thresholds[polarity, y, x]
            before, after = step.before[0, y, x], step.after[0, y, x]
            late = (level - before).astype(np.int64) * tick // np.where(after == before, 1, after - before)
            part = np.zeros(len(y), dtype=EVENT)
            part["t"], part["x"], part["y"], part["p"] = k * tick + late.clip(0, tick - 1), x, y, polarity
            parts.append(part)
    events = np.concatenate(parts)
    return events[np.argsort(events["t"], kind="stable")], (0, tick * (len(places) - 1))


def source(
    name: str, fingerprint: str, classes: tuple[str, ...], stills: Stills, bins: int, sensor: Sensor | None = None
) -> Source:
    """Events of the images with this fingerprint, in the order and the split of the images."""
    sensor = sensor or Sensor()

    def simulated(scratch: Path) -> Raw:
        splits = {}
        for split, (images, labels) in stills.items():
            side = images.shape[-1]
            shape = (len(images), bins, POLARITIES, side, side)
            out = np.lib.format.open_memmap(scratch / f"{split}.npy", mode="w+", dtype=np.uint8, shape=shape)
            for start in tqdm(range(0, len(images), CHUNK), desc=f"events of {split} images", delay=2):
                out[start : start + CHUNK] = simulate(images[start : start + CHUNK], bins, sensor=sensor)
            splits[split] = (out, labels)
        return Raw(classes, splits, f"events simulated from images {fingerprint}", ordered=True)

    return Source(f"{name}-{short_key(name, VERSION, fingerprint, bins, asdict(sensor))}", simulated)
