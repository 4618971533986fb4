"""A heatmap whose reader chooses what it shows: a slider over T, and buttons for kinds of comparison.

As in `cells`, all values travel as one array of integers that Vega's expressions read: `table` holds 1000 × value,
case after case, in each T after T in the order of `timesteps`, row after row.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import chain

import altair as alt
import numpy as np
import xarray as xr

from snnlib.charts import parts, theme
from snnlib.charts.cells import cells, coordinates, integers, named, stage_rules, stages, to_the_right, upwards
from snnlib.charts.heatmap import sized
from snnlib.evidence import number

Cases = Mapping[str, Mapping[int, xr.DataArray]]


def heatmap_choice(
    cases: Cases,
    *,
    T: int | None = None,
    title_a: str = "SNN",
    title_b: str = "ANN",
    value_title: str = "CKA (debiased)",
    size: int = 400,
) -> alt.LayerChart:
    """Draw a value for every pair of layers, of one case and one T at a time; depth grows to the right and upwards.

    `cases` has for the name of each case, and in it for every T, an array over (layer_a, layer_b), the same layers for
    all; kind and stage along both where known. The first case and `T`, by default the largest, are shown at first.
    `size` bounds the longer side in pixels, less on a phone. The colours run from 0 to 1. The title has the mean over
    layers of the same name in both networks.

    Raises ValueError for no cases, cases of different T, arrays of different layers, other dims, or an unknown T.
    """
    tables = _need(cases)
    timesteps = list(next(iter(tables.values())))
    if T is not None and T not in timesteps:
        raise ValueError(f"T = {T} is not among {', '.join(map(str, timesteps))}")
    every = [table for by_T in tables.values() for table in by_T.values()]
    first, (rows, columns) = every[0], every[0].shape
    stages_a, stages_b = (stages(first, side) for side in "ab")
    drawn = cells(
        rows * columns,
        columns,
        value=f"table[shown * {rows * columns} + datum.k]",
        names=("layers_a[datum.i]", "layers_b[datum.j]"),
        titles=(f"{title_a} layer", f"{title_b} layer", value_title),
        domain=(0.0, 1.0),
        x=to_the_right(columns, parts.stage_axis(stages_b, f"{title_b} layers (call order)")),
        y=upwards(rows, parts.stage_axis(stages_a, f"{title_a} layers (call order)", vertical=True)),
    )
    means = [_mean_of_corresponding(table) for table in every]
    mean = "'layers of the same name: ' + means[shown] + ' on average'"
    pair = json.dumps(f"{title_a} × {title_b}")
    chart = alt.layer(drawn, *stage_rules(stages_a, stages_b, False)).properties(
        title=alt.TitleParams(
            text={"expr": f"[{pair} + ', ' + chosen + ', T = ' + timesteps[T_at - 1], {mean}]"},
        )
    )
    chart = sized(chart, columns, rows, max(1, size // max(rows, columns)))
    names, label = list(tables), f"T, by place in {', '.join(map(str, timesteps))}: "
    buttons = {"bind": alt.binding_radio(options=names, name="networks: ")} if len(names) > 1 else {}
    chart = chart.add_params(
        parts.table("table", list(chain.from_iterable(integers(table.values) for table in every))),
        alt.param(name="timesteps", value=timesteps),
        alt.param(name="choices", value=names),
        alt.param(name="means", value=[number(mean, 2) for mean in means]),
        alt.param(name="layers_a", value=named(first, "a")),
        alt.param(name="layers_b", value=named(first, "b")),
        alt.param(name="chosen", value=names[0], **buttons),
        parts.slider("T_at", label, len(timesteps), timesteps.index(T) + 1 if T else len(timesteps)),
        alt.param(name="shown", expr=f"indexof(choices, chosen) * {len(timesteps)} + T_at - 1"),
    )
    by_case = np.array_split(np.array(means, dtype=float), len(names))
    said = [f"{name} {', '.join(number(mean, 2) for mean in of)}" for name, of in zip(names, by_case, strict=True)]
    text = (
        f"Heatmap of {value_title}, {rows} layers of {title_a} (upwards) by {columns} of {title_b} (to the right), "
        f"with a slider over T ({', '.join(map(str, timesteps))}) and a choice of networks. Mean of layers of the same "
        f"name, T by T: {'; '.join(said)}."
    )
    return theme.finish(chart, text)


def _need(cases: Cases) -> dict[str, dict[int, xr.DataArray]]:
    """Cases of the same T, by ascending T, and of the same layers."""
    found = {
        name: {T: parts.need_array(by_T[T], ("layer_a", "layer_b"), "heatmap_choice") for T in sorted(by_T)}
        for name, by_T in cases.items()
    }
    if not found or not all(found.values()):
        raise ValueError("heatmap_choice got no tables: there is nothing to draw")
    first_name, first = next(iter(found.items()))
    layers = [coordinates(next(iter(first.values())), side) for side in "ab"]
    for name, by_T in found.items():
        if list(by_T) != list(first):
            raise ValueError(f"heatmap_choice: {name} has T = {list(by_T)}, {first_name} has {list(first)}")
        for T, table in by_T.items():
            if [coordinates(table, side) for side in "ab"] != layers:
                raise ValueError(f"heatmap_choice: {name} at T = {T} has other layers than {first_name}")
    return found


def _mean_of_corresponding(table: xr.DataArray) -> float | None:
    """Mean over layers of the same name in both networks; None if none has a value."""
    columns = {name: j for j, name in enumerate(coordinates(table, "b"))}
    rows = enumerate(coordinates(table, "a"))
    values = np.array([table.values[i, columns[name]] for i, name in rows if name in columns], dtype=float)
    return float(np.nanmean(values)) if np.isfinite(values).any() else None
