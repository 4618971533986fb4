"""What charts are put together from: checked tables, rounded rows, the axis along depth, columns under the pointer."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import xarray as xr

from snnlib.charts import theme


def operation(kind: str) -> str:
    """The name of a kind of layer for the reader."""
    return theme.OPERATIONS.get(kind, kind)


def operation_shape(kinds: Sequence[str]) -> alt.Shape:
    """The shape of a point by the field `operation`, the names of these kinds of layers."""
    ops = [operation(kind) for kind in theme.SHAPES if kind in kinds]
    ops += [kind for kind in kinds if kind not in theme.SHAPES]
    shapes = {operation(kind): shape for kind, shape in theme.SHAPES.items()}
    columns = {"expr": f"{theme.NARROW} ? 2 : 4"}
    return alt.Shape(
        "operation:N",
        scale=alt.Scale(domain=ops, range=[shapes.get(op, "stroke") for op in ops]),
        legend=alt.Legend(title="operation (shape)", columns=columns, symbolFillColor=theme.INK),
    )


def segments(stages: Sequence[int]) -> list[tuple[int, int, str]]:
    """Runs of layers in the same stage: (first, one past the last, label). Stage -1 is the stem, then the head."""
    runs: list[tuple[int, int, str]] = []
    start = 0
    for i in range(1, len(stages) + 1):
        if i == len(stages) or stages[i] != stages[start]:
            outside = "stem" if start == 0 else "head" if i == len(stages) else ""
            runs.append((start, i, f"stage {stages[start]}" if stages[start] >= 0 else outside))
            start = i
    return runs


FEW = 16  # layers whose names an axis has room for


def stage_axis(
    stages: Sequence[int],
    title: str,
    *,
    names: Sequence[str] = (),
    vertical: bool = False,
    first: float = 0.0,
    length: str | None = None,
) -> alt.Axis:
    """An axis along depth: the names of the stages at their middles, or, if no stage is known, of the layers.

    `names`: those of the layers; of more than `FEW`, and where there are none, every so many layers are numbered.
    `length`: the Vega signal that holds its length, where that is not the chart's own width or height.
    """
    runs = segments(stages)
    if len(runs) == 1 and 0 < len(names) <= FEW:
        middles, labels = [i + 0.5 for i in range(len(names))], [*names]
    elif len(runs) == 1:  # a network without stages: count the layers
        step = max(1, math.ceil(len(stages) / 8))
        middles = [i + 0.5 for i in range(0, len(stages), step)]
        labels = [str(i + 1) for i in range(0, len(stages), step)]
    else:
        middles = [(start + stop) / 2 for start, stop, _ in runs]
        labels = [label for _, _, label in runs]
    # The stem is a few pixels wide: its name is left out where it would run into the name of the first stage.
    crowded = [False] * len(middles)
    if len(runs) > 2:
        crowded[0], crowded[-1] = not runs[0][2].startswith("stage"), not runs[-1][2].startswith("stage")
    gaps = [middles[1] - middles[0], middles[-1] - middles[-2]] if len(middles) > 1 else [0, 0]
    gap = [gaps[0] if i == 0 else gaps[1] for i in range(len(middles))]
    side, room = ("height", 56) if vertical else ("width", 42)
    side = length or side
    parts = [
        f"{side} * {g / len(stages):.4f} < {room} ? '' : {json.dumps(label)}" if tight else json.dumps(label)
        for label, tight, g in zip(labels, crowded, gap, strict=True)
    ]
    middles = [m + first for m in middles]
    # The lowest of the upright names begins where its layers are: centred, it would reach into the corner of the axes.
    lowest = {"condition": {"test": f"datum.value === {middles[0]}", "value": "left"}, "value": "center"}
    align = lowest if crowded[0] else "center"
    extra: dict[str, Any] = {"labelAngle": -90, "labelAlign": align, "labelBaseline": "bottom"} if vertical else {}
    return alt.Axis(
        title=title,
        values=middles,
        labelExpr=f"[{', '.join(parts)}][indexof({middles}, datum.value)]",
        labelOverlap="greedy",
        labelFlush=False,
        ticks=False,
        grid=False,
        labelPadding=4,
        **extra,
    )


def stage_rules(stages: Sequence[int], first: float = 0.0) -> list[alt.Chart]:
    """Upright dashed rules where one stage ends and the next begins, if any; the first layer begins at `first`."""
    edges = [{"edge": first + start} for start, _, _ in segments(stages)[1:]]
    rules = alt.Chart(inline(edges)).mark_rule(opacity=0.25, strokeDash=[3, 3], aria=False)
    return [rules.encode(x=alt.X("edge:Q"))] if edges else []


def inline(rows: Iterable[dict[str, Any]]) -> alt.InlineData:
    """Rows for a chart, within its specification, so that Altair's limit of 5,000 rows does not apply.

    As a tuple: lists are copied, field by field, whenever Altair puts layers together.
    """
    return alt.InlineData(values=tuple(rows))


def table(name: str, values: Iterable[Any]) -> alt.Parameter:
    """A parameter that holds a large array; as a tuple, for the same reason."""
    return alt.param(name=name, value=tuple(values))


def records(frame: pd.DataFrame, digits: int = 4) -> alt.InlineData:
    """The rows of a table for a chart, numbers rounded, NaN as null."""
    rows = [{str(k): plain(v, digits) for k, v in row.items()} for row in frame.to_dict("records")]
    return inline(rows)


def plain(value: Any, digits: int = 4) -> Any:
    """A JSON value: rounded, and null where there is no finite number."""
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return round(float(value), digits) if math.isfinite(value) else None
    return str(value) if value is not None else None


def need_frame(frame: Any, columns: Sequence[str], where: str) -> pd.DataFrame:
    """The table as given, or a ValueError that names what is missing."""
    if not isinstance(frame, pd.DataFrame):
        raise ValueError(f"{where} takes a pandas DataFrame, not {type(frame).__name__}")
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise ValueError(f"{where} misses the columns {missing}; it has {[str(c) for c in frame.columns]}")
    if frame.empty:
        raise ValueError(f"{where} got a table without rows: there is nothing to draw")
    return frame


def need_array(array: Any, dims: tuple[str, ...], where: str) -> xr.DataArray:
    """The array with its dims in this order, or a ValueError that names what is wrong."""
    if not isinstance(array, xr.DataArray):
        raise ValueError(f"{where} takes an xarray.DataArray, not {type(array).__name__}")
    if set(array.dims) != set(dims):
        extra = [str(d) for d in array.dims if d not in dims]
        hint = f"; choose one value of {extra} with .isel first" if extra else ""
        raise ValueError(f"{where} takes the dims {dims}, not {tuple(map(str, array.dims))}{hint}")
    if array.size == 0:
        raise ValueError(f"{where} got an empty array of shape {array.shape}: there is nothing to draw")
    return array.transpose(*dims)


def coordinate(array: xr.DataArray, name: str, dim: str, default: Any) -> list[Any]:
    """A coordinate along a dim as a plain list; the default where the array has none."""
    return array[name].values.tolist() if name in array.coords else [default] * array.sizes[dim]


def wide(chart: alt.LayerChart, text: str, title: str | None, height: int) -> alt.LayerChart:
    """As wide as the page's column, whatever that is."""
    return theme.finish(chart.properties(width="container", height=height), text, title=title)


