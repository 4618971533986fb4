"""The address of a page keeps what its sliders are set to, and opens it again."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

import pytest
from site_pages import SitePages
from test_site_sliders import SPACE, TIME, cell_of, press, wait_for

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.book, pytest.mark.browser]


def setting(page: Page) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(page.url).query))


def positions(page: Page) -> list[str]:
    return page.evaluate("[...document.querySelectorAll('.vega-embed input')].map(slider => slider.value)")


def test_the_address_keeps_a_setting_and_opens_it(site_pages: SitePages) -> None:
    page = site_pages.open(f"{TIME}#firing-rates-over-time")
    at_first = positions(page)
    sliders = page.locator(".vega-embed input[type=range]")
    press(sliders.nth(0), "Home", "ArrowRight")
    press(sliders.nth(5), "End")
    page.wait_for_function("location.search.includes('step_at')")
    moved = positions(page)
    assert moved != at_first
    assert setting(page) == {
        "a-layer-at-all-pairs-of-steps.T_at": "2",
        "firing-rates-over-time.step_at": moved[5],
    }
    assert urlsplit(page.url).fragment == "firing-rates-over-time"
    other = site_pages.open(page.url.removeprefix(f"{site_pages.address}/"))
    other.wait_for_function(f"document.querySelectorAll('.vega-embed input')[5].value === '{moved[5]}'")
    wait_for(other.locator(".vega-embed", has=other.locator("input[name=layer_at]")), "T = 2, all pairs")
    assert positions(other) == moved
    other.close()
    # back where the page began, nothing is left in the address
    for slider, start in zip((0, 5), (at_first[0], at_first[5]), strict=True):
        press(sliders.nth(slider), "Home", *["ArrowRight"] * (int(start) - 1))
    page.wait_for_function("location.search === ''")
    page.close()
    assert not site_pages.problems


def test_a_plain_name_sets_all_charts_and_nonsense_sets_none(site_pages: SitePages) -> None:
    page = site_pages.open(f"{TIME}?T_at=1&step_at=nonsense&layer_at=99999&unknown=3&highlight=step")
    page.wait_for_function("[...document.querySelectorAll('input[name=T_at]')].every(slider => slider.value === '1')")
    assert page.locator(".role-title", has_text=re.compile("^T = 1,")).count() == 3
    layer = page.locator("input[name=layer_at]")
    assert layer.input_value() == layer.get_attribute("max")
    assert [step.input_value() for step in page.locator("input[name=step_at]").all()] == ["1", "1"]
    page.close()
    assert not site_pages.problems


def test_a_click_is_in_the_address_and_anchors_keep_working(site_pages: SitePages) -> None:
    page = site_pages.open(SPACE)
    chart = page.locator(".vega-embed", has=page.locator("input[name=layer_snn]"))
    cell_of(chart, 5 * 74 + 9).click(force=True)
    page.wait_for_function("location.search.includes('layer_ann')")
    key = "the-heatmap-of-all-layers.layer_"
    assert setting(page) == {f"{key}snn": "6", f"{key}ann": "10"}
    page.evaluate("location.hash = 'width-and-depth'")
    assert page.evaluate("document.getElementById('width-and-depth').getBoundingClientRect().top") < 300
    press(page.locator("input[name=width_at]"), "Home")
    page.wait_for_function("location.search.includes('width_at')")
    assert setting(page)["width-and-depth.width_at"] == "1"
    page.go_back()  # to where the reader was, with the width that was shown there
    page.wait_for_function("document.querySelector('input[name=width_at]').value !== '1'")
    assert chart.locator("input[name=layer_snn]").input_value() == "6"
    page.close()
    assert not site_pages.problems


def test_a_link_to_a_view_is_copied_by_key(site_pages: SitePages) -> None:
    page = site_pages.open(SPACE)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    chart = page.locator(".vega-embed", has=page.locator("input[name=depth_at]"))
    slider = chart.locator("input[name=depth_at]")
    press(slider, "End", "Tab")
    page.keyboard.press("Enter")
    chart.get_by_role("status").get_by_text("Copied.").wait_for()
    copied = urlsplit(page.evaluate("navigator.clipboard.readText()"))
    assert dict(parse_qsl(copied.query)) == {"width-and-depth.depth_at": slider.get_attribute("max")}
    assert copied.fragment == "width-and-depth"
    page.close()
    assert not site_pages.problems
