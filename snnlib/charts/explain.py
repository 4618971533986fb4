"""Pictures that explain: a neuron's trace, the surrogate gradient, and CKA as the likeness of two Gram matrices."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from snnlib.charts import parts, theme
from snnlib.charts.heatmap import sized

CURRENT, MEMBRANE, SPIKE = "#8A8A8A", theme.NETWORKS["ANN"], theme.NETWORKS["SNN"]
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
    t = frame["t"].to_numpy(dtype=float)
    current, membrane = (frame[name].to_numpy(dtype=float) / threshold for name in ("current", "membrane"))
    fired = frame["spike"].to_numpy() == 1
    top = max(float(np.nanmax(np.concatenate([current, membrane, [1.0]]))) * 1.08, 1.0)
    bottom = min(float(np.nanmin(np.concatenate([current, membrane, [0.0]]))) * 1.08, 0.0)
    tick = 0.09 * (top - bottom)

    rows, path = [], []
    for i, at in enumerate(t):
        tell = "spike" if fired[i] else "no spike"
        rows.append(
            {"t": at, "from": at - 0.5, "to": at + 0.5, "current": current[i], "membrane": membrane[i], "tell": tell}
        )
        path.append({"t": at, "u": membrane[i], "order": 2 * i})
        if fired[i] and reset is not None:
            path.append({"t": at, "u": reset / threshold, "order": 2 * i + 1})
    names = ["input current", "membrane potential", "spike", "threshold"]
    key = alt.Color(
        "what:N",
        scale=alt.Scale(domain=names, range=[CURRENT, MEMBRANE, SPIKE, theme.INK]),
        legend=alt.Legend(title=None, columns={"expr": f"{theme.NARROW} ? 2 : 4"}, **theme.POINT),
    )
    forms = alt.Scale(domain=names, range=["square", "circle", UPRIGHT, "stroke"])
    shape = alt.Shape("what:N", scale=forms, legend=key["legend"])
    scale = alt.Scale(domain=[float(t.min()) - 0.7, float(t.max()) + 0.7], nice=False)
    x = alt.X("t:Q", title="time (steps)", scale=scale, axis=alt.Axis(grid=False, values=t.tolist(), format="d"))
    levels = alt.Scale(domain=[parts.plain(bottom), parts.plain(top + 2 * tick)], nice=False)
    y = alt.Y("u:Q", title="in units of the threshold", scale=levels)

    def of(data: alt.InlineData, what: str) -> alt.Chart:
        return alt.Chart(data).transform_calculate(what=f"'{what}'")

    everything = parts.records(pd.DataFrame(rows))
    bars = of(everything, names[0]).transform_calculate(zero="0", left="datum.t - 0.3", right="datum.t + 0.3")
    bars = bars.mark_rect(opacity=0.45, aria=False).encode(
        x=alt.X("left:Q"), x2="right:Q", y="current:Q", y2="zero:Q", color=key
    )
    line = of(parts.records(pd.DataFrame(path)), names[1]).mark_line(strokeWidth=2, strokeJoin="round", aria=False)
    dots = of(everything, names[1]).mark_point(filled=True, size=40, aria=False, opacity=1)
    marks = of(everything, names[2]).transform_filter("datum.tell === 'spike'")
    marks = marks.transform_calculate(low=str(top + 0.4 * tick), high=str(top + 1.6 * tick)).mark_rule(
        strokeWidth=3, aria=False
    )
    dashed: dict[str, Any] = {"strokeDash": [5, 3], "strokeWidth": 1.5, "opacity": 0.8, "aria": False}
    columns = alt.Chart(everything).mark_rect(color=theme.INK)
    over = alt.selection_point(name="over", fields=["t"], on="pointerover", clear="pointerout", empty=False)
    tips = [
        alt.Tooltip("t:Q", title="time step", format="d"),
        alt.Tooltip("current:Q", title="input current (thresholds)", format=".2f"),
        alt.Tooltip("membrane:Q", title="membrane potential before reset (thresholds)", format=".2f"),
        alt.Tooltip("tell:N", title="output"),
    ]
    lit = alt.condition(over, alt.value(0.1), alt.value(0))
    chart = alt.layer(
        bars,
        of(parts.inline([{"u": 1.0}]), names[3]).mark_rule(**dashed).encode(y=y, color=key),
        line.encode(x=x, y=y, color=key, order="order:Q"),
        dots.encode(x=x, y=alt.Y("membrane:Q"), color=key, shape=shape),
        marks.encode(x=x, y=alt.Y("low:Q"), y2="high:Q", color=key),
        columns.encode(x=alt.X("from:Q"), x2="to:Q", opacity=lit, tooltip=tips).add_params(over),
    )
    when = ", ".join(f"{at:g}" for at in t[fired]) or "none"
    text = f"""Trace of one neuron over {len(t)} time steps: input current, membrane potential against the threshold,
        spikes at steps {when}."""
    return theme.finish(chart.properties(width="container", height=height), text, title=title)


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
        f"{name} peaks at {parts.number(part['derivative'].max(), 2)}"
        for name, part in frame.groupby("name", sort=False)
    )
    text = f"The spike as a step of the membrane potential at {threshold:g}, and its surrogate derivatives: {peaks}."
    return theme.finish(chart.properties(width="container", height=height), text, title=title)


def gram_pair(
    k: np.ndarray,
    l: np.ndarray,  # noqa: E741 -- K and L are the names of the two Gram matrices in the literature
    labels: Sequence[Any],
    *,
    cka: float,
    title_a: str = "SNN",
    title_b: str = "ANN",
    size: int = 300,
) -> alt.LayerChart:
    """Draw two Gram matrices of the same images side by side, images sorted by class, with their CKA in the title.

    `k` and `l` are (n, n), entry (i, j) the inner product of the features of images i and j; `labels` are their n
    classes. Each matrix is divided by the 98th percentile of its magnitudes off the diagonal, so that one outlier does
    not darken the rest; the colours end there, the tooltips do not. The diagonal stays grey: the debiased estimator
    leaves it out. `size` bounds the side of one matrix in pixels.
    """
    one, two = np.asarray(k, dtype=float), np.asarray(l, dtype=float)
    n = one.shape[0] if one.ndim else 0
    if one.ndim != 2 or one.shape != two.shape or one.shape[1] != n or n < 2:
        raise ValueError(
            f"gram_pair takes two matrices of one shape (n, n), n at least 2, not {one.shape} and {two.shape}"
        )
    if len(labels) != n:
        raise ValueError(f"gram_pair needs a label for each of the {n} images, not {len(labels)}")
    order = np.argsort(np.asarray([str(v) for v in labels]), kind="stable")
    classes = [str(labels[i]) for i in order]
    packed: list[int | None] = []
    for matrix in (one, two):
        matrix = matrix[np.ix_(order, order)].copy()
        np.fill_diagonal(matrix, np.nan)
        unit = float(np.nanpercentile(np.abs(matrix), 98)) if np.isfinite(matrix).any() else 1.0
        packed += [
            None if (v := parts.plain(x, 3)) is None else round(1000 * v) for x in (matrix / (unit or 1.0)).ravel()
        ]
    negative = any(v is not None and v < 0 for v in packed)

    gap = 2
    wide = 2 * n + gap
    cells = (
        alt.Chart(alt.sequence(0, 2 * n * n, as_="k"))
        .transform_calculate(which=f"floor(datum.k / {n * n})", i=f"floor(datum.k % {n * n} / {n})", j=f"datum.k % {n}")
        .transform_calculate(v="gram[datum.k] === null ? null : gram[datum.k] / 1000")
        .transform_calculate(
            x=f"datum.j + datum.which * {n + gap}",
            x2=f"datum.j + 1 + datum.which * {n + gap}",
            y2="datum.i + 1",
            network="titles[datum.which]",
            first="'image ' + (datum.i + 1) + ', class ' + classes[datum.i]",
            second="'image ' + (datum.j + 1) + ', class ' + classes[datum.j]",
            missing="datum.i === datum.j ? 'left out (diagonal)' : 'no value'",
        )
        .transform_calculate(
            text="datum.v === null ? datum.missing : format(datum.v, '.2f')",
        )
    )
    value_title = "inner product (1 = 98th percentile)"
    colour = alt.Color(
        "v:Q",
        scale=alt.Scale(domain=[-1, 1], scheme="blueorange", clamp=True)
        if negative
        else alt.Scale(domain=[0, 1], scheme="viridis", clamp=True),
        legend=alt.Legend(title=value_title, gradientLength=200, gradientThickness=12, tickCount=5, format="~g"),
    )
    tips = [("network", "network"), ("first", "row"), ("second", "column"), ("text", "inner product (scaled)")]
    edges = [i for i in range(1, n) if classes[i] != classes[i - 1]]
    starts = [0, *edges]
    middles = [(a + b) / 2 for a, b in zip(starts, [*edges, n], strict=True)]
    names = [classes[i] for i in starts]
    axis = alt.Axis(
        title="images, sorted by class",
        values=middles,
        labelExpr=f"{json.dumps(names)}[indexof({middles}, datum.value)]",
        labelOverlap="greedy",
        labelSeparation=4,
        ticks=False,
        grid=False,
        domain=False,
    )
    across = [m + side * (n + gap) for side in (0, 1) for m in middles]
    below = alt.Axis(
        **{
            **axis.to_dict(),
            "values": across,
            "labelExpr": f"{json.dumps(names + names)}[indexof({across}, datum.value)]",
        }
    )
    x = alt.X("x:Q", scale=alt.Scale(domain=[0, wide], nice=False), axis=below)
    y = alt.Y("i:Q", scale=alt.Scale(domain=[n, 0], nice=False), axis=axis)
    squares = cells.mark_rect(aria=False).encode(
        x=x,
        x2="x2:Q",
        y=y,
        y2="y2:Q",
        color=colour,
        tooltip=[alt.Tooltip(f"{field}:N", title=name) for field, name in tips],
    )
    style: dict[str, Any] = {
        "color": "#222222" if negative else "#FFFFFF",
        "opacity": 0.45,
        "strokeWidth": 1,
        "aria": False,
    }
    rules = []
    for side in (0, n + gap):
        data = [{"x": side, "x2": side + n, "i": e, "edge": side + e, "top": 0, "end": n} for e in edges]
        if data:
            base = alt.Chart(parts.inline(data)).mark_rule(**style)
            rules += [base.encode(x="x:Q", x2="x2:Q", y="i:Q"), base.encode(x="edge:Q", y="top:Q", y2="end:Q")]
    heads = alt.Chart(
        parts.inline([{"x": n / 2, "i": 0, "text": title_a}, {"x": n + gap + n / 2, "i": 0, "text": title_b}])
    )
    words = heads.mark_text(dy=-9, fontSize=12, aria=False).encode(x="x:Q", y="i:Q", text="text:N")
    chart = sized(alt.layer(squares, *rules, words), wide, n, max(1, size // n))
    chart = chart.add_params(
        parts.table("gram", packed),
        alt.param(name="classes", value=classes),
        alt.param(name="titles", value=[title_a, title_b]),
    )
    text = (
        f"Two heatmaps side by side: the Gram matrices of {n} images in {title_a} and in {title_b}, images sorted by "
        f"class ({len(middles)} classes). Their debiased CKA is {parts.number(cka)}."
    )
    return theme.finish(chart, text, title=f"CKA (debiased) = {parts.number(cka)}, n = {n}")
