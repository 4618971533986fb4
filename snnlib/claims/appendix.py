"""The appendix: VGG networks, and data of many classes, as further cases of C2 (C8)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from snnlib.claims.verdict import Bound, Claim, Verdict, judge
from snnlib.evidence import effect, known_from
from snnlib.tables import means_in_common

NEAR = 0.8  # share of its ceiling that a similarity must reach to be called near it

C8 = Claim(
    id="C8",
    statement="VGG networks and data of many classes (the paper: CIFAR-100) are further cases of what C2 says "
    "of residual networks: SNNs and ANNs reach similar representations at corresponding depth.",
    criterion="In each case, averaged over corresponding layers, CKA of SNN × ANN exceeds that of untrained networks "
    f"and that of shuffled images, and it is at least {100 * NEAR:g} % of its ceiling, the mean CKA of two SNNs and of "
    "two ANNs that differ in their seed.",
    where="Appendix A.1, A.2",
    pages=("a1_vgg", "a2_cifar100"),
)


@dataclass(frozen=True)
class Pair:
    """CKA of all layers of an SNN and an ANN of other seeds, (layer_a, layer_b), and what it is measured by.

    `ceilings`: two SNNs and two ANNs of these seeds; empty where there is a single seed.
    """

    cross: xr.DataArray
    untrained: xr.DataArray
    shuffled: xr.DataArray
    ceilings: tuple[xr.DataArray, ...] = ()


@dataclass(frozen=True)
class Case:
    """One architecture on one data set. `title` names both, and says so where the data stand in for others."""

    title: str
    pairs: tuple[Pair, ...]


def c8(*cases: Case) -> Verdict:
    """The verdict on C8 from one or more further cases; all of them must keep their bounds.

    Raises:
        ValueError: no case, or a case without pairs.
    """
    return judge(C8, [bound for case in cases for bound in _bounds(case)])


def _bounds(case: Case) -> list[Bound]:
    above = effect(
        f"{case.title}: CKA of SNN × ANN above that of untrained networks or shuffled images, whichever is larger",
        _above_nulls,
        [(pair.cross, pair.untrained, pair.shuffled) for pair in case.pairs],
    )
    with_ceiling = [(pair.cross, *pair.ceilings) for pair in case.pairs if pair.ceilings]
    if not with_ceiling:
        return [Bound(above, 0.0)]
    near = effect(f"{case.title}: CKA of SNN × ANN as a share of its ceiling", _share_of_ceiling, with_ceiling)
    near = known_from(near, *([arrays[i] for arrays in with_ceiling] for i in (1, 2)))
    return [Bound(above, 0.0), Bound(near, NEAR)]


def _above_nulls(cross: xr.DataArray, *nulls: xr.DataArray) -> float:
    similarity, *least = means_in_common(cross, *nulls)
    return similarity - max(least)


def _share_of_ceiling(cross: xr.DataArray, *ceilings: xr.DataArray) -> float:
    similarity, *most = means_in_common(cross, *ceilings)
    return similarity / float(np.mean(most))
