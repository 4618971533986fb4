"""The inside of a residual block: one value for every place, averaged over blocks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import altair as alt
import pandas as pd

from snnlib.charts import parts, theme
from snnlib.evidence import number, span


def block_profile(
    profile: pd.DataFrame,
    *,
    inside: Sequence[str],
    title: str | None = None,
    value_title: str = "CKA (debiased), mean over blocks",
    domain: tuple[float, float] = (0.0, 1.0),
    height: int = 300,
) -> alt.LayerChart:
    """Draw a value at every place of a block, from its input to its output, one line per series.

    `profile` has the columns place, value and series, the places in their order; low and high, where given, become a
    band. The ends of the block are large points; the places `inside`, neighbours, are shaded. `domain` is the least
    range of the vertical axis: values outside widen it, wider bands end where it does.

    Raises ValueError for a missing column, an empty table, a place that a series has twice, or one inside that the
    profile has not.
    """
    frame = parts.banded(parts.need_frame(profile, ["place", "value", "series"], "block_profile"))
    frame = frame.assign(series=frame["series"].astype(str), place=frame["place"].astype(str))
    twice = frame[frame.duplicated(["series", "place"])]
    if len(twice):
        raise ValueError(f"block_profile: series {twice.iloc[0].series!r} has place {twice.iloc[0].place!r} twice")
    places, names = parts.unique(frame["place"]), parts.unique(frame["series"])
    if missing := [place for place in inside if place not in places]:
        raise ValueError(f"block_profile: there is no place {missing[0]!r} to shade among {', '.join(places)}")
    shaded = [places.index(place) for place in inside]
    frame = frame.assign(at=[places.index(place) for place in frame["place"]])
    x = alt.X(
        "at:Q",
        scale=alt.Scale(domain=[-0.4, len(places) - 0.6], nice=False),
        axis=alt.Axis(
            title="place in the block (call order)",
            values=list(range(len(places))),
            tickCount=len(places),  # or Vega thins out even ticks that are named one by one
            labelFlush=False,
            labelExpr=f"{json.dumps(places)}[datum.value]",
            labelOverlap=False,
            labelAngle={"expr": f"{theme.NARROW} ? -60 : 0"},
            labelAlign={"expr": f"{theme.NARROW} ? 'right' : 'center'"},
            grid=False,
        ),
    )
    y = alt.Y("value:Q", title=value_title, scale=parts.least_range(frame, domain))
    pick = alt.selection_point(name="pick", fields=["series"], bind="legend")
    strength = alt.condition(pick, alt.value(1), alt.value(0.12))
    colour = theme.colour("series", names, title="comparison (click to pick out)", orient="top")
    base = alt.Chart(parts.records(frame[["at", "value", "low", "high", "series"]]))
    branch = alt.Chart(parts.inline([{"from": min(shaded) - 0.5, "to": max(shaded) + 0.5}]))
    drawn: list[Any] = [
        branch.mark_rect(color=theme.INK, opacity=0.06, aria=False).encode(x=alt.X("from:Q"), x2="to:Q")
    ]
    if frame["low"].notna().any():
        fade = alt.condition(pick, alt.value(0.22), alt.value(0.04))
        band = base.transform_filter("isValid(datum.low) && isValid(datum.high)").mark_area(aria=False, clip=True)
        drawn.append(band.encode(x=x, y=alt.Y("low:Q"), y2="high:Q", color=colour, opacity=fade))
    line = base.mark_line(strokeWidth=1.8, strokeJoin="round", aria=False)
    dashes = theme.dash(colour, names)
    drawn.append(line.encode(x=x, y=y, color=colour, strokeDash=dashes, opacity=strength).add_params(pick))
    end = f"datum.at === 0 || datum.at === {len(places) - 1}"
    size = alt.condition(end, alt.value(80), alt.value(24))
    drawn.append(base.mark_circle(aria=False).encode(x=x, y=y, color=colour, opacity=strength, size=size))

    rows = []
    for at, place in enumerate(places):
        texts = {f"s{i}": _text(frame, name, place) for i, name in enumerate(names)}
        rows.append({"at": at, "place": place, **texts})
    tips = [("place", "place"), *((f"s{i}", name) for i, name in enumerate(names))]
    drawn.append(parts.hover(rows, tips, wide=True))
    ways = "; ".join(
        f"{name}: {', '.join(f'{place} {_text(frame, name, place, False)}' for place in places)}" for name in names
    )
    return parts.wide(alt.layer(*drawn), f"Line chart of {value_title} by place in a block. {ways}.", title, height)


def _text(frame: pd.DataFrame, series: str, place: str, interval: bool = True) -> str:
    of = frame[(frame["series"] == series) & (frame["place"] == place)]
    if of.empty:
        return "no value"
    row = of.iloc[0]
    return span(row["value"], row["low"], row["high"]) if interval else number(row["value"], 2)
