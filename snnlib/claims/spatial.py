r"""The section on width and depth: the grid of the heatmap (C1), and similarity at corresponding depth (C2).

Both look at residual blocks. A *place* is a layer's role in its block (first activation, second convolution, the
block's output, ...). With :math:`M` the CKA of all SNN layers with all ANN layers, the contrast of the grid is

.. math::
    \langle M_{(p, r), (q, r)} \rangle_{p \ne q} - \langle M_{(p, r), (q, s)} \rangle_{p \ne q, r \ne s}

over blocks :math:`p, q` and places :math:`r, s`. Whole rows and columns that are brighter than others (stripes) cancel,
and if the places of a block were shuffled it would be 0 on average. Pairs of layers at one place are as far apart as
pairs at different places are on average, so a similarity that only falls with distance gives none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from snnlib import tables
from snnlib.claims.verdict import Bound, Claim, Verdict, judge
from snnlib.evidence import Effect, effect, stretch_for_shared
from snnlib.tables import means_in_common, same_layers

PAGE = "02_spatial_cka"
LEAST_CONTRAST, MOST_LOST = 0.05, 0.05  # CKA
PLACES = len(tables.PLACES) - 1  # of a residual block that have a contrast: all but its input


def contrast_of_checkerboard(places: int = PLACES, alike: int = 1) -> float:
    r"""The contrast of a grid of `alike` of the places against the rest, as a share of its amplitude.

    In a checkerboard two layers are more similar, by the amplitude, where both are of the `alike` or neither is. At the
    same place they always are. Of all :math:`P (P - 1)` pairs of different places :math:`2 k (P - k)` are not, and only
    by this share of them the mean over different places lies lower.
    """
    return 2 * alike * (places - alike) / (places * (places - 1))


C1 = Claim(
    id="C1",
    short="the heatmap of all layers shows a grid",
    statement="The heatmap of all SNN layers against all ANN layers shows a checkerboard-like grid.",
    criterion=(
        "In different residual blocks, layers at the same place of the block are on average at least "
        f"{LEAST_CONTRAST:g} more similar (CKA) than layers at different places. If only one of the {PLACES} places of "
        "a block, such as its output, differs from the rest, most pairs of different places are still alike, and the "
        f"contrast is only {contrast_of_checkerboard():.2f} of the step from dark to bright cells: to pass, that step "
        f"must then be at least {LEAST_CONTRAST / contrast_of_checkerboard():.3f}. A fainter pattern does not pass."
    ),
    where="Fig. 2",
    pages=(PAGE,),
)
C2 = Claim(
    id="C2",
    short="they are similar at corresponding depth",
    statement="SNNs and ANNs reach similar representations at corresponding depth.",
    criterion=(
        "The mean CKA of corresponding block outputs is nearer to the ceiling (the mean of two SNNs and two "
        f"ANNs) than to either null (untrained networks, shuffled images), and at most {MOST_LOST:g} of CKA is lost by "
        "taking the ANN's block at the same place instead of the one that is most similar."
    ),
    where="spatial section, Fig. 2",
    pages=(PAGE,),
)
OUTPUTS = {"sum": "block outputs", "act": "activations"}

Ceilings = Sequence[tuple[xr.DataArray, xr.DataArray]]  # SNN x SNN and ANN x ANN, for each pair of networks


def c1(cross: Sequence[xr.DataArray], beside: Mapping[str, Sequence[xr.DataArray]] | None = None) -> Verdict:
    """Judge C1. `cross`: SNN x ANN, (group, layer_a, layer_b), one a pair of networks; `beside`: the same of others."""
    others = {name: (contrast_effect(arrays),) for name, arrays in (beside or {}).items()}
    return judge(C1, [Bound(contrast_effect(cross), LEAST_CONTRAST)], others)


def c2(
    cross: Sequence[xr.DataArray],
    untrained: Sequence[xr.DataArray],
    shuffled: Sequence[xr.DataArray],
    ceilings: Ceilings,
) -> Verdict:
    """Judge C2. Arrays as in `c1`, one a pair of networks; without ceilings (one seed) it is undecided.

    With two seeds both pairs have the same two ceilings, and the error over seeds is the larger for it; with more, the
    ceilings of different pairs are different comparisons.
    """
    return judge(C2, corresponding_depth(cross, untrained, shuffled, ceilings))


def corresponding_depth(
    cross: Sequence[xr.DataArray],
    untrained: Sequence[xr.DataArray],
    shuffled: Sequence[xr.DataArray],
    ceilings: Ceilings,
    case: str = "",
) -> list[Bound]:
    """The bounds of C2, of block outputs or, in networks without residual blocks, of activations.

    `case`: what the networks and the data are, where the claim is about several.
    """
    begin, outputs = f"{case}: " if case else "", OUTPUTS[_output_kind(cross[0])]
    bounds = []
    for name, nulls in (("untrained", untrained), ("shuffled", shuffled)):
        what = f"{begin}CKA of {outputs} above the middle between {name} and ceiling"
        if ceilings:
            together = [(a, null, *both) for a, null, both in zip(cross, nulls, ceilings, strict=True)]
            stretch = stretch_for_shared(len(cross), *zip(*ceilings, strict=True), weight=0.5)  # as in the middle
            bounds.append(Bound(effect(what, _above_the_middle, together, stretch=stretch), 0.0))
        else:
            bounds.append(Bound(effect(what, lambda _: np.nan, cross), 0.0))  # unknown, of these images and pairs
    what = f"{begin}CKA lost by taking the {outputs} at the same place, not the most similar"
    return [*bounds, Bound(effect(what, lost_at_the_same_place, cross), MOST_LOST, at_most=True)]


def contrast_effect(comparisons: Sequence[xr.DataArray]) -> Effect:
    """The contrast of the grid, as an effect; also of untrained networks, where only the architecture makes it."""
    return effect("contrast of the grid (CKA)", grid_contrast, comparisons)


def grid_contrast(cka: xr.DataArray) -> float:
    """The module's contrast, of (layer_a, layer_b); nan for networks without two blocks of two places.

    Layers without a value are left out, and places that not all blocks have (those of a downsampling shortcut).
    """
    by_place = _by_place(cka)
    r, s = np.indices(by_place.shape)
    return float(_mean(by_place[r == s]) - _mean(by_place[r != s]))


def stripes(cka: xr.DataArray) -> float:
    """What the contrast leaves out: by how much CKA differs between places as a whole, rows and columns together.

    The standard deviation over places of their mean CKA with all layers of other blocks, of rows and of columns, as the
    root of the sum of squares.
    """
    by_place = _by_place(cka)
    means = [_mean(by_place, axis=(side,)) for side in (0, 1)]
    return float(np.sqrt(sum(_mean((of - _mean(of)) ** 2) for of in means)))


def mean_of_blocks(cka: xr.DataArray) -> float:
    """Mean CKA of corresponding block outputs, of (layer_a, layer_b)."""
    return float(_mean(np.diag(_block_outputs(cka))))


def lost_at_the_same_place(cka: xr.DataArray) -> float:
    """By how much an SNN block's most similar ANN block is more similar than the one at the same place, on average."""
    blocks = _block_outputs(cka)
    known = np.isfinite(np.diag(blocks))
    return float(_mean(np.nanmax(blocks[known], axis=1) - np.diag(blocks)[known])) if known.any() else float("nan")


