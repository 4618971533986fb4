"""What every chart shares: colours, text, stage labels, checks of the input, and the frame that ends a chart.

Text, axes and rules are drawn in `currentColor`, so they take the colour of the page around them, light or dark; that
needs Vega's SVG renderer, which `finish` asks for inside the chart itself. The marks' colours stand out from white and
from the dark page alike (contrast above 3.4 to 1) and stay apart for colour-blind readers.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any
from uuid import uuid4

import altair as alt

from snnlib.series import ANNS, CROSS, SHUFFLED, SNNS, UNTRAINED

NETWORKS: dict[str, str] = {"SNN": "#D95F02", "ANN": "#2B83C6"}
"""The colour of each kind of network, in every chart of the book."""

OTHERS: tuple[str, ...] = ("#955895", "#619E4F", "#8D8D8D", "#7B2CFF", "#C12358", "#24786C")
"""Colours for everything that is not simply "SNN" or "ANN" (pairs of networks, controls)."""

ROLES: dict[str, str] = {
    CROSS: OTHERS[0],
    UNTRAINED: OTHERS[2],
    SHUFFLED: OTHERS[3],
    SNNS: OTHERS[1],
    ANNS: OTHERS[4],
    "SNN, noise": OTHERS[0],
    "ANN, noise": OTHERS[5],
    "another SNN": OTHERS[1],
    "another ANN": OTHERS[4],
}
"""Series that many charts share, and the colour that each has in all of them; so have its kinds, "untrained, T = 4"."""

DASHES: tuple[tuple[int, ...], ...] = ((1, 0), (7, 3), (2, 2), (7, 2, 2, 2), (10, 4), (4, 4), (1, 3))
SERIES: tuple[str, ...] = ("circle", "triangle-up", "square", "diamond", "triangle-down", "cross")
"""Shapes of the points of a series, where a point does not tell something else."""

SHAPES: dict[str, str] = {
    "conv": "square",
    "bn": "diamond",
    "act": "triangle-up",
    "sum": "circle",
    "pool": "triangle-down",
    "linear": "cross",
    "other": "stroke",
}
OPERATIONS: dict[str, str] = {
    "conv": "convolution",
    "bn": "batch norm",
    "act": "activation",
    "sum": "block output (sum)",
    "pool": "pooling",
    "linear": "linear",
    "other": "other",
}

INK = "currentColor"
LINE: dict[str, Any] = {"strokeWidth": 1.8, "strokeJoin": "round", "aria": False}
"""The look of a line along depth."""
KEY: dict[str, Any] = {"symbolType": "stroke", "symbolSize": 260, "symbolStrokeWidth": 2.5, "symbolOpacity": 1}
"""The look of a line in a legend."""
POINT: dict[str, Any] = {"symbolSize": 60, "symbolOpacity": 1}
"""The look of a point in a legend; its shape is what tells the series."""
NO_VALUE = "#B4B4B4"
NARROW = "windowSize()[0] < 600"  # a phone; false where there is no window (PNG, SVG and tests through vl-convert)
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
WIDE_LINE, NARROW_LINE = 70, 34  # characters of a title's line, on a page and on a phone


def finish(chart: Any, description: str, *, title: str | None = None, notes: Sequence[str] = ()) -> Any:
    """Give a chart its title, its text alternative, the page's colours and the SVG renderer."""
    if title or notes:
        small = [line for note in notes for line in textwrap.wrap(note, NARROW_LINE + 8)]
        text = _lines(textwrap.wrap(title or "", WIDE_LINE), textwrap.wrap(title or "", NARROW_LINE))
        chart = chart.properties(title=alt.TitleParams(text=text, subtitle=small))
    actions = {"export": True, "source": False, "compiled": False, "editor": False}
    return chart.properties(
        description=" ".join(description.split()),
        usermeta={"embedOptions": {"renderer": "svg", "actions": actions, "config": {"background": "transparent"}}},
        padding=4,
    ).configure(
        font=FONT,
        scale={"invalid": {"color": {"value": NO_VALUE}}},
        view={"stroke": None, "continuousWidth": 640},
        title={
            "anchor": "start",
            "frame": "bounds",
            "color": INK,
            "fontSize": 13,
            "fontWeight": 600,
            "subtitleColor": INK,
            "subtitleFontSize": 11,
            "offset": 10,
        },
        axis={
            "labelColor": INK,
            "titleColor": INK,
            "titleFontWeight": "normal",
            "titleFontSize": 12,
            "labelFontSize": 11,
            "domainColor": INK,
            "domainOpacity": 0.4,
            "tickColor": INK,
            "tickOpacity": 0.4,
            "gridColor": INK,
            "gridOpacity": 0.12,
        },
        legend={
            "labelColor": INK,
            "titleColor": INK,
            "titleFontWeight": "normal",
            "titleFontSize": 12,
            "labelFontSize": 11,
            "labelLimit": 280,
            "titleLimit": 320,
            "orient": "bottom",
            "symbolBaseFillColor": INK,
            "symbolBaseStrokeColor": INK,
        },
        text={"color": INK, "font": FONT, "fontSize": 11},
        rule={"color": INK},
    )


