"""Sphinx extension: pages are read side by side, so that a build runs several notebooks at once.

`sphinx-build -j` does this; Jupyter Book 1 has no such option. The cores are shared out among the notebooks. Those that
want the same network or result wait for each other at the store's lock. What sums up all chapters is read last: read
first, the front page alone would train what the chapters show, one network after the other.

`taskset --cpu-list 0 jupyter-book build book/` runs one notebook at a time.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import cycle
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
    """Let Sphinx read the pages side by side, which then writes them so, too."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    at_once = min(AT_MOST, cores)
    if at_once == 1 or len(pages) <= FEW or not parallel_available:
        return
    app.parallel = max(app.parallel, at_once)
    pages[:] = deal(sorted(pages, key=lambda page: (rank(Path(env.doc2path(page))), page)), app.parallel)
    # for the kernels; threads of several notebooks that wait for each other would only be in each other's way
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, cores // app.parallel)))
    for name in UNDECLARED:
        if name in app.extensions:
            app.extensions[name].parallel_read_safe = True
    # Sphinx shows what a process says only once that has read all of its pages
    logger.info("reading pages, and running their notebooks, %d at a time; this may take some minutes", app.parallel)


def rank(page: Path) -> int:
    """What is read first: notebooks, then the book's own pages that show what these have computed, then mere text."""
    return 0 if page.suffix == ".ipynb" else 1 if "{code-cell}" in page.read_text(encoding="utf8") else 2


def deal(pages: Sequence[str], processes: int) -> list[str]:
    """The pages dealt in turn to the processes, each of which reads its share in the order given.

    Sphinx hands out consecutive pages, as many as `make_chunks` says.
    """
    sizes = [len(share) for share in make_chunks(pages, processes)]
    shares: list[list[str]] = [[] for _ in sizes]
    turns = cycle(range(len(shares)))
    for page in pages:
        turn = next(turn for turn in turns if len(shares[turn]) < sizes[turn])
        shares[turn].append(page)
    return [page for share in shares for page in share]


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("env-before-read-docs", share_cores)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
