"""Cells of layers by layers, and what every chart of them shares.

The values travel as one array of integers (1000 × value) that Vega's own expressions take apart in the browser. Rows
written out would weigh ten times as much.
"""

from __future__ import annotations

import math
from typing import Any

import altair as alt
import numpy as np
import xarray as xr

from snnlib.charts import parts
from snnlib.evidence import number

SCALE = 1000  # values are kept to the third decimal
TEXT = "datum.v === null ? 'no value' : format(datum.v, '.3f')"
"""In Vega's expressions: the value `v` in words."""


def integers(values: np.ndarray, scale: int = SCALE) -> list[int | None]:
    """All values in order, as whole numbers; None where there is none."""
    scaled = np.round(np.asarray(values, dtype=float).ravel() * scale)
    return [int(v) if math.isfinite(v) else None for v in scaled]


def unpacked(whole: str = "datum.w", scale: int = SCALE) -> str:
    """In Vega's expressions: the value that a whole number stands for, null where there is none."""
    return f"{whole} === null ? null : {whole} / {scale}"


def cells(
    count: int,
    columns: int | str,
    *,
    value: str,
    names: tuple[str, str],
    titles: tuple[str, str, str],
    domain: tuple[float, float],
    x: alt.X,
    y: alt.Y,
    where: str | None = None,
) -> alt.Chart:
    """A rectangle for every pair of layers, in the colour of its value, told by its tooltip.

    Of cell `datum.k` below `count`, row by row, row `datum.i` and column `datum.j` count from 0. `columns` is a number
    or a Vega expression, as are `value` (an integer, or null), `names` of the layers and, if not all cells are, `where`
    a cell is drawn. `titles`: of both layers and of the value.
    """
    low, high = domain
    outside = f"datum.v < {low} || datum.v > {high} ? ' (outside the colours)' : ''"
    base = alt.Chart(alt.sequence(0, count, as_="k"))
    if where is not None:
        base = base.transform_filter(where)
    return (
        base.transform_calculate(i=f"floor(datum.k / {columns})", j=f"datum.k % {columns}")
        .transform_calculate(w=value, a=names[0], b=names[1], i2="datum.i + 1", j2="datum.j + 1")
        .transform_calculate(v=unpacked())
        .transform_calculate(text=f"{TEXT} + ({outside})")
        .mark_rect(aria=False)
        .encode(
            x=x,
            x2="j2:Q",
            y=y,
            y2="i2:Q",
            color=colour_of_value(domain, titles[2]),
            tooltip=[
                alt.Tooltip(f"{field}:N", title=title) for field, title in zip(("a", "b", "text"), titles, strict=True)
            ],
        )
    )


def to_the_right(end: Any, axis: alt.Axis, **scale: Any) -> alt.X:
    """The position of columns; `end`, their number, is one or a Vega expression."""
    return alt.X("j:Q", scale=alt.Scale(domainMin=0, domainMax=_expression(end), nice=False, **scale), axis=axis)


def upwards(end: Any, axis: alt.Axis, **scale: Any) -> alt.Y:
    """The position of rows, as `to_the_right`."""
    return alt.Y("i:Q", scale=alt.Scale(domainMin=0, domainMax=_expression(end), nice=False, **scale), axis=axis)


def _expression(value: Any) -> Any:
    return {"expr": value} if isinstance(value, str) else value


def diverging(domain: tuple[float, float]) -> bool:
    return math.isclose(domain[0], -domain[1])


def colour_of_value(domain: tuple[float, float], title: str) -> alt.Color:
    scheme = "blueorange" if diverging(domain) else "viridis"
    legend = alt.Legend(title=title, gradientLength=200, gradientThickness=12, format="~g", tickCount=5)
    return alt.Color("v:Q", scale=alt.Scale(domain=list(domain), scheme=scheme, clamp=True), legend=legend)


def edges(stages_of: list[int]) -> list[int]:
    """Where one stage ends and the next begins."""
    return [start for start, _, _ in parts.segments(stages_of)[1:]]


def rule_style(on_white: bool) -> dict[str, Any]:
    """The look of thin rules between stages."""
    return {"color": "#222222" if on_white else "#FFFFFF", "opacity": 0.55, "strokeWidth": 1, "aria": False}


def stage_rules(stages_a: list[int], stages_b: list[int], on_white: bool) -> list[alt.Chart]:
    """Thin rules where one stage ends and the next begins."""
    layers = []
    for channel, stages_of in (("x", stages_b), ("y", stages_a)):
        if found := edges(stages_of):
            data = parts.inline([{"edge": edge} for edge in found])
            layers.append(alt.Chart(data).mark_rule(**rule_style(on_white)).encode(**{channel: "edge:Q"}))
    return layers


def stages(table: xr.DataArray, side: str) -> list[int]:
    """The stage of every layer of a side, "a" or "b"; -1 where none is known."""
    return [int(stage) for stage in parts.coordinate(table, f"stage_{side}", f"layer_{side}", -1)]


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


def notes(packed: list[int | None], domain: tuple[float, float]) -> list[str]:
    """What the colours cannot show: cells outside their range, cells without a value."""
    flat = [v / SCALE for v in packed if v is not None]
    out = [v for v in flat if v < domain[0] or v > domain[1]]
    lines = []
    if out:
        ends = number(min(out)) if len(set(out)) == 1 else f"{number(min(out))} to {number(max(out))}"
        lines.append(f"{len(out):,} of {len(packed):,} values lie outside the colour scale ({ends}).")
    if len(flat) < len(packed):
        lines.append(f"{len(packed) - len(flat):,} of {len(packed):,} pairs have no value (grey).")
    return lines
