"""From an image under small eye movements to what a network sees: image and path, the events, their frames."""

from __future__ import annotations

from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from snnlib.charts import parts, theme
from snnlib.charts.heatmap import sized

POLARITY: dict[str, str] = {"brighter": theme.OTHERS[0], "darker": theme.OTHERS[1]}
ARROWS = ["triangle-up", "triangle-down"]
PATH = "#D1700F"
MOST_EVENTS = 1500  # drawn; of more, every so many
MOST_FRAMES = 4  # drawn; of more, some evenly spaced ones


def event_picture(
    stream: np.ndarray,
    frames: np.ndarray,
    *,
    span: tuple[int, int],
    image: np.ndarray | None = None,
    path: np.ndarray | None = None,
) -> theme.Panels:
    """Draw an image with the path it moved on, its events over time, and the frames that they are counted in.

    Args:
        stream: events with the fields t (microseconds), x, y (pixels) and p (1 brighter, 0 darker).
        frames: (T, 2, H, W) counts, darker first.
        span: first moment, and the one after the last, in microseconds.
        image: (H, W) of gray levels from 0 to 255, and path: (S, 2), how far it was moved down and to the right, in
            pixels; where they are known.

    Raises:
        ValueError: frames of another shape; no events.
    """
    if frames.ndim != 4 or frames.shape[1] != len(POLARITY):
        raise ValueError(f"event_picture takes frames of shape (T, 2, H, W), not {frames.shape}")
    if not len(stream):
        raise ValueError("event_picture got a stream without events: there is nothing to draw")
    drawn = [] if image is None else [_image(image, path)]
    return theme.Panels([*drawn, _stream(stream, len(frames), span), _frames(frames)], min_width=300)


