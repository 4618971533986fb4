"""Sphinx extension: a notebook that fails ends the build, and the build says what failed.

myst-nb can do that by itself (`nb_execution_raise_on_error`), but where pages are read side by side it then names the
notebook and not its error, and stops at the first; a kernel that dies, as of too little memory, always stops it, and is
not even named. Here all notebooks run, so that what the others trained is kept, and then the build ends with the errors
of those that failed, before it writes a page: a former site stays whole.
"""

from __future__ import annotations

import re
import shutil
import textwrap
from collections.abc import Callable
from pathlib import Path
from traceback import format_exception
from typing import Any

from jupyter_cache.executors.utils import ExecutionResult
from myst_nb.core.execute import direct
from myst_nb.sphinx_ import NbMetadataCollector
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.errors import SphinxError

COLOURS = re.compile(r"\x1b\[[0-9;]*m")  # of a terminal, in which IPython writes a traceback
ERROR = re.compile(r"[A-Za-z_][\w.]*: .*|[A-Za-z_][\w.]*(Error|Exception|Exit|Interrupt|Warning)")


class NotebooksFailed(SphinxError):
    """Some notebooks failed; the message has the error of each."""

    category = "Notebooks failed"


def stop(app: Sphinx, env: BuildEnvironment) -> None:
    """End the build if a notebook failed. Raises NotebooksFailed."""
    pages: dict[str, list[str]] = {}  # by their error, which many may have in common
    for page in sorted(env.found_docs):
        run = NbMetadataCollector.get_exec_data(env, page)
        if run and not run["succeeded"]:
            error = error_of(run["traceback"] or "") or str(run["error"])
            pages.setdefault(error, []).append(env.doc2path(page, base=False))
    reports = Path(app.outdir) / "reports"  # myst-nb writes tracebacks there
    if pages:
        said = [f"{', '.join(those)}: {error}" for error, those in pages.items()]
        raise NotebooksFailed("\n".join([*said, f"Cells and tracebacks are in {reports}. No page was written."]))
    shutil.rmtree(reports, ignore_errors=True)  # of a former build: no part of a site


def error_of(traceback: str) -> str:
    """The error at the end of a traceback, in one line; "" where none is named there."""
    lines = COLOURS.sub("", traceback).splitlines()
    begin = next((i for i in reversed(range(len(lines))) if ERROR.fullmatch(lines[i])), len(lines))
    return textwrap.shorten(" ".join(lines[begin:]), 500, placeholder=" …")


def surviving(execute: Callable[..., ExecutionResult]) -> Callable[..., ExecutionResult]:
    """The same, and a kernel that dies, or does not start, is an error of its notebook like any other."""

    def run(notebook: Any, *arguments: Any, **options: Any) -> ExecutionResult:
        try:
            return execute(notebook, *arguments, **options)
        except RuntimeError as error:  # nbclient's DeadKernelError is one
            return ExecutionResult(notebook, options.get("cwd"), 0.0, error, "".join(format_exception(error)))

    return run


def setup(app: Sphinx) -> dict[str, Any]:
    direct.single_nb_execution = surviving(direct.single_nb_execution)
    app.connect("env-updated", stop)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
