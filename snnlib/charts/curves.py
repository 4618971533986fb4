"""Curves over training and settings, and accuracies seed by seed. Each takes a tidy table."""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd

from snnlib.charts import parts, theme
from snnlib.evidence import number, span


def training_curves(curves: pd.DataFrame, *, height: int = 220) -> theme.Panels:
    """Draw one panel per metric (loss, accuracy, …) over the epochs, one thin line per seed, colour by network.

    `curves` has the columns epoch, value, metric, network, seed, and split ("train", "test") where one is known, which
    becomes the dash. Metrics with "accuracy" in their names are shares and shown in percent; a loss is in nats,
    on a logarithmic scale.
    """
    need = ["epoch", "value", "metric", "network", "seed"]
    frame = parts.need_frame(curves, need, "training_curves")
    return theme.Panels([_metric(frame, metric, height) for metric in parts.unique(frame["metric"])], min_width=300)


def _metric(frame: pd.DataFrame, metric: str, height: int) -> alt.LayerChart:
    frame = frame[frame["metric"] == metric].copy()
    networks = parts.unique(frame["network"])
    splits = parts.unique(frame["split"]) if "split" in frame else []
    frame["line"] = frame["network"] + (" · " + frame["split"] if splits else "")
    percent = "accuracy" in metric
    unit = " (%)" if percent else " (cross-entropy, nats)" if "loss" in metric else ""
    frame["shown"] = frame["value"] * (100 if percent else 1)
    x = alt.X(
        "epoch:Q",
        title="epoch",
        axis=alt.Axis(tickMinStep=1, grid=False, format="d"),
        scale=alt.Scale(zero=False, nice=False),
    )
    # an untrained batch norm can make the first test losses a hundred times the last ones
    spread = "loss" in metric and (frame["value"].dropna() > 0).all()
    scale = alt.Scale(type="log") if spread else alt.Scale(zero=False)
    y = alt.Y("shown:Q", title=metric + unit, scale=scale)
    colour = theme.colour("network", networks, key=theme.POINT)
    encode: dict[str, Any] = {"x": x, "y": y, "color": colour, "detail": ["seed:N"]}
    if len(splits) > 1:
        pattern = [list(theme.DASHES[i % len(theme.DASHES)]) for i in range(len(splits))]
        scale = alt.Scale(domain=splits, range=pattern)
        encode["strokeDash"] = alt.StrokeDash("split:N", scale=scale, legend=alt.Legend(title=None, **theme.KEY))
    data = parts.records(frame[["epoch", "shown", "network", "seed", *(["split"] if splits else [])]])
    lines = alt.Chart(data).mark_line(strokeWidth=1.3, opacity=0.9, aria=False).encode(**encode)
    points = alt.Chart(data).mark_point(filled=True, size=22, opacity=1, aria=False)
    names = parts.unique(frame["line"])
    digits = 1 if percent else 3
    mark = " %" if percent else ""
    rows = []
    for epoch, group in frame.groupby("epoch"):
        texts = {
            f"s{i}": _seeds(group.loc[group["line"] == name, "shown"], digits, mark) for i, name in enumerate(names)
        }
        rows.append({"at": epoch, "epoch": str(epoch), **texts})
    hover = parts.hover(rows, [("epoch", "epoch"), *((f"s{i}", name) for i, name in enumerate(names))])
    last = frame[frame["epoch"] == frame["epoch"].max()]
    ends = "; ".join(f"{n} {_seeds(last.loc[last['line'] == n, 'shown'], digits, mark)}" for n in names)
    text = f"Line chart of the {metric} over {frame['epoch'].nunique()} epochs. At the last epoch: {ends}."
    dots = points.encode(x=x, y=y, color=colour, shape=theme.shape(colour, networks))
    return parts.wide(alt.layer(lines, dots, hover), text, metric, height)


