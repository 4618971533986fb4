"""The printed page, as Chromium makes it: light, nothing cut, unfolded, and nothing that can only be clicked."""

from __future__ import annotations

import re

import pytest
from site_pages import SitePages

pytestmark = [pytest.mark.book, pytest.mark.browser]

PAPER = 680  # CSS pixels between the margins of A4, about
# Runs when the browser begins to print, after the page's own script.
WATCH = """() => window.addEventListener('beforeprint', () => {
    window.printed = {
        theme: document.documentElement.dataset.theme,
        folded: document.querySelectorAll('details:not([open], .provenance, .hide, .vega-embed details)').length,
        ledger: document.querySelectorAll('table.ledger details[open]').length,
        provenance: document.querySelectorAll('details.provenance[open]').length,
        paper: getComputedStyle(document.body).backgroundColor,
    };
})"""


def test_the_pdf_of_a_dark_page_is_light_and_unfolded(site_pages: SitePages) -> None:
    page = site_pages.open("intro.html", scheme="dark")
    folded = page.locator("details:not([open])").count()
    assert folded > 0
    page.evaluate(WATCH)
    pdf = page.pdf(format="A4")
    assert pdf.startswith(b"%PDF")
    claims = page.locator("table.ledger details").count()
    assert claims > 0
    assert page.locator("details.provenance > summary").count() > 0
    assert page.evaluate("window.printed") == {
        "theme": "light",
        "folded": 0,
        "ledger": claims,
        "provenance": 0,  # each would take a page
        "paper": "rgb(255, 255, 255)",
    }
    page.wait_for_function("document.documentElement.dataset.theme === 'dark'")  # as before
    assert page.locator("details:not([open])").count() == folded
    page.close()


def test_a_chapter_on_paper_is_its_text_and_its_charts(site_pages: SitePages) -> None:
    """No page for the origin of each figure, no heading that stands alone at the end of a page."""
    page = site_pages.open("notebooks/04_temporal.html")
    charts = page.locator(".vega-embed").count()
    sheets = len(re.findall(rb"/Type\s*/Page\b", page.pdf(format="A4")))
    assert 0 < sheets <= 2 * charts
    page.emulate_media(media="print")
    after = "all => all.filter(one => one.checkVisibility()).map(one => getComputedStyle(one).breakAfter)"
    assert set(page.locator(".bd-article :is(h2, h3)").evaluate_all(after)) == {"avoid"}
    assert page.locator("details.provenance > summary").first.is_visible()
    page.close()


@pytest.mark.parametrize("name", ["intro.html", "notebooks/05_event_data.html"])
def test_nothing_is_wider_than_the_paper(site_pages: SitePages, name: str) -> None:
    """At the width a chart has on a large screen when printing begins, and then on paper."""
    page = site_pages.open(name, width=1280)
    page.emulate_media(media="print")
    page.set_viewport_size({"width": PAPER, "height": 1000})
    page.wait_for_timeout(300)
    excess = page.evaluate(
        """() => [...document.querySelectorAll('.bd-article *')]
            .filter(element => element.checkVisibility() && !element.closest('span.math, mjx-container, svg *'))
            .filter(element => element.getBoundingClientRect().right > document.documentElement.clientWidth + 1
                || (getComputedStyle(element).overflowX !== 'visible' && element.clientWidth > 0
                    && element.scrollWidth > element.clientWidth + 1))
            .map(element => element.tagName + '.' + element.className + ': ' + element.getBoundingClientRect().right)"""
    )
    page.close()
    assert excess == []


def test_what_can_only_be_clicked_is_not_printed(site_pages: SitePages) -> None:
    page = site_pages.open("notebooks/02_spatial_cka.html")
    clickable = ".bd-sidebar-primary, .bd-header-article, .copybtn, .headerlink, .prev-next-footer, .vega-embed summary"
    shown = f"() => [...document.querySelectorAll('{clickable}')].filter(element => element.checkVisibility()).length"
    assert page.evaluate(shown) > 0
    page.emulate_media(media="print")
    assert page.evaluate(shown) == 0
    assert page.locator(".vega-embed svg").first.is_visible()
    assert page.locator("h1:has-text('Space')").locator("visible=true").count() == 1, "one title"
    page.close()


def test_links_to_other_sites_show_their_address(site_pages: SitePages) -> None:
    page = site_pages.open("reproduce.html")
    page.emulate_media(media="print")
    after = "link => getComputedStyle(link, '::after').content"
    outside = page.locator(".bd-article a.external[href^='https://papermill']").first
    assert "https://papermill.readthedocs.io" in outside.evaluate(after)
    inside = page.locator(".bd-article a.internal").first
    assert inside.evaluate(after) in ("none", "normal")
    page.close()
