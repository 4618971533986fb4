"""The section on time: what is trained and compared, and tables of SNNs with ANNs, step by step.

`studies.dynamics` has the tables of SNNs with themselves, `studies.more_steps` those by T.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from snnlib import tables
from snnlib.evidence import Effect, effect
from snnlib.run import Run
from snnlib.similarity import MEASURES
from snnlib.spec import TrainSpec
from snnlib.studies import rows
from snnlib.training import Network

CROSS = "SNN × ANN"
OF_BLOCKS = "CKA of block outputs"
RATE, SETTLED, AS_ANN = "firing rate (spikes per neuron and step)", "CKA with the last step", "CKA with the ANN"


@dataclass(frozen=True)
class Flattened:
    """SNN × ANN with time flattened, by T: arrays over (group, layer_a, layer_b).

    `concat`: of every pair of seeds at the run's own T, of the first pair at the others; `controls`: by series, nulls
    and ceilings, of the first pair.
    """

    concat: dict[int, list[xr.DataArray]]
    controls: dict[str, dict[int, xr.DataArray]]


@dataclass(frozen=True)
class Temporal(Flattened):
    """And step by step, of the same pairs.

    `within`: an SNN with itself, and `across`: with an ANN of another seed, over (layer_a, step_a, layer_b, step_b);
    `rates`: firing rates over (layer, step); all with the dimension group before them. `untrained`: `within` of an
    untrained SNN of the run's T. `step_controls`: by series, nulls and ceilings of `across` at the run's T, of the
    first pair. `measures`: corresponding layers by others than CKA, (measure, group, layer, step_a, step_b), by the
    series of `dynamics.moving` and of `step_controls`, and of SNN × ANN; each has one entry, of the first pair at the
    run's T. `accuracy` has the columns T, network, seed and accuracy, a share of `n_test` images, one row for each of
    `networks`; T is missing for the ANN.
    """

    T: int
    within: dict[int, list[xr.DataArray]]
    across: dict[int, list[xr.DataArray]]
    rates: dict[int, list[xr.DataArray]]
    untrained: xr.DataArray
    step_controls: dict[str, xr.DataArray]
    measures: dict[str, list[xr.Dataset]]
    accuracy: pd.DataFrame
    networks: list[Network]
    n_test: int


def evidence(run: Run) -> list[xr.DataArray]:
    """What C5 is judged on, `within` at the run's own T: trains what is missing for it, and compares it."""
    snns = [_snn(run, run.value("T"), i) for i, _ in tables.seed_pairs(run.seeds)]
    run.make_all(snns)
    return [run.compare(snn, snn, groups=True, time="each") for snn in snns]


def untrained(run: Run) -> xr.DataArray:
    """`Temporal.untrained`: the dynamics that C5 would find without learning."""
    snn = _snn(run, run.value("T"), tables.seed_pairs(run.seeds)[0][0], epochs=0)
    return run.compare(snn, snn, groups=True, time="each")


def flattened(run: Run) -> Flattened:
    """Train what is missing, all together, and compare it with time flattened."""
    own, cases = run.value("T"), _cases(run)
    snn, ann = _networks(run)
    run.make_all([*snn.values(), *ann.values()])
    (i, j), controls = cases[own][0], {}
    several = i != j  # a ceiling needs a second seed
    if several:
        two = run.compare(ann[i], ann[j], groups=True)
        controls["ceiling, ANN × ANN"] = dict.fromkeys(cases, two)
    initial = run.network(spiking=False, seed=j, epochs=0)
    controls["untrained"] = {T: run.compare(_snn(run, T, i, epochs=0), initial, groups=True) for T in cases}
    controls["shuffled"] = {T: run.compare(snn[T, i], ann[j], groups=True, pairing="shuffled") for T in cases}
    if several:  # at other T there is one network
        controls["ceiling, SNN × SNN"] = {own: run.compare(snn[own, i], snn[own, j], groups=True)}
    concat = {T: [run.compare(snn[T, i], ann[j], groups=True) for i, j in pairs] for T, pairs in cases.items()}
    return Flattened(concat, controls)


