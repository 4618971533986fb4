"""Curves of several series, of which a click in the legend picks out one: the others fade."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from snnlib.charts import theme


class Picked:
    """The look of such series, for charts whose data have the field `series`."""

    def __init__(self, names: Sequence[str]) -> None:
        self.param = alt.selection_point(name="pick", fields=["series"], bind="legend")
        self.colour = theme.colour("series", names, title="comparison (click to pick out)", orient="top")
        self.dash = theme.dash(self.colour, names)
        self.opacity = self._opacity(1, 0.12)

    def line(self, base: alt.Chart, x: alt.X, y: alt.Y) -> alt.Chart:
        """A line for each series; it listens for the click."""
        look: dict[str, Any] = {"color": self.colour, "strokeDash": self.dash, "opacity": self.opacity}
        return base.mark_line(**theme.LINE).encode(x=x, y=y, **look).add_params(self.param)

    def band(self, base: alt.Chart, x: alt.X) -> alt.Chart:
        """From low to high, where a series has them; a band that is wider ends where the axis does."""
        known = base.transform_filter("isValid(datum.low) && isValid(datum.high)").mark_area(aria=False, clip=True)
        fade = self._opacity(0.22, 0.04)
        return known.encode(x=x, y=alt.Y("low:Q"), y2="high:Q", color=self.colour, opacity=fade)

    def _opacity(self, picked: float, others: float) -> Any:
        return alt.condition(self.param, alt.value(picked), alt.value(others))
