"""A browser's view of the built site: pages that reach nothing else, and a list of everything that went wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from http.server import SimpleHTTPRequestHandler
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Response, Route


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """A test's output has no use for a line a request."""


@dataclass
class SitePages:
    """Opens pages of the site in a browser that reaches nothing else, and lists everything that went wrong."""

    browser: Browser
    address: str
    problems: list[str] = field(default_factory=list)

    def open(self, name: str, *, width: int = 1280, height: int = 900, scheme: str = "light") -> Page:
        """A page such as "intro.html", loaded, with its charts and formulas drawn. Close it when done."""
        page = self.browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
        page.set_default_timeout(120_000)  # for machines that are busy with something else
        page.route("**/*", self._only_here)
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.problems.append(f"{name}: uncaught {error}"))
        page.on("requestfailed", self._failed)
        page.on("response", self._answered)
        page.goto(f"{self.address}/{name}", wait_until="load")
        page.wait_for_function(DRAWN)
        return page

    def _only_here(self, route: Route, request: Request) -> None:
        if request.url.startswith(self.address + "/"):
            route.continue_()
        else:
            self.problems.append(f"request to another host: {request.url}")
            route.abort()

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.problems.append(f"console {message.type}: {message.text}")

    def _failed(self, request: Request) -> None:
        self.problems.append(f"failed: {request.url} ({request.failure})")

    def _answered(self, response: Response) -> None:
        if response.status >= 400:
            self.problems.append(f"{response.status}: {response.url}")


# All charts have a picture, all formulas are set, and all widgets are there.
DRAWN = """() =>
    [...document.querySelectorAll('[id^=altair-viz], .vega-embed')].every(chart => chart.querySelector('svg, canvas'))
    && [...document.querySelectorAll('.math.notranslate')].every(formula => formula.querySelector('mjx-container'))
    && [...document.querySelectorAll('script[type="application/vnd.jupyter.widget-view+json"]')].every(
        view => view.nextElementSibling?.querySelector('.jupyter-widgets'))
"""
