"""Heatmaps of layers by layers.

The values travel as one array of integers (1000 × value; of a symmetric table only the upper triangle) that Vega's own
expressions take apart in the browser. Rows written out would weigh ten times as much.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import altair as alt
import numpy as np
import xarray as xr

from snnlib.charts import parts, theme

SCALE = 1000  # values are kept to the third decimal


def heatmap(
    cka: xr.DataArray,
    *,
    title_a: str = "SNN",
    title_b: str = "ANN",
    domain: tuple[float, float] = (0.0, 1.0),
    title: str | None = None,
    value_title: str = "CKA (debiased)",
    size: int = 444,
) -> alt.LayerChart:
    """Draw a value for every pair of layers, both axes in call order; depth grows to the right and upwards.

    `cka` has dims (layer_a, layer_b) and, where known, the coordinates `kind_*` and `stage_*` that `snnlib.compare`
    gives. Its rows are drawn upwards and belong to `title_a`. `size` bounds the longer side in pixels; every cell
    takes a whole number of them, fewer on a phone.

    The colours are viridis; for a `domain` from -x to x, as for differences, a diverging scale. A value outside the
    domain takes the colour of its nearest end, is counted under the title and shown as it is in the
    tooltip. A cell without a value (NaN) is grey.

    Raises ValueError for other dims, an empty array, or a domain that does not ascend.
    """
    table = parts.need_array(cka, ("layer_a", "layer_b"), "heatmap")
    low, high = domain
    if not low < high:
        raise ValueError(f"the domain of the colours must ascend, not {domain!r}")
    rows, columns = table.shape
    values = np.asarray(table.values, dtype=float)
    whole: list[list[int | None]] = [[parts.plain(v, 0) for v in row] for row in np.round(values * SCALE)]
    same = rows == columns and coordinates(table, "a") == coordinates(table, "b")
    upper = same and all(whole[i][j] == whole[j][i] for i in range(rows) for j in range(i))
    packed = [compact(v) for i, row in enumerate(whole) for v in (row[i:] if upper else row)]

    stages_a = [int(s) for s in parts.coordinate(table, "stage_a", "layer_a", -1)]
    stages_b = [int(s) for s in parts.coordinate(table, "stage_b", "layer_b", -1)]
    unlike = title_a != title_b
    tips = [
        alt.Tooltip("a:N", title=f"{title_a} layer" if unlike else f"{title_a} layer (row)"),
        alt.Tooltip("b:N", title=f"{title_b} layer" if unlike else f"{title_b} layer (column)"),
        alt.Tooltip("text:N", title=value_title),
    ]
    first = "min(datum.i, datum.j)"  # row and column of a symmetric table, looked up in its upper triangle
    triangle = f"{first} * {rows} - {first} * ({first} - 1) / 2 + abs(datum.i - datum.j)"
    index = triangle if upper else "datum.k"
    outside = f"datum.v < {low} || datum.v > {high} ? ' (outside the colours)' : ''"
    cells = (
        alt.Chart(alt.sequence(0, rows * columns, as_="k"))
        .transform_calculate(i=f"floor(datum.k / {columns})", j=f"datum.k % {columns}")
        .transform_calculate(v=f"cka[{index}] === null ? null : cka[{index}] / {SCALE}")
        .transform_calculate(
            a="layers_a[datum.i]",
            b="layers_b[datum.j]",
            text=f"datum.v === null ? 'no value' : format(datum.v, '.3f') + ({outside})",
            i2="datum.i + 1",
            j2="datum.j + 1",
        )
        .mark_rect(aria=False)
        .encode(
            x=alt.X(
                "j:Q",
                scale=alt.Scale(domain=[0, columns], nice=False),
                axis=parts.stage_axis(stages_b, f"{title_b} layers (call order)"),
            ),
            x2="j2:Q",
            y=alt.Y(
                "i:Q",
                scale=alt.Scale(domain=[0, rows], nice=False),
                axis=parts.stage_axis(stages_a, f"{title_a} layers (call order)", vertical=True),
            ),
            y2="i2:Q",
            color=colour_of_value(domain, value_title),
            tooltip=tips,
        )
    )
    step = max(1, size // max(rows, columns))
    chart = alt.layer(cells, *stage_rules(stages_a, stages_b, diverging(domain)))
    chart = sized(chart, columns, rows, step)
    chart = chart.add_params(
        alt.param(name="cka", value=packed),
        alt.param(name="layers_a", value=named(table, "a")),
        alt.param(name="layers_b", value=named(table, "b")),
    )
    title = title or f"{value_title}: {title_a} × {title_b}"
    return theme.finish(chart, describe(values, title, title_a, title_b, same), title=title, notes=notes(whole, domain))


def heatmaps_row(
    tables: Iterable[tuple[xr.DataArray, str, str]],
    *,
    domain: tuple[float, float] = (0.0, 1.0),
    value_title: str = "CKA (debiased)",
    size: int = 240,
) -> theme.Panels:
    """Heatmaps side by side, on a narrow page below one another: each table with its `title_a` and `title_b`.

    All share one scale of colours. Returns `Panels`; its `charts` are the single heatmaps.
    """
    charts = [
        heatmap(table, title_a=a, title_b=b, domain=domain, value_title=value_title, size=size, title=f"{a} × {b}")
        for table, a, b in tables
    ]
    if not charts:
        raise ValueError("heatmaps_row got no tables: there is nothing to draw")
    return theme.Panels(charts, min_width=size + 70)


def sized(chart: alt.LayerChart, columns: int, rows: int, step: int) -> alt.LayerChart:
    """Give every cell `step` pixels, and on a phone as many whole ones as fit (fractions would leave seams)."""
    cell = f"({theme.NARROW} ? clamp(floor((windowSize()[0] - 104) / {max(columns, rows)}), 1, {step}) : {step})"
    chart = chart.properties(width=columns * step, height=rows * step)
    # A signal of Vega's own name takes the place of the fixed size.
    return chart.add_params(
        alt.param(name="width", expr=f"{columns} * {cell}"),
        alt.param(name="height", expr=f"{rows} * {cell}"),
    )


def diverging(domain: tuple[float, float]) -> bool:
    return math.isclose(domain[0], -domain[1])


def colour_of_value(domain: tuple[float, float], title: str) -> alt.Color:
    scheme = "blueorange" if diverging(domain) else "viridis"
    legend = alt.Legend(title=title, gradientLength=200, gradientThickness=12, format="~g", tickCount=5)
    return alt.Color("v:Q", scale=alt.Scale(domain=list(domain), scheme=scheme, clamp=True), legend=legend)


def stage_rules(stages_a: list[int], stages_b: list[int], on_white: bool) -> list[alt.Chart]:
    """Thin rules where one stage ends and the next begins."""
    style = {"color": "#222222" if on_white else "#FFFFFF", "opacity": 0.55, "strokeWidth": 1, "aria": False}
    layers = []
    for channel, stages in (("x", stages_b), ("y", stages_a)):
        edges = [start for start, _, _ in parts.segments(stages)[1:]]
        if edges:
            data = alt.InlineData(values=[{"edge": edge} for edge in edges])
            layers.append(alt.Chart(data).mark_rule(**style).encode(**{channel: "edge:Q"}))
    return layers


def named(table: xr.DataArray, side: str) -> list[str]:
    """Layer names with their operation, for the tooltip."""
    layers = coordinates(table, side)
    kinds = parts.coordinate(table, f"kind_{side}", f"layer_{side}", "")
    return [
        f"{layer} · {parts.operation(str(kind))}" if kind else layer for layer, kind in zip(layers, kinds, strict=True)
    ]


def coordinates(table: xr.DataArray, side: str) -> list[str]:
    """The layers' names, or their numbers where the table names none."""
    name = f"layer_{side}"
    return (
        [str(v) for v in table[name].values] if name in table.coords else [str(i + 1) for i in range(table.sizes[name])]
    )