def _image(image: np.ndarray, path: np.ndarray | None) -> alt.LayerChart:
    height, width = image.shape
    cells = (
        alt.Chart(alt.sequence(0, height * width, as_="k"))
        .transform_calculate(i=f"floor(datum.k / {width})", j=f"datum.k % {width}", v="gray[datum.k]")
        .transform_calculate(i2="datum.i + 1", j2="datum.j + 1")
    )
    x = alt.X("j:Q", title="column (pixels)", scale=alt.Scale(domain=[0, width], nice=False), axis=_axis())
    y = alt.Y("i:Q", title="row (pixels)", scale=alt.Scale(domain=[height, 0], nice=False), axis=_axis())
    gray = alt.Color("v:Q", scale=alt.Scale(domain=[0, 255], range=["#000000", "#FFFFFF"]), legend=None)
    layers: list[Any] = [cells.mark_rect(aria=False).encode(x=x, x2="j2:Q", y=y, y2="i2:Q", color=gray)]
    moved = ""
    if path is not None:
        moved = f", and the path of its centre over {len(path) - 1} steps, up to {np.abs(path).max():g} pixels away"
        middle = np.array([height, width]) / 2
        points = pd.DataFrame(np.asarray(path, dtype=float) + middle, columns=["i", "j"]).assign(order=range(len(path)))
        line = alt.Chart(parts.records(points)).mark_line(color=PATH, strokeWidth=2.5, aria=False)
        start = alt.Chart(parts.records(points.head(1))).mark_point(color=PATH, filled=True, size=90, opacity=1)
        layers += [
            line.encode(x=x, y=y, order="order:Q"),
            start.encode(
                x=x, y=y, tooltip=[alt.Tooltip("i:Q", title="start, row"), alt.Tooltip("j:Q", title="column")]
            ),
        ]
    chart = sized(alt.layer(*layers), width, height, max(1, 256 // max(height, width)))
    chart = chart.add_params(parts.table("gray", [int(v) for v in image.ravel()]))
    return theme.finish(chart, f"A gray image of {height} by {width} pixels{moved}.", title="Image and its path")


def _axis() -> alt.Axis:
    return alt.Axis(grid=False, tickCount=4, format="d")


def _stream(stream: np.ndarray, bins: int, span: tuple[int, int]) -> alt.LayerChart:
    every = -(-len(stream) // MOST_EVENTS)
    shown = stream[::every]
    height, width = int(stream["y"].max()) + 1, int(stream["x"].max()) + 1
    # three numbers an event: time in tenths of a millisecond, column and row as one, polarity
    times = [int(t) for t in (shown["t"] - span[0]) // 100]
    places = [int(v) for v in shown["x"].astype(int) * height + shown["y"]]
    marks = (
        alt.Chart(alt.sequence(0, len(shown), as_="k"))
        .transform_calculate(
            t="times[datum.k] / 10", x=f"places[datum.k] / {height}", what="signs[datum.k] ? 'brighter' : 'darker'"
        )
        .transform_calculate(column="floor(datum.x)", row=f"places[datum.k] % {height}")
    )
    length = (span[1] - span[0]) / 1000
    x = alt.X("t:Q", title="time (ms)", scale=alt.Scale(domain=[0, length], nice=False), axis=alt.Axis(grid=False))
    y = alt.Y("x:Q", title="column (pixels)", scale=alt.Scale(domain=[0, width], nice=False), axis=_axis())
    names = list(POLARITY)
    colour = alt.Color(
        "what:N",
        scale=alt.Scale(domain=names, range=list(POLARITY.values())),
        legend=alt.Legend(title="the pixel became", columns=2, **theme.POINT),
    )
    tips = [("t", "time (ms)"), ("column", "column"), ("row", "row")]
    events = marks.mark_point(filled=True, size=10, opacity=0.8, aria=False).encode(
        x=x,
        y=y,
        color=colour,
        shape=alt.Shape("what:N", scale=alt.Scale(domain=names, range=ARROWS), legend=colour["legend"]),
        tooltip=[
            *(alt.Tooltip(f"{f}:Q", title=name) for f, name in tips),
            alt.Tooltip("what:N", title="the pixel became"),
        ],
    )
    edges = [{"t": length * k / bins} for k in range(1, bins)]
    rules = alt.Chart(parts.inline(edges)).mark_rule(strokeDash=[4, 3], opacity=0.6, aria=False).encode(x="t:Q")
    chart = alt.layer(events, rules) if edges else alt.layer(events)
    chart = chart.add_params(
        parts.table("times", times),
        parts.table("places", places),
        parts.table("signs", [int(p) for p in shown["p"]]),
    )
    brighter = int(stream["p"].sum())
    text = f"""Events over {length:g} ms, time to the right, the column of the pixel upwards: {brighter:,} of pixels
        that became brighter, {len(stream) - brighter:,} darker. {bins - 1} dashed rules part the {bins} frames."""
    some = "" if every == 1 else f"; 1 in {every} drawn"
    return parts.wide(chart, text, f"{len(stream):,} events{some}", 252)


def _frames(frames: np.ndarray) -> alt.LayerChart:
    grid = _Grid(len(frames), *frames.shape[2:])
    counts = frames[grid.chosen][:, ::-1].transpose(1, 0, 2, 3)  # (2, T, H, W), brighter above
    most = int(max(np.percentile(counts[counts > 0], 99), 1)) if counts.any() else 1
    columns, rows = grid.columns, grid.rows
    x = alt.X("x:Q", scale=alt.Scale(domain=[0, columns], nice=False), axis=grid.below())
    y = alt.Y("y:Q", scale=alt.Scale(domain=[rows, 0], nice=False), axis=grid.beside())
    chart = alt.layer(grid.outlines(x, y), grid.squares(x, y, most))
    chart = sized(chart, columns, rows, max(1, 300 // columns)).add_params(
        parts.table("counts", [int(v) for v in counts.ravel()]),
        alt.param(name="chosen", value=[k + 1 for k in grid.chosen]),
    )
    sums = "; ".join(
        f"frame {k + 1}: {int(frames[k, 1].sum()):,} brighter, {int(frames[k, 0].sum()):,} darker" for k in grid.chosen
    )
    text = f"Counts of events by pixel in {len(grid.chosen)} of {len(frames)} frames, brighter above darker. {sums}."
    return theme.finish(chart, text, title=f"Frames (full colour: {most} events or more)")


class _Grid:
    """Frames side by side, with gaps between them: a column a frame, the row of brighter above that of darker.

    Its marks read the parameters `counts`, as (polarity, frame, row, column), and `chosen`, the numbers of the frames.
    """

    def __init__(self, bins: int, height: int, width: int) -> None:
        self.bins, self.height, self.width = bins, height, width
        self.chosen = sorted({round(k) for k in np.linspace(0, bins - 1, min(bins, MOST_FRAMES))})
        self.gap = max(1, width // 12)
        self.columns = len(self.chosen) * (width + self.gap) - self.gap
        self.rows = len(POLARITY) * (height + self.gap) - self.gap

    def squares(self, x: alt.X, y: alt.Y, most: int) -> alt.Chart:
        """The pixels that counted events, in full colour from `most` on."""
        height, width, gap, many = self.height, self.width, self.gap, len(self.chosen)
        area = height * width
        cells = (
            alt.Chart(alt.sequence(0, len(POLARITY) * many * area, as_="k"))
            .transform_calculate(v="counts[datum.k]")
            .transform_filter("datum.v > 0")
            .transform_calculate(
                sign=f"floor(datum.k / {many * area})",
                frame=f"floor(datum.k / {area}) % {many}",
                i=f"floor(datum.k % {area} / {width})",
                j=f"datum.k % {width}",
            )
            .transform_calculate(
                x=f"datum.j + datum.frame * {width + gap}",
                y=f"datum.i + datum.sign * {height + gap}",
                what="datum.sign ? 'darker' : 'brighter'",
                number="chosen[datum.frame]",
            )
            .transform_calculate(x2="datum.x + 1", y2="datum.y + 1")
        )
        inks = alt.Scale(domain=list(POLARITY), range=list(POLARITY.values()))
        strength = alt.Scale(domain=[0, most], range=[0.08, 1], clamp=True)
        tips = [("number", "frame"), ("i", "row"), ("j", "column"), ("v", "events")]
        numbers = [alt.Tooltip(f"{field}:Q", title=title) for field, title in tips]
        return cells.mark_rect(aria=False).encode(
            x=x,
            x2="x2:Q",
            y=y,
            y2="y2:Q",
            color=alt.Color("what:N", scale=inks, legend=None),
            opacity=alt.Opacity("v:Q", scale=strength, legend=None),
            tooltip=[alt.Tooltip("what:N", title="the pixel became"), *numbers],
        )

    def outlines(self, x: alt.X, y: alt.Y) -> alt.Chart:
        """A box around every frame."""
        height, width, gap = self.height, self.width, self.gap
        corners = [(k * (width + gap), s * (height + gap)) for k in range(len(self.chosen)) for s in (0, 1)]
        boxes = [{"x": left, "x2": left + width, "y": top, "y2": top + height} for left, top in corners]
        outline = alt.Chart(parts.inline(boxes)).mark_rect(filled=False, color=theme.INK, opacity=0.35, aria=False)
        return outline.encode(x=x, x2="x2:Q", y=y, y2="y2:Q")

    def below(self) -> alt.Axis:
        """The numbers of the frames."""
        middles = [k * (self.width + self.gap) + self.width / 2 for k in range(len(self.chosen))]
        return _named(middles, [str(k + 1) for k in self.chosen], title=f"frame (of {self.bins})")

    def beside(self) -> alt.Axis:
        """The names of the polarities, upright."""
        halves = [self.height / 2, self.height + self.gap + self.height / 2]
        upright: dict[str, Any] = {"labelAngle": -90, "labelAlign": "center", "labelBaseline": "bottom"}
        return _named(halves, list(POLARITY), title="the pixel became", **upright)


def _named(places: list[float], names: list[str], **look: Any) -> alt.Axis:
    """An axis with names at these places, and nothing else."""
    label = f"{names}[indexof({places}, datum.value)]"
    return alt.Axis(values=places, labelExpr=label, ticks=False, domain=False, grid=False, **look)
