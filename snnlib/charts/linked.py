"""The heatmap of all layers with one pair picked out: its CKA over time and its firing rates stand beside it.

A click on a cell picks a pair, and so do two sliders, over the layers of the SNN and of the ANN. Everything is one Vega
view over three arrays of integers, null where there is no value: `cka`, 1000 × value, row by row; `by_step`, the same
for every (SNN layer, step, ANN layer); and `rates`, 10000 × spikes per neuron and step, by (spiking layer, step).

Vega-Lite cannot let a row of charts reflow. Vega can: its number of columns may be an expression, which Vega-Embed
writes into the compiled chart (`REFLOW`), as it does with the sizes. Where Vega-Embed is not at work, in a PNG, the
charts stand as they do on a wide page.
"""

from __future__ import annotations

import json
from typing import Any

import altair as alt
import numpy as np
import xarray as xr

from snnlib.charts import cells, parts, theme
from snnlib.charts.heatmap import describe

RATES = 10_000
PANEL = 190  # width of a chart beside the heatmap, in pixels
WIDE = f"(!({theme.NARROW}))"
# The page's column is as wide as 690 pixels; from 960 and from 1200 on, the page's sidebars take some of it.
BESIDE = "(windowSize()[0] >= 768 && !inrange(windowSize()[0], [960, 999]) && !inrange(windowSize()[0], [1200, 1299]))"
REFLOW = [
    ("/layout/columns", "charts_in_a_row"),
    ("/marks/1/layout/columns", "panels_in_a_row"),
    ("/marks/0/encode/update/width", "map_width"),
    ("/marks/0/encode/update/height", "map_height"),
]
TITLES = ("SNN layer", "ANN layer")


def linked_heatmap(
    cka: xr.DataArray,
    steps: xr.DataArray,
    rates: xr.DataArray,
    *,
    pair: tuple[str, str] | None = None,
    value_title: str = "CKA (debiased)",
    size: int = 370,
) -> alt.HConcatChart:
    """Draw CKA for every pair of layers of an SNN and an ANN, and for the picked pair what it is over time.

    Args:
        cka: (layer_a, layer_b), the SNN's features flattened over time, as `snnlib.compare` gives it.
        steps: (layer_a, step, layer_b), each step of the same layers of the SNN with the ANN.
        rates: (layer, step), of the SNN's spiking layers, in spikes per neuron and step.
        pair: names of the layers that are picked at first; the last block outputs, else the last layers, if None.
        size: bounds the longer side of the heatmap in pixels.

    Raises ValueError for other dims, layers or steps that do not agree, or an unknown layer.
    """
    table = parts.need_array(cka, ("layer_a", "layer_b"), "linked_heatmap")
    by_step = parts.need_array(steps, ("layer_a", "step", "layer_b"), "linked_heatmap")
    spikes = parts.need_array(rates, ("layer", "step"), "linked_heatmap")
    names = {side: cells.coordinates(table, side) for side in "ab"}
    for side in "ab":
        if cells.coordinates(by_step, side) != names[side]:
            raise ValueError(f"linked_heatmap: cka and steps have different layers along layer_{side}")
    T = by_step.sizes["step"]
    if spikes.sizes["step"] != T:
        raise ValueError(f"linked_heatmap: {T} steps of CKA, but {spikes.sizes['step']} of firing rates")
    chosen = [_place(names[side], pair and pair[k], table, side) for k, side in enumerate("ab")]
    chart = alt.hconcat(
        _map(table, value_title, size, chosen),
        alt.vconcat(_over_time(by_step.values, T), _firing(spikes.values, T)).resolve_scale(color="independent"),
        spacing=24,
    ).resolve_scale(color="independent")
    packed = cells.integers(table.values)
    chart = chart.properties(title=_title(value_title, cells.notes(packed, (0.0, 1.0))))
    spiking, shown = _neurons(names["a"], [str(name) for name in parts.coordinate(spikes, "layer", "layer", "")])
    chart = parts.with_tables(
        chart,
        parts.table("cka", packed),
        parts.table("by_step", cells.integers(by_step.values)),
        parts.table("rates", cells.integers(spikes.values, RATES)),
        alt.param(name="layers_a", value=cells.named(table, "a")),
        alt.param(name="layers_b", value=cells.named(table, "b")),
        alt.param(name="spiking", value=spiking),  # of each SNN layer the row of `rates` to show
        alt.param(name="neurons", value=shown),  # names of these rows
        *_pair(*table.shape, chosen),
        *_sizes(*table.shape, size),
    )
    text = describe(table.values, f"{value_title}: SNN × ANN", "SNN", "ANN", names["a"] == names["b"])
    chart = theme.finish(
        chart,
        f"{text} A click on a cell, or two sliders, pick a pair of layers. Beside it, for this pair: CKA of each of "
        f"{T} time steps of the SNN with the ANN, and the firing rate of the SNN's layer at each step.",
    )
    patch = [{"op": "add", "path": path, "value": {"signal": name}} for path, name in REFLOW]
    chart.usermeta["embedOptions"]["patch"] = patch
    return chart


