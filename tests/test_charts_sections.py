"""The charts of the sections on blocks and on time: their numbers, their sliders, their keyboard."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from chart_pages import chart_page, show
from chart_tables import by_steps, curve, drawn, layers, profile, vlc

from snnlib import charts
from snnlib.claims.residual import INSIDE

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

STEPS = (1, 2, 4)
PAIRS = {T: by_steps(T, True) for T in STEPS}
SINGLE = {T: by_steps(T, False) for T in STEPS}


def moved(chart: Any, **positions: int) -> Any:
    """The chart with its sliders moved to other positions."""
    chart = chart.copy(deep=True)
    for param in chart.params:
        if param.name in positions:
            param.value = positions[param.name]
    return chart


def value(text: str) -> float:
    return float(text.replace("−", "-"))


def titles(chart: Any) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]+)</text>|<tspan[^>]*>([^<]+)</tspan>", vlc.vegalite_to_svg(chart.to_dict()))


# ---- a layer at all pairs of steps


@pytest.mark.parametrize(("at", "T"), [(1, 1), (2, 2), (3, 4)])
@pytest.mark.parametrize("layer", [1, 40, 74])
def test_the_heatmap_shows_the_chosen_layer_and_t(at: int, T: int, layer: int) -> None:
    shown = drawn(moved(charts.step_heatmap(PAIRS), T_at=at, layer_at=layer), layer=0)
    found = {(int(text["step t"]), int(text["step t′"])): value(text["CKA (debiased)"]) for text, _ in shown}
    assert len(found) == len(shown) == T * T
    for (t, u), v in found.items():
        assert abs(v - float(PAIRS[T][layer - 1, t - 1, u - 1])) < 0.00051
    said = str(titles(moved(charts.step_heatmap(PAIRS), T_at=at, layer_at=layer)))
    assert f"T = {T}," in said
    assert layers()[layer - 1][0] in said


def test_the_table_holds_upper_triangles_in_the_documented_order() -> None:
    params = {p["name"]: p.get("value") for p in charts.step_heatmap(PAIRS).to_dict()["params"]}
    for T, start in zip(params["timesteps"], params["offsets"], strict=True):
        size = T * (T + 1) // 2
        table = np.array(params["table"][start : start + len(layers()) * size]).reshape(len(layers()), size) / 1000
        rows, columns = np.triu_indices(T)
        assert np.abs(table - PAIRS[T].values[:, rows, columns]).max() < 0.00051
    assert len(params["table"]) == len(layers()) * (1 + 3 + 10)


def test_a_missing_value_is_said_to_be_missing() -> None:
    broken = {T: table.copy() for T, table in PAIRS.items()}
    broken[2][39] = np.nan
    shown = drawn(moved(charts.step_heatmap(broken), T_at=2, layer_at=40), layer=0)
    assert {text["CKA (debiased)"] for text, _ in shown} == {"no value"}
    assert len(shown) == 4


def test_the_heatmap_is_of_a_network_with_itself() -> None:
    skew = PAIRS[2].copy()
    skew[0, 0, 1] += 0.1
    with pytest.raises(ValueError, match="T = 2 is not symmetric"):
        charts.step_heatmap({2: skew})


# ---- a step along depth


@pytest.mark.parametrize(("at", "T"), [(1, 1), (2, 2), (3, 4)])
@pytest.mark.parametrize("step", [1, 2, 4])
def test_the_curve_shows_the_chosen_step(at: int, T: int, step: int) -> None:
    """The columns under the pointer carry the numbers; a step beyond T shows the last one."""
    chart = moved(charts.step_curve(SINGLE), T_at=at, step_at=step)
    shown = [text for text, _ in drawn(chart) if "T, step" in text]
    assert len(shown) == len(layers())
    for text, (name, _, _) in zip(shown, layers(), strict=True):
        assert text["layer"].startswith(f"{name} · ")
        assert text["T, step"] == f"{T}, {min(step, T)}"
        assert abs(value(text["CKA (debiased)"]) - float(SINGLE[T].sel(layer=name)[min(step, T) - 1])) < 0.00051
    assert f"T = {T}, time step {min(step, T)}" in str(titles(chart))


def test_there_is_no_slider_without_a_choice() -> None:
    binds = [p for p in charts.step_curve({4: SINGLE[4]}).to_dict()["params"] if "bind" in p]
    assert [p["name"] for p in binds] == ["step_at"]
    alone = charts.step_curve({1: SINGLE[1]}).to_dict()
    assert not [p for p in alone["params"] if "bind" in p]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (({},), "got no T"),
        (({2: SINGLE[4]},), "the array of T = 2 has shape (74, 4)"),
        (({1: SINGLE[1], 2: SINGLE[2][1:]},), "different layers"),
        (({2: SINGLE[2].rename(step="t")},), "('layer', 'step')"),
        ((SINGLE, 3), "T = 3 is not among 1, 2, 4"),
        ((SINGLE, 4, 5), "step = 5 lies outside 1 to 4"),
    ],
)
def test_what_cannot_be_drawn_is_named(given: tuple[Any, ...], says: str) -> None:
    names = ("values", "T", "step")
    with pytest.raises(ValueError, match=re.escape(says)):
        charts.step_curve(**dict(zip(names, given, strict=False)))


def test_an_unknown_layer_is_named() -> None:
    with pytest.raises(ValueError, match="'stage9'"):
        charts.step_heatmap(PAIRS, layer="stage9")


def test_a_sweep_to_16_steps_weighs_little() -> None:
    steps = (1, 2, 4, 8, 16)
    assert len(json.dumps(charts.step_heatmap({T: by_steps(T, True) for T in steps}).to_dict())) < 90_000
    assert len(json.dumps(charts.step_curve({T: by_steps(T, False) for T in steps}).to_dict())) < 30_000


# ---- in a browser


@pytest.fixture
def page(site_browser: Browser) -> Any:
    with chart_page(site_browser, 360) as page:
        yield page


@pytest.mark.browser
def test_sliders_are_labelled_and_moved_by_keys(page: Page) -> None:
    show(page, charts.step_curve(SINGLE, T=2, step=1))
    T, step = page.get_by_label("T, by place in 1, 2, 4"), page.get_by_label("time step, 1 to 4")
    for slider in (T, step):
        assert slider.get_attribute("type") == "range"
        box = slider.bounding_box()
        assert box
        assert box["x"] + box["width"] <= 360
    page.wait_for_selector("text=T = 2, time step 1")
    page.keyboard.press("Tab")
    while not T.evaluate("slider => slider === document.activeElement"):
        page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("text=T = 4, time step 1")
    step.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("text=T = 4, time step 3")
    column = page.locator('svg [aria-label*="stage2.1 "]').first.get_attribute("aria-label")
    assert column
    assert f"{float(SINGLE[4].sel(layer='stage2.1')[2]):.3f}" in column


@pytest.mark.browser
def test_the_heatmap_follows_its_sliders(page: Page) -> None:
    show(page, charts.step_heatmap(PAIRS, T=1, layer="stem.conv"))
    assert page.locator("svg g.mark-rect path").count() >= 1
    page.get_by_label("T, by place in").focus()
    page.keyboard.press("End")
    page.wait_for_selector("text=T = 4, all pairs")
    page.get_by_label("layer, 1 to 74").focus()
    page.keyboard.press("End")
    page.wait_for_selector("text=fc")
    cells = page.locator("svg g.mark-rect.role-mark path")
    assert cells.count() == 16
    drawing = page.locator("svg.marks").bounding_box()
    assert drawing
    assert drawing["x"] + drawing["width"] <= 360


# ---- blocks


def test_the_profile_draws_what_was_given() -> None:
    shown = [text for text, _ in drawn(charts.block_profile(profile(), inside=INSIDE)) if "place" in text]
    assert [text["place"] for text in shown] == profile()["place"].unique().tolist()
    for text in shown:
        for series in ("with", "without"):
            row = profile().query("series == @series and place == @text['place']").iloc[0]
            assert text[series] == f"{row.value:.3f} ({row.low:.3f} to {row.high:.3f})"


@pytest.mark.browser
def test_every_place_is_named_on_a_phone(page: Page) -> None:
    show(page, charts.block_profile(profile(), inside=INSIDE))
    labels = page.locator("svg g.role-axis-label text").all_text_contents()
    assert [label for label in labels if label in set(profile()["place"])] == profile()["place"].unique().tolist()
    drawing = page.locator("svg.marks").bounding_box()
    assert drawing
    assert drawing["x"] + drawing["width"] <= 360


def test_only_the_places_inside_are_shaded() -> None:
    spec = charts.block_profile(profile(), inside=INSIDE).to_dict()
    places = profile()["place"].unique().tolist()
    (span,) = [row for rows in spec["datasets"].values() for row in rows if set(row) == {"from", "to"}]
    shaded = [place for at, place in enumerate(places) if span["from"] < at < span["to"]]
    assert shaded == ["act1", "conv1", "bn1", "act2", "conv2"], "without bn2, which may be the output itself"
    with pytest.raises(ValueError, match="no place 'conv3' to shade among input, act1"):
        charts.block_profile(profile(), inside=("conv3",))


def test_a_place_given_twice_is_named() -> None:
    with pytest.raises(ValueError, match="'with' has place 'input' twice"):
        charts.block_profile(pd.concat([profile(), profile()]), inside=INSIDE)


def test_blocks_are_shaded_and_their_outputs_large() -> None:
    frame = curve().assign(block=lambda f: f["layer"].str.extract(r"^(stage\d\.\d)", expand=False).fillna(""))
    spec = charts.depth_curve(frame).to_dict()
    positions = {name: i + 1 for i, (name, _, _) in enumerate(layers())}
    shaded = [(row["from"], row["to"]) for row in _rows(spec, spec["layer"][0])]
    assert shaded == [
        (positions[f"stage{s}.{b}.act1"] - 0.5, positions[f"stage{s}.{b}"] + 0.5)
        for s, b in ((1, 0), (1, 2), (2, 1), (3, 0), (3, 2))
    ]
    plain = charts.depth_curve(curve()).to_dict()
    assert len(spec["layer"]) == len(plain["layer"]) + 1, "without a column block nothing is shaded"


def _rows(spec: dict[str, Any], layer: dict[str, Any]) -> list[dict[str, Any]]:
    data = layer["data"]
    return data["values"] if "values" in data else spec["datasets"][data["name"]]
