"""A heatmap of layers by layers for every setting (a width, a depth), with a slider that chooses the setting.

All settings share one array of integers, as in `cells`: in the chart's parameters `table` holds 1000 × value, null
where there is none, row by row, setting after setting in the order of `settings`; those of a setting begin at its
number in `offsets`. Networks of different depth have tables of different size.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import chain

import altair as alt
import numpy as np
import xarray as xr

from snnlib.charts import cells, parts, theme
from snnlib.evidence import number


def heatmap_by_setting(
    tables: Mapping[float, xr.DataArray],
    *,
    setting: str,
    at: float | None = None,
    title_a: str = "SNN",
    title_b: str = "ANN",
    domain: tuple[float, float] = (0.0, 1.0),
    value_title: str = "CKA (debiased)",
    size: int = 444,
) -> alt.LayerChart:
    """Draw a value for every pair of layers of two networks; a slider chooses the setting, in ascending order.

    `tables` has for every setting an array as `heatmap` takes it. `setting` is its name, one word ("width"), and `at`
    what is shown at first: the last one if it is not named. `size` bounds the longer side in pixels; every cell takes a
    whole number of them, fewer on a phone.

    Raises ValueError for no table, other dims, an empty array, or an unknown setting.
    """
    if not tables:
        raise ValueError(f"heatmap_by_setting got no {setting}: there is nothing to draw")
    ordered = {v: parts.need_array(tables[v], ("layer_a", "layer_b"), "heatmap_by_setting") for v in sorted(tables)}
    known = [f"{value:g}" for value in ordered]
    if at is not None and at not in ordered:
        raise ValueError(f"{setting} = {at} is not among {', '.join(known)}")
    name = f"{setting}_at"
    now = f"[{name} - 1]"
    packed = [cells.integers(table.values) for table in ordered.values()]
    layers = [(cells.named(table, "a"), cells.named(table, "b")) for table in ordered.values()]
    lists = list(dict.fromkeys(tuple(names) for pair in layers for names in pair))  # settings often share their layers
    titles = (f"{title_a} layer", f"{title_b} layer", value_title)
    drawn = cells.cells(
        max(map(len, packed)),
        "columns",
        where="datum.k < rows * columns",
        value=f"table[offsets{now} + datum.k]",
        names=tuple(f"names[names_{side}{now}][datum.{index}]" for side, index in (("a", "i"), ("b", "j"))),
        titles=titles,
        domain=domain,
        x=cells.to_the_right("columns", _axis(ordered, "b", name, f"{title_b} layers (call order)")),
        y=cells.upwards("rows", _axis(ordered, "a", name, f"{title_a} layers (call order)")),
    )
    heading = {"expr": json.dumps(f"{value_title}: {title_a} × {title_b}, {setting} ") + f" + settings{now}"}
    everything = list(chain.from_iterable(packed))
    title = alt.TitleParams(text=heading, subtitle=cells.notes(everything, domain))
    chart = alt.layer(drawn, *_rules(ordered, now, cells.diverging(domain))).properties(title=title)
    place = known.index(f"{at:g}") + 1 if at is not None else len(known)
    room = f"({theme.NARROW} ? min({size}, windowSize()[0] - 104) : {size})"
    chart = parts.with_tables(
        chart,
        parts.table("table", everything),
        alt.param(name="offsets", value=np.cumsum([0, *map(len, packed[:-1])]).tolist()),
        alt.param(name="settings", value=known),
        alt.param(name="names", value=[list(names) for names in lists]),
        alt.param(name="names_a", value=[lists.index(tuple(a)) for a, _ in layers]),
        alt.param(name="names_b", value=[lists.index(tuple(b)) for _, b in layers]),
        parts.slider(name, f"{setting}, by place in {', '.join(known)}: ", len(known), place),
        alt.param(name="rows", expr=f"{[table.sizes['layer_a'] for table in ordered.values()]}{now}"),
        alt.param(name="columns", expr=f"{[table.sizes['layer_b'] for table in ordered.values()]}{now}"),
        alt.param(name="cell", expr=f"max(1, floor({room} / max(rows, columns)))"),
        alt.param(name="width", expr="columns * cell"),
        alt.param(name="height", expr="rows * cell"),
    )
    means = "; ".join(
        f"{setting} {value} {number(np.nanmean(table.values) if np.isfinite(table.values).any() else None)}"
        f" ({table.sizes['layer_a']} by {table.sizes['layer_b']} layers)"
        for value, table in zip(known, ordered.values(), strict=True)
    )
    text = f"Heatmap of {value_title} for all pairs of layers, {title_a} × {title_b}, with a slider over {setting}."
    return theme.finish(chart, f"{text} Means: {means}.")


def _axis(tables: Mapping[float, xr.DataArray], side: str, name: str, title: str) -> alt.Axis:
    """The axis along depth of the setting that the slider `name` is at."""
    axes = [parts.stage_axis(cells.stages(table, side), title, vertical=side == "a") for table in tables.values()]
    axis = axes[0].copy(deep=True)
    axis["values"] = {"expr": f"{[one['values'] for one in axes]}[{name} - 1]"}
    axis["labelExpr"] = f"[{', '.join(one['labelExpr'] for one in axes)}][{name} - 1]"
    return axis


def _rules(tables: Mapping[float, xr.DataArray], now: str, on_white: bool) -> list[alt.Chart]:
    """Thin rules where one stage ends and the next begins, those of the chosen setting."""
    layers = []
    for channel, side in (("x", "b"), ("y", "a")):
        found = [cells.edges(cells.stages(table, side)) for table in tables.values()]
        if any(found):
            rules = alt.Chart(alt.sequence(0, max(map(len, found)), as_="e"))
            rules = rules.transform_calculate(edge=f"{found}{now}[datum.e]").transform_filter("isValid(datum.edge)")
            layers.append(rules.mark_rule(**cells.rule_style(on_white)).encode(**{channel: "edge:Q"}))
    return layers
