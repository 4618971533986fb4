"""The heatmap with a picked pair of layers, and the heatmap of every width or depth: numbers, sliders, clicks."""

from __future__ import annotations

import functools
import html
import json
import re
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import xarray as xr
from chart_pages import chart_page, show
from chart_tables import each_step, layers, rates, table, vlc

from snnlib import charts

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NAMES = [name for name, _, _ in layers()]
BY_DEPTH = {20: table(), 38: table(blocks=6, seed=1)}
CLOSE = 0.00051


@functools.cache
def linked(pair: tuple[str, str] | None = None) -> Any:
    return charts.linked_heatmap(table(), each_step(), rates(), pair=pair)


@pytest.fixture
def page(site_browser: Browser) -> Any:
    with chart_page(site_browser, 1400) as page:
        yield page


def tips(page: Page, column: str) -> list[dict[str, str]]:
    """The tooltips with this column, of the marks that Vega has drawn."""
    found = page.evaluate("[...document.querySelectorAll('svg .role-mark > *')].map(m => m.__data__?.tooltip)")
    return [tip for tip in found if tip and column in tip]


def titles(page: Page) -> str:
    return " | ".join(page.locator(".role-title").all_text_contents())


def numbers(shown: list[dict[str, str]], column: str) -> list[float]:
    return [float(tip[column].replace("−", "-")) for tip in shown]


# ---- a picked pair


def test_the_tables_hold_what_was_given() -> None:
    params = {p["name"]: p.get("value") for p in linked().to_dict()["params"]}
    for name, given, scale in (("cka", table(), 1e3), ("by_step", each_step(), 1e3), ("rates", rates(), 1e4)):
        assert np.abs(np.array(params[name]) / scale - given.values.ravel()).max() <= 0.51 / scale
    assert len(json.dumps(linked().to_dict())) < 160_000


def test_every_layer_has_neurons_to_show() -> None:
    params = {p["name"]: p.get("value") for p in linked().to_dict()["params"]}
    shown = dict(zip(NAMES, [params["neurons"][row] for row in params["spiking"]], strict=True))
    assert shown["stage1.0.act1"] == "stage1.0.act1"
    assert shown["stem.conv"] == "stage1.0.act1", "the next one in call order"
    assert shown["stage1.0.bn1"] == "stage1.0.act2"
    assert shown["fc"] == "act", "there is none after the last"


@pytest.mark.browser
def test_a_click_picks_a_pair(page: Page) -> None:
    show(page, linked())
    for a, b, nearest in (
        ("stage1.0.act1", "fc", "stage1.0.act1"),
        ("stage2.0.shortcut.conv", "stem.conv", "stage2.0.act2"),
        ("fc", "act", "act"),
    ):
        i, j = NAMES.index(a), NAMES.index(b)
        page.locator("svg g.mark-rect.role-mark").first.locator("path").nth(i * 74 + j).click(force=True)
        page.locator(".role-title", has_text=f"SNN: {a} · ").wait_for()
        assert f"ANN: {b} · " in titles(page)
        assert f"CKA (debiased): {float(table()[i, j]):.3f}" in titles(page)
        np.testing.assert_allclose(numbers(tips(page, "CKA"), "CKA"), each_step().values[i, :, j], atol=CLOSE)
        spikes = rates().sel(layer=nearest)
        np.testing.assert_allclose(numbers(tips(page, "firing rate"), "firing rate"), spikes, atol=CLOSE)
        wanted = f"Firing rate of the SNN layer{a}" if a == nearest else f"nearest neurons: {nearest}"
        assert wanted in titles(page)
        assert ("No spikes: " in titles(page)) == (a != nearest)
        sliders = [page.locator(f"input[name=layer_{side}]").input_value() for side in ("snn", "ann")]
        assert sliders == [str(i + 1), str(j + 1)]


@pytest.mark.browser
def test_a_click_beside_the_cells_picks_nothing(page: Page) -> None:
    show(page, linked(pair=("stage2.1.conv1", "stage2.1")))
    before = titles(page)
    assert before.count("stage2.1.conv1 · convolution") == 1
    page.locator("svg.marks").click(position={"x": 5, "y": 5})
    page.locator("svg g.mark-symbol.role-mark path").last.click(force=True)  # a point of a curve
    page.evaluate("view.runAsync().then(() => null)")
    assert titles(page) == before


@pytest.mark.browser
def test_sliders_pick_a_pair_and_stay_in_their_order(page: Page) -> None:
    show(page, linked())
    assert page.locator("input").evaluate_all("all => all.map(one => one.name)") == ["layer_snn", "layer_ann"]
    snn, ann = page.get_by_label("SNN layer, 1 to 74"), page.get_by_label("ANN layer, 1 to 74")
    snn.focus()
    page.keyboard.press("Home")
    ann.focus()
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    page.locator(".role-title", has_text="SNN: stem.conv · ").wait_for()
    page.locator(".role-title", has_text="ANN: pool · ").wait_for()
    np.testing.assert_allclose(numbers(tips(page, "CKA"), "CKA"), each_step().values[0, :, -2], atol=CLOSE)


@pytest.mark.browser
@pytest.mark.parametrize(("width", "columns"), [(1400, 2), (1250, 1), (768, 2), (360, 1)])
def test_the_charts_reflow(page: Page, width: int, columns: int) -> None:
    """Beside one another where the page has room, else below one another, and never wider than the page's column."""
    page.set_viewport_size({"width": width, "height": 900})
    show(page, linked())
    drawn, over_time = (page.locator(f".concat_{i}_group").first.bounding_box() for i in (0, 1))
    assert drawn
    assert over_time
    beside = over_time["x"] >= drawn["x"] + drawn["width"]
    assert beside == (columns == 2)
    if not beside:
        assert over_time["y"] >= drawn["y"] + drawn["height"]
    whole = page.locator("svg.marks").bounding_box()
    assert whole
    assert whole["width"] <= min(width - 32, 700)  # what the theme leaves for text at the narrowest


