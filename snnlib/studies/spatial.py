"""Space: SNN against ANN, layer by layer, with nulls and ceilings; and how it moves with width and depth."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import xarray as xr

from snnlib import tables
from snnlib.claims.spatial import mean_of_blocks
from snnlib.evidence import effect
from snnlib.run import Run
from snnlib.series import ANNS, CEILINGS, CROSS, KINDS, SHUFFLED, SNNS, UNTRAINED
from snnlib.similarity import MEASURES
from snnlib.studies import rows
from snnlib.training import Network

Pair = tuple[int, int]  # seeds of the SNN and the ANN


@dataclass(frozen=True)
class Setting:
    """A width or a depth of both networks: the comparisons of its pairs, trained and untrained, and its networks."""

    value: float
    cross: list[xr.DataArray]
    untrained: list[xr.DataArray]
    networks: list[Network]


@dataclass(frozen=True)
class Evidence:
    """What C1 and C2 are judged on. Lists have one entry a pair of networks; arrays are (group, layer_a, layer_b)."""

    pairs: list[Pair]
    cross: list[xr.DataArray]  # SNN x ANN
    untrained: list[xr.DataArray]
    shuffled: list[xr.DataArray]
    ceilings: list[tuple[xr.DataArray, xr.DataArray]]  # SNN x SNN, ANN x ANN; one seed: none; two: all alike


@dataclass(frozen=True)
class Spatial(Evidence):
    """All results of the section."""

    within: dict[str, xr.DataArray]  # each kind's first network with itself
    measures: dict[str, list[xr.Dataset]]  # series -> corresponding layers by all measures
    widths: list[Setting]
    depths: list[Setting]
    by_step: xr.DataArray  # the first pair step by step, (group, layer_a, step_a, layer_b, step_b)
    rates: xr.DataArray  # firing rates of its SNN, (group, layer, step)
    networks: list[Network]  # of all pairs
    n_test: int  # test images that accuracies are shares of


def evidence(run: Run) -> Evidence:
    """Train what is missing for it, side by side, and compare it."""
    pairs = tables.seed_pairs(run.seeds)
    both = [run.pair(pair) for pair in pairs]
    run.make_all(spec for specs in both for spec in specs)
    kinds = [run.one_kind(pair) for pair in pairs] if len(run.seeds) > 1 else []
    return Evidence(
        pairs=pairs,
        cross=[run.compare(*specs, groups=True) for specs in both],
        untrained=[run.compare(*run.pair(pair, epochs=0), groups=True) for pair in pairs],
        shuffled=[run.compare(*specs, groups=True, pairing="shuffled") for specs in both],
        ceilings=[tuple(run.compare(*specs, groups=True) for specs in kind) for kind in kinds],
    )


def spatial(run: Run) -> Spatial:
    """The evidence, and all else that the section shows; what is missing is trained side by side."""
    pairs = tables.seed_pairs(run.seeds)
    sweeps = {name: run.value(f"{name}s") for name in ("width", "depth")}
    wanted = [spec for pair in pairs for spec in run.pair(pair)]
    wanted += [spec for name, values in sweeps.items() for v in values for spec in run.pair(pairs[0], **{name: v})]
    run.make_all(wanted)

    both = [run.pair(pair) for pair in pairs]
    kinds = [run.one_kind(pairs[0])] if len(run.seeds) > 1 else []
    return Spatial(
        **vars(evidence(run)),
        within={name: run.compare(spec, spec, groups=True) for name, spec in zip(KINDS, both[0], strict=True)},
        measures=all_measures(run, both, run.pair(pairs[0], epochs=0), kinds),
        **{f"{name}s": [_setting(run, pairs, name, v) for v in values] for name, values in sweeps.items()},
        by_step=run.compare(*both[0], groups=True, time="each"),
        rates=run.rates(both[0][0], groups=True),
        networks=[run.train(spec) for specs in both for spec in specs],
        n_test=run.n_test,
    )


def linked(results: Spatial) -> tuple[xr.DataArray, xr.DataArray, xr.DataArray]:
    """The first pair on all images, as `charts.linked_heatmap` takes it: CKA, CKA at each step, firing rates."""
    rates = tables.all_images(results.rates)
    steps = tables.same_step(tables.all_images(results.by_step), rates.sizes["step"])
    return tables.all_images(results.cross[0]), steps, rates


def heatmaps(settings: list[Setting]) -> dict[float, xr.DataArray]:
    """The first pair of every setting on all images, as `charts.heatmap_by_setting` takes it."""
    return {one.value: tables.all_images(one.cross[0]) for one in settings}


def depth_curves(results: Spatial) -> pd.DataFrame:
    """Corresponding layers by all measures, as `charts.depth_curve` takes them: with a column measure, CKA first.

    Intervals are over images and seeds; second measures of nulls and ceilings are of one pair, and those of them that
    are no sums over pairs of images have none.
    """
    cka = {CROSS: results.cross, UNTRAINED: results.untrained, SHUFFLED: results.shuffled}
    # two ceilings that share a network are no two pairs: the first alone
    cka |= {name: [results.ceilings[0][i]] for i, name in enumerate(CEILINGS) if results.ceilings}
    return by_all_measures(cka, results.measures)


def by_all_measures(cka: dict[str, list[xr.DataArray]], measures: dict[str, list[xr.Dataset]]) -> pd.DataFrame:
    """Series -> comparisons, one a pair of networks, as rows for `charts.depth_curve`: CKA first, then the others."""
    curves = [
        tables.over_seeds([tables.corresponding(array, name) for array in arrays]).assign(measure=MEASURES["cka"].title)
        for name, arrays in cka.items()
    ]
    return pd.concat([*curves, *rows.second_measures(measures)], ignore_index=True)


def means_of_blocks(curves: pd.DataFrame) -> pd.DataFrame:
    """Mean over block outputs by measure (rows) and series (columns), of what `depth_curves` gives."""
    means = tables.block_outputs(curves).groupby(["measure", "series"], sort=False)["value"].mean().unstack()
    return means.reindex(index=curves["measure"].unique(), columns=curves["series"].unique())


def swept(settings: list[Setting], n_test: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Mean CKA of block outputs, and test accuracy in %, by setting, as `charts.sweep` takes them."""
    cka, accuracy = [], []
    for one in settings:
        for series, comparisons in ((CROSS, one.cross), (UNTRAINED, one.untrained)):
            found = effect("CKA of block outputs", mean_of_blocks, comparisons)
            cka.append(rows.point(one.value, series, found))
        accuracy.append(tables.accuracies(one.networks).assign(setting=one.value))
    drawn = pd.DataFrame(cka), rows.accuracies(pd.concat(accuracy), n_test)
    return tuple(table.sort_values("setting", kind="stable") for table in drawn)


