"""The charts, run through Vega itself: what a reader sees has to be what was given."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import altair as alt
import numpy as np
import pytest
import xarray as xr
from chart_pages import bundle
from chart_tables import cells, drawn, encodings, every_chart, layers, table, training, vlc

from snnlib import charts
from snnlib.charts import parts, theme

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CHARTS = every_chart()


# ---- all charts


@pytest.mark.parametrize("name", CHARTS)
def test_vega_lite_compiles_it(name: str) -> None:
    assert vlc.vegalite_to_vega(CHARTS[name].to_dict())["marks"]


@pytest.mark.browser
@pytest.mark.parametrize("width", [1200, 360])
def test_a_browser_draws_all_without_warning_or_request(site_browser: Browser, width: int) -> None:
    page = site_browser.new_page(viewport={"width": width, "height": 900})
    page.set_default_timeout(120_000)  # for machines that are busy with something else
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text) if message.type in ("warning", "error") else None)
    page.on("pageerror", lambda error: told.append(str(error)))
    page.on("request", lambda request: told.append(request.url))
    versions = {"vega": alt.VEGA_VERSION, "vegalite": alt.VEGALITE_VERSION, "vegaembed": alt.VEGAEMBED_VERSION}
    wanted = json.dumps({f"{name}_version": version for name, version in versions.items()})
    page.set_content('<meta name="viewport" content="width=device-width"><body style="color: rgb(1, 2, 3)"></body>')
    page.evaluate(f"(() => {{{bundle()}}})()")
    page.evaluate(f"() => {{ window.VEGA_DEBUG = {wanted}; }}")
    shown = [chart.to_dict() for chart in CHARTS.values()]
    page.evaluate(
        """async (specs) => { for (const spec of specs) {
            const place = document.body.appendChild(document.createElement("div"));
            place.style.display = "flex";
            await vegaEmbed(place, spec, {mode: "vega-lite"});
        } }""",
        shown,
    )
    drawings = page.query_selector_all("svg.marks")
    assert len(drawings) == len(CHARTS)
    for name, drawing in zip(CHARTS, drawings, strict=True):
        box = drawing.bounding_box()
        assert box
        assert box["x"] + box["width"] <= width, f"{name} is wider than the page"
        ends = drawing.eval_on_selector_all("text", "texts => texts.map(text => text.getBoundingClientRect().right)")
        assert max(ends) <= box["x"] + box["width"] + 1, f"{name} cuts a text off"
        ink = drawing.query_selector("text").evaluate("text => getComputedStyle(text).fill")
        assert ink == "rgb(1, 2, 3)", f"{name} does not take the colour of the page"
        behind = drawing.evaluate("drawing => getComputedStyle(drawing).backgroundColor")
        assert behind == "rgba(0, 0, 0, 0)", f"{name} brings a background of its own"
    assert told == []
    page.close()


@pytest.mark.parametrize("name", CHARTS)
def test_every_chart_tells_what_it_shows(name: str) -> None:
    spec = CHARTS[name].to_dict()
    assert len(spec["description"]) > 40
    assert re.search(r"\d", spec["description"]), "the text alternative carries no number"
    titles = {}
    for encoding in encodings(spec):
        for channel in ("x", "y"):
            titles.setdefault(channel, []).append(encoding.get(channel, {}).get("title"))
            titles[channel].append((encoding.get(channel, {}).get("axis") or {}).get("title"))
    if not name.startswith("pictures"):  # which have no axes
        assert any(titles["x"])
        assert any(titles["y"]) or name.startswith("accuracy_dots")  # there the axis carries the networks' names
    tips = [tip for encoding in encodings(spec) for tip in encoding.get("tooltip", [])]
    assert len(tips) >= 2
    assert all(tip["title"] for tip in tips)


@pytest.mark.parametrize("name", CHARTS)
def test_text_and_rules_take_the_colour_of_the_page(name: str) -> None:
    spec = CHARTS[name].to_dict()
    assert spec["usermeta"]["embedOptions"]["renderer"] == "svg"
    assert spec["usermeta"]["embedOptions"]["config"] == {"background": "transparent"}
    svg = vlc.vegalite_to_svg(spec)
    inks = re.findall(r"<text[^>]*fill=\"([^\"]*)\"", svg)
    assert inks
    assert set(inks) == {"currentColor"}
    assert not re.search(r'(?:fill|stroke)="(?:black|#000|#000000)"', svg)


@pytest.mark.parametrize("name", CHARTS)
def test_at_most_a_few_hundred_marks_speak(name: str) -> None:
    assert len(drawn(CHARTS[name])) < 150


def test_charts_need_no_torch() -> None:
    code = (
        "import sys, snnlib.charts; sys.exit(sum(name in sys.modules for name in ('torch', 'snntorch', 'lightning')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_snn_and_ann_have_one_colour_everywhere() -> None:
    assert theme.colours(["pair", "ANN", "SNN"]) == [theme.OTHERS[0], charts.NETWORKS["ANN"], charts.NETWORKS["SNN"]]
    ours, others = "ceiling, SNN × SNN", ["a", "b", "c", "d", "e", "f"]
    for names in ([ours, "untrained"], ["untrained, T = 4", "a", ours], [*others, ours, "untrained"]):
        drawn_in = dict(zip(names, theme.colours(names), strict=True))
        assert drawn_in[ours] == theme.ROLES[ours], "a role has one colour in every chart"
        assert drawn_in[next(name for name in names if name.startswith("untrained"))] == theme.ROLES["untrained"]
    six = ["SNN × ANN", "untrained, everywhere", "untrained, nowhere", "shuffled", "ceiling, ANN × ANN", ours]
    assert len(set(theme.colours(six))) == 6
    for name in ("accuracy_dots 0", "sweep 0", "training_curves 0"):
        scales = [e["color"]["scale"] for e in encodings(CHARTS[name].to_dict()) if "scale" in e.get("color", {})]
        assert scales
        assert all(dict(zip(s["domain"], s["range"], strict=True)) == charts.NETWORKS for s in scales)


@pytest.mark.parametrize("ink", [*charts.NETWORKS.values(), *theme.OTHERS])
@pytest.mark.parametrize("page", ["#FFFFFF", "#14181E"])
def test_colours_stand_out_from_light_and_dark_pages(ink: str, page: str) -> None:
    def luminance(colour: str) -> float:
        parts = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
        linear = np.where(parts <= 0.03928, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    dark, light = sorted((luminance(ink), luminance(page)))
    assert (light + 0.05) / (dark + 0.05) >= 3  # WCAG 2.1, 1.4.11: graphical objects


# ---- heatmaps


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
    assert not CHARTS["heatmap 0"].to_dict()["title"].get("subtitle")


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


def test_a_row_of_heatmaps_reflows() -> None:
    row = charts.heatmaps_row([(table(), "SNN", "ANN"), (table(True), "SNN", "SNN"), (table(True), "ANN", "ANN")])
    page = row._repr_html_()
    assert page.count("vegaEmbed(") >= 3
    assert len(set(re.findall(r'<div id="([^"]+)"', page))) == 3
    assert "grid-template-columns: repeat(auto-fill" in page
    assert "ANN × ANN" in repr(row)


def test_panels_are_saved_as_a_page(tmp_path: Any) -> None:
    panels = charts.training_curves(training())
    panels.save(tmp_path / "panels.html")
    assert (tmp_path / "panels.html").read_text(encoding="utf-8").count("<!DOCTYPE html>") == 1
    with pytest.raises(ValueError, match=r"panels\.png"):
        panels.save(tmp_path / "panels.png")
    assert not (tmp_path / "panels.png").exists()


def test_stages_become_the_ticks() -> None:
    assert parts.segments([-1, -1, 1, 1, 2, -1]) == [
        (0, 2, "stem"),
        (2, 4, "stage 1"),
        (4, 5, "stage 2"),
        (5, 6, "head"),
    ]
    svg = vlc.vegalite_to_svg(charts.heatmap(table()).to_dict())
    labels = re.findall(r"<text[^>]*>([^<]+)</text>", svg)
    assert all(labels.count(f"stage {i}") == 2 for i in (1, 2, 3))  # one on each axis
    edges = [i for i in range(1, 74) if layers()[i][2] != layers()[i - 1][2]]
    spec = charts.heatmap(table()).to_dict()
    rules = [
        [row["edge"] for row in layer["data"]["values"]]
        if "values" in layer["data"]
        else [row["edge"] for row in spec["datasets"][layer["data"]["name"]]]
        for layer in spec["layer"][1:]
    ]
    assert rules == [edges, edges]
