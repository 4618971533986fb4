"""Intervals against textbook formulas, and against how often they cover a truth that is known."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from snnlib.evidence import Effect, difference, effect, share, stretch_for_shared
from snnlib.intervals import interval

MEAN = lambda array: float(array)  # noqa: E731


def jackknifed(x: np.ndarray, groups: int = 8) -> xr.DataArray:
    """Means of x (n,), of all, then without each of the groups."""
    of = np.arange(len(x)) % groups
    means = [x.mean(), *(x[of != g].mean() for g in range(groups))]
    return xr.DataArray(means, dims="group", attrs={"n_images": len(x)})


def test_the_jackknife_error_of_a_mean_is_the_textbook_formula() -> None:
    x = np.random.default_rng(0).normal(size=40)
    found = effect("mean", MEAN, [jackknifed(x, groups=40)])
    expected = stats.ttest_1samp(x, 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert (found.value, found.n_images, found.seeds) == (pytest.approx(x.mean()), 40, 1)
    by_groups = effect("mean", MEAN, [jackknifed(x, groups=8)])
    of_means = stats.ttest_1samp(x.reshape(5, 8).mean(0), 0).confidence_interval(0.95)  # of 8 means of 5 each
    assert (by_groups.low, by_groups.high) == pytest.approx((of_means.low, of_means.high))


def test_with_no_error_over_images_it_is_students_interval_over_seeds() -> None:
    values = np.random.default_rng(1).normal(size=5)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert interval(values) == pytest.approx((expected.low, expected.high))
    assert interval(values, [[v] * 8 for v in values]) == pytest.approx((expected.low, expected.high))


def test_satterthwaite_lies_between_its_limits() -> None:
    rng = np.random.default_rng(2)
    values, left = rng.normal(size=3), rng.normal(size=(3, 8)) * 0.1
    low, high = interval(values, values[:, None] + left)
    images = 7 / 8 * ((left.mean(0) - left.mean()) ** 2).sum()
    se = np.sqrt(values.var(ddof=1) / 3 + images)
    ratio = (high - low) / 2 / se
    assert stats.t.ppf(0.975, 2 + 7) < ratio <= stats.t.ppf(0.975, 2)
    values = np.array([-3.0, -1.0, 1.0, 3.0, 0.0])  # s^2 / K = 1, and images with the same variance
    half = np.diff(interval(values, [v + np.array([1, -1] * 4) / np.sqrt(7) for v in values]))[0] / 2
    assert half == pytest.approx(stats.t.ppf(0.975, 4 / (1 / 4 + 1 / 7)) * np.sqrt(2))


def test_a_further_error_never_makes_an_interval_narrower() -> None:
    """Two pairs have one degree of freedom; images that add a little error would lend them several of theirs."""
    seeds_alone = np.diff(interval([-1.0, 1.0]))[0]
    for error in (0.0, 0.3, 1.0, 3.0, 10.0):
        left = [[v + error * s for s in (1, -1) * 4] for v in (-1.0, 1.0)]
        images_alone = np.diff(interval([0.0], [np.subtract(left[0], -1.0)]))[0]
        assert np.diff(interval([-1.0, 1.0], left))[0] >= max(seeds_alone, images_alone) - 1e-9


def test_pairs_share_their_images_and_so_that_error_does_not_shrink() -> None:
    x = np.random.default_rng(3).normal(size=64)
    one, four = effect("", MEAN, [jackknifed(x)]), effect("", MEAN, [jackknifed(x)] * 4)
    assert (four.low, four.high) == pytest.approx((one.low, one.high))


def test_what_pairs_share_widens_the_error_over_seeds_and_not_that_over_images() -> None:
    x = np.random.default_rng(3).normal(size=64)
    same_pairs, no_groups = [jackknifed(x)] * 4, [xr.DataArray(value) for value in x[:4]]
    for results, stretched in ((same_pairs, 1), (no_groups, 2)):
        plain, wide = (effect("", MEAN, results, stretch=stretch) for stretch in (1, 2))
        assert wide.high - wide.low == pytest.approx(stretched * (plain.high - plain.low))
        assert wide.value == plain.value


@pytest.mark.parametrize(("pairs", "least"), [(1, 0.93), (2, 0.93), (3, 0.93), (5, 0.93)])
@pytest.mark.parametrize("spread", [0.0, 0.15, 0.5, 3.0])
def test_the_interval_covers_a_known_truth(pairs: int, least: float, spread: float) -> None:
    """An image error common to all pairs, one of each pair's own, and a seed error; the limits are the docstring's."""
    rng, hits, runs = np.random.default_rng(4), 0, 600
    for _ in range(runs):
        common, own = rng.normal(size=64), 0.5 * rng.normal(size=(pairs, 64))
        seeds = rng.normal(size=pairs) * (spread if pairs > 1 else 0)  # a single pair tells nothing of seeds
        x = common + own + seeds[:, None]
        left = [[np.delete(row.reshape(8, 8), g, 1).mean() for g in range(8)] for row in x]
        low, high = interval(x.mean(1), left)
        hits += low <= 0 <= high
    assert least <= hits / runs <= (0.975 if pairs == 1 else 0.995)


@pytest.mark.parametrize("weight", [1.0, 0.5])  # of a shortfall, and of a distance to the middle below a ceiling
@pytest.mark.parametrize("of_networks", [0.0, 1.0])
def test_the_interval_covers_a_known_truth_where_two_pairs_share_their_ceilings(
    of_networks: float, weight: float
) -> None:
    """Two seeds: a comparison is the sum of what either network brings into all of its own, and of what is its own."""
    rng, hits, runs = np.random.default_rng(8), 0, 2000

    def drawn(value: float) -> xr.DataArray:
        return xr.DataArray(value + rng.normal())

    for _ in range(runs):
        snn, ann = of_networks * rng.normal(size=(2, 2))
        ceilings = drawn(snn.sum()), drawn(ann.sum())
        pairs = [(drawn(snn[i] + ann[1 - i]), *ceilings) for i in (0, 1)]
        stretch = stretch_for_shared(2, *([pair[i] for pair in pairs] for i in (1, 2)), weight=weight)
        found = effect("", lambda cross, a, b: float(cross - weight * (a + b) / 2), pairs, stretch=stretch)
        hits += found.low <= 0 <= found.high
    least = 0.94 if of_networks == 0 else 0.95  # with nothing of the networks' own it is exactly 0.95
    assert least <= hits / runs <= (0.96 if of_networks == 0 else 0.99)


# ---- two sides that have nothing to do with each other


def test_of_seeds_alone_a_difference_has_welchs_interval() -> None:
    rng = np.random.default_rng(9)
    a, b = rng.normal(size=25), 1.5 * rng.normal(size=20)
    found = difference("", MEAN, *([xr.DataArray(value) for value in side] for side in (a, b)))
    expected = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
    assert found.value == pytest.approx(a.mean() - b.mean())
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert found.seeds == 20


def test_images_that_both_sides_share_cancel_and_others_add_up() -> None:
    x, y = np.random.default_rng(10).normal(size=(2, 64))
    same = difference("", MEAN, [jackknifed(x)] * 2, [jackknifed(x + 1)] * 2)
    assert (same.value, same.low, same.high) == pytest.approx((-1, -1, -1))
    other = difference("", MEAN, [jackknifed(x)] * 2, [jackknifed(y)] * 2)
    assert (other.high - other.low) / 2 == pytest.approx(
        np.diff(interval([0.0], [jackknifed(x - y).values[1:]]))[0] / 2
    )


def test_a_single_pair_on_one_side_leaves_seeds_unknown() -> None:
    x = np.random.default_rng(11).normal(size=64)
    found = difference("", MEAN, [jackknifed(x)], [jackknifed(-x), jackknifed(5 - x)])
    assert found.seeds == 1 and found.basis().endswith("over images alone")
    means = 2 * jackknifed(x).values[1:]
    assert (found.high - found.low) / 2 == pytest.approx(stats.t.ppf(0.975, 7) * np.sqrt(7 * means.var()))


@pytest.mark.parametrize(("first", "second"), [(2, 2), (2, 3), (3, 5)])
@pytest.mark.parametrize("spread", [(0.0, 0.0), (1.0, 0.1), (1.0, 1.0)])
def test_the_interval_of_a_difference_covers_a_known_truth(
    first: int, second: int, spread: tuple[float, float]
) -> None:
    rng, hits, runs = np.random.default_rng(12), 0, 600
    for _ in range(runs):
        common = rng.normal(size=64)
        sides = []
        for pairs, seeds in zip((first, second), spread, strict=True):
            own = common + 0.5 * rng.normal(size=(pairs, 64)) + seeds * rng.normal(size=(pairs, 1))
            sides.append([jackknifed(row) for row in own])
        found = difference("", MEAN, *sides)
        hits += found.low <= 0 <= found.high
    assert hits / runs >= 0.93


def test_the_interval_of_a_difference_covers_where_each_side_shares_its_ceilings() -> None:
    rng, hits, runs = np.random.default_rng(13), 0, 2000
    for _ in range(runs):
        sides = []
        for _ in range(2):
            ceilings = [xr.DataArray(rng.normal()) for _ in range(2)]
            sides.append([(xr.DataArray(rng.normal()), *ceilings) for _ in range(2)])
        stretch = [stretch_for_shared(2, *list(zip(*side, strict=True))[1:]) for side in sides]
        found = difference("", lambda cross, a, b: float(cross - (a + b) / 2), *sides, stretch=tuple(stretch))
        hits += found.low <= 0 <= found.high
    assert stretch == pytest.approx([np.sqrt(2)] * 2)
    assert hits / runs >= 0.94


def test_sides_of_other_groups_or_without_results_are_refused() -> None:
    x = np.random.default_rng(14).normal(size=40)
    with pytest.raises(ValueError, match="change: 8 groups of images on one side, 4 on the other"):
        difference("change", MEAN, [jackknifed(x, 8)], [jackknifed(x, 4)])
    with pytest.raises(ValueError, match="change: 8 groups of images on one side, 0 on the other"):
        difference("change", MEAN, [jackknifed(x, 8)], [xr.DataArray(1.0)])
    with pytest.raises(ValueError, match="change: no results"):
        difference("change", MEAN, [jackknifed(x)], [])


def test_the_sign_of_a_single_pair_is_not_sure() -> None:
    signs = {(0.1, 0.3, 2): True, (-0.3, -0.1, 3): True, (-0.1, 0.3, 2): False, (0.1, 0.3, 1): False}
    signs[float("nan"), float("nan"), 2] = False
    for (low, high, seeds), sure in signs.items():
        assert Effect("x", 0.2, low, high, 8, seeds).has_sign is sure


def test_what_is_not_known_has_no_interval() -> None:
    assert np.isnan(interval([0.5])).all()
    assert np.isnan(interval([0.5, np.nan], [[0.5] * 8] * 2)).all()
    assert np.isnan(interval([0.5], [[0.5, np.nan, 0.4]])).all()
    assert interval([0.5, 0.5]) == (0.5, 0.5)
    bare = effect("x", MEAN, [xr.DataArray(0.5), xr.DataArray(0.7)])
    assert (bare.low, bare.high) == pytest.approx(interval([0.5, 0.7]))
    with pytest.raises(ValueError, match="no results"):
        effect("x", MEAN, [])


def test_other_groups_for_some_are_refused() -> None:
    x = np.random.default_rng(5).normal(size=40)
    with pytest.raises(ValueError, match=r"groups left out: \[4, 8\]"):
        effect("x", MEAN, [jackknifed(x, 8), jackknifed(x, 4)])
    with pytest.raises(ValueError, match=r"groups left out: \[5, 9\]"):
        effect("x", lambda a, b: float(a - b), [(jackknifed(x, 8), jackknifed(x, 4))])


def test_the_array_of_a_single_pair_may_stand_for_itself() -> None:
    array = jackknifed(np.random.default_rng(5).normal(size=40))
    assert effect("mean", float, array) == effect("mean", float, [array])


def test_several_arrays_of_a_pair_are_left_out_together() -> None:
    x = np.random.default_rng(6).normal(size=40)
    found = effect("difference", lambda a, b: float(a - b), [(jackknifed(x), jackknifed(x + 1))])
    assert (found.value, found.low, found.high) == pytest.approx((-1, -1, -1))


def test_an_effect_in_words_has_true_minus_signs_in_its_numbers_only() -> None:
    text = str(Effect("block-wise", -0.5, -0.75, -0.25, 8, 2))
    assert text == "block-wise: −0.500 (−0.750 to −0.250)"
    assert Effect("x", 0.5, float("nan"), float("nan"), 8, 1).numbers(1) == "0.5 (no interval)"
    assert Effect("x", -0.0, -0.004, 0.006, 8, 2).numbers(2) == "0.00 (0.00 to 0.01)"


@pytest.mark.parametrize(("hits", "n"), [(180, 200), (0, 90), (90, 90), (1, 1000)])
def test_a_share_of_one_network_has_wilsons_interval(hits: int, n: int) -> None:
    found = share("accuracy", [hits / n], n)
    expected = stats.binomtest(hits, n).proportion_ci(0.95, method="wilson")
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.003)  # t for the normal
    assert 0 <= found.low <= found.value <= found.high <= 1


@pytest.mark.parametrize("spread", [0.01, 0.03])
@pytest.mark.parametrize("networks", [1, 2, 3, 5])
def test_the_interval_of_a_share_covers_a_known_truth(networks: int, spread: float) -> None:
    rng, hits, runs = np.random.default_rng(7), 0, 800
    for _ in range(runs):
        difficulty = rng.uniform(size=300)  # of the images, which all networks are tested on: most are right together
        each = np.clip(rng.normal(0.9, spread if networks > 1 else 0, networks), 0, 1)
        shares = [(difficulty < ability).mean() for ability in each]
        hits += (found := share("", shares, 300)).low <= 0.9 <= found.high
    assert 0.935 <= hits / runs <= (0.975 if networks == 1 else 1.0)


def test_a_share_that_varies_over_seeds_is_less_certain() -> None:
    same, varies = share("", [0.9, 0.9, 0.9], 500), share("", [0.85, 0.9, 0.95], 500)
    assert varies.high - varies.low > 2 * (same.high - same.low)
    assert (same.low, same.high) == pytest.approx(stats.binomtest(450, 500).proportion_ci(method="wilson"), abs=1e-3)


@pytest.mark.parametrize(("shares", "n"), [([], 10), ([1.2], 10), ([0.5], 0), ([float("nan")], 10)])
def test_shares_that_are_none(shares: list[float], n: int) -> None:
    with pytest.raises(ValueError, match=f"n = {n} images"):
        share("accuracy", shares, n)
