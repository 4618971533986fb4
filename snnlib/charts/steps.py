"""Charts that their reader steps through: sliders over T, over the time step and over the layer, with no kernel behind.

As in `heatmap`, all values travel as one array of integers; a slider moves the index that Vega's expressions read it
with. In the chart's parameters `table` holds 1000 × value, null where there is none, T after T in the order of
`timesteps`, those of a T beginning at its number in `offsets`. A slider is an HTML range input with a label: Tab
reaches it, arrow keys move it.
"""

from __future__ import annotations

from collections.abc import Mapping

import altair as alt
import numpy as np
import xarray as xr

from snnlib.charts import parts, theme
from snnlib.charts.cells import TEXT, colour_of_value, integers, unpacked
from snnlib.evidence import number

Values = Mapping[int, xr.DataArray]
Layers = list[tuple[str, str, int]]
"""Name, kind and stage of each."""
STEPS = "timesteps[T_at - 1]"


def step_heatmap(
    within: Values,
    *,
    T: int | None = None,
    layer: str | None = None,
    value_title: str = "CKA (debiased)",
    size: int = 320,
) -> alt.LayerChart:
    """Draw a value for every pair of time steps of one layer of a network with itself; sliders choose T and the layer.

    `within` has for every T an array over (layer, step_a, step_b), the same layers for all; kind and stage along layer
    where known. In `table` of each layer the upper triangle, row by row. `T` and `layer` are what is shown at first:
    the largest T and the last layer if they are not named. `size` is the side in pixels, less on a phone. The colours
    run from the largest tenth below all values to 1, for all T and layers.

    Raises ValueError for other dims, arrays of different layers or not symmetric in time, an unknown T or layer.
    """
    tables = _need(within, ("layer", "step_a", "step_b"), "step_heatmap")
    blocks = []
    for steps, table in tables.items():
        values = np.asarray(table.values, dtype=float)
        if not np.allclose(values, values.swapaxes(1, 2), atol=1e-4, equal_nan=True):
            raise ValueError(f"step_heatmap: the array of T = {steps} is not symmetric, so no network with itself")
        blocks.append(values[:, *np.triu_indices(steps)])  # (L, T(T+1)/2)
    layers = _layers(tables)
    at = _choose(tables, T, layers, layer)
    most = max(tables)
    lowest = min((float(np.nanmin(b)) for b in blocks if np.isfinite(b).any()), default=0.0)
    domain = (min(0.9, np.floor(lowest * 10) / 10), 1.0)
    side = f"{theme.NARROW} ? min({size}, windowSize()[0] - 110) : {size}"
    chart = alt.layer(_pairs_of_steps(most, domain, value_title)).properties(
        width=size,
        height=size,
        title=alt.TitleParams(text={"expr": f"['T = ' + {STEPS} + ', all pairs of time steps', layers[layer_at - 1]]"}),
    )
    chart = chart.add_params(
        *_table(blocks, tables),
        alt.param(name="layers", value=_named(layers)),
        *_slider_of_T(tables, at[0]),
        parts.slider("layer_at", f"layer, 1 to {len(layers)}: ", len(layers), at[1]),
        alt.param(name="width", expr=side),
        alt.param(name="height", expr=side),
    )
    text = (
        f"Heatmap of {value_title} between all pairs of time steps of one layer, with sliders over T "
        f"({', '.join(map(str, tables))}) and over {len(layers)} layers. {_means(blocks, tables)}"
    )
    return theme.finish(chart, text)


def _pairs_of_steps(most: int, domain: tuple[float, float], value_title: str) -> alt.Chart:
    """A rectangle for every pair of time steps, of the T and the layer that are chosen."""
    i, j = "min(datum.i, datum.j)", "max(datum.i, datum.j)"
    triangle = f"({i} * steps - {i} * ({i} - 1) / 2 + {j} - {i})"
    index = f"offsets[T_at - 1] + (layer_at - 1) * steps * (steps + 1) / 2 + {triangle}"
    tips = [("t", "step t"), ("t2", "step t′"), ("text", value_title)]
    return (
        alt.Chart(alt.sequence(0, most * most, as_="k"))
        .transform_calculate(i=f"floor(datum.k / {most})", j=f"datum.k % {most}")
        .transform_filter("datum.i < steps && datum.j < steps")
        .transform_calculate(t="datum.i + 1", t2="datum.j + 1", w=f"table[{index}]")
        .transform_calculate(v=unpacked())
        .transform_calculate(text=TEXT)
        .mark_rect(aria=False)
        .encode(
            x=alt.X("t2:O", title="time step t′", axis=alt.Axis(labelAngle=0, ticks=False, domain=False)),
            y=alt.Y("t:O", title="time step t", sort="descending", axis=alt.Axis(ticks=False, domain=False)),
            color=colour_of_value(domain, value_title),
            tooltip=[alt.Tooltip(f"{field}:N", title=title) for field, title in tips],
        )
    )


