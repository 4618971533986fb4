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
from snnlib.evidence import Effect, effect, less
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


def above_inside(cka: xr.DataArray, end: str = "output") -> xr.DataArray:
    """How far the input or the output of every block lies above its inside, in CKA; nan where a layer has none.

    Args:
        cka: (..., layer_a, layer_b), of two residual networks of one depth.
        end: "input" or "output".

    Returns:
        (..., block) with the coordinate stage.
    """
    table = by_block(cka)
    inside = table.sel(place=list(INSIDE)).mean("place", skipna=False, keep_attrs=True)
    return less(table.sel(place=end, drop=True), inside)


def over_blocks(above: xr.DataArray, stage: int | None = None) -> xr.DataArray:
    """The mean over blocks, (..., block) -> (...); of one stage's alone where it is given."""
    blocks = above if stage is None else above.isel(block=(above["stage"] == stage).values)
    return blocks.mean("block", skipna=False, keep_attrs=True)


def rise(cka: xr.DataArray) -> xr.DataArray:
    """Mean over blocks of CKA at the output minus inside the branch, (...); nan where a layer has no CKA."""
    return over_blocks(above_inside(cka))


def jaggedness(cka: xr.DataArray) -> xr.DataArray:
    """Mean absolute second difference of CKA from place to place through all blocks, (...): 0 for a straight line."""
    table = by_block(cka)
    blocks = table.sel(place=table["place"] != "input").values
    first = table.isel(block=0).sel(place=["input"]).values  # the inputs of the others are outputs of those before
    path = np.concatenate([first, blocks.reshape(*blocks.shape[:-2], -1)], axis=-1)
    bends = np.abs(np.diff(path, 2)).mean(-1)
    return xr.DataArray(bends, dims=table.dims[:-2], attrs=cka.attrs)


def rises(cka: Sequence[xr.DataArray], where: str) -> Effect:
    """The rise with its interval, for the comparisons of one kind of network."""
    return effect(f"rise to the block's output, shortcuts {where} (CKA)", float, [rise(one) for one in cka])


def less_rise(pairs: Sequence[tuple[xr.DataArray, xr.DataArray]]) -> Effect:
    """By how much the rise is larger with shortcuts everywhere than without any, pair by pair of their comparisons."""
    found = [less(rise(with_), rise(without)) for with_, without in pairs]
    return effect("rise with shortcuts minus rise without (CKA)", float, found)


def fall_and_rise(cka: Sequence[xr.DataArray]) -> tuple[Effect, Effect]:
    """What C3 is judged by, of comparisons of networks with shortcuts everywhere."""
    falls = [over_blocks(above_inside(one, "input")) for one in cka]
    return effect("fall inside the block, shortcuts everywhere (CKA)", float, falls), rises(cka, "everywhere")


def block_by_block(cka: Sequence[xr.DataArray]) -> dict[str, tuple[Effect, Effect]]:
    """The fall and the rise of every block by itself, by its name: the claim's are their means."""
    ends = [[above_inside(one, end) for one in cka] for end in ("input", "output")]
    return {
        str(block): tuple(effect("CKA", float, [one.sel(block=block, drop=True) for one in of_end]) for of_end in ends)
        for block in ends[0][0]["block"].values
    }


def blocks_that_keep(blocks: Mapping[str, tuple[Effect, Effect]]) -> tuple[int, int]:
    """Of the blocks of `block_by_block`, how many keep the bound of C3 in both values, and in both whole intervals."""
    values = sum(all(one.value >= LEAST for one in both) for both in blocks.values())
    return values, sum(all(one.low >= LEAST for one in both) for both in blocks.values())


def c3(everywhere: Sequence[xr.DataArray], beside: Mapping[str, Sequence[xr.DataArray]] | None = None) -> Verdict:
    """C3, from the comparison SNN × ANN of each pair of networks with shortcuts everywhere; `beside`: of others."""
    others = {name: fall_and_rise(cka) for name, cka in (beside or {}).items()}
    return judge(C3, [Bound(found, LEAST) for found in fall_and_rise(everywhere)], others)


def c4(everywhere: Sequence[xr.DataArray], nowhere: Sequence[xr.DataArray]) -> Verdict:
    """C4, from the comparisons of the same pairs of seeds, with shortcuts everywhere and nowhere."""
    smaller = less_rise(list(zip(everywhere, nowhere, strict=True)))
    return judge(C4, [Bound(rises(nowhere, "nowhere"), LEAST, at_most=True), Bound(smaller, LEAST)])
