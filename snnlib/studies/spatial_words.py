"""What the section on width and depth says of its results, as sentences and tables for the text."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import xarray as xr

from snnlib import tables
from snnlib.claims import spatial as claims
from snnlib.evidence import Effect, allowing_for_shared, effect, number, share
from snnlib.series import ANNS, CEILINGS, CROSS, KINDS, SNNS, UNTRAINED
from snnlib.studies.rows import accuracy_in_words
from snnlib.studies.spatial import Setting, Spatial, means_of_blocks


def learned_in_words(results: Spatial) -> str:
    """How good the networks are that are compared, and what that means for what follows."""
    return (
        f"{accuracy_in_words(results.networks, results.n_test)} Where the kinds differ in that, what separates them "
        "can be how far each got in the same training, and not what it is; no claim tells these apart."
    )


def most_similar_in_words(results: Spatial) -> str:
    """The most similar pair of layers in the heatmap shown, and how often it is the corresponding one."""
    first = tables.all_images(results.cross[0])
    inside = _blocks(first)
    i, j = np.unravel_index(np.nanargmax(inside.values), inside.shape)
    found = {CROSS: effect("", at_the_same_place, results.cross)}
    found |= {name: effect("", at_the_same_place, [arrays]) for name, arrays in _first_ceilings(results).items()}
    found |= {UNTRAINED: effect("", at_the_same_place, results.untrained)}
    one, *others = (f"{name} {of.numbers(2)}" for name, of in found.items())
    return (
        f"In the pair of networks shown, the most similar layers of blocks are `{inside['layer_a'].values[i]}` (SNN) "
        f"and `{inside['layer_b'].values[j]}` (ANN), {number(inside.values[i, j], 2)}. The share of a network's layers "
        f"in blocks whose most similar layer of the other is the one at the same place: {one} "
        f"({found[CROSS].basis()}); beside it {', '.join(others)}; by chance it would be "
        f"{number(1 / inside.shape[1], 2)}."
    )


def at_the_same_place(cka: xr.DataArray) -> float:
    """The share of layers in blocks whose most similar layer of the other network's blocks is the corresponding one."""
    inside = _blocks(cka)
    best = np.nan_to_num(inside.values, nan=-1).argmax(axis=1)
    return float(np.mean(inside["layer_b"].values[best] == inside["layer_a"].values))


def grid_in_words(results: Spatial) -> str:
    """The contrast of untrained and of single networks, and the stripes, beside the contrast that C1 is judged on."""
    untrained = claims.contrast_effect(results.untrained)
    alone = " and ".join(f"{name} {claims.contrast_effect([cka]).numbers()}" for name, cka in results.within.items())
    striped = effect("", claims.stripes, results.cross)
    return (
        f"Beside it: the contrast is {untrained.numbers()} for networks that were never trained, where only "
        f"architecture and images can make it ({untrained.basis()}), and within the first network of each kind {alone} "
        f"(over images alone). Stripes are {striped.numbers()} ({striped.basis()}): the standard deviation over places "
        "of their mean CKA with everything in other blocks. A grid that is seen and is hardly in the contrast may be "
        "made of such rows and columns, of single blocks that differ from the others, or of a faint checkerboard: one "
        "kind of layer against the rest makes stripes as well, and has a contrast of only "
        f"{claims.contrast_of_checkerboard():.2f} times its amplitude."
    )


def levels_in_words(results: Spatial) -> str:
    """The means that C2 compares, and how far SNN × ANN stays below the ceiling."""
    together = list(zip(results.cross, results.untrained, results.shuffled, *_by_kind(results), strict=True))

    def mean(place: int) -> Callable[..., float]:
        return lambda *arrays: claims.means_judged(*arrays)[place]

    cross, untrained, shuffled = (effect("", mean(place), together) for place in range(3))
    said = (
        f"The means over corresponding block outputs are: SNN × ANN **{cross.numbers()}**, untrained "
        f"{untrained.numbers()}, shuffled {shuffled.numbers()}"
    )
    if not results.ceilings:
        return f"{said} ({cross.basis()})."
    ceiling = effect("", lambda *arrays: np.mean(claims.means_judged(*arrays)[3:]), together)
    below = effect("", lambda *arrays: np.mean(claims.means_judged(*arrays)[3:]) - mean(0)(*arrays), together)
    shared = zip(*results.ceilings, strict=True)
    below = allowing_for_shared(below, *shared)
    verb = "stays below it" if below.low > 0 else "lies above it" if below.high < 0 else "differs from it"
    return (
        f"{said}; the ceiling, the mean of two SNNs and two ANNs, {number(ceiling.value)}. SNN × ANN {verb} by "
        f"{below.numbers()} ({cross.basis()}): similar in the sense of the criterion is not as alike as two of a kind."
    )


