"""Empty pages of a real browser in which Vega draws single charts."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import altair as alt
from chart_tables import vlc

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@functools.cache
def bundle() -> str:
    """Vega, Vega-Lite and vega-embed of the version that Altair writes for."""
    return vlc.javascript_bundle(vl_version=".".join(alt.VEGALITE_VERSION.split(".")[:2]))


@contextmanager
def chart_page(browser: Browser, width: int) -> Iterator[Page]:
    """A page of that width, in pixels, with Vega loaded and nothing on it."""
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.set_default_timeout(120_000)  # for machines that are busy with something else
    page.set_content('<meta name="viewport" content="width=device-width"><body></body>')
    page.evaluate(f"(() => {{{bundle()}}})()")
    yield page
    page.close()


def show(page: Page, chart: Any) -> None:
    """Draw a chart; the page has its Vega view as `window.view`."""
    page.evaluate(
        """async (spec) => {
            const place = document.body.appendChild(document.createElement("div"));
            window.view = (await vegaEmbed(place, spec, {mode: "vega-lite"})).view;
        }""",
        chart.to_dict(),
    )