def temporal(run: Run) -> Temporal:
    """Train the networks of this section, all together, and compare them."""
    own, cases = run.value("T"), _cases(run)
    snn, ann = _networks(run)
    networks = run.train_all([*snn.values(), *ann.values()])
    steps = [*(T for T, _ in snn), *(None for _ in ann)]
    accuracy = [tables.accuracies([network]).assign(T=T) for T, network in zip(steps, networks, strict=True)]

    judged, flat = evidence(run), flattened(run)

    i, j = cases[own][0]
    initial = _snn(run, own, i, epochs=0)
    beside = {
        "ceiling, ANN × ANN": (ann[i], ann[j]),
        "untrained": (initial, run.network(spiking=False, seed=j, epochs=0)),
        "shuffled": (snn[own, i], ann[j]),
        "ceiling, SNN × SNN": (snn[own, i], snn[own, j]),
    }
    if i == j:  # a ceiling needs a second seed
        del beside["ceiling, ANN × ANN"], beside["ceiling, SNN × SNN"]
    pairing = {series: {"pairing": "shuffled"} if series == "shuffled" else {} for series in (CROSS, *beside)}
    each, second = {"groups": True, "time": "each"}, {"measures": rows.SECOND}
    alone = {snn_of(own): snn[own, i], untrained_of(own): initial}
    measures = {series: [run.measures(one, one, time="each", **second)] for series, one in alone.items()}
    for series, both in {CROSS: (snn[own, i], ann[j]), **beside}.items():
        measures[series] = [run.measures(*both, time="same", **second, **pairing[series])]
    others = {T: [run.compare(snn[T, i], snn[T, i], **each)] for T in cases if own != T}
    return Temporal(
        **vars(flat),
        T=own,
        within={T: others.get(T, judged) for T in cases},
        across={T: [run.compare(snn[T, i], ann[j], **each) for i, j in pairs] for T, pairs in cases.items()},
        rates={T: [run.rates(snn[T, i], groups=True) for i, _ in pairs] for T, pairs in cases.items()},
        untrained=untrained(run),
        step_controls={series: run.compare(*both, **each, **pairing[series]) for series, both in beside.items()},
        measures=measures,
        accuracy=pd.concat(accuracy, ignore_index=True),
        networks=networks,
        n_test=run.n_test,
    )


def _cases(run: Run) -> dict[int, list[tuple[int, int]]]:
    """By T, ascending, the seeds of each SNN and its ANN: all pairs at the run's own, the first at the others."""
    own, pairs = run.value("T"), tables.seed_pairs(run.seeds)
    return {T: pairs if own == T else pairs[:1] for T in sorted({own, *run.value("timesteps")})}


def _snn(run: Run, T: int, seed: int, **training: Any) -> TrainSpec:
    return run.network(spiking=True, seed=seed, T=T, tau=run.value("tau"), alpha=run.value("alpha"), **training)


def _networks(run: Run) -> tuple[dict[tuple[int, int], TrainSpec], dict[int, TrainSpec]]:
    """SNNs by T and seed, ANNs by seed."""
    snn = {(T, i): _snn(run, T, i) for T, pairs in _cases(run).items() for i, _ in pairs}
    return snn, {j: run.network(spiking=False, seed=j) for _, j in tables.seed_pairs(run.seeds)}


def snn_of(T: int) -> str:
    """The series of SNNs with themselves."""
    return f"T = {T}"


def untrained_of(T: int) -> str:
    """That of an SNN that learned nothing."""
    return f"untrained, T = {T}"


def first(by_T: Mapping[int, list[xr.DataArray]]) -> dict[int, xr.DataArray]:
    """The results of the first pair of networks on all images, for every T: what sliders go through."""
    return {T: tables.all_images(found[0]) for T, found in by_T.items()}


def steps_with_ann(results: Temporal) -> dict[int, xr.DataArray]:
    """The first SNN with its ANN, (layer, step), as `charts.step_curve` takes it."""
    return {T: same_step(cka, T) for T, cka in first(results.across).items()}


def same_step(cka: xr.DataArray, T: int) -> xr.DataArray:
    """CKA of corresponding layers at the same step; a network of a single step is compared at that one.

    Args:
        cka: (..., layer_a, step_a, layer_b, step_b).
        T: number of steps.

    Returns:
        (..., layer, step).
    """
    return tables.same_step(tables.by_step(cka), T)


def layers_and_steps(results: Temporal) -> dict[int, dict[str, xr.DataArray]]:
    """By T, of the first pair of networks, what `explorer.Explorer` shows of every spiking layer at every step."""
    within, across, rates = first(results.within), first(results.across), first(results.rates)
    return {T: _maps(within[T], across[T], rates[T]) for T in rates}


