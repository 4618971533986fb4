"""The built site without a mouse: Tab reaches what can be used, which says what it is and shows that it has the focus.

Two pages stand for all: the front page, with the ledger that unfolds, and a chapter whose charts have sliders.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from site_pages import SitePages

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.book, pytest.mark.browser]

SLIDERS = "notebooks/04_temporal.html"
PAGES = ["intro.html", SLIDERS]
MOST_STOPS = 600

# The controls that a mouse could use now, numbered in `window.controls`; their names.
CONTROLS = """() => {
    const all = document.querySelectorAll('a[href], button, input, select, textarea, summary, [role=button]');
    window.controls = [...all].filter(one => !one.disabled && one.type !== 'hidden'
        && one.checkVisibility({opacityProperty: true, visibilityProperty: true})
        && !(one.type === 'radio' && !one.checked)  // Tab stops once at a group of buttons, arrow keys move within it
        && !(one.closest('.skip-link')));
    return window.controls.map(one => `<${one.localName} ${one.className}> ${one.textContent.trim().slice(0, 40)}`);
}"""

# Where the focus is: number of the control (-1: something else), and whether a reader sees that it is there.
FOCUS = """() => {
    const one = document.activeElement;
    if (one === null || one === document.body) return null;
    document.getAnimations().forEach(animation => animation.finish());
    const style = getComputedStyle(one), box = one.getBoundingClientRect();
    const ring = (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 1) || style.boxShadow !== 'none';
    const inside = box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
    const visible = one.checkVisibility({opacityProperty: true, visibilityProperty: true});
    return {
        number: window.controls.indexOf(one),
        shown: ring && inside && visible,
        name: `<${one.localName} ${one.className}> ${one.textContent.trim().slice(0, 40)}`,
    };
}"""


@pytest.fixture
def page(site_pages: SitePages, request: pytest.FixtureRequest) -> Iterator[Page]:
    opened = site_pages.open(getattr(request, "param", SLIDERS))
    yield opened
    opened.close()


def stops(page: Page) -> Iterator[dict[str, Any]]:
    """Where Tab leads, one stop after another, until it leaves the page."""
    for _ in range(MOST_STOPS):
        page.keyboard.press("Tab")
        focus = page.evaluate(FOCUS)
        if focus is None:
            return
        yield focus
    pytest.fail(f"{MOST_STOPS} times Tab, and the focus has not come to the end")


@pytest.mark.parametrize("page", PAGES, indirect=True)
def test_tab_reaches_every_control_and_shows_where_it_is(page: Page) -> None:
    names = page.evaluate(CONTROLS)
    assert len(names) > 20
    seen = list(stops(page))
    reached = {stop["number"] for stop in seen}
    assert not [name for number, name in enumerate(names) if number not in reached], "not reached"
    assert not [stop["name"] for stop in seen if not stop["shown"]], "reached, and nothing shows it"


def test_the_first_stop_skips_to_the_text(page: Page) -> None:
    page.keyboard.press("Tab")
    skip = page.locator(":focus")
    assert skip.inner_text() == "Skip to main content"
    page.evaluate("document.getAnimations().forEach(animation => animation.finish())")
    assert skip.bounding_box()["y"] >= 0
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.querySelector('main').contains(document.activeElement)")


def test_sliders_have_names_and_move_by_keys(page: Page) -> None:
    sliders = page.get_by_role("slider").all()
    assert sliders
    for slider in sliders:
        assert slider.evaluate("one => one.labels?.length ? one.labels[0].textContent : one.ariaLabel").strip()
        slider.focus()
        before = slider.evaluate("one => [one.value ?? one.ariaValueNow, one.max ?? one.ariaValueMax]")
        page.keyboard.press("ArrowLeft" if before[0] == before[1] else "ArrowRight")
        assert slider.evaluate("one => one.value ?? one.ariaValueNow") != before[0]


def test_a_moved_control_says_what_the_chart_shows_now(site_pages: SitePages) -> None:
    """By a status that is silent at first, and by the layer's name; buttons stand in a group that has a name."""
    page = site_pages.open(SLIDERS)
    chart = page.locator(".vega-embed", has=page.locator("input[name=layer_at]"))
    status = chart.locator(":scope > [role=status]")
    assert status.text_content() == ""
    slider = chart.locator("input[name=layer_at]")
    slider.press("Home")
    name = slider.get_attribute("aria-valuetext").removeprefix("1, ")
    status.filter(has_text=f"all pairs of time steps, {name}.").wait_for(state="attached")
    page.close()
    page = site_pages.open("intro.html")
    status = page.locator(".vega-embed > [role=status]")
    assert status.text_content() == ""
    page.get_by_role("radiogroup", name="networks").get_by_role("radio", name="never trained").check()
    status.filter(has_text="SNN × ANN, never trained, T = 4, layers of the same name: ").wait_for(state="attached")
    page.close()
    assert not site_pages.problems


def test_a_legend_picks_out_a_series_by_keys(page: Page) -> None:
    strengths = """name => [...name.ownerSVGElement.querySelectorAll('g.mark-line path')]
        .map(line => parseFloat(line.getAttribute('opacity') ?? line.getAttribute('stroke-opacity') ?? 1))"""
    name = page.locator(".vega-embed text[role=button]").first
    whole = name.evaluate(strengths)
    assert len(whole) > 1
    assert set(whole) == {1}
    name.focus()
    page.keyboard.press("Enter")
    page.wait_for_timeout(300)
    assert sorted(name.evaluate(strengths))[-2:] == [0.12, 1], "one stands out"
    page.keyboard.press("Escape")
    page.wait_for_timeout(300)
    assert name.evaluate(strengths) == whole


@pytest.mark.parametrize("page", ["intro.html"], indirect=True)
def test_what_unfolds_does_so_by_a_key(page: Page) -> None:
    details = page.locator("main details:has(summary)").first
    details.locator("summary").first.focus()
    for opened in (True, False):
        page.keyboard.press("Enter")
        assert details.evaluate("one => one.open") == opened


def test_search_opens_takes_the_focus_and_gives_it_back(page: Page) -> None:
    button = page.get_by_role("button", name="Search").locator("visible=true").first
    button.focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.matches('dialog input[type=search]')")
    page.keyboard.press("Escape")
    assert not page.locator("dialog[open]").count()
    assert button.evaluate("one => one === document.activeElement")


def test_on_a_phone_the_contents_open_and_close_by_keys(site_pages: SitePages) -> None:
    page = site_pages.open("intro.html", width=360, height=740)
    toggle = page.locator(".primary-toggle")
    toggle.focus()
    page.keyboard.press("Enter")
    page.get_by_role("link", name="How to reproduce").first.wait_for(state="visible")
    assert page.evaluate("document.querySelector('#pst-primary-sidebar-modal').contains(document.activeElement)")
    page.keyboard.press("Escape")
    page.wait_for_function("!document.querySelector('dialog[open]')")
    assert toggle.evaluate("one => one === document.activeElement")
    page.close()