def by_measures_in_words(results: Spatial, curves: pd.DataFrame) -> str:
    """How far from untrained to ceiling SNN × ANN comes by each measure, as a table; empty without ceilings."""
    means = means_of_blocks(curves)
    if not {*CEILINGS, CROSS, UNTRAINED} <= set(means.columns):
        return ""
    ceiling = means[[SNNS, ANNS]].mean(axis=1)
    reached = (means[CROSS] - means[UNTRAINED]) / (ceiling - means[UNTRAINED])
    lines = [
        "| measure, mean over block outputs | way from untrained to ceiling |",
        "|---|---|",
        *(f"| {name} | {number(100 * value, 0)} % |" for name, value in reached.items()),
    ]
    beyond = int((reached > 0.5).sum())
    said = (
        f"By {beyond} of {len(reached)} measures SNN × ANN is past the middle between untrained and ceiling, which C2 "
        "asks of CKA alone. Ceilings, and the nulls of all measures but CKA, are of one pair here; the ways have no "
        "intervals."
    )
    return "\n".join([*lines, "", said])


def agreement_in_words(results: Spatial) -> str:
    """The share of test images for which two networks give the same class, of SNN × ANN and of two of a kind."""
    checked = {name: found for name, found in results.measures.items() if name in (CROSS, *CEILINGS)}
    parts = []
    for name, found in checked.items():
        same = share("", [float(tables.all_images(one)["agreement"]) for one in found], _n_images(results))
        parts.append(f"{name.removeprefix('ceiling, ')} {same.numbers()}")
    of_one = " (two of a kind: one pair)" * (len(checked) > 1)
    return (
        "Networks also agree in what they say: the share of images for which both give the same class is "
        f"{'; '.join(parts)}{of_one}. Agreement of decisions and similarity of features are different things: any two "
        "networks agree where both are right, so accuracy bounds how little they can."
    )


def ends_in_words(settings: Sequence[Setting], what: str) -> str:
    """From the smallest to the largest setting: CKA of the first pair, its lead over untrained networks, accuracies."""
    if len(settings) == 1:
        return f"Only one {what} was asked for, {settings[0].value:g}."
    first, *_, last = sorted(settings, key=lambda one: one.value)
    cross, lead = ([_of_first(one, lead=lead) for one in (first, last)] for lead in (False, True))
    gaps = [100 * _gap(one) for one in (first, last)]
    return (
        f"From {what} {first.value:g} to {last.value:g} the mean CKA of block outputs goes from {cross[0].numbers()} "
        f"to {cross[1].numbers()}, and what it is above that of untrained networks from {lead[0].numbers()} to "
        f"{lead[1].numbers()}, all in the first pair of networks. The accuracies of its ANN and its SNN are "
        f"{number(gaps[0], 1)} points apart at the beginning and {number(gaps[1], 1)} at the end."
    )


def _of_first(one: Setting, *, lead: bool) -> Effect:
    """Mean CKA of block outputs in the first pair, or by how much it is above that of its untrained networks."""

    def measure(cross: xr.DataArray, untrained: xr.DataArray) -> float:
        similarity, null = claims.means_judged(cross, untrained)
        return similarity - null if lead else similarity

    return effect("", measure, [(one.cross[0], one.untrained[0])])


def _gap(one: Setting) -> float:
    """Accuracy of the first ANN minus that of the first SNN."""
    snn, ann = tables.accuracies(one.networks[:2])["accuracy"]
    return ann - snn


def _blocks(cka: xr.DataArray) -> xr.DataArray:
    """Layers within blocks alone."""
    return cka[{f"layer_{side}": np.flatnonzero(cka[f"stage_{side}"].values >= 0) for side in "ab"}]


def _first_ceilings(results: Spatial) -> dict[str, xr.DataArray]:
    return dict(zip((f"two {kind}s" for kind in KINDS), results.ceilings[0], strict=True)) if results.ceilings else {}


def _by_kind(results: Spatial) -> list[tuple[xr.DataArray, ...]]:
    return list(zip(*results.ceilings, strict=True)) if results.ceilings else []


def _n_images(results: Spatial) -> int:
    return results.cross[0].attrs["n_images"]
