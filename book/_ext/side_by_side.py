"""Sphinx extension: pages are read side by side, so that a build runs several notebooks at once.

`sphinx-build -j` does this; Jupyter Book 1 has no such option. The cores are shared out among the notebooks. Those that
want the same network or result wait for each other at the store's lock.
"""

from __future__ import annotations

import os
from typing import Any

from sphinx.application import Sphinx
from sphinx.util import logging

logger = logging.getLogger(__name__)

AT_MOST = 4  # notebooks at once: each may take some gigabytes of memory
# Jupyter Book's own, which do not declare whether this is safe: one numbers chapters once all pages are read, the other
# changes pages for LaTeX only.
UNDECLARED = ("sphinx_multitoc_numbering", "sphinx_jupyterbook_latex")


def share_cores(app: Sphinx) -> None:
    cores = os.cpu_count() or 1
    app.parallel = max(app.parallel, min(AT_MOST, cores))
    # for the kernels; threads of several notebooks that wait for each other would only be in each other's way
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, cores // app.parallel)))
    for name in UNDECLARED:
        if name in app.extensions:
            app.extensions[name].parallel_read_safe = True


def say_so(app: Sphinx, *_: object) -> None:
    # Sphinx shows what a process says only once that has read all of its pages
    logger.info("reading pages, and running their notebooks, %d at a time; this may take some minutes", app.parallel)


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("builder-inited", share_cores)
    app.connect("env-before-read-docs", say_so)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