def means_judged(cross: xr.DataArray, *others: xr.DataArray) -> list[float]:
    """What C2 compares: the mean CKA of block outputs, of activations in networks without blocks, of each comparison.

    Over the outputs that have a value in all: a block that is silent in one would change what is averaged.
    """
    return means_in_common(cross, *others, kind=_output_kind(cross))


def _above_the_middle(cross: xr.DataArray, null: xr.DataArray, *ceilings: xr.DataArray) -> float:
    similarity, least, *most = means_judged(cross, null, *ceilings)
    return similarity - (float(np.mean(most)) + least) / 2


def _output_kind(cka: xr.DataArray) -> str:
    """The kind of layer at which a block ends: the sum with its shortcut, else the activation."""
    return "sum" if "sum" in cka["kind_a"].values else "act"


def _block_outputs(cka: xr.DataArray) -> np.ndarray:
    """(blocks, blocks) of the blocks that both networks have; of networks without blocks, activations."""
    ends, kinds = _output_kind(cka), cka["kind_a"].values.tolist()
    pairs = [(a, b) for a, b in same_layers(cka) if kinds[a] == ends]
    rows, columns = np.array(pairs, dtype=int).reshape(-1, 2).T
    return cka.values[np.ix_(rows, columns)]


def _by_place(cka: xr.DataArray) -> np.ndarray:
    """(places, places) mean CKA over all pairs of different blocks; (2, 2) nan where there are too few of either."""
    rows, columns = _places(cka, "a"), _places(cka, "b")
    if rows.shape[1] != columns.shape[1] or min(*rows.shape, len(columns)) < 2:
        return np.full((2, 2), np.nan)
    values = cka.values[rows[:, :, None, None], columns[None, None]]  # (p, r, q, s)
    p, _, q, _ = np.indices(values.shape)
    if len(rows) == len(columns):
        values = np.where(p == q, np.nan, values)
    # a mean for each pair of places first: one that dead layers thin out must not shift the balance of the others
    return _mean(values, axis=(0, 2))


def _places(cka: xr.DataArray, side: str) -> np.ndarray:
    """(blocks, places) numbers of the layers along one side, the places that all blocks have in one order."""
    blocks: dict[tuple[int, int], dict[str, int]] = {}
    stages, numbers = cka[f"stage_{side}"].values.tolist(), cka[f"block_{side}"].values.tolist()
    for i, name in enumerate(cka[f"layer_{side}"].values.tolist()):
        if stages[i] >= 0:
            _, _, place = name.partition(f"{stages[i]}.{numbers[i]}")  # "stage1.0.conv1" -> ".conv1"
            blocks.setdefault((stages[i], numbers[i]), {})[place] = i
    common = sorted(set.intersection(*map(set, blocks.values()))) if blocks else []
    return np.array([[block[place] for place in common] for block in blocks.values()], dtype=int, ndmin=2)


def _mean(values: np.ndarray, axis: tuple[int, ...] | None = None) -> np.ndarray:
    """Mean of the finite values, nan if there are none."""
    finite = np.isfinite(values)
    counts = finite.sum(axis=axis)
    return np.where(finite, values, 0).sum(axis=axis) / np.where(counts == 0, np.nan, counts)
