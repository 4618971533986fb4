"""The front page and the status page: one picture that is drawn from results, citations, what was run and with what."""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import pytest
import xarray as xr
import yaml
from chart_tables import layers, table
from conftest import REPOSITORY, BuiltSite
from site_pages import SitePages
from test_book import body, chart_specs, notebooks

from snnlib import provenance
from snnlib.studies import temporal

INTRO = (REPOSITORY / "book/intro.md").read_text(encoding="utf8")
CITATION = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text(encoding="utf8"))


# ---- how to cite


def entries(text: str) -> dict[str, dict[str, str]]:
    """BibTeX entries by key, each a field a line; braces around a whole value are left out."""
    found = {}
    for kind, key, fields in re.findall(r"^@(\w+)\{(\w+),\n(.*?)^\}", text, flags=re.MULTILINE | re.DOTALL):
        values = re.findall(r"^\s+(\w+)\s*=\s*\{+(.*?)\}+,?$", fields, flags=re.MULTILINE)
        found[key] = {"type": kind, **dict(values)}
    return found


def test_the_paper_is_cited_as_in_the_bibliography_and_in_citation_cff() -> None:
    shown = entries(INTRO)["li2023"]
    assert shown == entries((REPOSITORY / "book/references.bib").read_text(encoding="utf8"))["li2023"]
    (paper,) = CITATION["references"]
    people = " and ".join(f"{author['family-names']}, {author['given-names']}" for author in paper["authors"])
    assert shown == {
        "type": paper["type"],
        "title": paper["title"],
        "author": people,
        "journal": paper["journal"],
        "year": str(paper["year"]),
        "url": paper["url"],
    }


def test_the_book_is_cited_as_in_citation_cff() -> None:
    (author,) = CITATION["authors"]
    config = yaml.safe_load((REPOSITORY / "_config.yml").read_text(encoding="utf8"))
    assert entries(INTRO)["snnlib"] == {
        "type": CITATION["type"],
        "title": CITATION["title"],
        "author": author["name"],
        "version": str(CITATION["version"]),
        "year": config["copyright"],
    }
    assert CITATION["title"].startswith(config["title"])


# ---- the picture


def test_the_picture_shows_the_first_pair_on_all_images_and_only_activations() -> None:
    trained, untrained, shuffled = ({T: table(seed=10 * i + T).expand_dims(group=9) for T in (1, 4)} for i in range(3))
    results = SimpleNamespace(
        concat={T: [cka, cka * 0] for T, cka in trained.items()},
        controls={"shuffled": shuffled, "untrained": untrained, "ceiling, SNN × SNN": {4: trained[4]}},
    )
    found = temporal.maps(results)
    assert list(found) == ["trained", "never trained", "shuffled images"]
    for by_T, given in zip(found.values(), (trained, untrained, shuffled), strict=True):
        for T, cka in by_T.items():
            names = cka.layer_a.values.tolist()
            assert names == cka.layer_b.values.tolist() == [n for n, kind, _ in layers() if kind == "act"]
            xr.testing.assert_equal(cka, given[T].isel(group=0).sel(layer_a=names, layer_b=names))


# ---- versions


def test_versions_are_those_of_what_the_book_asks_for() -> None:
    built = provenance.built_with()
    assert {"torch", "altair", "jupyter-book", "papermill", "xarray"} <= built.keys()
    assert not {"pytest", "ruff", "snnlib"} & built.keys(), "what only tests need builds no site"
    assert {name: version(name) for name in built} == built
    assert built.items() <= provenance.installed().items()


def test_a_copy_further_down_the_path_is_not_the_one_in_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = tmp_path / "altair-0.1.dist-info"
    copy.mkdir()
    (copy / "METADATA").write_text("Metadata-Version: 2.1\nName: altair\nVersion: 0.1\n")
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    assert provenance.installed()["altair"] == provenance.built_with()["altair"] == version("altair") != "0.1"


# ---- the built pages


class Rows(HTMLParser):
    """The rows of all tables of a page, as texts of their cells, and the links in each row."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.links: list[list[str]] = []
        self.inside = False
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.rows.append([])
            self.links.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
            self.inside = True
        elif tag == "a" and self.inside:
            self.links[-1].append(dict(attributes).get("href") or "")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self.inside = False

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.rows[-1][-1] += data.strip()


@pytest.mark.book
def test_the_status_page_has_a_row_and_a_time_for_every_notebook(built_site: BuiltSite) -> None:
    page = Rows(body(built_site, "status"))
    runs = {row[0]: (row, links) for row, links in zip(page.rows, page.links, strict=True) if len(row) == 5}
    for name in notebooks():
        (_, _, _, seconds, state), links = runs[name]
        assert float(seconds) > 0
        assert state == "✅"
        assert links == [f"{name}.html"]


@pytest.mark.book
def test_the_status_page_names_versions_and_commit(built_site: BuiltSite) -> None:
    html = body(built_site, "status")
    rows = [row for row in Rows(html).rows if len(row) == 2]
    for name, found in provenance.built_with().items():
        assert [name, found] in rows
    assert provenance.short(provenance.git_commit()).removesuffix("+changes") in html


@pytest.mark.browser
@pytest.mark.book
def test_the_picture_on_the_front_page_moves_and_says_where_it_comes_from(
    built_site: BuiltSite, site_pages: SitePages
) -> None:
    assert len(chart_specs(body(built_site, "intro"))) == 1, "one picture"
    page = site_pages.open("intro.html")
    title = page.locator(".vega-embed svg .role-title-text")
    assert "ANN, trained, T = 4" in title.text_content(), "the T of the claims"
    slider = page.get_by_label(re.compile("^T:"))
    slider.focus()
    page.keyboard.press("ArrowLeft")
    assert slider.get_attribute("aria-valuetext") == "2"
    page.wait_for_function("document.querySelector('.vega-embed svg').textContent.includes('ANN, trained, T = 2')")
    page.get_by_label("trained", exact=True).focus()
    page.keyboard.press("ArrowDown")
    page.wait_for_function("document.querySelector('.vega-embed svg').textContent.includes('never trained, T = 2')")
    line = page.locator("details.provenance").first
    line.locator("summary").focus()
    page.keyboard.press("Enter")
    assert line.get_by_text("papermill notebooks/04_temporal.ipynb out.ipynb").is_visible()
    page.close()
    assert not site_pages.problems
