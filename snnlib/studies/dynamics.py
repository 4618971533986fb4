r"""How SNNs differ from themselves along time: one step of a layer with the others, along depth and by distance.

Steps may drift apart, or alternate. Of three steps in a row, the outer two are more alike than neighbours by

.. math:: a_l[t] = \mathrm{CKA}(x_l[t], x_l[t+2]) - \tfrac12 \mathrm{CKA}(x_l[t], x_l[t+1])
    - \tfrac12 \mathrm{CKA}(x_l[t+1], x_l[t+2])

in layer :math:`l`. Where every other step says the same again, all of these are positive; where steps farther apart are
less alike, all are negative. A step that is unlike all others makes some positive and some negative. The paper has no
such number.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import xarray as xr

from snnlib import tables
from snnlib.claims.temporal import (
    dynamics,
    dynamics_of_steps,
    last_minus_first,
    layers_of_stage,
    of_first_stage,
    of_last_stage,
)
from snnlib.evidence import Effect, effect
from snnlib.similarity import MEASURES
from snnlib.studies import rows
from snnlib.studies.temporal import Temporal, first, snn_of, untrained_of

WHAT = "outer two of three steps minus neighbours (CKA)"


def pairs_of_steps(results: Temporal) -> dict[int, xr.DataArray]:
    """The first SNN with itself, (layer, step_a, step_b), as `charts.step_heatmap` takes it."""
    return {T: tables.by_step(cka) for T, cka in first(results.within).items()}


def moving(results: Temporal) -> dict[str, list[xr.DataArray]]:
    """SNNs with themselves that have dynamics, those of more than one step, as series of a chart."""
    found = {snn_of(T): cka for T, cka in results.within.items() if T > 1}
    return found | {untrained_of(results.T): [results.untrained]}


def dynamics_along_depth(results: Temporal) -> pd.DataFrame:
    """The dynamics of every layer, as `charts.depth_curve` takes them; by measures other than CKA of the first SNN."""
    cka = [
        tables.over_seeds([tables.by_measure(dynamics(cka), series) for cka in arrays])
        for series, arrays in moving(results).items()
    ]

    def table(similarity: xr.DataArray, series: str) -> pd.DataFrame:
        return tables.by_measure(dynamics_of_steps(similarity), series)

    others = rows.second_measures(
        {name: results.measures[name] for name in (snn_of(results.T), untrained_of(results.T))}, table
    )
    found = pd.concat([*(curve.assign(measure=MEASURES["cka"].title) for curve in cka), *others], ignore_index=True)
    inside = zip(found["layer"], found["stage"], strict=True)  # "stage1.0.conv1" and "stage1.0" are of block "stage1.0"
    return found.assign(block=[".".join(name.split(".")[:2]) if stage >= 0 else "" for name, stage in inside])


def dynamics_of_stages(results: Temporal, kind: str | None = "sum") -> dict[str, tuple[Effect, Effect, Effect]]:
    """By series, the mean dynamics of the block outputs of the first and of the last stage, and the last minus the
    first: what C5 is judged by, of every network, the untrained one too. Of layers of another kind the claim says
    nothing; None takes all."""
    changes = {series: [dynamics(cka) for cka in arrays] for series, arrays in moving(results).items()}
    return {
        series: tuple(
            effect("dynamics (1 − CKA)", float, [of(change, kind) for change in of_series], pairs=False)
            for of in (of_first_stage, of_last_stage, last_minus_first)
        )
        for series, of_series in changes.items()
    }


def steps_apart(results: Temporal) -> pd.DataFrame:
    """Mean CKA of the last stage's block outputs between steps that lie 1, 2, ... apart, as `charts.sweep` takes it."""
    points = []
    for series, blocks in _last_stage(results).items():
        for distance in range(1, blocks[0].sizes["step_a"]):
            found = effect("CKA of block outputs", partial(_at_distance, distance=distance), blocks)
            points.append(rows.point(distance, series, found))
    return pd.DataFrame(points)


def _at_distance(blocks: xr.DataArray, distance: int) -> float:
    return float(_with_later(blocks, distance).mean())


def alternation(results: Temporal) -> dict[str, tuple[Effect, Effect]]:
    """By series of three steps or more, the least and the largest :math:`a[t]`, each the mean over the last stage's
    block outputs."""
    return {
        series: tuple(effect(WHAT, of, blocks, pairs=False) for of in (_least, _largest))
        for series, blocks in _last_stage(results).items()
        if blocks[0].sizes["step_a"] > 2
    }


def _least(blocks: xr.DataArray) -> float:
    return float(_outer_minus_neighbours(blocks).min())


def _largest(blocks: xr.DataArray) -> float:
    return float(_outer_minus_neighbours(blocks).max())


def _outer_minus_neighbours(blocks: xr.DataArray) -> np.ndarray:
    """The module's number for every row of three steps, mean over blocks."""
    neighbours, outer = (_with_later(blocks, distance).mean(0) for distance in (1, 2))
    return outer - (neighbours[:-1] + neighbours[1:]) / 2


def _last_stage(results: Temporal) -> dict[str, list[xr.DataArray]]:
    """The block outputs of the last stage, (group, layer, step_a, step_b), of each network of `moving`."""
    return {
        series: [layers_of_stage(tables.by_step(cka), last=True) for cka in arrays]
        for series, arrays in moving(results).items()
    }


def _with_later(blocks: xr.DataArray, distance: int) -> np.ndarray:
    """CKA of each step with the one `distance` steps later, (layer, step), of (layer, step_a, step_b)."""
    return np.diagonal(blocks.values, distance, axis1=1, axis2=2)
