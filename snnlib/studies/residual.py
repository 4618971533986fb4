"""The section on residual connections: SNN against ANN along depth, with shortcuts everywhere, nowhere, or in part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import xarray as xr

from snnlib import tables
from snnlib.claims.residual import above_inside, jaggedness, less_rise, over_blocks, rise
from snnlib.evidence import Effect, effect, less
from snnlib.run import Run
from snnlib.series import ANNS, SHUFFLED, SNNS, UNTRAINED
from snnlib.similarity import MEASURES
from snnlib.spec import TrainSpec
from snnlib.studies import rows
from snnlib.training import Network

EVERYWHERE, NOWHERE = "everywhere", "nowhere"
Networks = dict[tuple[str, bool, int], TrainSpec]
Variant = tuple[str, bool | tuple[int, ...], tuple[int, int]]
BY = ("series", "layer", "position", "kind", "stage", "block")  # columns of curves through the blocks


@dataclass(frozen=True)
class Residual:
    """`cka`: where shortcuts are -> SNN × ANN of every pair of seeds; without any, of the first `plain_pairs` of them;
    for single stages, of the first one.

    `controls`: ceilings and nulls of the networks with shortcuts everywhere, of the first pair. `measures`: that pair's
    corresponding layers by all measures, with shortcuts everywhere and nowhere; `beside`: by the name of the series
    their ceilings and untrained networks. `accuracy` has the columns shortcuts, network, seed and accuracy, a share of
    `n_test` images, one row for each of `networks`.
    """

    cka: dict[str, list[xr.DataArray]]
    controls: dict[str, list[xr.DataArray]]
    measures: dict[str, xr.Dataset]
    beside: dict[str, xr.Dataset]
    accuracy: pd.DataFrame
    networks: list[Network]
    n_test: int


def evidence(run: Run) -> dict[str, list[xr.DataArray]]:
    """What C3 and C4 are judged on, of `Residual.cka`: trains what is missing for it, and compares it."""
    cases = [case for case in _cases(run) if case[0] in (EVERYWHERE, NOWHERE)]
    specs = _networks(run, cases)
    run.make_all(specs.values())
    return _compared(run, cases, specs)


def controls(run: Run) -> dict[str, list[xr.DataArray]]:
    """`Residual.controls`: two networks of one kind, where there is a second seed, and what chance makes similar."""
    pair = tables.seed_pairs(run.seeds)[0]
    (snns, anns), several, found = run.one_kind(pair), len(set(pair)) > 1, {}
    if several:  # a ceiling needs a second seed
        found[ANNS] = [run.compare(*anns, groups=True)]
    found[UNTRAINED] = [run.compare(*run.pair(pair, epochs=0), groups=True)]
    found[SHUFFLED] = [run.compare(*run.pair(pair), groups=True, pairing="shuffled")]
    if several:
        found[SNNS] = [run.compare(*snns, groups=True)]
    return found


def _cases(run: Run) -> list[Variant]:
    """Where shortcuts are, in words and in the networks, and the seeds of an SNN and an ANN, for every comparison."""
    pairs = tables.seed_pairs(run.seeds)
    variants: dict[str, bool | tuple[int, ...]] = {EVERYWHERE: True, NOWHERE: False}
    variants |= {in_stages(kept): kept for kept in run.value("shortcuts")}
    many = {EVERYWHERE: len(pairs), NOWHERE: run.value("plain_pairs") or len(pairs)}
    return [(name, kept, pair) for name, kept in variants.items() for pair in pairs[: many.get(name, 1)]]


def _networks(run: Run, cases: list[Variant]) -> Networks:
    """By where shortcuts are, kind and seed."""
    return {
        (name, spiking, seed): run.network(spiking=spiking, seed=seed, residual=kept)
        for name, kept, pair in cases
        for spiking, seed in zip((True, False), pair, strict=True)
    }


def _compared(run: Run, cases: list[Variant], specs: Networks) -> dict[str, list[xr.DataArray]]:
    cka: dict[str, list[xr.DataArray]] = {name: [] for name, _, _ in cases}
    for name, _, (i, j) in cases:
        cka[name].append(run.compare(specs[name, True, i], specs[name, False, j], groups=True))
    return cka


def residual(run: Run) -> Residual:
    """Train the networks of this section, all together, and compare them."""
    pairs, cases = tables.seed_pairs(run.seeds), _cases(run)
    specs = _networks(run, cases)
    ceiling = [run.network(spiking=False, seed=seed, residual=False) for seed in pairs[0]]
    networks = run.train_all([*specs.values(), *ceiling])[: len(specs)]
    accuracy = [
        tables.accuracies([network]).assign(shortcuts=name)
        for (name, _, _), network in zip(specs, networks, strict=True)
    ]
    cka, controlled = _compared(run, cases, specs), controls(run)

    i, j = pairs[0]
    measures = {name: run.measures(specs[name, True, i], specs[name, False, j]) for name in (EVERYWHERE, NOWHERE)}
    beside = {}
    for name, kept in ((EVERYWHERE, True), (NOWHERE, False)):
        if i != j:
            _, anns = run.one_kind((i, j), residual=kept)
            beside[f"{ANNS}, {name}"] = run.measures(*anns, jackknife=False)
        beside[f"untrained, {name}"] = run.measures(*run.pair((i, j), residual=kept, epochs=0), jackknife=False)
    return Residual(cka, controlled, measures, beside, pd.concat(accuracy, ignore_index=True), networks, run.n_test)


def in_stages(kept: Sequence[int]) -> str:
    """ "in stage 1", "in stages 1 + 2"."""
    return f"in stage{'s' * (len(kept) > 1)} {' + '.join(map(str, kept))}"


def accuracies(results: Residual) -> pd.DataFrame:
    """Test accuracy in % by where the shortcuts are, as `charts.sweep` takes it."""
    table = results.accuracy
    return rows.accuracies(table.assign(setting=table["shortcuts"].str.removeprefix("in ")), results.n_test)


def through_blocks(comparisons: Mapping[str, Sequence[xr.DataArray]]) -> pd.DataFrame:
    """CKA at the places of all blocks, along depth, as `charts.depth_curve` takes it; the mean over pairs by series."""
    return pd.concat(
        [
            tables.over_seeds([tables.along_blocks(cka, series) for cka in arrays], BY)
            for series, arrays in comparisons.items()
        ],
        ignore_index=True,
    )


def with_and_without(results: Residual) -> pd.DataFrame:
    """The same for shortcuts everywhere and nowhere, by all measures, with ceilings and untrained networks of both.

    Those, and measures other than CKA, are of the first pair alone.
    """
    cka = through_blocks(both(results)).assign(measure=MEASURES["cka"].title)
    layout = tables.along_blocks(tables.all_images(results.cka[EVERYWHERE][0]), "").drop(columns=["value", "series"])

    def table(similarity: xr.DataArray, series: str) -> pd.DataFrame:
        values = similarity.sel(layer=layout["layer"].tolist()).transpose("group", "layer").values
        return pd.concat([layout.assign(value=row, series=series, group=g) for g, row in enumerate(values)])

    found = {f"shortcuts {name}": [one] for name, one in results.measures.items()}
    beside = {name: [one] for name, one in results.beside.items()}
    cka_beside = [
        tables.over_seeds([table(one["similarity"].sel(measure="cka"), name) for one in sets], BY).assign(
            measure=MEASURES["cka"].title
        )
        for name, sets in beside.items()
    ]
    return pd.concat([cka, *cka_beside, *rows.second_measures(found | beside, table, BY)], ignore_index=True)


def same_pairs(cka: Mapping[str, list[xr.DataArray]]) -> tuple[list[xr.DataArray], list[xr.DataArray]]:
    """Of `Residual.cka` shortcuts everywhere and nowhere, of the pairs of seeds that have both: the first ones."""
    nowhere = cka[NOWHERE]
    return cka[EVERYWHERE][: len(nowhere)], nowhere


def both(results: Residual) -> dict[str, list[xr.DataArray]]:
    """The same, as series of a chart."""
    return {
        f"shortcuts {name}": found for name, found in zip((EVERYWHERE, NOWHERE), same_pairs(results.cka), strict=True)
    }


def profile(comparisons: Mapping[str, Sequence[xr.DataArray]]) -> pd.DataFrame:
    """CKA by place in a block, mean over blocks and pairs by series, as `charts.block_profile` takes it."""
    return pd.concat(
        [
            tables.over_seeds([tables.block_means(cka, series) for cka in arrays], ("series", "place"))
            for series, arrays in comparisons.items()
        ],
        ignore_index=True,
    )


def rises(results: Residual) -> pd.DataFrame:
    """The rise to the block's output by stage and by where the shortcuts are, as `charts.sweep` takes it."""
    found = [(name, point) for name, arrays in by_shortcuts(results).items() for point in by_stage(arrays).items()]
    return pd.DataFrame([rows.point(stage, name, rise) for name, (stage, rise) in found])


