"""The menu of a chart saves its numbers: those that were given, and with a slider moved those that are shown then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt
import numpy as np
import pandas as pd
import pytest
from chart_pages import chart_page, show
from chart_tables import curve, table
from conftest import REPOSITORY

from snnlib import charts

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser
VALUE = "CKA (debiased)"
SCRIPT = REPOSITORY / "book/assets/numbers.js"


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
    link = page.get_by_role("link", name="Save the numbers as CSV")
    if not link.is_visible():
        page.locator(".vega-embed > details > summary").click()
    with page.expect_download() as download:
        link.click()
    download.value.save_as(folder / "numbers.csv")
    assert download.value.suggested_filename.endswith(".csv")
    return pd.read_csv(folder / "numbers.csv")


def test_a_heatmap_gives_every_cell(page: Page, tmp_path: Path) -> None:
    given = table() - 0.1  # a few below zero
    given[2, 4] = np.nan
    shown(page, charts.heatmap(given))
    found = saved(page, tmp_path)
    assert len(found) == given.size
    names = [found[column].str.split(" · ").str[0] for column in ("SNN layer", "ANN layer")]
    stored = [float(given.sel(layer_a=a, layer_b=b)) for a, b in zip(*names, strict=True)]
    assert np.nanmin(stored) < -0.01, "a minus sign is read as one"
    np.testing.assert_allclose(pd.to_numeric(found[VALUE], errors="coerce"), stored, atol=0.00051)


def test_curves_give_a_line_a_layer_and_their_intervals(page: Page, tmp_path: Path) -> None:
    given = curve()
    shown(page, charts.depth_curve(given))
    found = saved(page, tmp_path).set_index("layer")
    assert len(found) == given["layer"].nunique()
    for series, rows in given.set_index("layer").groupby("series"):
        for column, name in ((series, "value"), (f"{series}, low", "low"), (f"{series}, high", "high")):
            np.testing.assert_allclose(found[column], rows[name].reindex(found.index), atol=0.00051)


def test_a_slider_decides_what_is_saved(page: Page, tmp_path: Path) -> None:
    tables = {0.5: table(), 1.0: table(seed=1)}
    shown(page, charts.heatmap_by_setting(tables, setting="width", at=0.5))
    first = saved(page, tmp_path)
    slider = page.locator("input[type=range]")
    slider.focus()
    slider.press("End")
    page.wait_for_function(
        "value => document.querySelector('.vega-embed svg').textContent.includes(value)", arg="width 1"
    )
    second = saved(page, tmp_path)
    for found, given in ((first, tables[0.5]), (second, tables[1.0])):
        np.testing.assert_allclose(found[VALUE], given.values.ravel(), atol=0.00051)


def test_a_chart_without_tooltips_offers_none(page: Page) -> None:
    shown(page, alt.Chart(pd.DataFrame({"x": [1, 2]})).mark_point().encode(x="x:Q"))
    assert page.locator(".vega-actions a").count() > 0
    assert page.get_by_text("Save the numbers").count() == 0