def hover(rows: list[dict[str, Any]], tips: Iterable[tuple[str, str]], *, wide: bool = False) -> alt.Chart:
    """A column for every place on the horizontal axis: lit under the pointer, with all values there in its tooltip.

    The columns are also what a screen reader finds: one entry per place, with the same text.
    """
    at = sorted(row["at"] for row in rows)
    half = 0.5 if wide or len(at) < 2 else min(b - a for a, b in pairwise(at)) / 2
    data = [{**row, "at": plain(row["at"]), "from": row["at"] - half, "to": row["at"] + half} for row in rows]
    over = alt.selection_point(name="over", fields=["at"], on="pointerover", clear="pointerout", empty=False)
    fields = [alt.Tooltip(f"{field}:N", title=title) for field, title in tips]
    return (
        alt.Chart(inline(data))
        .mark_rect(color=theme.INK, clip=True)
        .encode(x="from:Q", x2="to:Q", opacity=alt.condition(over, alt.value(0.1), alt.value(0)), tooltip=fields)
        .add_params(over)
    )


def banded(frame: pd.DataFrame) -> pd.DataFrame:
    """The table with low and high, NaN where there is no interval."""
    missing = {name: np.nan for name in ("low", "high") if name not in frame.columns}
    return frame.assign(**missing) if missing else frame


def least_range(frame: pd.DataFrame, domain: tuple[float, float] | None) -> alt.Scale:
    """The least range of an axis, widened to hold all values; a band or a bar that is wider ends where the axis does.

    An interval from two networks can be many times as wide as all that a figure shows; its numbers are in the tooltips.
    Without a least range there is room on either side for intervals up to the distance of the values from each other.
    """
    seen = frame["value"].to_numpy(dtype=float)
    seen = seen[np.isfinite(seen)]
    if domain is None:
        domain = _with_room(frame, seen)
    low, high = min([domain[0], *seen]), max([domain[1], *seen])
    return alt.Scale(domain=[plain(low), plain(high)], nice=False, zero=False)


def _with_room(frame: pd.DataFrame, values: np.ndarray) -> tuple[float, float]:
    if not len(values):
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    ends = frame[["low", "high"]].to_numpy(dtype=float)
    ends = ends[np.isfinite(ends)] if np.isfinite(ends).any() else values
    room = high - low or max(abs(ends - low))  # of a single value, the whole interval
    edge = 0.08 * (room or abs(high) or 1.0)  # so that no mark touches the frame
    return max(low - room, min(low, float(ends.min()))) - edge, min(high + room, max(high, float(ends.max()))) + edge


def dodge(axis: str, start: float, stop: float) -> alt.Scale:
    """Marks of one place beside one another, within this part of its band."""
    return alt.Scale(range=[{"expr": f"bandwidth('{axis}') * {share}"} for share in (start, stop)])


def with_tables(chart: Any, *params: alt.Parameter) -> Any:
    """The finished composition with more parameters, such as large tables.

    Altair's own `add_params` copies and compares all parameters once for every part of a composition: seconds.
    """
    known = [] if chart.params is alt.Undefined else chart.params
    chart.params = [*known, *(one.param for one in params)]
    return chart


def slider(name: str, label: str, count: int, start: int) -> alt.Parameter:
    """A slider from 1 to `count`; where there is only one choice, none."""
    if count == 1:
        return alt.param(name=name, value=1)
    return alt.param(name=name, value=start, bind=alt.binding_range(min=1, max=count, step=1, name=label))


def unique(values: pd.Series) -> list[str]:
    return [str(v) for v in values.drop_duplicates()]