def by_shortcuts(results: Residual) -> dict[str, list[xr.DataArray]]:
    """SNN × ANN by where the shortcuts are, everywhere and nowhere of the same pairs of networks."""
    cka = {**results.cka, EVERYWHERE: same_pairs(results.cka)[0]}
    return {f"shortcuts {where}": arrays for where, arrays in cka.items()}


def by_stage(cka: Sequence[xr.DataArray]) -> dict[int, Effect]:
    """The rise of the blocks of each stage."""
    above = [above_inside(one) for one in cka]
    stages = np.unique(above[0]["stage"]).tolist()
    return {s: effect(f"stage {s}", float, [over_blocks(one, s) for one in above]) for s in stages}


def beside_c4(results: Residual) -> dict[str, tuple[Effect, Effect]]:
    """What C4 is judged by, of networks that never learned and, with a second seed, of two ANNs (their ceiling).

    By their name: the rise without shortcuts, and the rise with them minus that without. Of the first pair.
    """
    return {
        name: (effect("rise without shortcuts", float, rise(without)), less_rise([(with_, without)]))
        for name, (with_, without) in both_beside(results).items()
    }


def both_beside(results: Residual) -> dict[str, list[xr.DataArray]]:
    """Name -> the comparisons with shortcuts everywhere and nowhere, of nulls and ceilings that are known of both."""
    sides = {name: [f"{name}, {where}" for where in (EVERYWHERE, NOWHERE)] for name in (UNTRAINED, ANNS)}
    known = {name: both for name, both in sides.items() if results.beside.keys() >= set(both)}
    return {name: [_as_comparison(results.beside[side]) for side in both] for name, both in known.items()}


