"""Sphinx extension: a notebook that fails ends the build, and the build says what failed.

myst-nb can do that by itself (`nb_execution_raise_on_error`), but where pages are read side by side it then names the
notebook and not its error, and stops at the first. Here all notebooks run, so that what the others trained is kept, and
then the build ends with the errors of those that failed, before it writes a page: a former site stays whole.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from myst_nb.sphinx_ import NbMetadataCollector
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.errors import SphinxError

COLOURS = re.compile(r"\x1b\[[0-9;]*m")  # of a terminal, in which IPython writes a traceback


class NotebooksFailed(SphinxError):
    """Some notebooks failed; the message has the error of each."""

    category = "Notebooks failed"


def stop(app: Sphinx, env: BuildEnvironment) -> None:
    """End the build if a notebook failed. Raises NotebooksFailed."""
    pages: dict[str, list[str]] = {}  # by their error, which many may have in common
    for page in sorted(env.found_docs):
        run = NbMetadataCollector.get_exec_data(env, page)
        if run and not run["succeeded"]:
            error = error_of(run["traceback"] or str(run["error"]))
            pages.setdefault(error, []).append(env.doc2path(page, base=False))
    if pages:
        said = [f"{', '.join(those)}: {error}" for error, those in pages.items()]
        reports = Path(app.outdir) / "reports"
        raise NotebooksFailed("\n".join([*said, f"Cells and tracebacks are in {reports}. No page was written."]))


def error_of(traceback: str) -> str:
    """The last line of a traceback that has a text, which names the error."""
    lines = [line.strip() for line in COLOURS.sub("", traceback).splitlines()]
    return next((line for line in reversed(lines) if line), "no traceback")


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("env-updated", stop)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
