"""The appendix: VGG networks, and data of many classes, as further cases of C2 (C8)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import xarray as xr

from snnlib.claims.spatial import MOST_LOST, Ceilings, corresponding_depth
from snnlib.claims.verdict import Bound, Claim, Verdict, judge

C8 = Claim(
    id="C8",
    short="VGG networks and many classes agree with C2",
    statement="VGG networks and data of many classes (the paper: CIFAR-100) are further cases of what C2 says "
    "of residual networks: SNNs and ANNs reach similar representations at corresponding depth.",
    criterion="In each case what C2 asks is so, of block outputs in residual networks and of activations in VGG "
    "networks, which have no blocks: the mean CKA of corresponding ones is nearer to the ceiling (the mean of two "
    f"SNNs and two ANNs) than to either null (untrained networks, shuffled images), and at most {MOST_LOST} of CKA is "
    "lost by taking the ANN's at the same place instead of the most similar one.",
    where="Appendix A.1, A.2",
    pages=("a1_vgg", "a2_cifar100"),
)


@dataclass(frozen=True)
class Case:
    """One architecture on one data set, and what `corresponding_depth` judges it by, one a pair of networks.

    `title` names both, and says so where the data stand in for others.
    """

    title: str
    cross: Sequence[xr.DataArray]
    untrained: Sequence[xr.DataArray]
    shuffled: Sequence[xr.DataArray]
    ceilings: Ceilings = ()


def c8(*cases: Case) -> Verdict:
    """The verdict on C8 from one or more further cases; all of them must keep the bounds of C2.

    Raises:
        ValueError: no case, or a case without pairs.
    """
    return judge(C8, [bound for case in cases for bound in _bounds(case)])


def _bounds(case: Case) -> list[Bound]:
    if not case.cross:
        raise ValueError(f"{case.title}: no pairs of networks to judge C8 by")
    return corresponding_depth(case.cross, case.untrained, case.shuffled, case.ceilings, case.title)
