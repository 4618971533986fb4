"""The lines under the figures of the built site: one a figure, with the checksums that the store's files have."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from conftest import REPOSITORY, BuiltSite
from page_sources import drawing_cells, read_cells
from site_pages import SitePages
from test_book import body, notebooks

pytestmark = pytest.mark.book

LINE = '<details class="provenance">'
ROW = re.compile(r"<tr><td><code>([\w.-]+-[0-9a-f]{12})</code></td><td><code>([0-9a-f]{12})</code></td>")


@pytest.mark.parametrize("page", notebooks())
def test_every_figure_on_a_page_has_its_line_and_the_command_of_its_notebook(built_site: BuiltSite, page: str) -> None:
    lines = body(built_site, page).split(LINE)[1:]
    assert len(lines) >= len(drawing_cells(read_cells(REPOSITORY / f"{page}.ipynb"))) > 0
    for text in lines:
        assert f">papermill {page}.ipynb out.ipynb<" in text.split("</details>")[0]


def test_checksums_on_the_pages_are_those_of_the_store(built_site: BuiltSite, session_cache: Path) -> None:
    shown = {found for page in ["intro", *notebooks()] for found in ROW.findall(body(built_site, page))}
    kinds = {".safetensors": 0, ".nc": 0}
    for name, digest in shown:
        folders = (REPOSITORY / "published" / name, session_cache / "entries" / name)
        lines = [
            line for folder in folders if folder.is_dir() for line in (folder / "SHA256SUMS").read_text().splitlines()
        ]
        (file,) = {line.split("  ")[1] for line in lines if line.startswith(digest)}
        kinds[Path(file).suffix] += 1
    assert all(kinds.values()), "networks and results"


@pytest.mark.browser
def test_unfolded_lines_fit_a_phone(site_pages: SitePages) -> None:
    page = site_pages.open("notebooks/02_spatial_cka.html", width=360, height=740)
    page.evaluate("document.querySelectorAll('details.provenance').forEach(line => { line.open = true; })")
    excess = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    ends = page.eval_on_selector_all(
        "details.provenance td", "cells => cells.map(cell => cell.getBoundingClientRect().right)"
    )
    page.close()
    assert excess <= 0
    assert 0 < max(ends) <= 360
