"""The menu of a chart saves its numbers: those that were given, and with a slider moved those that are shown then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt
import numpy as np
import pandas as pd
import pytest
from chart_pages import chart_page, show
from chart_tables import curve, every_chart, table, training
from conftest import REPOSITORY

from snnlib import charts

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser
VALUE = "CKA (debiased)"
SIDES = ("", " (row)", " (column)")
SCRIPT = REPOSITORY / "book/assets/numbers.js"
CHARTS = every_chart()
LAYERS = {
    "layer",
    "operation",
    "place",
    "T, step",
    *(f"{kind} layer{side}" for kind in ("SNN", "ANN") for side in SIDES),
}
WORDS = {"network", "series", "where", "output", "curve", "row", "column", *LAYERS}


@pytest.fixture
def page(site_browser: Browser):
    with chart_page(site_browser, 1400) as page:
        page.add_script_tag(path=SCRIPT)
        yield page


def shown(page: Page, chart: Any) -> None:
    """Draw a chart as the site does, which tells its scripts when it is there."""
    show(page, chart)
    page.evaluate("document.querySelector('.vega-embed').dispatchEvent(new CustomEvent('controls', {bubbles: true}))")


def saved(page: Page, folder: Path) -> pd.DataFrame:
    """What a reader gets from the menu, as pandas reads it."""
    link = page.get_by_role("link", name="Save the numbers (CSV)")
    if not link.is_visible():
        page.locator(".vega-embed > details > summary").click()
    with page.expect_download() as download:
        link.click()
    download.value.save_as(folder / "numbers.csv")
    found = pd.read_csv(folder / "numbers.csv")
    found.attrs["file"] = download.value.suggested_filename
    return found


def test_a_heatmap_gives_every_cell(page: Page, tmp_path: Path) -> None:
    given = table() - 0.1  # a few below zero
    given[2, 4] = np.nan
    shown(page, charts.heatmap(given))
    found = saved(page, tmp_path)
    assert len(found) == given.size
    names = [found[column].str.split(" · ").str[0] for column in ("SNN layer", "ANN layer")]
    stored = [float(given.sel(layer_a=a, layer_b=b)) for a, b in zip(*names, strict=True)]
    assert np.nanmin(stored) < -0.01, "a minus sign is read as one"
    np.testing.assert_allclose(found[VALUE], stored, atol=0.00051)


def test_curves_give_a_line_a_layer_and_their_intervals(page: Page, tmp_path: Path) -> None:
    given = curve()
    shown(page, charts.depth_curve(given))
    found = saved(page, tmp_path).set_index("layer")
    assert len(found) == given["layer"].nunique()
    for series, rows in given.set_index("layer").groupby("series"):
        for column, name in ((series, "value"), (f"{series}, low", "low"), (f"{series}, high", "high")):
            np.testing.assert_allclose(found[column], rows[name].reindex(found.index), atol=0.00051)


def test_a_slider_decides_what_is_saved_and_the_name_says_so(page: Page, tmp_path: Path) -> None:
    tables = {0.5: table(), 1.0: table(seed=1)}
    shown(page, charts.heatmap_by_setting(tables, setting="width", at=0.5))
    first = saved(page, tmp_path)
    slider = page.locator("input[type=range]")
    slider.focus()
    slider.press("End")
    drawn = "value => document.querySelector('.vega-embed svg').textContent.includes(value)"
    page.wait_for_function(drawn, arg="width 1")
    second = saved(page, tmp_path)
    for found, given in ((first, tables[0.5]), (second, tables[1.0])):
        np.testing.assert_allclose(found[VALUE], given.values.ravel(), atol=0.00051)
    assert first.attrs["file"].endswith("SNN-ANN-width-0.5.csv")
    assert second.attrs["file"].endswith("SNN-ANN-width-1.csv")


@pytest.mark.parametrize("name", [name for name in CHARTS if not name.startswith("pictures")])
def test_what_is_a_number_in_a_chart_is_one_in_the_file(page: Page, tmp_path: Path, name: str) -> None:
    shown(page, CHARTS[name])
    found = saved(page, tmp_path)
    text = [column for column in found if not pd.api.types.is_numeric_dtype(found[column])]
    assert set(text) <= WORDS
    assert len(text) < len(found.columns)
    assert not found.columns.duplicated().any()


def test_units_and_seeds_have_columns(page: Page, tmp_path: Path) -> None:
    shown(page, CHARTS["training_curves 1"])
    given = (
        training()
        .query("epoch == 2 and metric == 'accuracy'")
        .groupby("network")["value"]
        .agg(["mean", "min", "max", "count"])
    )
    found = saved(page, tmp_path).set_index("epoch").loc[2]
    for network, of_seeds in given.iterrows():
        names = [f"{network} (%){part}" for part in ("", ", low", ", high")]
        np.testing.assert_allclose(found[names], 100 * of_seeds[["mean", "min", "max"]], atol=0.051)
        assert found[f"{network} (%), seeds"] == of_seeds["count"]


@pytest.mark.parametrize("name", ["without tooltips", "pictures 0"])
def test_a_chart_without_numbers_offers_none(page: Page, name: str) -> None:
    plain = alt.Chart(pd.DataFrame({"x": [1, 2]})).mark_point().encode(x="x:Q")
    shown(page, CHARTS.get(name, plain))
    assert page.locator(".vega-actions a").count() > 0
    assert page.get_by_text("Save the numbers").count() == 0
