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
from chart_pages import bundle
from chart_tables import drawn, encodings, every_chart, layers, table, training, vlc

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