def step_curve(
    values: Values,
    *,
    T: int | None = None,
    step: int = 1,
    value_title: str = "CKA (debiased)",
    domain: tuple[float, float] = (0.0, 1.0),
    height: int = 300,
) -> alt.LayerChart:
    """Draw a value for every layer along depth at one time step, the other steps thin; sliders choose T and the step.

    `values` has for every T an array over (layer, step), the same layers for all; kind and stage along layer where
    known. In `table` of each layer its steps. A step beyond T shows the last. `domain` is the least range of the
    vertical axis, which is the same for all T.

    Raises ValueError for other dims, arrays of different layers, an unknown T or step.
    """
    tables = _need(values, ("layer", "step"), "step_curve")
    blocks = [np.asarray(table.values, dtype=float) for table in tables.values()]
    layers = _layers(tables)
    at, _ = _choose(tables, T, layers, None)
    most, count = max(tables), len(layers)
    if not 1 <= step <= most:
        raise ValueError(f"step_curve: step = {step} lies outside 1 to {most}")
    axis = parts.stage_axis(_stages(layers), "layers (call order)", first=0.5)
    x = alt.X("position:Q", scale=alt.Scale(domain=[0.5, count + 0.5], nice=False), axis=axis)
    drawn = _curves(layers, most, x, alt.Y("v:Q", title=value_title, scale=_range(blocks, domain)), value_title)
    title = alt.TitleParams(text={"expr": f"'T = ' + {STEPS} + ', time step ' + min(step_at, {STEPS})"})
    chart = alt.layer(*parts.stage_rules(_stages(layers), 0.5), *drawn)
    chart = chart.properties(title=title, width="container", height=height)
    chart = chart.add_params(
        *_table(blocks, tables),
        alt.param(name="layers", value=_named(layers)),
        alt.param(name="operations", value=[parts.operation(kind) for _, kind, _ in layers]),
        *_slider_of_T(tables, at),
        parts.slider("step_at", f"time step, 1 to {most}, beyond T the last: ", most, step),
        alt.param(name="step", expr=f"min(step_at, {STEPS})"),
    )
    text = (
        f"Line chart of {value_title} for {count} layers along depth at one time step, with sliders over T "
        f"({', '.join(map(str, tables))}) and over the step. {_means(blocks, tables)}"
    )
    return theme.finish(chart, text)


def _range(blocks: list[np.ndarray], domain: tuple[float, float]) -> alt.Scale:
    """The least range of the vertical axis, widened to hold the values of all T."""
    seen = np.concatenate([block.ravel() for block in blocks])
    seen = seen[np.isfinite(seen)]
    room = 0.04 * (max(seen) - min(seen)) if len(seen) else 0.0
    ends = min([domain[0], *seen]), max([domain[1], *(seen + room * (seen > domain[1]))])
    return alt.Scale(domain=[parts.plain(end) for end in ends], nice=False, zero=False)


def _curves(layers: Layers, most: int, x: alt.X, y: alt.Y, value_title: str) -> list[alt.Chart]:
    """All steps of the chosen T thin, the chosen step with points, and what the pointer finds there."""
    known = (
        alt.Chart(alt.sequence(0, len(layers) * most, as_="k"))
        .transform_calculate(at=f"floor(datum.k / {most})", t=f"datum.k % {most} + 1")
        .transform_filter("datum.t <= steps")
        .transform_calculate(
            w="table[offsets[T_at - 1] + datum.at * steps + datum.t - 1]",
            position="datum.at + 1",
            operation="operations[datum.at]",
        )
        .transform_calculate(v=unpacked())
    )
    one = known.transform_filter("datum.t === step")
    lines = known.mark_line(strokeWidth=1, opacity=0.3, color=theme.INK, aria=False)
    chosen = one.mark_line(strokeWidth=2.2, strokeJoin="round", color=theme.NETWORKS["SNN"], aria=False)
    points = one.mark_point(filled=True, size=30, opacity=1, color=theme.NETWORKS["SNN"], aria=False)
    kinds = list(dict.fromkeys(kind for _, kind, _ in layers if kind))
    shape = {"shape": parts.operation_shape(kinds)} if len(kinds) > 1 else {}
    return [
        lines.encode(x=x, y=y, detail="t:N"),
        chosen.encode(x=x, y=y),
        points.encode(x=x, y=y, **shape),
        _under_the_pointer(one, value_title),
    ]


