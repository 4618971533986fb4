r"""C3 and C4: what a residual block does to the similarity of an SNN to an ANN.

For the CKA :math:`c_b(p)` of corresponding layers at place :math:`p` of block :math:`b = 1 \dots B`, with the inside of
the branch :math:`I` = act1, conv1, bn1, act2, conv2,

.. math::
    \mathrm{fall} = \frac{1}{B} \sum_b \Bigl( c_b(\mathrm{input}) - \frac{1}{|I|} \sum_{p \in I} c_b(p) \Bigr), \qquad
    \mathrm{rise} = \frac{1}{B} \sum_b \Bigl( c_b(\mathrm{output}) - \frac{1}{|I|} \sum_{p \in I} c_b(p) \Bigr)

bn2 is not of the inside: without a shortcut it is the block's output itself. So both numbers compare the same places of
networks with and without shortcuts. The inside is its mean and not its lowest layer, which would be low by selection.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from snnlib.claims.verdict import Bound, Claim, Verdict, judge
from snnlib.evidence import Effect, effect
from snnlib.tables import by_block

INSIDE = ("act1", "conv1", "bn1", "act2", "conv2")
LEAST = 0.05  # of CKA: a change that a figure shows without a magnifying glass

C3 = Claim(
    id="C3",
    short="similarity falls inside a block and comes back at its sum",
    statement="Along depth the SNN's similarity to the ANN is periodic: it falls inside a residual block, and the "
    "residual sum pulls it back.",
    criterion=f"In networks with shortcuts everywhere, averaged over all blocks, the CKA inside the branch (mean of "
    f"{', '.join(INSIDE)}) is lower than at the block's input by at least {LEAST} (the fall), and lower than at the "
    f"block's output by at least {LEAST} (the rise).",
    where="residual section",
    pages=("03_residual",),
)

C4 = Claim(
    id="C4",
    short="without shortcuts it does not come back",
    statement="Without residual connections this repair is missing.",
    criterion=f"In networks without any shortcut the rise from inside the branch to the block's output, at the same "
    f"places as in C3, is at most {LEAST}, and it is smaller than in networks with shortcuts everywhere by at "
    f"least {LEAST}.",
    where="residual section",
    pages=("03_residual",),
)


def rise(cka: xr.DataArray) -> float:
    """Mean over blocks of CKA at the output minus inside the branch; nan where a layer has no CKA."""
    return _mean(by_block(cka))


def rise_by_stage(cka: xr.DataArray) -> dict[int, float]:
    """The rise of the blocks of each stage."""
    table = by_block(cka)
    return {int(s): _mean(table[(table["stage"] == s).values]) for s in np.unique(table["stage"])}


def jaggedness(cka: xr.DataArray) -> float:
    """Mean absolute second difference of CKA from place to place through all blocks: 0 for a straight line."""
    table = by_block(cka)
    path = np.concatenate([table.values[:1, 0], table.sel(place=table["place"] != "input").values.ravel()])
    return float(np.abs(np.diff(path, 2)).mean())


def rises(cka: Sequence[xr.DataArray], where: str) -> Effect:
    """The rise with its interval, for the comparisons of one kind of network."""
    return effect(f"rise to the block's output, shortcuts {where} (CKA)", rise, cka)


def fall_and_rise(cka: Sequence[xr.DataArray]) -> tuple[Effect, Effect]:
    """What C3 is judged by, of comparisons of networks with shortcuts everywhere."""
    names = ("fall inside the block", "rise to the block's output")

    def over_blocks(blocks: xr.DataArray) -> float:
        return float(blocks.mean(skipna=False))

    return tuple(
        effect(f"{name}, shortcuts everywhere (CKA)", over_blocks, of_end)
        for name, of_end in zip(names, _above_inside(cka), strict=True)
    )


def block_by_block(cka: Sequence[xr.DataArray]) -> dict[str, tuple[Effect, Effect]]:
    """The fall and the rise of every block by itself, by its name: the claim's are their means."""
    ends = _above_inside(cka)
    return {
        str(block): tuple(effect("CKA", float, [one.sel(block=block, drop=True) for one in of_end]) for of_end in ends)
        for block in ends[0][0]["block"].values
    }


def _above_inside(cka: Sequence[xr.DataArray]) -> tuple[list[xr.DataArray], list[xr.DataArray]]:
    """How far the input of every block, and its output, lie above its inside: (group, block) for each comparison."""
    pairs = [by_block(one) for one in cka]  # (group, block, place)
    inside = [pair.sel(place=list(INSIDE)).mean("place", skipna=False) for pair in pairs]
    return tuple(
        [(pair.sel(place=end, drop=True) - of).assign_attrs(pair.attrs) for pair, of in zip(pairs, inside, strict=True)]
        for end in ("input", "output")
    )


def c3(everywhere: Sequence[xr.DataArray], beside: Mapping[str, Sequence[xr.DataArray]] | None = None) -> Verdict:
    """C3, from the comparison SNN × ANN of each pair of networks with shortcuts everywhere; `beside`: of others."""
    others = {name: fall_and_rise(cka) for name, cka in (beside or {}).items()}
    return judge(C3, [Bound(found, LEAST) for found in fall_and_rise(everywhere)], others)


def c4(everywhere: Sequence[xr.DataArray], nowhere: Sequence[xr.DataArray]) -> Verdict:
    """C4, from the comparisons of the same pairs of seeds, with shortcuts everywhere and nowhere."""
    both = list(zip(everywhere, nowhere, strict=True))
    less = effect("rise with shortcuts minus rise without (CKA)", lambda a, b: rise(a) - rise(b), both)
    return judge(C4, [Bound(rises(nowhere, "nowhere"), LEAST, at_most=True), Bound(less, LEAST)])


def _mean(table: xr.DataArray) -> float:
    inside = table.sel(place=list(INSIDE)).values.mean(-1)  # (B, |I|) -> (B,)
    return float((table.sel(place="output").values - inside).mean())
