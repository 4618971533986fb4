"""Gram matrices of the same images in two networks: what a similarity compares."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np

from snnlib.charts import parts, theme
from snnlib.charts.cells import integers, unpacked
from snnlib.charts.heatmap import sized
from snnlib.evidence import number

GAP = 2  # cells between the two matrices


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
    packed = [v for matrix in (one, two) for v in _scaled(matrix[np.ix_(order, order)])]
    negative = any(v is not None and v < 0 for v in packed)
    starts = [i for i in range(n) if i == 0 or classes[i] != classes[i - 1]]

    squares = _cells(n, negative).encode(**_axes(n, starts, [classes[i] for i in starts]))
    rules = _rules(n, starts[1:], "#222222" if negative else "#FFFFFF")
    heads = parts.inline([{"x": n / 2, "i": 0, "text": title_a}, {"x": n + GAP + n / 2, "i": 0, "text": title_b}])
    words = alt.Chart(heads).mark_text(dy=-9, fontSize=12, aria=False).encode(x="x:Q", y="i:Q", text="text:N")
    chart = sized(alt.layer(squares, *rules, words), 2 * n + GAP, n, max(1, size // n))
    chart = chart.add_params(
        parts.table("gram", packed),
        alt.param(name="classes", value=classes),
        alt.param(name="titles", value=[title_a, title_b]),
    )
    text = (
        f"Two heatmaps side by side: the Gram matrices of {n} images in {title_a} and in {title_b}, images sorted by "
        f"class ({len(starts)} classes). Their debiased CKA is {number(cka)}."
    )
    return theme.finish(chart, text, title=f"CKA (debiased) = {number(cka)}, n = {n}")


def _scaled(matrix: np.ndarray) -> list[int | None]:
    """A matrix in thousandths of the 98th percentile of its magnitudes; None on the diagonal."""
    matrix = np.where(np.eye(len(matrix), dtype=bool), np.nan, matrix)
    unit = float(np.nanpercentile(np.abs(matrix), 98)) if np.isfinite(matrix).any() else 1.0
    return integers(matrix / (unit or 1.0))


def _cells(n: int, negative: bool) -> alt.Chart:
    """The squares of both matrices with their colours and tooltips, still without axes."""
    value_title = "inner product (1 = 98th percentile)"
    colour = alt.Color(
        "v:Q",
        scale=alt.Scale(domain=[-1, 1], scheme="blueorange", clamp=True)
        if negative
        else alt.Scale(domain=[0, 1], scheme="viridis", clamp=True),
        legend=alt.Legend(title=value_title, gradientLength=200, gradientThickness=12, tickCount=5, format="~g"),
    )
    tips = [("network", "network"), ("first", "row"), ("second", "column"), ("text", "inner product (scaled)")]
    return (
        alt.Chart(alt.sequence(0, 2 * n * n, as_="k"))
        .transform_calculate(which=f"floor(datum.k / {n * n})", i=f"floor(datum.k % {n * n} / {n})", j=f"datum.k % {n}")
        .transform_calculate(v=unpacked("gram[datum.k]"))
        .transform_calculate(
            x=f"datum.j + datum.which * {n + GAP}",
            x2=f"datum.j + 1 + datum.which * {n + GAP}",
            y2="datum.i + 1",
            network="titles[datum.which]",
            first="'image ' + (datum.i + 1) + ', class ' + classes[datum.i]",
            second="'image ' + (datum.j + 1) + ', class ' + classes[datum.j]",
            missing="datum.i === datum.j ? 'left out (diagonal)' : 'no value'",
        )
        .transform_calculate(
            text="datum.v === null ? datum.missing : format(datum.v, '.2f')",
        )
        .mark_rect(aria=False)
        .encode(color=colour, tooltip=[alt.Tooltip(f"{field}:N", title=name) for field, name in tips])
    )


def _axes(n: int, starts: list[int], names: list[str]) -> dict[str, Any]:
    """Channels of place, with the name of each class at the middle of its images, below and beside."""
    middles = [(a + b) / 2 for a, b in zip(starts, [*starts[1:], n], strict=True)]
    across = [middle + side * (n + GAP) for side in (0, 1) for middle in middles]
    beside, below = (
        alt.Axis(
            title="images, sorted by class",
            values=values,
            labelExpr=f"{json.dumps(of_values)}[indexof({values}, datum.value)]",
            labelOverlap="greedy",
            labelSeparation=4,
            ticks=False,
            grid=False,
            domain=False,
        )
        for values, of_values in ((middles, names), (across, names + names))
    )
    return {
        "x": alt.X("x:Q", scale=alt.Scale(domain=[0, 2 * n + GAP], nice=False), axis=below),
        "x2": "x2:Q",
        "y": alt.Y("i:Q", scale=alt.Scale(domain=[n, 0], nice=False), axis=beside),
        "y2": "y2:Q",
    }


def _rules(n: int, edges: list[int], colour: str) -> list[alt.Chart]:
    """Lines between classes, across and down, in both matrices."""
    rules = []
    for side in (0, n + GAP):
        data = [{"x": side, "x2": side + n, "i": e, "edge": side + e, "top": 0, "end": n} for e in edges]
        if data:
            base = alt.Chart(parts.inline(data)).mark_rule(color=colour, opacity=0.45, strokeWidth=1, aria=False)
            rules += [base.encode(x="x:Q", x2="x2:Q", y="i:Q"), base.encode(x="edge:Q", y="top:Q", y2="end:Q")]
    return rules
