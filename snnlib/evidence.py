r"""How sure a number is: intervals over images and over seeds.

An effect :math:`\theta_k` is a number computed from one pair of networks, :math:`k = 1 \dots K`, on :math:`n` images.
Its error over images is estimated by leaving out one of :math:`G` groups of images at a time (delete-a-group jackknife;
Efron and Stein 1981), its error over seeds from the scatter of the pairs:

.. math::
    v = \frac{1}{K} \sum_k \frac{G-1}{G} \sum_g \bigl(\theta_k^{(-g)} - \bar\theta_k\bigr)^2, \qquad
    s^2 = \frac{1}{K-1} \sum_k (\theta_k - \bar\theta)^2, \qquad
    \bar\theta \pm t_{\nu} \sqrt{s^2 / K + v}

All pairs see the same images, so that error does not shrink with :math:`K`. The degrees of freedom :math:`\nu` are
Satterthwaite's (1946), :math:`(s^2/K + v)^2 / \bigl(\tfrac{(s^2/K)^2}{K-1} + \tfrac{v^2}{G-1}\bigr)`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy import stats

GROUP = "group"  # dimension of results: 0 are all images, g = 1 ... G all but those of group g


@dataclass(frozen=True)
class Effect:
    """A number with its interval. `n_images`: images it was computed on; `seeds`: pairs of networks."""

    what: str
    value: float
    low: float
    high: float
    n_images: int
    seeds: int

    def __str__(self) -> str:
        numbers = f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})".replace("-", "−")
        return f"{self.what}: {numbers}"


def effect(
    what: str,
    measure: Callable[..., float],
    results: Sequence[xr.DataArray | tuple[xr.DataArray, ...]],
    level: float = 0.95,
) -> Effect:
    """The mean over pairs of networks of a number computed from each, with its interval over images and seeds.

    Args:
        what: the number in words, with its unit.
        measure: takes the arrays of one pair, without the dimension "group", and returns the number.
        results: for each pair of networks an array, or several that belong together, with the dimension "group": first
            all images, then all but one group at a time. Where arrays come without it, the interval is over seeds only.
        level: probability that the interval should cover.

    Returns:
        The effect. With a single pair nothing is known of other seeds: the interval is that over images alone.

    Raises:
        ValueError: no results.
    """
    if not results:
        raise ValueError(f"{what}: no results to compute it from")
    pairs = [result if isinstance(result, tuple) else (result,) for result in results]
    theta = [np.array([measure(*arrays) for arrays in _by_group(pair)], dtype=float) for pair in pairs]
    values = np.array([t[0] for t in theta])
    n_images = min((int(a.attrs["n_images"]) for pair in pairs for a in pair if "n_images" in a.attrs), default=0)
    low, high = interval(values, [t[1:] for t in theta], level)
    return Effect(what, float(values.mean()), low, high, n_images, len(values))


def interval(
    values: Sequence[float], left_out: Sequence[Sequence[float]] = (), level: float = 0.95
) -> tuple[float, float]:
    """The module's interval. `left_out`: for each value those with one group of images left out, or nothing."""
    values = np.asarray(values, dtype=float)
    k = len(values)
    parts = []  # (variance, degrees of freedom)
    if k > 1:
        parts.append((values.var(ddof=1) / k, k - 1))
    jackknives = [np.asarray(group, dtype=float) for group in left_out if len(group) > 1]
    if jackknives:
        g = len(jackknives[0])
        parts.append((float(np.mean([(g - 1) / g * ((j - j.mean()) ** 2).sum() for j in jackknives])), g - 1))
    variance = sum(v for v, _ in parts)
    if not parts or not np.isfinite(variance):
        return float("nan"), float("nan")
    if variance == 0:
        return float(values.mean()), float(values.mean())
    freedom = variance**2 / sum(v**2 / f for v, f in parts)
    half = stats.t.ppf(0.5 + level / 2, freedom) * np.sqrt(variance)
    return float(values.mean() - half), float(values.mean() + half)


def _by_group(arrays: tuple[xr.DataArray, ...]) -> list[tuple[xr.DataArray, ...]]:
    sizes = {a.sizes[GROUP] for a in arrays if GROUP in a.dims}
    if not sizes:
        return [arrays]
    (size,) = sizes  # arrays of one pair are computed on the same groups
    return [tuple(a.isel({GROUP: g}) if GROUP in a.dims else a for a in arrays) for g in range(size)]