def all_measures(
    run: Run, both: list, initial: tuple, kinds: list, *, jackknife: bool = True
) -> dict[str, list[xr.Dataset]]:
    """Series -> corresponding layers by all measures, of pairs of specs: SNN × ANN, untrained, and of one kind.

    `jackknife` gives all measures of SNN × ANN an interval over images, at several times the cost of all the rest; of
    those that are sums over pairs of images everything has one.
    """
    found = {
        CROSS: [run.measures(*specs, jackknife=jackknife) for specs in both],
        UNTRAINED: [run.measures(*initial, jackknife=False)],
        SHUFFLED: [run.measures(*both[0], pairing="shuffled", jackknife=False)],
    }
    for snn, ann in kinds:
        found[SNNS] = [run.measures(*snn, jackknife=False)]
        found[ANNS] = [run.measures(*ann, jackknife=False)]
    return found


def _setting(run: Run, pairs: list[Pair], name: str, value: float) -> Setting:
    """All pairs for the run's own setting, the first pair for others."""
    chosen = pairs if value == run.value(name) else pairs[:1]
    both = [run.pair(pair, **{name: value}) for pair in chosen]
    networks = [run.train(spec) for specs in both for spec in specs]
    initial = [run.pair(pair, **{name: value}, epochs=0) for pair in chosen]
    cross, untrained = ([run.compare(*specs, groups=True) for specs in each] for each in (both, initial))
    return Setting(value, cross, untrained, networks)
