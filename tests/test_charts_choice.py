"""The heatmap with choices, run through Vega: what a reader sees has to be what was given, whatever was chosen."""

from __future__ import annotations

import html
import warnings
from collections import Counter
from types import SimpleNamespace
from typing import Any

import altair as alt
import numpy as np
import pytest
from chart_tables import cells, maps, table, vlc

from snnlib import charts


def chosen(chart: alt.LayerChart, **values: Any) -> SimpleNamespace:
    """The chart after its reader has set some of its parameters."""
    spec = chart.to_dict()
    for param in spec["params"]:
        if param["name"] in values:
            param["value"] = values[param["name"]]
    return SimpleNamespace(to_dict=lambda: spec)


@pytest.mark.parametrize(("name", "T", "place"), [("trained", 4, 3), ("never trained", 1, 1), ("never trained", 2, 2)])
def test_what_is_chosen_is_drawn(name: str, T: int, place: int) -> None:
    made = maps()
    drawn = cells(chosen(charts.heatmap_choice(made, title_a="S", title_b="A"), chosen=name, T_at=place))
    found = {
        (cell["S layer"].split(" ")[0], cell["A layer"].split(" ")[0]): cell["CKA (debiased)"] for cell, _ in drawn
    }
    given = made[name][T]
    expected = {
        (a, b): f"{np.round(value, 3):.3f}"
        for a, row in zip(given.layer_a.values, given.values, strict=True)
        for b, value in zip(given.layer_b.values, row, strict=True)
    }
    assert len(found) == given.size
    differ = {pair for pair, text in expected.items() if abs(float(text) - float(found[pair])) > 1e-9}
    assert not differ


def test_at_first_the_first_case_and_the_largest_T_or_the_one_that_was_named() -> None:
    by_default, named = (charts.heatmap_choice(maps(), **given).to_dict() for given in ({}, {"T": 2}))
    for spec, place in ((by_default, 3), (named, 2)):
        params = {param["name"]: param for param in spec["params"]}
        assert (params["chosen"]["value"], params["T_at"]["value"]) == ("trained", place)
        assert params["chosen"]["bind"]["options"] == ["trained", "never trained"]


def test_its_text_and_title_have_the_means_of_layers_of_the_same_name() -> None:
    made = maps((3,))
    mean = np.mean(np.diag(made["never trained"][3].values))
    spec = charts.heatmap_choice(made).to_dict()
    assert f"never trained {mean:.2f}" in spec["description"]
    (means,) = (param["value"] for param in spec["params"] if param["name"] == "means")
    assert means[1] == f"{mean:.2f}"


def test_layers_without_a_value_are_grey_and_say_so() -> None:
    broken = table().copy()
    broken[5, :] = np.nan
    drawn = cells(charts.heatmap_choice({"one": {4: broken}}))
    assert Counter(cell["CKA (debiased)"] for cell, _ in drawn)["no value"] == 74


def test_what_cannot_be_drawn_is_refused() -> None:
    made = maps()
    other = {"trained": made["trained"], "never trained": {T: cka[1:] for T, cka in made["never trained"].items()}}
    for given, message in (
        ({}, "nothing to draw"),
        ({"a": {}}, "nothing to draw"),
        ({"a": {1: table()}, "b": {2: table()}}, r"b has T = \[2\], a has \[1\]"),
        (other, "never trained at T = 1 has other layers"),
        ({"a": {1: table().expand_dims("group")}}, "takes the dims"),
    ):
        with pytest.raises(ValueError, match=message):
            charts.heatmap_choice(given)
    with pytest.raises(ValueError, match="T = 3 is not among 1, 2, 4"):
        charts.heatmap_choice(made, T=3)


def test_titles_may_hold_any_character() -> None:
    name = """Lee's "SNN" \\ 2"""
    made, steps = maps(), {2: table(), 4: table()}
    for chart in (
        charts.heatmap_choice(made, title_a=name, title_b=name),
        charts.heatmap_by_setting(steps, setting="T", title_a=name, title_b=name, value_title=name),
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            drawn = vlc.vegalite_to_svg(chart.to_dict())
        assert "Lee's" in html.unescape(drawn)
