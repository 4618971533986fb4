"""Pictures that explain: a neuron's trace, and the surrogate gradient."""

from __future__ import annotations

import altair as alt
import numpy as np
import pandas as pd

from snnlib.charts import parts, theme
from snnlib.evidence import number

CURRENT, MEMBRANE, SPIKE = "#8A8A8A", theme.NETWORKS["ANN"], theme.NETWORKS["SNN"]
DRAWN = ["input current", "membrane potential", "spike", "threshold"]
UPRIGHT = "M-.2,-1h.4v2h-.4z"  # the shape of a spike in a legend


def lif_trace(
    trace: pd.DataFrame,
    *,
    threshold: float = 1.0,
    reset: float | None = 0.0,
    title: str | None = None,
    height: int = 260,
) -> alt.LayerChart:
    """Draw one neuron over time: input current as bars, membrane potential as a line, spikes as ticks on top.

    `trace` has the columns t (time steps), current, membrane (u[t], before the reset) and spike (0 or 1). All
    are drawn in units of the threshold. After a spike the line falls to `reset`; None leaves it as it is.
    """
    frame = parts.need_frame(trace, ["t", "current", "membrane", "spike"], "lif_trace").sort_values("t")
    if not threshold > 0:
        raise ValueError(f"lif_trace needs a threshold above 0, not {threshold!r}")
    odd = frame.loc[~frame["spike"].isin([0, 1]), "spike"]
    if len(odd):
        raise ValueError(f"lif_trace: a spike is 0 or 1, not {odd.iloc[0]}")
    frame = frame.assign(
        current=frame["current"].astype(float) / threshold,
        membrane=frame["membrane"].astype(float) / threshold,
        tell=np.where(frame["spike"] == 1, "spike", "no spike"),
    )
    chart = alt.layer(*_trace(frame, None if reset is None else reset / threshold), _steps(frame))
    fired = frame.loc[frame["spike"] == 1, "t"]
    when = ", ".join(f"{at:g}" for at in fired) or "none"
    text = f"""Trace of one neuron over {len(frame)} time steps: input current, membrane potential against the
        threshold, spikes at steps {when}."""
    return theme.finish(chart.properties(width="container", height=height), text, title=title)


def _trace(frame: pd.DataFrame, reset: float | None) -> list[alt.Chart]:
    """Bars of the current, the threshold, the line of the membrane potential and the ticks of spikes above it."""
    seen = frame[["current", "membrane"]].to_numpy()
    top = max(float(np.nanmax(seen, initial=1.0)) * 1.08, 1.0)
    bottom = min(float(np.nanmin(seen, initial=0.0)) * 1.08, 0.0)
    tick = 0.09 * (top - bottom)
    t = frame["t"].astype(float)
    scale = alt.Scale(domain=[float(t.min()) - 0.7, float(t.max()) + 0.7], nice=False)
    x = alt.X("t:Q", title="time (steps)", scale=scale, axis=alt.Axis(grid=False, values=t.tolist(), format="d"))
    levels = alt.Scale(domain=[parts.plain(bottom), parts.plain(top + 2 * tick)], nice=False)
    y = alt.Y("u:Q", title="in units of the threshold", scale=levels)
    colour, shape = _key()
    everything = _rows(frame)

    bars = _of(everything, DRAWN[0]).transform_calculate(zero="0", left="datum.t - 0.3", right="datum.t + 0.3")
    bars = bars.mark_rect(opacity=0.45, aria=False)
    level = _of(parts.inline([{"u": 1.0}]), DRAWN[3]).mark_rule(
        strokeDash=[5, 3], strokeWidth=1.5, opacity=0.8, aria=False
    )
    line = _of(_path(frame, reset), DRAWN[1]).mark_line(strokeWidth=2, strokeJoin="round", aria=False)
    dots = _of(everything, DRAWN[1]).mark_point(filled=True, size=40, aria=False, opacity=1)
    marks = _of(everything, DRAWN[2]).transform_filter("datum.tell === 'spike'")
    marks = marks.transform_calculate(low=str(top + 0.4 * tick), high=str(top + 1.6 * tick))
    marks = marks.mark_rule(strokeWidth=3, aria=False)
    return [
        bars.encode(x=alt.X("left:Q"), x2="right:Q", y="current:Q", y2="zero:Q", color=colour),
        level.encode(y=y, color=colour),
        line.encode(x=x, y=y, color=colour, order="order:Q"),
        dots.encode(x=x, y=alt.Y("membrane:Q"), color=colour, shape=shape),
        marks.encode(x=x, y=alt.Y("low:Q"), y2="high:Q", color=colour),
    ]


def _key() -> tuple[alt.Color, alt.Shape]:
    """Colour and shape of what is drawn, in one legend."""
    legend = alt.Legend(title=None, columns={"expr": f"{theme.NARROW} ? 2 : 4"}, **theme.POINT)
    inks = alt.Scale(domain=DRAWN, range=[CURRENT, MEMBRANE, SPIKE, theme.INK])
    forms = alt.Scale(domain=DRAWN, range=["square", "circle", UPRIGHT, "stroke"])
    return alt.Color("what:N", scale=inks, legend=legend), alt.Shape("what:N", scale=forms, legend=legend)


