"""What is wider than a phone: the method's drawing, the table of the pages' runs, tables with a caption."""

from __future__ import annotations

import pytest
from site_pages import SitePages

pytestmark = [pytest.mark.book, pytest.mark.browser]

PHONE = {"width": 360, "height": 740}
DRAWING = "figure img[src$='overview.svg']"
LETTERS = 15 / 920  # of the drawing's width: its text
TABLE = "div.text_html:has(> table > caption)"


def test_the_words_of_the_drawing_can_be_read(site_pages: SitePages) -> None:
    page = site_pages.open("intro.html", **PHONE)
    assert page.locator(DRAWING).bounding_box()["width"] * LETTERS >= 11
    box = page.locator(f"a:has(> {DRAWING.removeprefix('figure ')})")
    assert box.bounding_box()["width"] <= PHONE["width"]
    box.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("box => box.scrollLeft > 0", arg=box.element_handle())
    page.set_viewport_size({"width": 1280, "height": 900})
    assert box.evaluate("box => box.scrollWidth <= box.clientWidth")
    page.close()


@pytest.mark.parametrize(("width", "columns"), [(360, [0, 3, 4]), (1280, [0, 1, 2, 3, 4])])
def test_the_status_of_every_page_is_in_view(site_pages: SitePages, width: int, columns: list[int]) -> None:
    page = site_pages.open("status.html", width=width, height=740)
    names = page.locator("#the-pages th")
    assert [name.strip() for name in names.all_text_contents()][3:] == ["Run Time (s)", "Status"]
    assert [place for place in range(names.count()) if names.nth(place).is_visible()] == columns
    ends = page.locator("#the-pages :is(th, td)").evaluate_all(
        "cells => cells.filter(cell => cell.checkVisibility()).map(cell => cell.getBoundingClientRect().right)"
    )
    assert max(ends) <= page.locator("#the-pages").evaluate("box => box.getBoundingClientRect().right") + 1
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_caption_of_a_wide_table_is_in_view(site_pages: SitePages, scheme: str) -> None:
    page = site_pages.open("notebooks/02_spatial_cka.html", **PHONE, scheme=scheme)
    box = page.locator(TABLE).first
    assert box.evaluate("box => box.scrollWidth > box.clientWidth"), "it scrolls"
    assert box.get_attribute("tabindex") == "0"
    assert "gradient" in box.evaluate("box => getComputedStyle(box).backgroundImage"), "it shows that it goes on"
    for scrolled in (0, 9999):
        box.evaluate("(box, by) => box.scrollTo(by, 0)", scrolled)
        caption, whole = box.locator("caption").bounding_box(), box.bounding_box()
        assert caption["x"] >= whole["x"] - 1
        assert caption["x"] + caption["width"] <= whole["x"] + whole["width"] + 1
    page.close()
