"""All layers at all time steps at once: a heatmap along depth and time, small enough for a phone without reflow."""

from __future__ import annotations

import altair as alt
import numpy as np
import xarray as xr

from snnlib.charts import parts, theme
from snnlib.charts.cells import colour_of_value
from snnlib.evidence import number

WIDTH, HEIGHT = 330, 190  # pixels; as a picture it keeps its proportions on a narrow page


def layers_by_steps(
    values: xr.DataArray,
    *,
    value_title: str,
    domain: tuple[float, float] = (0.0, 1.0),
    title: str | None = None,
) -> alt.LayerChart:
    """Draw a value for every layer and time step of one network; depth grows to the right, time upwards.

    `values` has dims (layer, step), the coordinates step, and kind and stage along layer, where known. The colours are
    viridis over `domain`; beyond it a value takes the colour of the nearest end, and without one (NaN) it is grey.

    Raises ValueError for other dims, an empty array, or a domain that does not ascend.
    """
    table = parts.need_array(values, ("layer", "step"), "layers_by_steps")
    if not domain[0] < domain[1]:
        raise ValueError(f"the domain of the colours must ascend, not {domain!r}")
    shown = np.asarray(table.values, dtype=float)  # (layers, steps)
    steps = parts.coordinate(table, "step", "step", None)
    steps = [t + 1 if step is None else int(step) for t, step in enumerate(steps)]
    stages = [int(stage) for stage in parts.coordinate(table, "stage", "layer", -1)]
    rows = [
        {"from": i, "to": i + 1, "step": step, "v": parts.plain(shown[i, t])}
        for i in range(len(stages))
        for t, step in enumerate(steps)
    ]
    axis = parts.stage_axis(stages, f"{len(stages)} layers (call order)")
    x = alt.X("from:Q", scale=alt.Scale(domain=[0, len(stages)], nice=False), axis=axis)
    y = alt.Y(
        "step:O",
        title="time step",
        sort="descending",
        scale=alt.Scale(padding=0),
        axis=alt.Axis(ticks=False, domain=False, labelOverlap="greedy"),
    )
    colour = colour_of_value(domain, value_title)
    cells = alt.Chart(parts.inline(rows)).mark_rect(aria=False)
    cells = cells.encode(x=x, x2="to:Q", y=y, color=colour)
    edges = [{"edge": first} for first, _, _ in parts.segments(stages)[1:]]
    rule = alt.Chart(parts.inline(edges)).mark_rule(color="white", opacity=0.55, aria=False)
    drawn = [cells, rule.encode(x="edge:Q")] if edges else [cells]
    chart = alt.layer(*drawn).properties(width=WIDTH, height=HEIGHT)
    means = ", ".join(f"step {t} {number(m)}" for t, m in zip(steps, means_of_steps(table), strict=True))
    text = f"Heatmap of {value_title}: {len(stages)} layers (to the right) by {len(steps)} time steps (upwards)."
    return theme.finish(chart, f"{text} Mean over layers: {means}.", title=title)


def means_of_steps(values: xr.DataArray) -> list[float]:
    """The mean over layers at every step, of an array with dims (layer, step); layers without a value do not count."""
    columns = [column[np.isfinite(column)] for column in np.asarray(values.transpose("step", "layer").values, float)]
    return [float(column.mean()) if len(column) else float("nan") for column in columns]
