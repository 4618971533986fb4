"""A notebook that fails: the build ends, says why, and leaves the former site as it is."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
import yaml
from conftest import REPOSITORY
from test_book import load_extension


@pytest.fixture
def build(tmp_path: Path) -> Callable:
    """Builds a book of notebooks that consist of one cell each; several processes read where there are many."""
    book, site = tmp_path / "book", tmp_path / "html"
    book.mkdir()
    (book / "conf.py").write_text(
        f"import sys\nsys.path.insert(0, {str(REPOSITORY / 'book/_ext')!r})\n"
        "extensions = ['myst_nb', 'failures']\nnb_execution_mode = 'force'\nroot_doc = 'page0'\n",
        encoding="utf8",
    )

    def run(cells: list[str]) -> tuple[subprocess.CompletedProcess, Path]:
        for number, code in enumerate(cells):
            notebook = nbformat.v4.new_notebook(
                metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}}
            )
            notebook.cells = [nbformat.v4.new_markdown_cell("# A title"), nbformat.v4.new_code_cell(code)]
            nbformat.write(notebook, book / f"page{number}.ipynb")
        command = [sys.executable, "-m", "sphinx", "-j", "2", "-b", "html", str(book), str(site)]
        return subprocess.run(command, capture_output=True, text=True, check=False), site

    return run


@pytest.mark.slow
@pytest.mark.parametrize("many", [3, 6])  # Sphinx reads 6 side by side
def test_the_build_ends_with_the_errors_and_the_former_site_stays(build: Callable, many: int) -> None:
    fine, site = build(["print(6 * 7)"] * many)
    assert fine.returncode == 0, fine.stderr
    former = {path: path.read_bytes() for path in site.rglob("*.html")}
    assert former

    wrong, dies = "raise ValueError('a = 1: give 2')", "import os; os._exit(1)"
    bad, _ = build([wrong, wrong, dies] + ["print(6 * 9)"] * (many - 3))
    assert bad.returncode != 0
    assert "page0.ipynb, page1.ipynb: ValueError: a = 1: give 2" in bad.stderr
    assert re.search(r"page2\.ipynb: \S*DeadKernelError: Kernel died", bad.stderr), bad.stderr
    assert "ValueError" in (site / "reports/page0.err.log").read_text(encoding="utf8")
    assert {path: path.read_bytes() for path in site.rglob("*.html")} == former

    mended, _ = build(["print(6 * 7)"] * many)
    assert mended.returncode == 0, mended.stderr
    assert not (site / "reports").exists()


@pytest.mark.parametrize(
    ("end", "said"),
    [
        ("\x1b[31mSpecError\x1b[39m: T = 0; give 1 or more\n\n", "SpecError: T = 0; give 1 or more"),
        ("RuntimeError: in loading:\n\tsize mismatch for fc: 3\n", "RuntimeError: in loading: size mismatch for fc: 3"),
        ("spec.ValidationError: 1 error\nwidth\n  See: https://x", "spec.ValidationError: 1 error width See: https://x"),
        ("KeyboardInterrupt\n", "KeyboardInterrupt"),
        ("------\n", ""),
    ],
)  # fmt: skip
def test_the_error_is_what_a_traceback_ends_with(end: str, said: str) -> None:
    assert load_extension("failures").error_of(f"Traceback\n  a cell: 1\n---> 1 f(x: y)\n\n{end}") == said


def test_the_book_has_the_extension() -> None:
    config = yaml.safe_load((REPOSITORY / "_config.yml").read_text(encoding="utf8"))
    assert "failures" in config["sphinx"]["local_extensions"]
    assert "failures" in config["sphinx"]["config"]["extensions"]
    assert not config["execute"].get("allow_errors"), "a cell that fails would pass"
