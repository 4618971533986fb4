"""The checks of the site's pages find what they are for, on pages that were made up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from site_checks import misplaced, violations

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

PAGE = """<!DOCTYPE html><html lang="en"><head><title>A page</title>
<style>body {{ margin: 0; font: 16px/1.5 sans-serif }} p {{ margin: 10px }}</style></head><body>
<main class="bd-article-container" style="overflow-x: auto">
<article class="bd-article"><h1>A page</h1>{}</article></main>
</body></html>"""

GOOD = """<p>Some words.</p><div style="overflow-x: auto"><div style="width: 900px">wide, and scrolls</div></div>
<button>one</button> <button>two</button>
<details><summary>more</summary><p style="width: 2000px">Hidden.</p></details>"""

CHART = """<div class="vega-embed">
<svg class="marks" width="300" height="200" role="img" aria-label="A chart">{}</svg></div>"""


@pytest.fixture
def page(site_browser: Browser) -> Iterator[Page]:
    opened = site_browser.new_page(viewport={"width": 600, "height": 700})
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ('<div style="width: 700px">wide</div>', "scrolls sideways by 100 px"),
        ('<p style="width: 50px; overflow: hidden; white-space: nowrap">cut in the middle</p>', "cut off at the right"),
        ('<p style="height: 20px; overflow: hidden">two<br>lines</p>', "cut off at the bottom"),
        ('<p style="width: 40px">Pneumonoultramicroscopic</p>', "runs out of its box"),
        ('<section><p>above</p><p style="margin-top: -20px">below</p></section>', "lies on <p>"),
        ('<button>one</button><button style="margin-left: -10px">two</button>', 'lies on <button> "two"'),
        (f'<p style="width: 590px; font-size: 8px">{"word " * 200}</p>', "letters a line"),
    ],
)
def test_bad_layout_is_found(page: Page, body: str, says: str) -> None:
    page.set_content(PAGE.format(GOOD + body))
    assert any(says in line for line in misplaced(page)), misplaced(page)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('<text x="280" y="50">cut off</text>', "is cut off by"),
        ('<text x="9" y="50" font-size="8">tiny</text>', "8.0 px small"),
        ('<text x="9" y="50">one</text><text x="12" y="52">other</text>', '"one" lies on "other"'),
        ('<text x="9" y="50">a long na…</text>', "is shortened"),
    ],
)
def test_bad_text_in_a_chart_is_found(page: Page, text: str, says: str) -> None:
    page.set_content(PAGE.format(GOOD + CHART.format(text)))
    assert any(says in line for line in misplaced(page)), misplaced(page)


def test_slanted_labels_side_by_side_do_not_lie_on_one_another(page: Page) -> None:
    """Their upright frames overlap; the words do not."""
    turned = '<text transform="translate({0}, 150) rotate(-60)" font-size="11">a slanted label</text>'
    page.set_content(PAGE.format(GOOD + CHART.format("".join(turned.format(x) for x in (50, 75, 100)))))
    assert misplaced(page) == []
    page.set_content(PAGE.format(GOOD + CHART.format("".join(turned.format(x) for x in (50, 54)))))
    assert any("lies on" in line for line in misplaced(page))


def test_a_good_page_passes(page: Page) -> None:
    page.set_content(PAGE.format(GOOD.replace("<div style", '<div tabindex="0" style', 1)))
    assert misplaced(page) == []
    assert violations(page) == []


def test_pale_text_and_a_nameless_control_are_found(page: Page) -> None:
    page.set_content(PAGE.format('<p style="color: #aaa">Pale.</p><input type="range">'))
    assert {line.split()[0] for line in violations(page)} == {"color-contrast", "label"}
    assert {line.split()[0] for line in violations(page, ["label"])} == {"label"}