def accuracy_dots(accuracy: pd.DataFrame, *, chance: float | None = None, title: str | None = None) -> alt.LayerChart:
    """Draw the accuracy of every seed as a dot, the mean of each network as a bar, and the level of chance as a rule.

    `accuracy` has the columns network, seed and accuracy, a share from 0 to 1.
    """
    frame = parts.need_frame(accuracy, ["network", "seed", "accuracy"], "accuracy_dots").copy()
    off = frame[~frame["accuracy"].between(0, 1) & frame["accuracy"].notna()]
    if len(off):
        raise ValueError(f"accuracy_dots takes shares from 0 to 1, not {off['accuracy'].iloc[0]:g}")
    names = parts.unique(frame["network"])
    frame["text"] = [f"{number(100 * a, 2)} %" for a in frame["accuracy"]]
    frame["seed"] = frame["seed"].astype(str)
    x = alt.X(
        "accuracy:Q",
        title="top-1 accuracy (%)",
        scale=alt.Scale(domain=[0, 1], nice=False),
        axis=alt.Axis(labelExpr="format(100 * datum.value, '.0f')", values=[0, 0.2, 0.4, 0.6, 0.8, 1]),
    )
    y = alt.Y("network:N", title=None, sort=names, axis=alt.Axis(domain=False, ticks=False))
    colour = theme.colour("network", names).copy()
    colour.legend = None
    dots = alt.Chart(parts.records(frame)).mark_circle(size=40, opacity=0.75).encode(x=x, y=y, color=colour)
    dots = dots.encode(
        yOffset=alt.YOffset("seed:N", scale=parts.dodge("y", 0.7, 0.95)),
        tooltip=[
            alt.Tooltip("network:N", title="network"),
            alt.Tooltip("seed:N", title="seed"),
            alt.Tooltip("text:N", title="accuracy"),
        ],
    )
    rows = []
    for name in names:
        of = frame.loc[frame["network"] == name, "accuracy"]
        spread = f" ± {number(100 * of.std(), 1)}" if of.count() > 1 else ""
        seeds = f"{of.count()} seed{'s' if of.count() != 1 else ''}"
        rows.append(
            {
                "network": name,
                "accuracy": float(of.mean()),
                "text": f"{number(100 * of.mean(), 1)}{spread} % ({seeds})",
            }
        )
    means = alt.Chart(parts.records(pd.DataFrame(rows)))
    middle = means.mark_tick(thickness=2, size=18, aria=False).encode(x=x, y=y, color=colour)
    label = means.mark_text(align="right", dx=-8, aria=False).encode(x=x, y=y, text="text:N")
    drawn: list[Any] = [dots, middle, label]
    note = ""
    if chance is not None:
        data = parts.inline([{"accuracy": chance, "text": f"chance {number(100 * chance, 0)} %"}])
        rule = alt.Chart(data).mark_rule(strokeDash=[4, 3], opacity=0.6, aria=False).encode(x=x)
        word = alt.Chart(data).mark_text(align="left", dx=4, opacity=0.8, aria=False)
        drawn += [rule, word.encode(x=x, y=alt.value(8), text="text:N")]
        note = f" Chance is {number(100 * chance, 0)} %."
    text = "Dot plot of top-1 accuracy: " + "; ".join(f"{r['network']} {r['text']}" for r in rows) + "." + note
    return parts.wide(alt.layer(*drawn), text, title, 34 + 56 * len(names))


