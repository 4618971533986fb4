"""Curves along depth: one value for every layer, layers in call order."""

from __future__ import annotations

import json
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import xarray as xr

from snnlib.charts import parts, theme
from snnlib.charts.picked import Picked
from snnlib.evidence import number, span


def depth_curve(
    curves: pd.DataFrame,
    *,
    title: str | None = None,
    value_title: str | None = None,
    domain: tuple[float, float] = (0.0, 1.0),
    height: int = 300,
) -> alt.LayerChart:
    """Draw a value for every layer along depth, one line per series (a comparison, its ceiling, its nulls).

    `curves` has the columns layer, position (1, 2, … in call order), kind, stage (-1 outside the stages), value and
    series; low and high, where they are given, become a band. The shape of a point is the kind of operation. `domain`
    is the least range of the vertical axis: values outside widen it, and a band that is wider ends where the axis does
    (the tooltips have its numbers). A click in the legend picks out a series. With a column measure too, the reader
    chooses which measure is drawn; the first is at the start.
    With a column block ("" outside the blocks) every second block is shaded, and block outputs have large points.

    Raises ValueError for a missing column, an empty table, or a layer that a series has twice.
    """
    frame, measures = _checked(curves)
    value_title = value_title or ("similarity (measure chosen below)" if measures else "CKA (debiased)")
    layers = frame.drop_duplicates("position").sort_values("position")
    chart = alt.layer(*_curves(frame, measures, layers, value_title, domain), _columns(frame, measures, layers))
    if measures:
        bind = alt.binding_select(options=measures, name="measure ")
        chart = chart.add_params(
            alt.param(name="measure", value=measures[0], bind=bind),
            alt.param(name="which", expr=f"indexof({json.dumps(measures)}, measure)"),
        )
    text = f"Line chart of {value_title} for {len(layers)} layers along depth. Means over the layers: "
    text += ". ".join(f"{measure}: {_means(of)}" if measures else _means(of) for measure, of in _by_measure(frame))
    return parts.wide(chart, f"{text}.", title, height)


