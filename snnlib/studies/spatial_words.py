"""What the section on width and depth says of its results, as sentences and tables for the text."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import xarray as xr

from snnlib import tables
from snnlib.claims import spatial as claims
from snnlib.evidence import Effect, effect, number, share, span, stretch_for_shared
from snnlib.series import ANNS, CEILINGS, CROSS, KINDS, SNNS, UNTRAINED, networks_compared
from snnlib.similarity import MEASURES
from snnlib.studies.rows import accuracy_in_words
from snnlib.studies.spatial import Setting, Spatial


def learned_in_words(results: Spatial) -> str:
    """How good the networks are that are compared, and what that means for what follows."""
    return (
        f"{accuracy_in_words(results.networks, results.n_test)} Where the kinds differ in that, what separates them "
        "can be how far each got in the same training, and not what it is; no claim tells these apart."
    )


def most_similar_in_words(results: Spatial) -> str:
    """The most similar pair of layers in the heatmap shown, and how often it is the corresponding one."""
    found = effect("", at_the_same_place, results.cross)
    beside = [f"{UNTRAINED} {effect('', at_the_same_place, results.untrained).numbers(2)}"]
    if results.ceilings:
        of_kinds = zip(KINDS, results.ceilings[0], strict=True)
        beside += [f"{kind} × {kind} {effect('', at_the_same_place, [one]).numbers(2)}" for kind, one in of_kinds]
    one_pair = " (two of a kind: one pair, over images alone)" * bool(results.ceilings)
    inside = _blocks(tables.all_images(results.cross[0]))
    return (
        f"{_most_similar(inside)}Of the SNN's layers in blocks, the share whose most similar layer of the ANN's blocks "
        f"is the one at the same place is {found.numbers(2)} ({found.basis()}). Beside it: {', '.join(beside)}"
        f"{one_pair}; by chance {number(1 / inside.shape[1], 2)}."
    )


def _most_similar(inside: xr.DataArray) -> str:
    if not np.isfinite(inside).any():
        return ""
    i, j = np.unravel_index(np.nanargmax(inside.values), inside.shape)
    return (
        f"In the pair of networks shown, the most similar layers of blocks are `{inside['layer_a'].values[i]}` (SNN) "
        f"and `{inside['layer_b'].values[j]}` (ANN), {number(inside.values[i, j], 2)}. "
    )


def at_the_same_place(cka: xr.DataArray) -> float:
    """The share of layers in blocks whose most similar layer of the other network's blocks is the corresponding one.

    Of layers that have a value with any; nan if none has.
    """
    inside = _blocks(cka)
    known = inside[np.isfinite(inside.values).any(axis=1)]
    if not known.size:
        return float("nan")
    best = np.nanargmax(known.values, axis=1)
    return float(np.mean(known["layer_b"].values[best] == known["layer_a"].values))


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
    ceiling = effect("", _mean_of_ceilings, together)
    stretch = stretch_for_shared(len(results.cross), *_by_kind(results))
    below = effect("", lambda *arrays: _mean_of_ceilings(*arrays) - mean(0)(*arrays), together, stretch=stretch)
    so = ": two of a kind are more alike" * (below.low > 0)
    return (
        f"{said}; the ceiling, the mean of two SNNs and two ANNs, {number(ceiling.value)}. The ceiling minus SNN × ANN "
        f"is {below.numbers()} ({cross.basis()}){so}."
    )


def by_measures_in_words(results: Spatial) -> str:
    """How far from untrained to ceiling SNN × ANN comes by each measure, as a table; empty without ceilings.

    All from the first pair of networks, its ceilings and its nulls, over the blocks that have a value in all of them.
    """
    series = (CROSS, UNTRAINED, SNNS, ANNS)
    if not set(series) <= set(results.measures):
        return ""
    first = [tables.all_images(results.measures[name][0])["similarity"] for name in series]
    known = [name for name in MEASURES if name in first[0]["measure"]]
    ways = {MEASURES[name].title: _way(*(of.sel(measure=name) for of in first)) for name in known}
    lines = [
        "| measure, mean over block outputs | way from untrained to ceiling |",
        "|---|---|",
        *(f"| {title} | {span(100 * way, digits=0, unit=' %')} |" for title, way in ways.items()),
    ]
    past = sum(way > 0.5 for way in ways.values())
    said = (
        f"By {past} of {len(ways)} measures SNN × ANN is past the middle between untrained and ceiling, which C2 asks "
        "of CKA alone. The table is of the first pair of networks, trained and untrained, and of the first two of each "
        "kind; it has no intervals."
    )
    return "\n".join([*lines, "", said])


def _way(*first: xr.DataArray) -> float:
    """(cross − untrained) / (ceiling − untrained), from (layer,) of SNN × ANN, untrained, two SNNs and two ANNs.

    nan where the ceiling is not above the untrained networks: there is no way then.
    """
    blocks = np.array([of.values[of["kind"].values == "sum"] for of in first])
    cross, untrained, *of_kinds = blocks[:, np.isfinite(blocks).all(axis=0)].mean(axis=1)
    ceiling = np.mean(of_kinds)
    return float((cross - untrained) / (ceiling - untrained)) if ceiling > untrained else float("nan")


def agreement_in_words(results: Spatial) -> str:
    """The share of test images for which two networks give the same class, of SNN × ANN and of two of a kind."""
    n = results.cross[0].attrs["n_images"]
    parts = []
    for name in (CROSS, *CEILINGS):
        if found := results.measures.get(name):
            same = share("", [float(tables.all_images(one)["agreement"]) for one in found], n)
            pairs = f"{len(found)} pair{'s' * (len(found) > 1)}"
            parts.append(f"{networks_compared(name)} {same.numbers()}, {pairs}")
    return (
        "Networks also agree in what they say: the share of images for which both give the same class is "
        f"{'; '.join(parts)} (n = {n:,} images; 95 % intervals). Agreement of decisions and similarity of features are "
        "different things: any two networks agree where both are right, so accuracy bounds how little they can."
    )


def sweeps_in_words(results: Spatial) -> str:
    """What the sweeps over width and depth say from end to end, and how sure it is."""
    sweeps = {"width": results.widths, "depth": results.depths}
    said = [_ends(settings, what) for what, settings in sweeps.items()]
    if any(len(settings) > 1 for settings in sweeps.values()):
        n = results.cross[0].attrs["n_images"]
        said.append(
            "One pair of networks knows nothing of other seeds: that a setting differs from its neighbour is no "
            f"evidence before it has been seen with more. CKA is of n = {n:,} images, with 95 % intervals over them; "
            f"accuracy is of all {results.n_test:,} test images."
        )
    return " ".join(said)


def _ends(settings: Sequence[Setting], what: str) -> str:
    """From the smallest to the largest setting: CKA of the first pair, its lead over untrained networks, accuracies."""
    if len(settings) == 1:
        return f"Only one {what} was asked for, {settings[0].value:g}."
    first, *_, last = sorted(settings, key=lambda one: one.value)
    cross, lead = ([_of_first(one, lead=lead) for one in (first, last)] for lead in (False, True))
    return (
        f"From {what} {first.value:g} to {last.value:g} the mean CKA of block outputs goes from {cross[0].numbers()} "
        f"to {cross[1].numbers()}, and what it is above that of untrained networks from {lead[0].numbers()} to "
        f"{lead[1].numbers()}, all in the first pair of networks. At the beginning {_better(first)}, at the end "
        f"{_better(last)}."
    )


def _better(one: Setting) -> str:
    """Which of the first pair has the higher test accuracy, and by how much."""
    snn, ann = (100 * tables.accuracies(one.networks[:2])["accuracy"]).round(1)
    if snn == ann:
        return f"both have an accuracy of {number(snn, 1)} %"
    better, by = ("SNN", snn - ann) if snn > ann else ("ANN", ann - snn)
    return f"its {better} is the more accurate by {number(by, 1)} points"


def _of_first(one: Setting, *, lead: bool) -> Effect:
    """Mean CKA of block outputs in the first pair, or by how much it is above that of its untrained networks."""

    def measure(cross: xr.DataArray, untrained: xr.DataArray) -> float:
        similarity, null = claims.means_judged(cross, untrained)
        return similarity - null if lead else similarity

    return effect("", measure, [(one.cross[0], one.untrained[0])])


def _mean_of_ceilings(*arrays: xr.DataArray) -> float:
    """Of SNN × ANN, untrained, shuffled, and two ceilings, compared over the blocks that all of them have."""
    return float(np.mean(claims.means_judged(*arrays)[3:]))


def _blocks(cka: xr.DataArray) -> xr.DataArray:
    """Layers within blocks alone."""
    return cka[{f"layer_{side}": np.flatnonzero(cka[f"stage_{side}"].values >= 0) for side in "ab"}]


def _by_kind(results: Spatial) -> list[tuple[xr.DataArray, ...]]:
    return list(zip(*results.ceilings, strict=True)) if results.ceilings else []