def sweep(
    table: pd.DataFrame,
    *,
    setting_title: str,
    value_title: str,
    title: str | None = None,
    domain: tuple[float, float] | None = None,
    to_scale: bool = False,
    height: int = 240,
) -> alt.LayerChart:
    """Draw how a value moves with a setting (width, depth, T), one line per network.

    `table` has the columns setting, value and network (or any series); low and high, where given, become error bars.
    The settings are spaced evenly, in ascending order, or, `to_scale`, as far apart as they are. Settings in words have
    no order, and no lines between them. `domain` is the least range of the vertical axis. Bars that are wider end where
    the axis does; the tooltips have their numbers.
    """
    frame = parts.banded(parts.need_frame(table, ["setting", "value", "network"], "sweep"))
    frame = frame.assign(network=frame["network"].astype(str))
    names = parts.unique(frame["network"])
    order = sorted(frame["setting"].unique().tolist())
    frame = frame.assign(at=[_setting(s) for s in frame["setting"]])
    frame["text"] = [span(r.value, r.low, r.high) for r in frame.itertuples()]
    in_words = any(isinstance(setting, str) for setting in order)
    along = _to_scale(order, setting_title) if to_scale else _evenly(order, names, setting_title)
    y = alt.Y("value:Q", title=value_title, scale=parts.least_range(frame, domain))
    colour = theme.colour("network", names, key=theme.POINT if in_words else theme.KEY)
    tips = [("at", setting_title), ("network", "series"), ("text", value_title)]
    columns = ["at", "value", "low", "high", "network", "text"]
    if to_scale:
        said = [f"{setting_title}: {r.at}; series: {r.network}; {value_title}: {r.text}" for r in frame.itertuples()]
        frame = frame.assign(shifted=_side_by_side(frame, names), said=said)  # read aloud: the setting as it is
        columns += ["shifted", "said"]
    base = alt.Chart(parts.records(frame[columns]))
    encode: dict[str, Any] = {**along, "y": y, "color": colour}
    drawn: list[Any] = []
    if not in_words:
        line = base.mark_line(strokeWidth=1.5, opacity=0.7, aria=False)
        drawn.append(line.encode(strokeDash=theme.dash(colour, names), **encode))
    if frame["low"].notna().any():
        bars = base.transform_filter("isValid(datum.low) && isValid(datum.high)")
        bars = bars.mark_rule(strokeWidth=2, clip=True, aria=False)
        drawn.append(bars.encode(**{**encode, "y": alt.Y("low:Q", title=value_title), "y2": alt.Y2("high:Q")}))
    dots = base.mark_point(filled=True, size=60, opacity=1)
    dots = dots.encode(shape=theme.shape(colour, names)) if in_words else dots
    dots = dots.encode(description=alt.Description("said:N")) if to_scale else dots
    drawn.append(dots.encode(tooltip=[alt.Tooltip(f"{field}:N", title=name) for field, name in tips], **encode))
    ends = "; ".join(f"{r.network} at {r.at}: {r.text}" for r in frame.sort_values(["network", "setting"]).itertuples())
    return parts.wide(alt.layer(*drawn), f"{value_title} by {setting_title}. {ends}.", title, height)


def _evenly(order: list[Any], names: list[str], title: str) -> dict[str, Any]:
    """Channels of settings in even steps, where series stand side by side."""
    at = alt.X("at:N", title=title, sort=[_setting(s) for s in order], axis=alt.Axis(labelAngle=0, grid=False))
    if len(names) == 1:
        return {"x": at}
    return {"x": at, "xOffset": alt.XOffset("network:N", sort=names, scale=parts.dodge("x", 0.4, 0.6))}


def _to_scale(order: list[Any], title: str) -> dict[str, Any]:
    """The channel of settings as far apart as they are."""
    axis = alt.Axis(values=order, grid=False, format="~g", labelOverlap=True)
    return {"x": alt.X("shifted:Q", title=title, axis=axis, scale=alt.Scale(zero=False, nice=False, padding=12))}


def _side_by_side(frame: pd.DataFrame, names: list[str]) -> pd.Series:
    """Settings moved by less than can be read off an axis, so that series of equal values are all seen."""
    step = 0.006 * (frame["setting"].max() - frame["setting"].min())
    return frame["setting"] + step * (frame["network"].map(names.index) - (len(names) - 1) / 2)


def _setting(value: Any) -> str:
    return f"{value:g}" if isinstance(value, (int, float)) else str(value)


def _seeds(values: pd.Series, digits: int, unit: str) -> str:
    """The mean over seeds with its range: "78.1 % (3 seeds, 77.8 to 78.4)"."""
    if not values.notna().any():
        return "no value"
    text = number(values.mean(), digits) + unit
    if values.count() == 1:
        return text
    low, high = (number(end, digits) for end in (values.min(), values.max()))
    return f"{text} ({values.count()} seeds, {low} to {high})"