@pytest.mark.browser
def test_what_is_missing_is_said_to_be(page: Page) -> None:
    cka, steps = table(), each_step()
    cka[3, 5] = np.nan
    steps[3, 1:, 5] = np.nan
    show(page, charts.linked_heatmap(cka, steps, rates(), pair=(NAMES[3], NAMES[5])))
    assert "CKA (debiased): no value" in titles(page)
    shown = tips(page, "CKA")
    assert [tip["time step"] for tip in shown] == [1], "only the step that has a value is a point"
    assert "1 of 5,476 pairs have no value" in " ".join(page.locator(".role-title-subtitle").all_text_contents())


def test_it_begins_with_the_last_block_output_or_the_pair_that_is_named() -> None:
    def first(chart: Any) -> dict[str, int]:
        (pick,) = [param for param in chart.to_dict()["params"] if param["name"] == "layer"]
        return pick["value"][0]

    last = NAMES.index("stage3.2") + 1
    assert first(linked()) == {"ann": last, "snn": last}
    assert first(linked(pair=("stem.bn", "fc"))) == {"ann": 74, "snn": 2}
    with pytest.raises(ValueError, match="'stage9' is not among the 74 layers of layer_b"):
        linked(pair=("fc", "stage9"))


def test_its_title_may_hold_any_character() -> None:
    chart = charts.linked_heatmap(table(), each_step(), rates(), value_title="""Lee's "CKA" \\ 2""")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # an expression that cannot be parsed is one
        assert "Lee's" in html.unescape(vlc.vegalite_to_svg(chart.to_dict()))


def test_tables_that_do_not_belong_together_are_named() -> None:
    with pytest.raises(ValueError, match="different layers along layer_a"):
        charts.linked_heatmap(table()[1:], each_step(), rates())
    with pytest.raises(ValueError, match="3 steps of CKA, but 4 of firing rates"):
        charts.linked_heatmap(table(), each_step(3), rates())
    with pytest.raises(ValueError, match=re.escape("('layer_a', 'step', 'layer_b')")):
        charts.linked_heatmap(table(), table(), rates())


# ---- a setting


@pytest.mark.parametrize(("at", "depth"), [(1, 20), (2, 38)])
def test_the_slider_shows_the_table_of_its_setting(at: int, depth: int) -> None:
    chart = charts.heatmap_by_setting(BY_DEPTH, setting="depth")
    spec = chart.to_dict()
    spec["layer"][0]["mark"]["aria"] = True
    for param in spec["params"]:
        if param["name"] == "depth_at":
            assert param["bind"]["max"] == 2
            param["value"] = at
    svg = vlc.vegalite_to_svg(spec)
    shown = re.findall(r'aria-label="[^"]*?SNN layer: ([^"]*?); ANN layer: ([^"]*?); CKA \(debiased\): ([^"]*)"', svg)
    given = BY_DEPTH[depth]
    assert len(shown) == given.size
    values = np.array([float(text.replace("−", "-").split(" ")[0]) for _, _, text in shown]).reshape(given.shape)
    assert np.abs(values - given.values).max() < CLOSE
    rows = [shown[i * given.shape[1]][0].split(" · ")[0] for i in range(given.shape[0])]
    assert rows == given["layer_a"].values.tolist()
    assert f"depth {depth}" in svg
    assert "stage 3" in svg


def test_one_setting_has_no_slider_and_an_unknown_one_is_named() -> None:
    spec = charts.heatmap_by_setting({0.5: table()}, setting="width").to_dict()
    assert not [param for param in spec["params"] if "bind" in param]
    with pytest.raises(ValueError, match=r"width = 2 is not among 0\.5"):
        charts.heatmap_by_setting({0.5: table()}, setting="width", at=2)
    with pytest.raises(ValueError, match="got no width"):
        charts.heatmap_by_setting({}, setting="width")


def test_settings_of_one_structure_share_their_names() -> None:
    tables = {width: table(seed=i) for i, width in enumerate((0.25, 0.5, 1.0))}
    spec = charts.heatmap_by_setting(tables, setting="width").to_dict()
    params = {p["name"]: p.get("value") for p in spec["params"]}
    assert len(params["names"]) == 1
    assert params["settings"] == ["0.25", "0.5", "1"]
    assert len(json.dumps(spec)) < 110_000


def test_a_table_of_other_size_is_drawn_with_rows_and_columns_in_place() -> None:
    """A network against a deeper one: more columns than rows."""
    given = xr.DataArray(np.arange(6).reshape(2, 3) / 10, dims=("layer_a", "layer_b"))
    spec = charts.heatmap_by_setting(
        {1: given, 2: given.T.rename(layer_a="layer_b", layer_b="layer_a")}, setting="k", at=1
    )
    spec = spec.to_dict()
    spec["layer"][0]["mark"]["aria"] = True
    shown = re.findall(r"SNN layer: (\d); ANN layer: (\d); CKA \(debiased\): ([\d.]+)", vlc.vegalite_to_svg(spec))
    assert [(int(a), int(b), float(v)) for a, b, v in shown] == [
        (i + 1, j + 1, pytest.approx(float(given[i, j]))) for i in range(2) for j in range(3)
    ]
