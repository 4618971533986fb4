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
from snnlib.run import Run
from snnlib.series import ANNS, CROSS, SHUFFLED, SNNS, UNTRAINED
from snnlib.spec import SpecError, TrainSpec
from snnlib.studies import rows
from snnlib.training import Network

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
    own, cases = run.value("T"), seeds_of_pairs(run)
    snn, ann = _networks(run)
    run.make_all([*snn.values(), *ann.values()])
    (i, j), controls = cases[own][0], {}
    several = i != j  # a ceiling needs a second seed
    if several:
        two = run.compare(ann[i], ann[j], groups=True)
        controls[ANNS] = dict.fromkeys(cases, two)
    initial = run.network(spiking=False, seed=j, epochs=0)
    controls[UNTRAINED] = {T: run.compare(_snn(run, T, i, epochs=0), initial, groups=True) for T in cases}
    controls[SHUFFLED] = {T: run.compare(snn[T, i], ann[j], groups=True, pairing="shuffled") for T in cases}
    if several:  # at other T there is one network
        controls[SNNS] = {own: run.compare(snn[own, i], snn[own, j], groups=True)}
    concat = {T: [run.compare(snn[T, i], ann[j], groups=True) for i, j in pairs] for T, pairs in cases.items()}
    return Flattened(concat, controls)


def temporal(run: Run) -> Temporal:
    """Train the networks of this section, all together, and compare them."""
    own, cases = run.value("T"), seeds_of_pairs(run)
    snn, ann = _networks(run)
    networks = run.train_all([*snn.values(), *ann.values()])
    steps = [*(T for T, _ in snn), *(None for _ in ann)]
    accuracy = [tables.accuracies([network]).assign(T=T) for T, network in zip(steps, networks, strict=True)]

    judged, flat = evidence(run), flattened(run)

    i, j = cases[own][0]
    initial = _snn(run, own, i, epochs=0)
    beside = {
        ANNS: (ann[i], ann[j]),
        UNTRAINED: (initial, run.network(spiking=False, seed=j, epochs=0)),
        SHUFFLED: (snn[own, i], ann[j]),
        SNNS: (snn[own, i], snn[own, j]),
    }
    if i == j:  # a ceiling needs a second seed
        del beside[ANNS], beside[SNNS]
    pairing = {series: {"pairing": "shuffled"} if series == SHUFFLED else {} for series in (CROSS, *beside)}
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


def seeds_of_pairs(run: Run) -> dict[int, list[tuple[int, int]]]:
    """By T, ascending, the seeds of each SNN and its ANN: all pairs at the run's own, the first at the others.

    Raises:
        SpecError: another T is asked for on events, of which every step has a frame of its own.
    """
    own, pairs, timesteps = run.value("T"), tables.seed_pairs(run.seeds), run.value("timesteps")
    if run.data.frames:
        timesteps = run.given.timesteps or ()  # those of a preset are meant for images
        if others := [T for T in timesteps if own != T]:
            raise SpecError(
                f"timesteps = {list(timesteps)}, but {run.title} has {own} frames, one a step, and cannot be shown for "
                f"T = {', '.join(map(str, others))}; leave timesteps out, and give T for another number of frames"
            )
    return {T: pairs if own == T else pairs[:1] for T in sorted({own, *timesteps})}


def _snn(run: Run, T: int, seed: int, **training: Any) -> TrainSpec:
    return run.network(spiking=True, seed=seed, T=T, tau=run.value("tau"), alpha=run.value("alpha"), **training)


def _networks(run: Run) -> tuple[dict[tuple[int, int], TrainSpec], dict[int, TrainSpec]]:
    """SNNs by T and seed, ANNs by seed."""
    snn = {(T, i): _snn(run, T, i) for T, pairs in seeds_of_pairs(run).items() for i, _ in pairs}
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


def maps(results: Flattened, kind: str = "act") -> dict[str, dict[int, xr.DataArray]]:
    """SNN × ANN for every T, all pairs of layers of one kind, as `charts.heatmap_choice` takes them: of the first pair
    of networks trained, never trained, and trained but shown the images in unlike order."""
    cases = {"trained": first(results.concat)}
    for name, series in (("never trained", UNTRAINED), ("shuffled images", SHUFFLED)):
        cases[name] = {T: tables.all_images(cka) for T, cka in results.controls[series].items()}
    return {name: {T: of_kind(cka, kind) for T, cka in by_T.items()} for name, by_T in cases.items()}


def of_kind(cka: xr.DataArray, kind: str) -> xr.DataArray:
    """Only the layers of one kind, on both sides."""
    return cka.isel({f"layer_{side}": (cka[f"kind_{side}"] == kind).values for side in "ab"})