def _under_the_pointer(one: alt.Chart, value_title: str) -> alt.Chart:
    """A column for every layer, lit under the pointer, with its value at the chosen step in its tooltip."""
    over = alt.selection_point(name="over", fields=["position"], on="pointerover", clear="pointerout", empty=False)
    tips = [("layer", "layer"), ("at_step", "T, step"), ("text", value_title)]
    columns = one.transform_calculate(
        layer="layers[datum.at]",
        left="datum.position - 0.5",
        right="datum.position + 0.5",
        at_step="steps + ', ' + step",
        text=TEXT,
    )
    return (
        columns.mark_rect(color=theme.INK)
        .encode(
            x="left:Q",
            x2="right:Q",
            opacity=alt.condition(over, alt.value(0.1), alt.value(0)),
            tooltip=[alt.Tooltip(f"{field}:N", title=title) for field, title in tips],
        )
        .add_params(over)
    )


def _need(values: Values, dims: tuple[str, ...], where: str) -> dict[int, xr.DataArray]:
    """By ascending T, arrays of T steps and of the same layers."""
    if not values:
        raise ValueError(f"{where} got no T: there is nothing to draw")
    tables = {steps: parts.need_array(values[steps], dims, where) for steps in sorted(values)}
    names = {steps: _layer_names(table) for steps, table in tables.items()}
    for steps, table in tables.items():
        if set(table.shape[1:]) != {steps}:
            raise ValueError(f"{where}: the array of T = {steps} has shape {table.shape}, not {steps} steps")
        if names[steps] != names[min(tables)]:
            raise ValueError(f"{where}: T = {steps} and T = {min(tables)} have different layers")
    return tables


def _layer_names(table: xr.DataArray) -> list[str]:
    return [str(name) for name in parts.coordinate(table, "layer", "layer", "layer")]


def _layers(tables: dict[int, xr.DataArray]) -> Layers:
    """Name, kind and stage of every layer."""
    table = next(iter(tables.values()))
    kinds, stages = (parts.coordinate(table, name, "layer", none) for name, none in (("kind", ""), ("stage", -1)))
    return [(n, str(k), int(s)) for n, k, s in zip(_layer_names(table), kinds, stages, strict=True)]


def _stages(layers: Layers) -> list[int]:
    return [stage for _, _, stage in layers]


def _named(layers: Layers) -> list[str]:
    return [f"{name} · {parts.operation(kind)}" if kind else name for name, kind, _ in layers]


def _choose(tables: dict[int, xr.DataArray], T: int | None, layers: Layers, layer: str | None) -> tuple[int, int]:
    """The sliders' first positions, from 1, for T and the layer."""
    names, known = [name for name, _, _ in layers], list(tables)
    if T is not None and T not in known:
        raise ValueError(f"T = {T} is not among {', '.join(map(str, known))}")
    if layer is not None and layer not in names:
        raise ValueError(f"layer {layer!r} is not among the {len(names)} layers")
    return known.index(T) + 1 if T else len(known), names.index(layer) + 1 if layer else len(names)


def _table(blocks: list[np.ndarray], tables: dict[int, xr.DataArray]) -> list[alt.Parameter]:
    """The values of all T as whole numbers, and where those of each T begin."""
    packed = integers(np.concatenate([block.ravel() for block in blocks]))
    offsets = np.cumsum([0, *(block.size for block in blocks[:-1])]).tolist()
    return [
        parts.table("table", packed),
        alt.param(name="offsets", value=offsets),
        alt.param(name="timesteps", value=list(tables)),
    ]


def _slider_of_T(tables: dict[int, xr.DataArray], at: int) -> list[alt.Parameter]:
    """The slider over T: Vega's has even steps, so its position is what it shows, and the title what it means."""
    label = f"T, by place in {', '.join(map(str, tables))}: "
    return [parts.slider("T_at", label, len(tables), at), alt.param(name="steps", expr=STEPS)]


def _means(blocks: list[np.ndarray], tables: dict[int, xr.DataArray]) -> str:
    with np.errstate(invalid="ignore"):
        means = [np.nanmean(b) if np.isfinite(b).any() else None for b in blocks]
    return "Means: " + "; ".join(f"T = {T} {number(m)}" for T, m in zip(tables, means, strict=True)) + "."
