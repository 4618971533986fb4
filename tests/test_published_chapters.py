"""The chapters on published results: on a machine without data, store and network they show them, and compute none."""

from __future__ import annotations

import pytest
from conftest import REPOSITORY
from test_notebooks import NO_NETWORK, papermill, text  # noqa: F401 -- a fixture

from snnlib import sweep

QUICKSTART = "00_quickstart"  # always under `quick`; the others train too much for anybody who only wants to read
ON_PUBLISHED = [
    name for name, (parameters, _) in sweep.CHAPTERS.items() if name == QUICKSTART or parameters().preset != "quick"
]


@pytest.mark.slow
@pytest.mark.parametrize("chapter", ON_PUBLISHED)
def test_a_chapter_needs_neither_data_nor_work(papermill, tmp_path, chapter: str) -> None:  # noqa: F811
    cache, data = tmp_path / "cache", tmp_path / "data"
    data.mkdir()
    notebook = REPOSITORY / "notebooks" / f"{chapter}.ipynb"
    done, out = papermill(notebook, cache=cache, SNNLIB_DATA=str(data), **NO_NETWORK)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "**Protocol:**" in text(out)
    made = [folder.name for folder in (cache / "entries").glob("*")]
    assert not made, "not published"
