"""Sphinx extension: pages are read side by side, so that a build runs several notebooks at once.

`sphinx-build -j` does this; Jupyter Book 1 has no such option. The cores are shared out among the notebooks. Those that
want the same network or result wait for each other at the store's lock. Notebooks are read first: the front page, read
before them, would by itself train what all chapters show, one network after the other.

`taskset --cpu-list 0 jupyter-book build book/` runs one notebook at a time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.parallel import make_chunks, parallel_available

logger = logging.getLogger(__name__)

AT_MOST = 4  # notebooks at once: each may take some gigabytes of memory
FEW = 5  # pages, which Sphinx reads one after the other in any case
# Jupyter Book's own, which do not declare whether this is safe. One numbers chapters once all pages are read; several
# numbered tables of contents, of which this book has one, it would number in any order. The other changes pages singly.
UNDECLARED = ("sphinx_multitoc_numbering", "sphinx_jupyterbook_latex")


def share_cores(app: Sphinx, env: BuildEnvironment, pages: list[str]) -> None:
    """Put the pages in order, and let Sphinx read them side by side, which then writes them so, too."""
    pages[:] = in_order(pages, env.doc2path)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    at_once = min(AT_MOST, cores)
    if at_once == 1 or len(pages) <= FEW or not parallel_available:
        return
    app.parallel = max(app.parallel, at_once)
    pages[:] = deal(pages, app.parallel)
    # for the kernels; threads of several notebooks that wait for each other would only be in each other's way
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, cores // app.parallel)))
    for name in UNDECLARED:
        if name in app.extensions:
            app.extensions[name].parallel_read_safe = True
    # Sphinx shows what a process says only once that has read all of its pages
    logger.info("reading pages, and running their notebooks, %d at a time; this may take some minutes", app.parallel)


def in_order(pages: Iterable[str], path_of: Callable[[str], str]) -> list[str]:
    """Notebooks first, then other pages with code, the front page among them, then those without."""

    def rank(page: str) -> int:
        path = Path(path_of(page))
        if path.suffix == ".ipynb":
            return 0
        return 1 if "{code-cell}" in path.read_text(encoding="utf8") else 2

    return sorted(pages, key=lambda page: (rank(page), page))


def deal(pages: Sequence[str], processes: int) -> list[str]:
    """The pages in turn to each process, as Sphinx reads them: consecutive pages in chunks of one size.

    It starts with as many chunks as there are processes. Of those that wait, it takes the last first.
    """
    size = len(make_chunks(pages, processes)[0])

    def when(place: int) -> tuple[int, int, int]:
        chunk, within = divmod(place, size)
        return (0, within, chunk) if chunk < processes else (1, -chunk, within)

    places = sorted(range(len(pages)), key=when)
    return [page for _, page in sorted(zip(places, pages, strict=True))]


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("env-before-read-docs", share_cores)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
