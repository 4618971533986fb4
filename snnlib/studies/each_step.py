"""Each time step of an SNN by itself: against the ANN, beside nulls and ceilings, and how much it fires."""

from __future__ import annotations

import pandas as pd
import xarray as xr

from snnlib import tables
from snnlib.evidence import Effect, effect, less
from snnlib.series import CROSS
from snnlib.similarity import MEASURES
from snnlib.studies import rows
from snnlib.studies.temporal import OF_BLOCKS, Temporal, first, same_step


def steps_with_ann(results: Temporal) -> dict[int, xr.DataArray]:
    """The first SNN with its ANN, (layer, step), as `charts.step_curve` takes it."""
    return {T: same_step(cka, T) for T, cka in first(results.across).items()}


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
    for series, arrays in _blocks_by_step(results).items():
        for t in range(results.T):
            mean = effect(OF_BLOCKS, float, [blocks.isel(step=t) for blocks in arrays])
            found.append(rows.point(t + 1, series, mean))
    return pd.DataFrame(found)


def step_changes(results: Temporal) -> dict[str, Effect]:
    """By series of `step_by_step`, the last step's mean minus the first's, pair by pair of networks.

    Two networks of a single step, such as ANNs of still images, are the same at all steps, and left out.
    """
    one_step = {name for name, cka in results.step_controls.items() if cka.sizes["step_a"] == cka.sizes["step_b"] == 1}
    return {
        series: effect(OF_BLOCKS, float, [less(blocks.isel(step=-1), blocks.isel(step=0)) for blocks in arrays])
        for series, arrays in _blocks_by_step(results).items()
        if series not in one_step
    }


def _blocks_by_step(results: Temporal) -> dict[str, list[xr.DataArray]]:
    """The mean CKA of block outputs, (group, step), of SNN × ANN at the run's T, of nulls and ceilings."""
    compared = {CROSS: results.across[results.T]}
    compared |= {series: [cka] for series, cka in results.step_controls.items()}

    def blocks(cka: xr.DataArray) -> xr.DataArray:
        table = same_step(cka, results.T)
        of_blocks = table.isel(layer=((table["kind"] == "sum") & (table["stage"] >= 0)).values)
        return of_blocks.mean("layer", skipna=False, keep_attrs=True)

    return {series: [blocks(cka) for cka in arrays] for series, arrays in compared.items()}


def firing_rate(results: Temporal, step: int) -> Effect:
    """Mean over layers of the firing rate at a step of the run's T, counted from 1."""
    at = [rates.isel(step=step - 1) for rates in results.rates[results.T]]
    return effect(
        "firing rate (spikes per neuron and step)", lambda rates: rates.mean("layer", skipna=False), at, pairs=False
    )