def _pair(rows: int, columns: int, chosen: list[int]) -> list[alt.Parameter]:
    """The picked pair, counted from 0, and its value."""
    return [
        alt.param(name="a", expr=f"(isValid(layer_snn) ? clamp(layer_snn, 1, {rows}) : {chosen[0]}) - 1"),
        alt.param(name="b", expr=f"(isValid(layer_ann) ? clamp(layer_ann, 1, {columns}) : {chosen[1]}) - 1"),
        alt.param(name="now", expr=f"cka[a * {columns} + b]"),
        alt.param(name="now_text", expr=f"now === null ? 'no value' : format(now / {cells.SCALE}, '.3f')"),
    ]


def _sizes(rows: int, columns: int, size: int) -> list[alt.Parameter]:
    """Whole pixels for every cell, as many as fit, and how many charts stand in a row."""
    step = max(1, size // max(rows, columns))
    fits = f"clamp(floor((windowSize()[0] - 104) / {max(rows, columns)}), 1, {step})"
    return [
        alt.param(name="cell", expr=f"{WIDE} ? {step} : {fits}"),
        alt.param(name="map_width", expr=f"{columns} * cell"),
        alt.param(name="map_height", expr=f"{rows} * cell"),
        alt.param(name="charts_in_a_row", expr=f"{BESIDE} ? 2 : 1"),
        alt.param(name="panels_in_a_row", expr=f"{BESIDE} || !{WIDE} ? 1 : 2"),
    ]


def _map(table: xr.DataArray, value_title: str, size: int, chosen: list[int]) -> alt.LayerChart:
    """The heatmap, the picked cell framed and named at the edges."""
    rows, columns = table.shape
    step = max(1, size // max(rows, columns))
    stages = {side: cells.stages(table, side) for side in "ab"}
    # a click beside the cells picks nothing; what is picked is counted from 1, as the sliders show it
    sliders = {
        name: alt.binding_range(min=1, max=count, step=1, name=f"{title}, 1 to {count}: ")
        for name, title, count in zip(("snn", "ann"), TITLES, (rows, columns), strict=True)
    }
    pick = alt.selection_point(
        name="layer",
        fields=["ann", "snn"],
        on="rect:click[isValid(event.item.datum.snn)]",
        clear=False,
        toggle=False,
        value=[{"ann": chosen[1], "snn": chosen[0]}],
        bind=sliders,
    )
    axis_a = parts.stage_axis(stages["a"], "SNN layers (call order)", vertical=True, length="map_height")
    axis_b = parts.stage_axis(stages["b"], "ANN layers (call order)", length="map_width")
    drawn = cells.cells(
        rows * columns,
        columns,
        value="cka[datum.k]",
        names=("layers_a[datum.i]", "layers_b[datum.j]"),
        titles=(*TITLES, value_title),
        domain=(0.0, 1.0),
        x=cells.to_the_right(columns, axis_b, range=[0, {"expr": "map_width"}]),
        y=cells.upwards(rows, axis_a, range=[{"expr": "map_height"}, 0]),
    ).transform_calculate(snn="datum.i + 1", ann="datum.j + 1")
    picked = alt.Chart(alt.sequence(0, 1, as_="k")).transform_calculate(
        i="a - 0.4", j="b - 0.4", i2="a + 1.4", j2="b + 1.4", i_middle="a + 0.5", j_middle="b + 0.5"
    )
    frame = {"x": "j:Q", "x2": "j2:Q", "y": "i:Q", "y2": "i2:Q"}
    frames = [
        picked.mark_rect(filled=False, stroke=colour, strokeWidth=width, aria=False).encode(**frame)
        for colour, width in (("#FFFFFF", 5), ("#D81B60", 2.5))
    ]
    arrow = {"filled": True, "size": 70, "opacity": 1, "color": theme.INK, "aria": False}
    at_row = picked.mark_point(shape="triangle-left", xOffset=6, **arrow).encode(
        x=alt.value({"expr": "map_width"}), y="i_middle:Q"
    )
    at_column = picked.mark_point(shape="triangle-down", yOffset=-6, **arrow).encode(x="j_middle:Q", y=alt.value(0))
    rules = cells.stage_rules(stages["a"], stages["b"], on_white=False)
    chart = alt.layer(drawn.add_params(pick), *rules, *frames, at_row, at_column)
    return chart.properties(width=columns * step, height=rows * step)


def _over_time(by_step: np.ndarray, T: int) -> alt.LayerChart:
    """CKA of the picked pair at each step of the SNN, (A, T, B), and of all steps together as a rule."""
    columns = by_step.shape[2]
    lowest = float(np.nanmin(by_step)) if np.isfinite(by_step).any() else 0.0
    domain = [min(0.0, parts.plain(lowest)), 1]
    y = alt.Y("v:Q", title="CKA with the ANN layer", scale=alt.Scale(domain=domain, nice=False))
    colour = theme.OTHERS[0]
    points = _steps(T, f"by_step[(a * {T} + datum.t - 1) * {columns} + b]", cells.SCALE, y, colour, "CKA")
    rule = alt.Chart(alt.sequence(0, 1, as_="k")).transform_calculate(v=cells.unpacked("now"))
    rule = rule.transform_filter("isValid(datum.v)").mark_rule(strokeDash=[5, 4], opacity=0.9, aria=False)
    title = {"expr": "['CKA of the pair at each step', 'dashed, time flattened: ' + now_text]"}
    return _panel([rule.encode(y=y), *points], title)


def _firing(rates: np.ndarray, T: int) -> alt.LayerChart:
    """The firing rate at each step, (L, T), of the picked SNN layer, or of the neurons next to it."""
    highest = float(np.nanmax(rates)) if np.isfinite(rates).any() else 0.0
    scale = alt.Scale(domain=[0, max(highest * 1.05, 1e-3)], nice=True)
    y = alt.Y("v:Q", title="spikes per neuron and step", scale=scale)
    value = f"spiking[a] < 0 ? null : rates[spiking[a] * {T} + datum.t - 1]"
    points = _steps(T, value, RATES, y, theme.NETWORKS["SNN"], "firing rate")
    own = "indexof(layers_a[a], neurons[spiking[a]] + ' ·') === 0 || layers_a[a] === neurons[spiking[a]]"
    kind = "split(layers_a[a], ' · ')[1] || 'no neurons'"
    title = {
        "expr": f"{own} ? ['Firing rate of the SNN layer', neurons[spiking[a]]]"
        f" : ['No spikes: ' + ({kind}), 'nearest neurons: ' + neurons[spiking[a]]]"
    }
    return _panel(points, title)


def _steps(T: int, value: str, scale: int, y: alt.Y, colour: str, what: str) -> list[alt.Chart]:
    """A line over the time steps, and its points with their numbers."""
    base = (
        alt.Chart(alt.sequence(1, T + 1, as_="t"))
        .transform_calculate(w=value)
        .transform_calculate(v=cells.unpacked(scale=scale))
        .transform_calculate(text=cells.TEXT)
        .transform_filter("isValid(datum.v)")
    )
    axis = alt.Axis(values=list(range(1, T + 1)), format="d", grid=False, labelOverlap="greedy")
    x = alt.X("t:Q", title="time step of the SNN", scale=alt.Scale(domain=[0.6, T + 0.4], nice=False), axis=axis)
    tips = [alt.Tooltip("t:N", title="time step"), alt.Tooltip("text:N", title=what)]
    line = base.mark_line(strokeWidth=1.8, strokeJoin="round", color=colour, aria=False).encode(x=x, y=y)
    points = base.mark_point(filled=True, size=64, opacity=1, color=colour).encode(x=x, y=y, tooltip=tips)
    return [line, points]


def _panel(drawn: list[alt.Chart], title: Any) -> alt.LayerChart:
    return alt.layer(*drawn).properties(width=PANEL, height=144, title=alt.TitleParams(text=title, fontSize=12))


def _title(value_title: str, notes: list[str]) -> alt.TitleParams:
    """Both layers and their value, on a line each: it has to fit a phone."""
    value = json.dumps(f"{value_title}: ")
    lines = f"['SNN: ' + layers_a[a], 'ANN: ' + layers_b[b], {value} + now_text]"
    return alt.TitleParams(text={"expr": lines}, subtitle=notes)


def _place(names: list[str], wanted: str | None, table: xr.DataArray, side: str) -> int:
    """The number, from 1, of the layer that is picked at first."""
    if wanted is not None:
        if wanted not in names:
            raise ValueError(f"linked_heatmap: {wanted!r} is not among the {len(names)} layers of layer_{side}")
        return names.index(wanted) + 1
    kinds = parts.coordinate(table, f"kind_{side}", f"layer_{side}", "")
    sums = [i for i, kind in enumerate(kinds, start=1) if kind == "sum"]
    return sums[-1] if sums else len(names)


def _neurons(layers: list[str], spiking: list[str]) -> tuple[list[int], list[str]]:
    """Of every layer, which of the spiking layers is nearest in call order: itself, else the next one, or the last."""
    places = [layers.index(name) for name in spiking if name in layers]
    rows = [spiking.index(name) for name in spiking if name in layers]
    found = []
    for i in range(len(layers)):
        ahead = [row for place, row in zip(places, rows, strict=True) if place >= i]
        found.append(ahead[0] if ahead else rows[-1] if rows else -1)
    return found, spiking
