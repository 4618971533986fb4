"""Bars: one amount for each of several things that are to be compared."""

from __future__ import annotations

import json
import textwrap

import altair as alt
import pandas as pd

from snnlib.charts import parts, theme
from snnlib.evidence import number, span

BROKEN = 22  # characters of a name's line on a phone


def bars(
    table: pd.DataFrame, *, value_title: str, digits: int = 2, ours: str | None = None, title: str | None = None
) -> alt.LayerChart:
    """Draw horizontal bars from zero, in the table's order, the number at their ends, a line from low to high.

    `table` has the columns name and value, and low and high where they are known. The bar called `ours` stands out.
    """
    frame = parts.banded(parts.need_frame(table, ["name", "value"], "bars")).copy()
    frame["name"] = frame["name"].astype(str)
    names = parts.unique(frame["name"])
    frame["text"] = [number(v, digits) for v in frame["value"]]
    frame["range"] = [span(r.value, r.low, r.high, digits) for r in frame.itertuples()]
    frame["ours"] = frame["name"] == ours
    most = float(frame[["value", "high"]].max().max())
    scale = alt.Scale(domain=[0, most * 1.25], nice=False)  # with room for the number at the longest bar's end
    x = alt.X("value:Q", title=textwrap.wrap(value_title, theme.NARROW_LINE - 8), scale=scale)
    broken = json.dumps({name: textwrap.wrap(name, BROKEN) for name in names})
    label = f"{theme.NARROW} ? {broken}[datum.label] : datum.label"
    axis = alt.Axis(domain=False, ticks=False, labelLimit=220, labelExpr=label)
    y = alt.Y("name:N", title=None, sort=names, axis=axis)
    base = alt.Chart(parts.records(frame[["name", "value", "low", "high", "text", "range", "ours"]]))
    drawn = [
        base.mark_bar(height={"band": 0.6}, color=theme.INK).encode(
            x=x,
            y=y,
            opacity=alt.condition("datum.ours", alt.value(0.85), alt.value(0.35)),
            tooltip=[
                alt.Tooltip("name:N", title="case"),
                alt.Tooltip("range:N", title=f"{value_title} (lowest to highest)"),
            ],
        )
    ]
    if frame["low"].notna().any():
        drawn.append(base.mark_rule(strokeWidth=1.5, aria=False).encode(x=alt.X("low:Q"), x2="high:Q", y=y))
    end = base.transform_calculate(end="isValid(datum.high) ? datum.high : datum.value")
    drawn.append(end.mark_text(align="left", dx=4, aria=False).encode(x="end:Q", y=y, text="text:N"))
    text = (
        f"Bar chart of {value_title}: "
        + "; ".join(f"{r.name} {r.range}" for r in frame[["name", "range"]].itertuples(index=False))
        + "."
    )
    return parts.wide(alt.layer(*drawn), text, title, 30 + 30 * len(names))
