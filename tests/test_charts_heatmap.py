"""Heatmaps: the table a browser decodes, missing values, colours, sizes."""

from __future__ import annotations

import html
import json
import re
from typing import Any

import numpy as np
import pytest
import xarray as xr
from chart_tables import cells, encodings, every_chart, table, vlc

from snnlib import charts
from snnlib.charts import theme


@pytest.mark.parametrize("symmetric", [False, True])
def test_the_browser_decodes_the_table_that_was_given(symmetric: bool) -> None:
    given = table(symmetric)
    shown = cells(charts.heatmap(given, title_a="one", title_b="two"))
    assert len(shown) == given.size
    for k, (text, _) in enumerate(shown):
        i, j = divmod(k, given.sizes["layer_b"])
        assert (int(text["i"]), int(text["j"])) == (i, j)
        assert text["one layer"].split(" · ")[0] == given["layer_a"].values[i]
        assert text["two layer"].split(" · ")[0] == given["layer_b"].values[j]
        assert abs(float(text["CKA (debiased)"].replace("−", "-")) - float(given[i, j])) < 0.00051


def test_tables_of_unlike_sides_and_without_names() -> None:
    given = xr.DataArray(np.arange(6.0).reshape(2, 3) / 10, dims=("layer_a", "layer_b"))
    shown = [text for text, _ in cells(charts.heatmap(given.transpose("layer_b", "layer_a")))]
    assert [float(text["CKA (debiased)"]) for text in shown] == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]
    assert shown[5]["SNN layer"] == "2"
    assert shown[5]["ANN layer"] == "3"


def test_the_tooltip_names_layer_and_operation() -> None:
    text, _ = cells(charts.heatmap(table()))[74 * 3 + 8]
    assert text["SNN layer"] == "stage1.0.conv1 · convolution"
    assert text["ANN layer"] == "stage1.0 · block output (sum)"


def test_a_missing_value_is_grey_and_says_so() -> None:
    given = table()
    given[3, 5] = np.nan
    chart = charts.heatmap(given)
    shown = cells(chart)
    text, ink = shown[3 * 74 + 5]
    assert text["CKA (debiased)"] == "no value"
    assert ink == theme.NO_VALUE
    assert sum(ink == theme.NO_VALUE for _, ink in shown) == 1
    assert "1 of 5,476 pairs have no value" in " ".join(chart.to_dict()["title"]["subtitle"])


def test_a_missing_value_breaks_the_symmetry_of_one_triangle_only() -> None:
    given = table(True)
    given[3, 5] = np.nan
    shown = cells(charts.heatmap(given))
    assert shown[3 * 74 + 5][0]["CKA (debiased)"] == "no value"
    assert shown[5 * 74 + 3][0]["CKA (debiased)"] == f"{float(given[5, 3]):.3f}"


def test_values_beyond_the_colours_are_told_not_clipped() -> None:
    given = table()
    given[0, 1], given[2, 2] = -0.12, 1.04
    chart = charts.heatmap(given)
    shown = cells(chart)
    assert shown[1][0]["CKA (debiased)"] == "−0.120 (outside the colours)"
    assert shown[2 * 74 + 2][0]["CKA (debiased)"] == "1.040 (outside the colours)"
    assert sum("outside" in text["CKA (debiased)"] for text, _ in shown) == 2
    assert shown[1][1] == "rgb(68, 1, 84)"  # the ends of viridis
    assert shown[2 * 74 + 2][1] == "rgb(253, 231, 37)"
    note = " ".join(chart.to_dict()["title"]["subtitle"])
    assert "2 of 5,476 values lie outside the colour scale (−0.120 to 1.040)" in note


def test_without_such_values_there_is_no_note() -> None:
    assert not every_chart()["heatmap 0"].to_dict()["title"].get("subtitle")


def test_a_table_of_nothing_but_nan_is_drawn() -> None:
    given = xr.full_like(table(), np.nan)
    chart = charts.heatmap(given)
    assert "No pair has a value" in chart.to_dict()["description"]
    assert {ink for _, ink in cells(chart)} == {theme.NO_VALUE}


def test_cka_is_viridis_from_0_to_1_and_differences_diverge() -> None:
    cka = encodings(charts.heatmap(table()).to_dict())[0]["color"]
    assert cka["scale"] == {"domain": [0.0, 1.0], "scheme": "viridis", "clamp": True}
    assert cka["legend"]["title"] == "CKA (debiased)"
    difference = table() - table(seed=1)
    scale = encodings(charts.heatmap(difference, domain=(-0.2, 0.2)).to_dict())[0]["color"]["scale"]
    assert scale == {"domain": [-0.2, 0.2], "scheme": "blueorange", "clamp": True}


def weight(chart: Any) -> int:
    bundle = chart._repr_mimebundle_()
    return len((bundle[0] if isinstance(bundle, tuple) else bundle)["text/html"].encode())


def test_heatmaps_weigh_little() -> None:
    dense = charts.heatmap(table())
    half = charts.heatmap(table(True))
    assert weight(dense) < 60_000
    assert weight(half) < 0.75 * weight(dense), "a symmetric table keeps its upper triangle"
    assert weight(charts.heatmap(table(True, blocks=6))) < 100_000
    assert len(json.dumps(dense.to_dict())) < 60_000


def test_cells_are_whole_pixels_on_any_screen() -> None:
    signals = {s["name"]: s for s in vlc.vegalite_to_vega(charts.heatmap(table(), size=444).to_dict())["signals"]}
    assert signals["width"]["update"].startswith("74 * (")
    assert "floor(" in signals["width"]["update"]
    svg = vlc.vegalite_to_svg(charts.heatmap(table(), size=444).to_dict())
    assert set(re.findall(r"d=\"M[\d.]+,[\d.]+h([\d.]+)v([\d.]+)h", svg)) >= {("6", "6")}
    assert not re.findall(r"class=\"mark-rect[^>]*><path[^>]*d=\"M\d+\.\d", svg)


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (table().values, "xarray.DataArray, not ndarray"),
        (table().rename(layer_a="row"), "layer_a"),
        (table().expand_dims(step_a=2), "step_a"),
        (table()[:0], "empty array of shape (0, 74)"),
    ],
)
def test_a_wrong_table_is_named(broken: Any, says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        charts.heatmap(broken)


def test_a_wrong_domain_and_an_empty_row_are_named() -> None:
    with pytest.raises(ValueError, match=re.escape("(1, 0)")):
        charts.heatmap(table(), domain=(1, 0))
    with pytest.raises(ValueError, match="no tables"):
        charts.heatmaps_row([])


def test_a_few_layers_without_stages_are_called_by_name() -> None:
    names = ["conv", "lif's", "fc"]
    values = np.linspace(0, 1, 9).reshape(3, 3)
    small = xr.DataArray(values, dims=("layer_a", "layer_b"), coords={"layer_a": names, "layer_b": names})
    drawn = html.unescape(vlc.vegalite_to_svg(charts.heatmap(small).to_dict()))
    assert all(drawn.count(f">{name}</text>") == 2 for name in names), "on both axes"
    many = 20
    large = xr.DataArray(
        np.eye(many),
        dims=("layer_a", "layer_b"),
        coords={side: [f"l{i}" for i in range(many)] for side in ("layer_a", "layer_b")},
    )
    drawn = vlc.vegalite_to_svg(charts.heatmap(large).to_dict())
    assert ">l0</text>" not in drawn and ">1</text>" in drawn, "more than an axis has room for are numbered"