def compact(value: float | None) -> int | None:
    return None if value is None else int(value)


def notes(whole: list[list[int | None]], domain: tuple[float, float]) -> list[str]:
    """What the colours cannot show: cells outside their range, cells without a value."""
    flat = [v / SCALE for row in whole for v in row if v is not None]
    total = sum(len(row) for row in whole)
    out = [v for v in flat if v < domain[0] or v > domain[1]]
    lines = []
    if out:
        ends = parts.number(min(out)) if len(set(out)) == 1 else f"{parts.number(min(out))} to {parts.number(max(out))}"
        lines.append(f"{len(out):,} of {total:,} values lie outside the colour scale ({ends}).")
    if len(flat) < total:
        lines.append(f"{total - len(flat):,} of {total:,} pairs have no value (grey).")
    return lines


def describe(values: np.ndarray, title: str, title_a: str, title_b: str, same: bool) -> str:
    """The text alternative: what is drawn, and the numbers a reader would take from it."""
    finite = values[np.isfinite(values)]
    rows, columns = values.shape
    text = f"Heatmap, {title}: {rows} layers of {title_a} (upwards) by {columns} layers of {title_b} (to the right)."
    if finite.size == 0:
        return text + " No pair has a value."
    text += (
        f" Values from {parts.number(finite.min())} to {parts.number(finite.max())}, mean {parts.number(finite.mean())}"
    )
    diagonal = np.diag(values)
    if same and np.isfinite(diagonal).all():
        text += f"; corresponding layers {parts.number(diagonal.mean())} on average"
    return text + "."
