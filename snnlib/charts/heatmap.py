"""Heatmaps of layers by layers. Of a symmetric table only the upper triangle travels to the browser."""

from __future__ import annotations

from collections.abc import Iterable

import altair as alt
import numpy as np
import xarray as xr

from snnlib.charts import parts, theme
from snnlib.charts.cells import (
    cells,
    coordinates,
    diverging,
    integers,
    named,
    notes,
    stage_rules,
    stages,
    to_the_right,
    upwards,
)
from snnlib.evidence import number


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
    packed = integers(values)
    whole = np.array(packed, dtype=object).reshape(rows, columns)
    same = rows == columns and coordinates(table, "a") == coordinates(table, "b")
    upper = same and (whole == whole.T).all()

    stages_a, stages_b = stages(table, "a"), stages(table, "b")
    unlike = title_a != title_b
    sides = (f"{title_a} layer" + " (row)" * (not unlike), f"{title_b} layer" + " (column)" * (not unlike))
    first = "min(datum.i, datum.j)"  # row and column of a symmetric table, looked up in its upper triangle
    triangle = f"{first} * {rows} - {first} * ({first} - 1) / 2 + abs(datum.i - datum.j)"
    drawn = cells(
        rows * columns,
        columns,
        value=f"cka[{triangle if upper else 'datum.k'}]",
        names=("layers_a[datum.i]", "layers_b[datum.j]"),
        titles=(*sides, value_title),
        domain=domain,
        x=to_the_right(
            columns, parts.stage_axis(stages_b, f"{title_b} layers (call order)", names=coordinates(table, "b"))
        ),
        y=upwards(
            rows,
            parts.stage_axis(stages_a, f"{title_a} layers (call order)", names=coordinates(table, "a"), vertical=True),
        ),
    )
    step = max(1, size // max(rows, columns))
    chart = alt.layer(drawn, *stage_rules(stages_a, stages_b, diverging(domain)))
    chart = sized(chart, columns, rows, step)
    chart = chart.add_params(
        parts.table("cka", whole[np.triu_indices(rows)].tolist() if upper else packed),
        alt.param(name="layers_a", value=named(table, "a")),
        alt.param(name="layers_b", value=named(table, "b")),
    )
    title = title or f"{value_title}: {title_a} × {title_b}"
    return theme.finish(
        chart, describe(values, title, title_a, title_b, same), title=title, notes=notes(packed, domain)
    )


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


def describe(values: np.ndarray, title: str, title_a: str, title_b: str, same: bool) -> str:
    """The text alternative: what is drawn, and the numbers a reader would take from it."""
    finite = values[np.isfinite(values)]
    rows, columns = values.shape
    text = f"Heatmap, {title}: {rows} layers of {title_a} (upwards) by {columns} layers of {title_b} (to the right)."
    if finite.size == 0:
        return text + " No pair has a value."
    text += f" Values from {number(finite.min())} to {number(finite.max())}, mean {number(finite.mean())}"
    diagonal = np.diag(values)
    if same and np.isfinite(diagonal).all():
        text += f"; corresponding layers {number(diagonal.mean())} on average"
    return text + "."
