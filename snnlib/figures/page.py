"""A figure as a page shows it: the chart, and under it the line that says where it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from IPython.display import HTML, display

from snnlib.figures.line import line
from snnlib.figures.origin import origin
from snnlib.parameters import PageParameters, Parameters
from snnlib.run import Run


@dataclass(frozen=True)
class Page:
    """The notebook that runs in this process: its parameters as given, and its run, if it trains anything."""

    given: Parameters | PageParameters
    run: Run | None = None


_pages: list[Page] = []  # the last is the current one


def open_page(given: Parameters | PageParameters, run: Run | None = None) -> None:
    """Figures from now on belong to a page with these parameters. `notebook.begin` and `validated` call it."""
    _pages[:] = [Page(given, run)]


def figure(chart: Any, *sources: Any) -> None:
    """Show a chart, and under it a line that unfolds and says how the chart was made.

    Args:
        chart: what `snnlib.charts` returns, or anything else that IPython can show.
        sources: what it is drawn from: results, networks, the run's data, measurements, lists, mappings and dataclasses
            of these; of results that were computed with, the ones that the study returned. None: all that the page has
            asked the store for so far.

    Raises:
        ValueError: no page was opened; a source that does not say where it comes from.
    """
    if not _pages:
        raise ValueError("this page has no parameters yet: call begin(globals()) or validated(globals(), …) first")
    text = provenance_line(_pages[-1], *sources)
    display(chart)
    display(HTML(text))


def provenance_line(page: Page, *sources: Any) -> str:
    """The line of a figure on this page, as HTML; `sources` as in `figure`."""
    run = page.run
    found = origin(sources or ([run] if run and run.store.asked else []), run.store if run else None)
    title, in_effect = (run.title, run.given) if run else (None, None)
    return line(page.given, title, found, in_effect)