def layers_and_steps_of(run: Run, T: int) -> dict[str, xr.DataArray]:
    """The same for a T of the reader's, trained and compared now if the store does not have it.

    Raises:
        SpecError: a T that networks cannot have; on event data any other than their number of frames.
    """
    i, j = tables.seed_pairs(run.seeds)[0]
    snn = _snn(run, T, i)
    ann = run.network(spiking=False, seed=j)
    return _maps(run.compare(snn, snn, time="each"), run.compare(snn, ann, time="each"), run.rates(snn))


def _maps(within: xr.DataArray, across: xr.DataArray, rates: xr.DataArray) -> dict[str, xr.DataArray]:
    """By quantity, (layer, step) of the layers that fire."""
    T = rates.sizes["step"]
    settled = tables.by_step(within).isel(step_b=-1, drop=True).rename(step_a="step")
    found = {RATE: rates, SETTLED: settled, AS_ANN: same_step(across, T)}
    firing = {"layer": rates["layer"].values}
    return {name: of.sel(firing).assign_coords(step=np.arange(1, T + 1)) for name, of in found.items()}


def steps_along_depth(results: Temporal) -> pd.DataFrame:
    """The first and the last step of SNNs with their ANNs along depth, by all measures, with nulls and ceilings.

    These are those of the last step. As `charts.depth_curve` takes it.
    """
    last = results.T - 1
    compared = {f"{CROSS}, step {step + 1}": (CROSS, step) for step in (0, last)}
    compared |= {series: (series, last) for series in sorted(results.step_controls)}
    by_cka = {CROSS: results.across[results.T]} | {name: [cka] for name, cka in results.step_controls.items()}

    def curve(steps: xr.DataArray, series: str) -> pd.DataFrame:
        of_step = tables.same_step(steps, results.T).isel(step=compared[series][1], drop=True)
        return tables.by_measure(of_step, series)

    curves = [
        tables.over_seeds([curve(tables.by_step(cka), series) for cka in by_cka[of]])
        for series, (of, _) in compared.items()
    ]
    others = rows.second_measures({series: results.measures[of] for series, (of, _) in compared.items()}, curve)
    return pd.concat([*(each.assign(measure=MEASURES["cka"].title) for each in curves), *others], ignore_index=True)


def step_by_step(results: Temporal) -> pd.DataFrame:
    """Mean CKA of block outputs at each step of the run's T, with nulls and ceilings, as `charts.sweep` takes it."""
    found = []
    compared = {CROSS: results.across[results.T]}
    compared |= {series: [cka] for series, cka in results.step_controls.items()}
    for series, arrays in compared.items():
        tabled = [same_step(cka, results.T) for cka in arrays]
        blocks = [table.isel(layer=((table["kind"] == "sum") & (table["stage"] >= 0)).values) for table in tabled]
        for t in range(results.T):
            of_step = [table.isel(step=t) for table in blocks]
            mean = effect(OF_BLOCKS, lambda cka: cka.mean(skipna=False), of_step)
            found.append(rows.point(t + 1, series, mean))
    return pd.DataFrame(found)


def firing_rate(results: Temporal, step: int) -> Effect:
    """Mean over layers of the firing rate at a step of the run's T, counted from 1."""
    at = [rates.isel(step=step - 1) for rates in results.rates[results.T]]
    return effect("firing rate (spikes per neuron and step)", lambda rates: rates.mean("layer", skipna=False), at)


def maps(results: Flattened, kind: str = "act") -> dict[str, dict[int, xr.DataArray]]:
    """SNN × ANN for every T, all pairs of layers of one kind, as `charts.heatmap_choice` takes them: of the first pair
    of networks trained, never trained, and trained but shown the images in unlike order."""
    cases = {"trained": first(results.concat)}
    for name, series in (("never trained", "untrained"), ("shuffled images", "shuffled")):
        cases[name] = {T: tables.all_images(cka) for T, cka in results.controls[series].items()}
    return {name: {T: of_kind(cka, kind) for T, cka in by_T.items()} for name, by_T in cases.items()}


def of_kind(cka: xr.DataArray, kind: str) -> xr.DataArray:
    """Only the layers of one kind, on both sides."""
    return cka.isel({f"layer_{side}": (cka[f"kind_{side}"] == kind).values for side in "ab"})
