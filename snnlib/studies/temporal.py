"""The section on time: spiking networks step by step, with themselves and with the ANN, as T grows."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import xarray as xr

from snnlib import tables
from snnlib.run import Run


@dataclass(frozen=True)
class Temporal:
    """By T: an array for every pair of seeds at the run's own T, for the first pair at the others.

    `within`: an SNN with itself, and `across`: with an ANN of another seed, over (layer_a, step_a, layer_b, step_b);
    `concat`: the same with time flattened, over (layer_a, layer_b); `rates`: firing rates over (layer, step).
    `untrained`: `within` of an untrained SNN of the run's T. `accuracy` has the columns T, network, seed and accuracy;
    T is missing for the ANN.
    """

    T: int
    within: dict[int, list[xr.DataArray]]
    across: dict[int, list[xr.DataArray]]
    concat: dict[int, list[xr.DataArray]]
    rates: dict[int, list[xr.DataArray]]
    untrained: xr.DataArray
    accuracy: pd.DataFrame


def temporal(run: Run) -> Temporal:
    """Train the networks of this section, all together, and compare them."""
    own, pairs = run.value("T"), tables.seed_pairs(run.seeds)
    neuron = {"tau": run.value("tau"), "alpha": run.value("alpha")}
    cases = {T: pairs if own == T else pairs[:1] for T in sorted({own, *run.value("timesteps")})}
    snn = {(T, i): run.network(spiking=True, seed=i, T=T, **neuron) for T in cases for i, _ in cases[T]}
    ann = {j: run.network(spiking=False, seed=j) for _, j in pairs}
    networks = run.train_all([*snn.values(), *ann.values()])
    steps = [*(T for T, _ in snn), *(None for _ in ann)]
    accuracy = [tables.accuracies([network]).assign(T=T) for T, network in zip(steps, networks, strict=True)]
    untrained = run.network(spiking=True, seed=pairs[0][0], epochs=0, **neuron)
    return Temporal(
        T=own,
        within={T: [run.compare(snn[T, i], snn[T, i], groups=True, time="each") for i, _ in cases[T]] for T in cases},
        across={T: [run.compare(snn[T, i], ann[j], time="each") for i, j in cases[T]] for T in cases},
        concat={T: [run.compare(snn[T, i], ann[j]) for i, j in cases[T]] for T in cases},
        rates={T: [run.rates(snn[T, i]) for i, _ in cases[T]] for T in cases},
        untrained=run.compare(untrained, untrained, time="each"),
        accuracy=pd.concat(accuracy, ignore_index=True),
    )
