"""Build the book from notebooks that are executed already: `python build_book.py NOTEBOOKS SITE PLAN [DATA_ROOT]`.

It works on a copy of the book's sources, with the executed notebooks in place of the sources of theirs. Only prose
pages with code, such as the front page, are executed; they are given what the plan gives its chapters. SITE is replaced
as a whole once the build has succeeded. If a page fails, SITE-reports has its traceback.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

from snnlib.entries import whole_folder
from snnlib.sweep import Plan, read_plan

REPOSITORY = Path(__file__).resolve().parents[1]
SOURCES = ("book", "notebooks", "_config.yml", "_toc.yml")
GIVEN = re.compile(r"^given = \{\}", re.MULTILINE)  # where the front page says what its chapters are given


def copy_of_sources(copy: Path, executed: Path, plan: Plan, data_root: Path | None = None) -> None:
    """The book's sources in `copy`, links kept as links, and the executed notebooks among them."""
    for name in SOURCES:
        source = REPOSITORY / name
        if source.is_dir():
            ignored = shutil.ignore_patterns("_build", ".ipynb_checkpoints", "__pycache__")
            shutil.copytree(source, copy / name, symlinks=True, ignore=ignored)
        else:
            shutil.copy2(source, copy / name)
    pages = {path.name for path in (copy / "notebooks").glob("*.ipynb")}
    done = [notebook for notebook in sorted(executed.glob("*.ipynb")) if notebook.name in pages]  # none that is gone
    for notebook in done:
        shutil.copy2(notebook, copy / "notebooks" / notebook.name)
    config = yaml.safe_load((copy / "_config.yml").read_text(encoding="utf8"))
    config["execute"]["exclude_patterns"] = [f"notebooks/{notebook.name}" for notebook in done]
    (copy / "_config.yml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf8")
    given = plan.given(data_root)
    for page in (copy / "book").glob("*.md"):
        text = page.read_text(encoding="utf8")
        if GIVEN.search(text):
            page.write_text(GIVEN.sub(lambda _: f"given = {given!r}", text), encoding="utf8")


def main() -> int:
    executed, site, plan, *data_root = (Path(argument).resolve() for argument in sys.argv[1:5])
    with tempfile.TemporaryDirectory(prefix="book-") as folder:
        copy = Path(folder)
        copy_of_sources(copy, executed, read_plan(plan), *data_root)
        program = Path(sys.executable).parent / "jupyter-book"
        command = [str(program), "build", "book/", "--all", "-W", "--keep-going"]
        done = subprocess.run(command, cwd=copy, check=False)
        built, reports = copy / "book" / "_build" / "html", site.with_name(f"{site.name}-reports")
        site.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(reports, ignore_errors=True)
        if done.returncode == 0:
            with whole_folder(site, site.parent) as whole:
                shutil.copytree(built, whole, dirs_exist_ok=True)
        elif (built / "reports").is_dir():
            shutil.copytree(built / "reports", reports)
            print(f"The tracebacks are kept in {reports}.", file=sys.stderr)
        return done.returncode


if __name__ == "__main__":
    raise SystemExit(main())
