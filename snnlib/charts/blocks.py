"""The inside of a residual block: one value for every place, averaged over blocks."""

from __future__ import annotations

import json
from collections.abc import Sequence

import altair as alt
import pandas as pd

from snnlib.charts import parts, theme
from snnlib.charts.picked import Picked
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
    y = alt.Y("value:Q", title=value_title, scale=parts.least_range(frame, domain))
    chart = alt.layer(_branch(places, inside), *_curves(frame, places, names, y), _columns(frame, places, names))
    ways = "; ".join(
        f"{name}: {', '.join(f'{place} {_text(frame, name, place, False)}' for place in places)}" for name in names
    )
    return parts.wide(chart, f"Line chart of {value_title} by place in a block. {ways}.", title, height)


def _branch(places: list[str], inside: Sequence[str]) -> alt.Chart:
    """Shade the places between input and output."""
    shaded = [places.index(place) for place in inside]
    ends = parts.inline([{"from": min(shaded) - 0.5, "to": max(shaded) + 0.5}])
    return alt.Chart(ends).mark_rect(color=theme.INK, opacity=0.06, aria=False).encode(x=alt.X("from:Q"), x2="to:Q")


def _curves(frame: pd.DataFrame, places: list[str], names: list[str], y: alt.Y) -> list[alt.Chart]:
    """Bands, lines and points."""
    x = alt.X("at:Q", scale=alt.Scale(domain=[-0.4, len(places) - 0.6], nice=False), axis=_axis(places))
    frame = frame.assign(at=[places.index(place) for place in frame["place"]])
    base = alt.Chart(parts.records(frame[["at", "value", "low", "high", "series"]]))
    picked = Picked(names)
    band = [picked.band(base, x)] if frame["low"].notna().any() else []
    end = f"datum.at === 0 || datum.at === {len(places) - 1}"
    size = alt.condition(end, alt.value(80), alt.value(24))
    points = base.mark_circle(aria=False)
    points = points.encode(x=x, y=y, color=picked.colour, opacity=picked.opacity, size=size)
    return [*band, picked.line(base, x, y), points]


def _axis(places: list[str]) -> alt.Axis:
    return alt.Axis(
        title="place in the block (call order)",
        values=list(range(len(places))),
        tickCount=len(places),  # or Vega thins out even ticks that are named one by one
        labelFlush=False,
        labelExpr=f"{json.dumps(places)}[datum.value]",
        labelOverlap=False,
        labelAngle={"expr": f"{theme.NARROW} ? -60 : 0"},
        labelAlign={"expr": f"{theme.NARROW} ? 'right' : 'center'"},
        grid=False,
    )


def _columns(frame: pd.DataFrame, places: list[str], names: list[str]) -> alt.Chart:
    """Under the pointer: a place, and what all series have there."""
    rows = []
    for at, place in enumerate(places):
        texts = {f"s{i}": _text(frame, name, place) for i, name in enumerate(names)}
        rows.append({"at": at, "place": place, **texts})
    tips = [("place", "place"), *((f"s{i}", name) for i, name in enumerate(names))]
    return parts.hover(rows, tips, wide=True)


def _text(frame: pd.DataFrame, series: str, place: str, interval: bool = True) -> str:
    of = frame[(frame["series"] == series) & (frame["place"] == place)]
    if of.empty:
        return "no value"
    row = of.iloc[0]
    return span(row["value"], row["low"], row["high"]) if interval else number(row["value"], 2)