def _lines(large: list[str], small: list[str]) -> Any:
    """A text broken for the page, and broken otherwise for a phone where that differs."""
    if large == small:
        return large or ""
    return {"expr": f"{NARROW} ? {json.dumps(small)} : {json.dumps(large)}"}


class Panels:
    """Charts that stand side by side where the page is wide and below one another where it is narrow.

    A concatenation in Vega-Lite cannot reflow, so each panel is a chart of its own (in `charts`, to save one by one).
    """

    def __init__(self, charts: Iterable[Any], *, min_width: int) -> None:
        self.charts: list[Any] = list(charts)
        self.min_width = min_width

    def __repr__(self) -> str:
        return "Panels(" + "; ".join(str(chart.to_dict()["description"]) for chart in self.charts) + ")"

    def _repr_html_(self) -> str:
        many = len(self.charts)
        # As many columns as there are panels, or as fit; fixed before the first panel measures the width it has.
        column = f"minmax(min(100%, max({self.min_width}px, (100% - {many - 1}rem) / {many})), 1fr)"
        items = "".join(f'<div style="overflow-x: auto">{_fragment(chart)}</div>' for chart in self.charts)
        style = f"display: grid; grid-template-columns: repeat(auto-fill, {column}); gap: 0.5rem 1rem"
        return f'<div style="{style}">{items}</div>'

    def save(self, path: Any) -> None:
        """Write all panels to one HTML page. For a PNG or SVG, save the members of `charts`."""
        if not str(path).endswith(".html"):
            raise ValueError(f"panels are saved as .html, not {str(path)!r}; save the members of .charts one by one")
        title = escape(self.charts[0].to_dict()["description"])
        head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>'
        with open(path, "w", encoding="utf-8") as file:
            file.write(f'<!DOCTYPE html><html lang="en"><head>{head}</head><body>{self._repr_html_()}</body></html>')


def _fragment(chart: Any) -> str:
    """The chart as Altair's own renderer would show it: the book's offline copy of Vega hooks in there."""
    bundle = chart._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle or {}
    return str(data.get("text/html") or chart.to_html(fullhtml=False, output_div=f"chart-{uuid4().hex}"))


def colours(names: Sequence[str]) -> list[str]:
    """One colour for each name: a network's own, else that of its role, else the next of `OTHERS` that is free.

    Of several names of one role the first has its colour.
    """
    taken: dict[str, str] = {}
    for name in names:
        own = NETWORKS.get(name) or next((c for role, c in ROLES.items() if f"{name}, ".startswith(f"{role}, ")), None)
        if own and own not in taken.values():
            taken[name] = own
    free = [colour for colour in OTHERS if colour not in taken.values()] or list(OTHERS)
    rest = [name for name in names if name not in taken]
    return [taken.get(name) or free[rest.index(name) % len(free)] for name in names]


def colour(
    field: str,
    names: Sequence[str],
    *,
    title: str | None = None,
    orient: str = "bottom",
    key: dict[str, Any] = KEY,
) -> alt.Color:
    """Colour by a nominal field, with a legend that stacks on narrow screens, of lines or (`key=POINT`) of points."""
    wide, narrow = (2, 1) if sum(map(len, names)) > 60 else (4, 2 if max(map(len, names)) < 14 else 1)
    columns = {"expr": f"{NARROW} ? {narrow} : {min(len(names), wide)}"}
    legend = alt.Legend(title=title, orient=orient, columns=columns, **key)
    return alt.Color(f"{field}:N", scale=alt.Scale(domain=list(names), range=colours(names)), legend=legend)


def dash(like: alt.Color, names: Sequence[Any]) -> alt.StrokeDash:
    """Dashes beside the colours, so that no series is told by its colour alone; in the same legend."""
    pattern = [list(DASHES[i % len(DASHES)]) for i in range(len(names))]
    return alt.StrokeDash(like["shorthand"], scale=alt.Scale(domain=list(names), range=pattern), legend=like["legend"])


def shape(like: alt.Color, names: Sequence[str]) -> alt.Shape:
    """Shapes beside the colours, for points; in the same legend."""
    forms = [SERIES[i % len(SERIES)] for i in range(len(names))]
    return alt.Shape(like["shorthand"], scale=alt.Scale(domain=list(names), range=forms), legend=like["legend"])