def _checked(curves: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The curves with low, high, measure ("" where there is but one) and operation, and the measures to choose from."""
    need = ["layer", "position", "kind", "stage", "value", "series"]
    frame = parts.banded(parts.need_frame(curves, need, "depth_curve"))
    measures = parts.unique(frame["measure"]) if "measure" in frame else []
    frame = frame.assign(
        series=frame["series"].astype(str),
        measure=frame["measure"].astype(str) if measures else "",
        operation=[parts.operation(str(kind)) for kind in frame["kind"]],
    )
    twice = frame[frame.duplicated(["series", "position", "measure"])]
    if len(twice):
        first = twice.iloc[0]
        raise ValueError(f"depth_curve: series {first.series!r} has position {first.position} twice")
    return frame, measures


def _curves(
    frame: pd.DataFrame, measures: list[str], layers: pd.DataFrame, value_title: str, domain: tuple[float, float]
) -> list[alt.Chart]:
    """Bands, rules between stages, lines and points."""
    start = float(layers["position"].min()) - 0.5
    stop = float(layers["position"].max()) + 0.5
    axis = parts.stage_axis(_filled(layers), "layers (call order)", first=start)
    x = alt.X("position:Q", scale=alt.Scale(domain=[start, stop], nice=False), axis=axis)
    y = alt.Y("value:Q", title=value_title, scale=parts.least_range(frame, domain))
    picked = Picked(parts.unique(frame["series"]))
    base = _base(frame, measures)
    drawn = []
    size: Any = alt.value(26)
    if "block" in frame:
        drawn.append(_every_second_block(layers))
        size = alt.condition(f"datum.operation === '{parts.operation('sum')}'", alt.value(80), alt.value(16))
    if frame["low"].notna().any():
        drawn.append(picked.band(base, x))
    drawn += parts.stage_rules(_filled(layers), start)
    shape = parts.operation_shape(parts.unique(frame["kind"]))
    points = base.mark_point(filled=True, aria=False)
    points = points.encode(x=x, y=y, color=picked.colour, shape=shape, opacity=picked.opacity, size=size)
    return [*drawn, picked.line(base, x, y), points]


def _columns(frame: pd.DataFrame, measures: list[str], layers: pd.DataFrame) -> alt.Chart:
    """Under the pointer: a layer, and what all series have there, by the measure that is chosen."""
    names = parts.unique(frame["series"])
    texts = [[_at(of, series, "series", "position") for _, of in _by_measure(frame)] for series in names]
    rows = []
    for layer in layers.itertuples():
        row = {"at": layer.position, "layer": str(layer.layer), "operation": layer.operation}
        for i, of_measures in enumerate(texts):
            told = [text.get(layer.position, "no value") for text in of_measures]
            row[f"s{i}"] = told if measures else told[0]
        rows.append(row)
    tips = [("layer", "layer"), ("operation", "operation"), *((f"s{i}", name) for i, name in enumerate(names))]
    hover = parts.hover(rows, tips, wide=True)
    if measures:
        hover = hover.transform_calculate(**{f"s{i}": f"datum.s{i}[which]" for i in range(len(names))})
    return hover


def _by_measure(frame: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    return list(frame.groupby("measure", sort=False))


def _base(frame: pd.DataFrame, measures: list[str]) -> alt.Chart:
    """A row for each series and layer, with its value, low and high; of several measures those of the one chosen."""
    fields = ["value", "low", "high"]
    if not measures:
        return alt.Chart(parts.records(frame[["position", *fields, "series", "operation"]]))
    rows: dict[tuple[str, int], dict[str, Any]] = {}
    for one in frame.itertuples():
        row = {"position": int(one.position), "series": one.series, "operation": one.operation}
        row = rows.setdefault((one.series, one.position), row | {f"all_{of}": [None] * len(measures) for of in fields})
        for of in fields:
            row[f"all_{of}"][measures.index(one.measure)] = parts.plain(float(getattr(one, of)), 3)
    base = alt.Chart(parts.inline(list(rows.values())))
    return base.transform_calculate(**{field: f"datum.all_{field}[which]" for field in fields})


def _means(frame: pd.DataFrame) -> str:
    """ "SNN × ANN 0.712; untrained 0.345": of each series over layers."""
    groups = frame.groupby("series", sort=False)["value"].mean()
    return "; ".join(f"{name} {number(value)}" for name, value in groups.items())


def firing_rates(rates: xr.DataArray, *, title: str | None = None, height: int = 260) -> alt.LayerChart:
    """Draw the firing rate of every spiking layer along depth, one line per time step.

    `rates` has dims (layer, step), in spikes per neuron and step, with the coordinates layer, kind and stage as
    far as they are known.
    """
    table = parts.need_array(rates, ("layer", "step"), "firing_rates")
    steps = table.sizes["step"]
    layers = [str(v) for v in parts.coordinate(table, "layer", "layer", "")]
    stages = [int(v) for v in parts.coordinate(table, "stage", "layer", -1)]
    values = np.asarray(table.values, dtype=float)
    rows = [
        {"position": i + 0.5, "rate": values[i, t], "step": t + 1} for i in range(len(layers)) for t in range(steps)
    ]
    domain = [0.0, max(float(np.nanmax(values, initial=0.0)) * 1.08, 1e-3)]
    axis = parts.stage_axis(stages, "spiking layers (call order)")
    x = alt.X("position:Q", scale=alt.Scale(domain=[0, len(layers)], nice=False), axis=axis)
    y = alt.Y("rate:Q", title="firing rate (spikes per neuron and step)", scale=alt.Scale(domain=domain, nice=True))
    names = [str(t + 1) for t in range(steps)]
    ramp = ["#4B6FD0", "#2A93A8", "#2F9E5B", "#9A8A17", "#D1700F", "#C4452F", "#B03A78", "#7D52B8"]
    picked = [ramp[round(t * (min(steps, len(ramp)) - 1) / max(1, steps - 1))] for t in range(steps)]
    colour = alt.Color(
        "step:N",
        scale=alt.Scale(domain=list(range(1, steps + 1)), range=picked),
        legend=alt.Legend(title="time step", columns=min(steps, 8), **theme.KEY) if steps > 1 else None,
    )
    base = alt.Chart(parts.records(pd.DataFrame(rows), 5))
    dashes = theme.dash(colour, range(1, steps + 1))
    lines = base.mark_line(**theme.LINE).encode(x=x, y=y, color=colour, strokeDash=dashes)
    points = base.mark_point(filled=True, size=28, aria=False).encode(x=x, y=y, color=colour)
    shown = [
        {
            "at": i + 0.5,
            "layer": layer,
            **{f"s{t}": number(values[i, t]) for t in range(steps)},
            "mean": number(np.nanmean(values[i]) if np.isfinite(values[i]).any() else None),
        }
        for i, layer in enumerate(layers)
    ]
    tips = [("layer", "layer"), *((f"s{t}", f"step {name}") for t, name in enumerate(names)), ("mean", "mean")]
    hover = parts.hover(shown, tips, wide=True)
    mean = number(np.nanmean(values) if np.isfinite(values).any() else None)
    text = f"Line chart of firing rates (spikes per neuron and step): {len(layers)} layers, {steps} steps, mean {mean}."
    return parts.wide(alt.layer(*parts.stage_rules(stages), lines, points, hover), text, title, height)


def _every_second_block(layers: pd.DataFrame) -> alt.Chart:
    """Shade the layers of the first, third, ... block, half a place wider on either side."""
    blocks = [block for block in parts.unique(layers["block"]) if block]
    ends = [layers.loc[layers["block"] == block, "position"].agg(["min", "max"]) for block in blocks[::2]]
    rows = [{"from": parts.plain(end["min"] - 0.5), "to": parts.plain(end["max"] + 0.5)} for end in ends]
    shade = alt.Chart(parts.inline(rows)).mark_rect(color=theme.INK, opacity=0.06, aria=False)
    return shade.encode(x=alt.X("from:Q"), x2="to:Q")


def _at(frame: pd.DataFrame, series: str, by: str, key: str) -> dict[Any, str]:
    of = frame[frame[by] == series]
    return {getattr(r, key): span(r.value, r.low, r.high) for r in of.itertuples()}


def _filled(layers: pd.DataFrame) -> list[int]:
    return [int(stage) for stage in layers["stage"]]
