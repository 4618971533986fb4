"""Every page of the built site, opened in a browser with the network cut, in light and dark, from a phone to a wall.

One visit of a page serves all checks: nothing is asked from outside, all charts and formulas are drawn, nothing is cut
off or covered, and axe-core finds no grave violation. Colours do not depend on the width of the window, and what lies
where does not depend on the colours; so each scheme goes through two widths.
"""

from __future__ import annotations

import pytest
from conftest import BuiltSite
from site_checks import misplaced, resize, violations
from site_pages import DRAWN, SitePages
from test_book import all_pages, chapters

pytestmark = [pytest.mark.book, pytest.mark.browser]

PAGES = [f"{page}.html" for page in [*chapters(), "genindex", "search"]]


def test_all_pages_are_visited(built_site: BuiltSite) -> None:
    assert set(all_pages(built_site)) == {*PAGES, "index.html"}
    assert "url=intro.html" in (built_site.html / "index.html").read_text(encoding="utf8"), "it sends on to the first"


@pytest.mark.parametrize(("scheme", "widths"), [("light", [1280, 768, 2560]), ("dark", [360])])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_whole_and_open_to_all(site_pages: SitePages, name: str, scheme: str, widths: list[int]) -> None:
    page = site_pages.open(name, width=widths[0], scheme=scheme)
    found = [f"at {widths[0]} px: {line}" for line in [*misplaced(page), *violations(page)]]
    for width in widths[1:]:
        resize(page, width)
        found += [f"at {width} px: {line}" for line in misplaced(page)]
    page.close()
    assert not [*site_pages.problems, *found], "\n".join([*site_pages.problems, *found])


def test_charts_are_set_anew_when_a_window_becomes_a_phone(site_pages: SitePages) -> None:
    """As on a page that was opened there, and with the sliders where the reader had moved them."""
    page = site_pages.open("notebooks/04_temporal.html")
    slider = page.get_by_role("slider").first
    moved = slider.evaluate("one => one.min")
    assert slider.input_value() != moved
    slider.press("Home")
    resize(page, 360, 740)
    page.wait_for_function(DRAWN)
    page.evaluate("scrollTo({top: 0, behavior: 'instant'})")  # what is scrolled below the header is covered by it
    found = misplaced(page)
    assert page.get_by_role("slider").first.input_value() == moved
    page.close()
    assert not [*site_pages.problems, *found], "\n".join([*site_pages.problems, *found])


def test_a_chosen_button_stays_chosen_when_a_window_becomes_a_phone(site_pages: SitePages) -> None:
    """The buttons all keep their values; which of them is set is what the reader chose."""
    page = site_pages.open("intro.html", width=740)
    page.get_by_role("radio", name="never trained").check()
    for width in (360, 740):
        resize(page, width, 740)
        page.wait_for_function(DRAWN)
        page.locator(".role-title", has_text="SNN × ANN, never trained").first.wait_for(state="attached")
        assert page.get_by_role("radio", name="never trained").is_checked()
        assert "never+trained" in page.url
    page.close()
    assert not site_pages.problems