def _as_comparison(found: xr.Dataset) -> xr.DataArray:
    """CKA of corresponding layers, (group, layer), as a comparison that has it on its diagonal, and nothing else."""
    cka = found["similarity"].sel(measure="cka", drop=True).transpose("group", "layer")
    of_layers = np.where(np.eye(cka.sizes["layer"], dtype=bool), cka.values[:, :, None], np.nan)
    coords = {f"layer_{side}": cka["layer"].values for side in "ab"}
    coords |= {f"{what}_{side}": (f"layer_{side}", cka[what].values) for side in "ab" for what in ("kind", "stage")}
    return xr.DataArray(of_layers, dims=("group", "layer_a", "layer_b"), coords=coords, attrs=found.attrs)


def jagged(results: Residual) -> tuple[Effect, Effect, Effect]:
    """Jaggedness of the curve through the blocks with shortcuts, without, and the one over the other, pair by pair.

    The ratio and its interval are computed as logarithms: its mean over pairs is geometric, no end of its interval is
    negative, and twice as jagged is as far from 1 as half as jagged. nan where a layer has no CKA, or a curve is a
    straight line.
    """

    sides = [[jaggedness(cka) for cka in side] for side in same_pairs(results.cka)]
    logs = [[xr.apply_ufunc(np.log, one.where(one > 0), keep_attrs=True) for one in side] for side in sides]
    ratios = [less(*both) for both in zip(*logs, strict=True)]
    alone = (effect("jaggedness (CKA)", float, side) for side in sides)
    found = effect("jaggedness with shortcuts over without", float, ratios)
    value, low, high = np.exp([found.value, found.low, found.high]).tolist()
    return *alone, replace(found, value=value, low=low, high=high)
