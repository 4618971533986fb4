"""The book as its readers get it: built by its own command, opened in a browser with the network cut."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import altair
import nbformat
import pytest
import yaml
from conftest import CORES, REPOSITORY, BuiltSite
from site_pages import SitePages
from sphinx.util.parallel import make_chunks

from snnlib.charts.theme import Panels

pytestmark = pytest.mark.book

# Of every chart on the page: marks drawn in all, rectangles in the layer that draws most of them, the text alternative.
DRAWN_CHARTS = """() => [...document.querySelectorAll('.vega-embed')].map(chart => {
    const rectangles = [...chart.querySelectorAll('g.mark-rect.role-mark')].map(group => group.children.length);
    return {
        marks: chart.querySelectorAll('[class*="role-mark"] > *').length,
        rectangles: Math.max(0, ...rectangles),
        text: chart.querySelector('[role=graphics-document]')?.getAttribute('aria-label') ?? '',
    };
})"""


def chapters() -> list[str]:
    """Pages of the table of contents, such as "notebooks/00_quickstart"."""
    toc = yaml.safe_load((REPOSITORY / "_toc.yml").read_text(encoding="utf8"))
    return [toc["root"], *(entry["file"] for part in toc["parts"] for entry in part["chapters"])]


def notebooks() -> list[str]:
    return [page for page in chapters() if (REPOSITORY / f"{page}.ipynb").exists()]


def body(site: BuiltSite, page: str) -> str:
    return (site.html / f"{page}.html").read_text(encoding="utf8")


def test_builds_without_a_warning(built_site: BuiltSite) -> None:
    assert built_site.returncode == 0, built_site.log[-4000:]
    assert "build succeeded." in built_site.log
    print(f"built in {built_site.seconds:.0f} s")


def test_several_notebooks_run_at_once_where_there_are_cores(built_site: BuiltSite) -> None:
    """Sphinx names the first and the last page that one process has read: by itself it names each page."""
    read = re.findall(r"reading sources\.\.\. .*?%\]\S* (.*)", built_site.log)
    assert read
    assert any(" .. " in pages for pages in read) == (CORES > 1), read


def test_every_chapter_is_a_page(built_site: BuiltSite) -> None:
    missing = [page for page in ["index", *chapters()] if not (built_site.html / f"{page}.html").exists()]
    assert not missing


@pytest.mark.parametrize("page", notebooks())
def test_a_notebook_page_carries_its_outputs(built_site: BuiltSite, page: str) -> None:
    source = nbformat.read(REPOSITORY / f"{page}.ipynb", as_version=4)
    assert not any(cell.get("outputs") for cell in source.cells), "the source holds outputs"
    html = body(built_site, page)
    assert re.search(r'class="output[ "]|cell_output', html), f"{page} shows no output"
    assert "Traceback (most recent call last)" not in html


# What Python prints of an object: IPython's two forms, a chart of Altair or of ours, an array of xarray.
PRINTED = re.compile(r"&lt;[\w.]+(?: object| at 0x\w+)+&gt;|\b(?:alt\.\w*Chart|Panels)\(|&lt;xarray\.")


def test_what_python_prints_of_an_object_is_known_for_it() -> None:
    shown = [
        "<pandas.io.formats.style.Styler at 0x7f00>",
        "<IPython.core.display.Markdown object>",
        "<snnlib.Thing object at 0x7f00>",
        "<xarray.DataArray ()>",
        repr(altair.LayerChart()),
        repr(Panels([altair.Chart(altair.Data(values=[]), description="a chart").mark_point()], min_width=1)),
    ]
    assert [text for text in shown if not PRINTED.search(html.escape(text))] == []


@pytest.mark.parametrize("page", chapters())
def test_nothing_is_shown_as_python_prints_an_object(built_site: BuiltSite, page: str) -> None:
    """As it is where an output has no other form, such as an empty `Markdown` or a table without its renderer."""
    outputs = re.findall(r'<div class="output .*?</div>', body(built_site, page), flags=re.DOTALL)
    assert [found for output in outputs for found in PRINTED.findall(output)] == []


def test_charts_find_the_versions_they_want(built_site: BuiltSite) -> None:
    """A mismatch sends Altair's output to a CDN without a word."""
    script = (built_site.html / "_static/vega.js").read_text(encoding="utf8")
    declared = re.search(r"^var VEGA_DEBUG = (\{.*\});$", script, flags=re.MULTILINE)
    assert declared
    assert json.loads(declared[1]) == {
        "vega_version": altair.VEGA_VERSION,
        "vegalite_version": altair.VEGALITE_VERSION,
        "vegaembed_version": altair.VEGAEMBED_VERSION,
    }


def test_vega_is_loaded_only_where_charts_are(built_site: BuiltSite) -> None:
    loads = {}
    for path in built_site.html.rglob("*.html"):
        html = path.read_text(encoding="utf8")
        loads[path.stem] = "_static/vega.js" in html
        assert loads[path.stem] == ("typeof VEGA_DEBUG" in html), path
    assert loads["intro"] and not loads["references"]


def test_the_site_says_what_it_serves(built_site: BuiltSite) -> None:
    text = (built_site.html / "_static/third-party.txt").read_text(encoding="utf8")
    for name in ("MathJax", "Vega", "Vega-Lite", "Vega-Embed"):
        assert re.search(rf"^{name} \d+\.\d+", text, flags=re.MULTILINE)