def _of(data: alt.InlineData, what: str) -> alt.Chart:
    return alt.Chart(data).transform_calculate(what=f"'{what}'")


def _rows(frame: pd.DataFrame) -> alt.InlineData:
    """A row a step, as wide as the step."""
    t = frame["t"].astype(float)
    rows = pd.DataFrame({"t": t, "from": t - 0.5, "to": t + 0.5})
    return parts.records(rows.join(frame[["current", "membrane", "tell"]]))


def _path(frame: pd.DataFrame, reset: float | None) -> alt.InlineData:
    """The membrane potential, step after step; after a spike it falls to `reset`, in the same step."""
    path = []
    for i, step in enumerate(frame.itertuples()):
        path.append({"t": float(step.t), "u": step.membrane, "order": 2 * i})
        if step.spike == 1 and reset is not None:
            path.append({"t": float(step.t), "u": reset, "order": 2 * i + 1})
    return parts.records(pd.DataFrame(path))


def _steps(frame: pd.DataFrame) -> alt.Chart:
    """A column a step, lit under the pointer, with all numbers there in its tooltip."""
    over = alt.selection_point(name="over", fields=["t"], on="pointerover", clear="pointerout", empty=False)
    tips = [
        alt.Tooltip("t:Q", title="time step", format="d"),
        alt.Tooltip("current:Q", title="input current (thresholds)", format=".2f"),
        alt.Tooltip("membrane:Q", title="membrane potential before reset (thresholds)", format=".2f"),
        alt.Tooltip("tell:N", title="output"),
    ]
    lit = alt.condition(over, alt.value(0.1), alt.value(0))
    columns = alt.Chart(_rows(frame)).mark_rect(color=theme.INK)
    return columns.encode(x=alt.X("from:Q"), x2="to:Q", opacity=lit, tooltip=tips).add_params(over)


def surrogate_shape(
    shapes: pd.DataFrame, *, threshold: float = 1.0, title: str | None = None, height: int = 240
) -> alt.LayerChart:
    """Draw what the backward pass takes for the derivative of a spike, over the step of the forward pass.

    `shapes` has the columns u (membrane potential), name (of the surrogate) and derivative.
    """
    frame = parts.need_frame(shapes, ["u", "name", "derivative"], "surrogate_shape")
    low, high = float(frame["u"].min()), float(frame["u"].max())
    if not low < threshold < high:
        raise ValueError(f"surrogate_shape: the threshold {threshold!r} lies outside the given u, {low:g} to {high:g}")
    step = "spike (forward)"
    names = [f"{name} (backward)" for name in frame["name"].drop_duplicates()]
    lines = pd.DataFrame({"u": frame["u"], "y": frame["derivative"], "name": frame["name"].astype(str) + " (backward)"})
    jump = pd.DataFrame({"u": [low, threshold, threshold, high], "y": [0, 0, 1, 1], "name": step, "order": range(4)})
    inks = (SPIKE, MEMBRANE, *theme.OTHERS[:2])[: len(names)]
    scale = alt.Scale(domain=[*names, step], range=[*inks, CURRENT])
    colour = alt.Color(
        "name:N",
        scale=scale,
        legend=alt.Legend(title=None, columns={"expr": f"{theme.NARROW} ? 1 : 3"}, **theme.KEY),
    )
    dashes = theme.dash(colour, [*names, step])
    x = alt.X("u:Q", title="membrane potential u / threshold", scale=alt.Scale(domain=[low, high], nice=False))
    y = alt.Y("y:Q", title="spike; derivative (1 / threshold)")
    tips = [
        alt.Tooltip("name:N", title="curve"),
        alt.Tooltip("u:Q", title="membrane potential", format=".2f"),
        alt.Tooltip("y:Q", title="value", format=".3f"),
    ]
    curve = alt.Chart(parts.records(lines)).mark_line(strokeWidth=2.2, aria=False)
    dots = alt.Chart(parts.records(lines)).mark_point(filled=True, size=90, opacity=0, aria=False)
    forward = alt.Chart(parts.records(jump)).mark_line(strokeWidth=2.2, aria=False)
    chart = alt.layer(
        forward.encode(x=x, y=y, color=colour, strokeDash=dashes, order="order:Q"),
        curve.encode(x=x, y=y, color=colour, strokeDash=dashes),
        dots.encode(x=x, y=y, color=colour, tooltip=tips),
    )
    peaks = "; ".join(
        f"{name} peaks at {number(part['derivative'].max(), 2)}" for name, part in frame.groupby("name", sort=False)
    )
    text = f"The spike as a step of the membrane potential at {threshold:g}, and its surrogate derivatives: {peaks}."
    return theme.finish(chart.properties(width="container", height=height), text, title=title)
