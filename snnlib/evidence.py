"""How sure a number is: effects, their intervals over images and over seeds, and how both are written."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from scipy.special import stdtrit  # of the same t as scipy.stats.t, which takes a second or more to import

from snnlib.intervals import around, image_error, interval, means_left_out, seed_error
from snnlib.spec import GROUP


def number(value: float | None, digits: int = 3) -> str:
    """A number as the reader sees it, with a real minus sign, and none before a rounded zero; "no value" for nan."""
    if value is None or not math.isfinite(value):
        return "no value"
    return f"{round(float(value), digits) + 0.0:.{digits}f}".replace("-", "−")


def span(value: float, low: float | None = None, high: float | None = None, digits: int = 3, unit: str = "") -> str:
    """A number with its interval, where it is known: "0.912 (0.903 to 0.921)", "97.4 % (96.9 to 97.9 %)"."""
    text = number(value, digits) + unit * (value is not None and math.isfinite(value))
    known = low is not None and high is not None and math.isfinite(low) and math.isfinite(high)
    return f"{text} ({number(low, digits)} to {number(high, digits)}{unit})" if known else text


@dataclass(frozen=True)
class Effect:
    """A number with its interval. `n_images`: images it was computed on; `seeds`: how many networks, or `pairs` of
    them, it is the mean over."""

    what: str
    value: float
    low: float
    high: float
    n_images: int
    seeds: int
    pairs: bool = True

    def __str__(self) -> str:
        return f"{self.what}: {self.numbers()}"

    def numbers(self, digits: int = 3) -> str:
        """The value and its interval in words: "0.912 (0.903 to 0.921)"; "no value" for nan."""
        unknown = math.isfinite(self.value) and not self._has_interval
        return span(self.value, self.low, self.high, digits) + " (no interval)" * unknown

    def percent(self, digits: int = 1) -> str:
        """A share of 1 in words: "97.4 % (96.9 to 97.9 %)"."""
        return span(100 * self.value, 100 * self.low, 100 * self.high, digits, " %")

    def size(self) -> str:
        """ "n = 2,048 images, 3 pairs of networks"."""
        many = "s" * (self.seeds != 1)
        networks = f"pair{many} of networks" if self.pairs else f"network{many}"
        return f"n = {self.n_images:,} images, {self.seeds} {networks}"

    def basis(self) -> str:
        """The same, and its interval: "…; 95 % interval", of a single pair or network "over images alone"."""
        known = "; 95 % interval" + " over images alone" * (self.seeds == 1)
        return self.size() + known * self._has_interval

    @property
    def has_sign(self) -> bool:
        """Whether it is surely above zero, or surely below: a single pair of networks tells that of no others."""
        return self.seeds > 1 and self._has_interval and (self.low > 0 or self.high < 0)

    @property
    def _has_interval(self) -> bool:
        return math.isfinite(self.low) and math.isfinite(self.high)


def effect(
    what: str,
    measure: Callable[..., float],
    results: xr.DataArray | Sequence[xr.DataArray | tuple[xr.DataArray, ...]],
    level: float = 0.95,
    *,
    pairs: bool = True,
    stretch: float = 1.0,
) -> Effect:
    """The mean over pairs of networks of a number computed from each, with its interval over images and seeds.

    Args:
        what: the number in words, with its unit.
        measure: takes the arrays of one pair, without the dimension "group", and returns the number.
        results: for each pair of networks an array, or several that belong together, with the dimension "group": first
            all images, then all but one group at a time. Where arrays come without it, the interval is over seeds only.
            The array of a single pair may stand for itself.
        level: probability that the interval should cover.
        pairs: whether an array is of two networks, as `Effect` has it.
        stretch: by how much the error over seeds is larger than the scatter shows, see `stretch_for_shared`.

    Returns:
        The effect. With a single pair nothing is known of other seeds: the interval is that over images alone.

    Raises:
        ValueError: no results.
    """
    values, left_out, n_images = _numbers(what, measure, results)
    low, high = interval(values, left_out, level, stretch)
    return Effect(what, float(values.mean()), low, high, n_images, len(values), pairs)


def difference(
    what: str,
    measure: Callable[..., float],
    first: Sequence[xr.DataArray | tuple[xr.DataArray, ...]],
    second: Sequence[xr.DataArray | tuple[xr.DataArray, ...]],
    level: float = 0.95,
    *,
    stretch: tuple[float, float] = (1.0, 1.0),
) -> Effect:
    r"""The mean over some pairs of networks minus that over others, which were trained on something else.

    No pair of the one side belongs to a pair of the other, so their errors over seeds add up: to
    :math:`s_1^2 / K_1 + s_2^2 / K_2`, each with its own degrees of freedom (Welch 1947). The error over images is that
    of the difference, groups of images left out on both sides at once: of the same images what they do to both sides
    cancels, of other images the errors add up. As in `interval`, the whole is never taken narrower than one of its
    parts alone.

    Args:
        what, measure, level: as in `effect`.
        first, second: results as in `effect`, of either side.
        stretch: as in `effect`, of either side.

    Returns:
        The effect; `seeds` is the smaller number of pairs. With a single pair on one side the interval is that over
        images alone.

    Raises:
        ValueError: no results on a side; other numbers of groups on one than on the other.
    """
    sides = [_numbers(what, measure, results) for results in (first, second)]
    means = [float(values.mean()) for values, _, _ in sides]
    seeds = [seed_error(values, factor) for (values, _, _), factor in zip(sides, stretch, strict=True)]
    a, b = (means_left_out(left_out) for _, left_out, _ in sides)
    if len(a) != len(b):
        raise ValueError(f"{what}: {len(a)} groups of images on one side, {len(b)} on the other; use equally many")
    known = [*(seeds if None not in seeds else ()), image_error(a - b)]
    low, high = around(means[0] - means[1], [part for part in known if part], level)
    n_images, pairs = min(n for _, _, n in sides), min(len(values) for values, _, _ in sides)
    return Effect(what, means[0] - means[1], low, high, n_images, pairs)


def _numbers(
    what: str, measure: Callable[..., float], results: xr.DataArray | Sequence[xr.DataArray | tuple[xr.DataArray, ...]]
) -> tuple[np.ndarray, list[np.ndarray], int]:
    """The number of each pair, (K,); for each those without a group of images; and how many images there are."""
    results = [results] if isinstance(results, xr.DataArray | xr.Dataset) else results
    if not results:
        raise ValueError(f"{what}: no results to compute it from")
    each = [result if isinstance(result, tuple) else (result,) for result in results]
    theta = [np.array([measure(*arrays) for arrays in _by_group(one)], dtype=float) for one in each]
    n_images = min((int(a.attrs["n_images"]) for one in each for a in one if "n_images" in a.attrs), default=0)
    return np.array([t[0] for t in theta]), [t[1:] for t in theta], n_images


def stretch_for_shared(pairs: int, *shared: Sequence[xr.DataArray], weight: float = 1.0) -> float:
    r"""How much larger than its scatter shows the error over seeds is where pairs share what each is compared with.

    The pairs of seeds (0, 1) and (1, 0) have one SNN x SNN and one ANN x ANN between them, and what chance did to these
    two ceilings is not in the scatter of the pairs. Let :math:`\sigma^2` be the variance that every comparison of two
    networks has of its own, and :math:`w` the weight that the mean of the two ceilings has beside a pair's own
    comparison. The mean over :math:`K` pairs has :math:`\sigma^2 / K` of it, which is what the scatter shows, and the
    mean of two kinds of ceilings, :math:`C` different ones of each, another :math:`w^2 \sigma^2 / (2C)`. So with fewer
    ceilings than pairs the error is :math:`\sqrt{1 + w^2 K / (2C)}` times as large. (What a network brings into all its
    comparisons cancels between pairs and ceilings where :math:`w = 1`; where less of it does, the scatter shows more of
    it than is left.) The error over images is no larger: all pairs see the same images.

    Args:
        pairs: how many pairs of networks, :math:`K`.
        shared: for each kind of ceiling an array a pair, equal ones being the same ceiling.
        weight: :math:`w`, at most 1.
    """
    different = min((len({a.values.tobytes() for a in arrays}) for arrays in shared), default=pairs)
    return 1.0 if different >= pairs else math.sqrt(1 + weight**2 * pairs / (2 * different))


def magnitude(signed: Effect) -> Effect:
    """The absolute value of an effect, from the end of its interval nearer to zero (or zero inside it) to the other."""
    nearest = max(0.0, signed.low, -signed.high) if np.isfinite([signed.low, signed.high]).all() else float("nan")
    farthest = max(abs(signed.low), abs(signed.high))
    return replace(signed, what=f"size of the {signed.what}", value=abs(signed.value), low=nearest, high=farthest)


def share(what: str, shares: Sequence[float], n: int, level: float = 0.95) -> Effect:
    r"""The mean over networks of a share of n test images (an accuracy), with its interval over images and seeds.

    Wilson's interval (1927) for the share :math:`\bar p` of :math:`n_e` images, as in surveys of clusters (Korn and
    Graubard 1998): :math:`n_e = \bar p (1 - \bar p) / (s^2/K + \bar p (1 - \bar p) / n)` is how many independent images
    would leave the error that images and seeds leave; :math:`t_\nu` stands for the normal quantile. As in `interval`,
    it is never taken narrower than that of either error alone. It stays within 0 and 1.

    Args:
        what: the share in words.
        shares: one a network, 0 to 1, all of the same images.
        n: how many images.
        level: as in `effect`.

    Raises:
        ValueError: no shares, one outside 0 to 1, or no images.
    """
    p = np.asarray(shares, dtype=float)
    if not p.size or n < 1 or not ((p >= 0) & (p <= 1)).all():
        raise ValueError(f"{what}: shares = {list(shares)} of n = {n} images; give shares from 0 to 1, of some images")
    k, mean = len(p), float(p.mean())
    of_one = mean * (1 - mean)  # variance of one image's being right
    # (variance as a share of it, degrees of freedom): 1 / n_e of the images, of the seeds, of both
    parts = [(1 / n, max(n - 1.0, 1.0))]
    if k > 1 and of_one and (seeds := float(p.var(ddof=1)) / k / of_one):
        parts.append((seeds, k - 1.0))
        both = sum(v for v, _ in parts)
        parts.append((both, both**2 / sum(v**2 / f for v, f in parts)))
    t = max(float(stdtrit(f, 0.5 + level / 2)) ** 2 * v for v, f in parts)
    middle, half = (mean + t / 2) / (1 + t), np.sqrt(t * mean * (1 - mean) + t**2 / 4) / (1 + t)
    return Effect(what, mean, float(max(middle - half, 0)), float(min(middle + half, 1)), n, k, pairs=False)


def less(a: xr.DataArray, b: xr.DataArray) -> xr.DataArray:
    """a − b, for `effect`: of the same layers, groups and so on, known of as many images as the fewer of both.

    Raises:
        ValueError: other coordinates along a dimension of both.
    """
    with xr.set_options(arithmetic_join="exact"):
        found = a - b
    counts = [one.attrs["n_images"] for one in (a, b) if "n_images" in one.attrs]
    found.attrs = {"n_images": min(counts)} if counts else {}
    return found


def _by_group(arrays: tuple[xr.DataArray, ...]) -> list[tuple[xr.DataArray, ...]]:
    sizes = {a.sizes[GROUP] for a in arrays if GROUP in a.dims}
    if not sizes:
        return [arrays]
    if len(sizes) > 1:
        raise ValueError(f"groups left out: {sorted(sizes)}; arrays that belong together need the same ones")
    (size,) = sizes
    return [tuple(a.isel({GROUP: g}) if GROUP in a.dims else a for a in arrays) for g in range(size)]