def all_pages(site: BuiltSite) -> Iterator[str]:
    for path in sorted(site.html.rglob("*.html")):
        relative = path.relative_to(site.html)
        if not relative.parts[0].startswith("_"):
            yield relative.as_posix()


@pytest.mark.browser
def test_search_answers_without_a_network(site_pages: SitePages) -> None:
    page = site_pages.open("search.html?q=surrogate")
    page.wait_for_selector("#search-results li a")
    page.close()
    assert not site_pages.problems, "\n".join(site_pages.problems)


def chart_specs(html: str) -> list[dict[str, Any]]:
    """The Vega-Lite specs on a page, in order: what Altair's inline scripts hand to their function."""
    decoder = json.JSONDecoder()
    return [decoder.raw_decode(html, call.end())[0] for call in re.finditer(r"\}\)\((?=\{)", html)]


def layer_names(spec: dict[str, Any], side: str) -> list[str] | None:
    """The layers along one side of a heatmap, as its data names them; None for another chart."""
    return next((param["value"] for param in spec.get("params", []) if param["name"] == f"layers_{side}"), None)


@pytest.mark.browser
def test_the_heatmaps_are_drawn_cell_by_cell(built_site: BuiltSite, site_pages: SitePages) -> None:
    """One rectangle for each pair of layers that the data names, and every chart has marks and a text alternative."""
    specs = chart_specs(body(built_site, "notebooks/02_spatial_cka"))
    page = site_pages.open("notebooks/02_spatial_cka.html")
    drawn: list[dict[str, Any]] = page.evaluate(DRAWN_CHARTS)
    page.close()
    assert len(drawn) == len(specs) > 0
    heatmaps = 0
    for spec, chart in zip(specs, drawn, strict=True):
        assert chart["marks"] > 0
        assert chart["text"], "a chart without a text alternative"
        rows, columns = layer_names(spec, "a"), layer_names(spec, "b")
        if rows and columns:
            heatmaps += 1
            assert chart["rectangles"] == len(rows) * len(columns)
    assert heatmaps > 0


@pytest.mark.browser
def test_charts_take_the_colour_of_the_page(site_pages: SitePages) -> None:
    """In dark mode no box behind a chart and no dark text on it: what the theme does to other HTML outputs."""
    for scheme in ("light", "dark"):
        page = site_pages.open("notebooks/02_spatial_cka.html", scheme=scheme)
        assert page.evaluate("document.documentElement.dataset.theme") == scheme
        box, ink = page.evaluate(
            """() => {
                const output = document.querySelector('.text_html:has(.vega-embed)');
                const label = output.querySelector('svg text');
                return [getComputedStyle(output).backgroundColor, getComputedStyle(label).fill];
            }"""
        )
        assert box == "rgba(0, 0, 0, 0)"
        brightness = sum(int(part) for part in re.findall(r"\d+", ink)[:3]) / (3 * 255)
        assert (brightness > 0.6) == (scheme == "dark"), ink
        page.close()


def test_the_extension_refuses_versions_that_do_not_meet(monkeypatch: pytest.MonkeyPatch) -> None:
    offline = load_extension()
    monkeypatch.setattr(altair, "SCHEMA_VERSION", "v9.9.9")
    with pytest.raises(Exception, match=r"Vega-Lite 9\.9.*install versions"):
        offline.vega_lite_version()


@pytest.mark.parametrize(("processes", "waiting"), [(2, 0), (3, 0), (4, 2), (8, 2)])
def test_every_process_has_its_share_of_notebooks_before_other_pages(processes: int, waiting: int) -> None:
    extension = load_extension("side_by_side")
    pages = extension.in_order(sorted(chapters()), lambda page: next((REPOSITORY / "book").glob(f"{page}.*")))
    assert set(pages[: len(notebooks())]) == set(notebooks())
    assert set(pages[len(notebooks()) :][:3]) == {"intro", "status", "cost"}, "the others have code"
    dealt = extension.deal(pages, processes)
    assert sorted(dealt) == sorted(pages)
    shares = [[pages.index(page) for page in share] for share in make_chunks(dealt, processes)]
    assert all(share == sorted(share) for share in shares)
    numbers = [sum(pages[place] in notebooks() for place in share) for share in shares]
    assert max(numbers[:processes]) - min(numbers[:processes]) <= 1
    assert sum(map(len, shares[processes:])) == waiting
    assert not any(numbers[processes:]), "no notebook waits for a process"


def test_of_a_few_pages_the_front_page_is_read_last() -> None:
    pages = [f"notebooks/{number}" for number in range(6)] + ["intro"]
    first, waiting = (load_extension("side_by_side").deal(pages, 4)[part] for part in (slice(4), slice(4, None)))
    assert first == pages[:4]
    assert waiting[::-1] == pages[4:], "Sphinx takes the last of those that wait first"


def load_extension(name: str = "offline") -> Any:
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location(name, Path(REPOSITORY) / f"book/_ext/{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.browser
def test_charts_keep_to_their_column_when_the_window_grows(site_pages: SitePages) -> None:
    """The theme's sidebar slides while Vega measures: without help a chart keeps a width it had room for once."""
    page = site_pages.open("notebooks/00_quickstart.html", width=360, height=740)
    page.set_viewport_size({"width": 1600, "height": 900})
    page.wait_for_timeout(1500)  # the slide, then the second measurement
    overflow = page.evaluate(
        """() => [...document.querySelectorAll('.vega-embed')].map(
            chart => chart.querySelector('svg').clientWidth - chart.clientWidth)"""
    )
    page.close()
    assert overflow
    assert max(overflow) <= 0, overflow
