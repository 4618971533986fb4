"""What holds for the repository as a whole: sources without outputs, one set of versions, imports that point down."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import yaml
from conftest import REPOSITORY, repository_files
from test_environment import project

import snnlib

NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))
GUIDES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "book").glob("*.md"))]

# snnlib's rooms from the ground up: each imports only from rooms before it.
ROOMS = (
    "spec",
    "kernels",
    "memory",
    "devices",
    "neurons",
    "models",
    "data",
    "provenance",
    "training",
    "layers",
    "loaders",
    "calls",
    "recording",
    "similarity",
    "attacks",
    "experiments",
    "entries",
    "shelves",
    "workers",
    "team",
    "working",
    "store",
    "publish",
    "intervals",
    "evidence",
    "series",
    "tables",
    "claims",
    "measurements",
    "charts",
    "fields",
    "parameters",
    "words",
    "candidates",
    "run",
    "studies",
    "explorer",
    "ledger",
    "figures",
    "sweep",
    "notebook",
    "terminal",
    "cli_store",
    "cli",
    "__main__",
)


# ---- notebooks


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_a_source(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in code), "clear the outputs before committing"
    tagged = [cell for cell in code if "parameters" in cell.metadata.get("tags", [])]
    assert len(tagged) == 1, "papermill needs exactly one cell tagged `parameters`"
    assert notebook.metadata.kernelspec.name == "python3", "a kernel that only your machine has"


def parameters_of(path: Path) -> set[str]:
    """Names assigned in the notebook's parameters cell."""
    notebook = nbformat.read(path, as_version=4)
    source = next(cell.source for cell in notebook.cells if "parameters" in cell.metadata.get("tags", []))
    nodes = ast.walk(ast.parse(source))
    return {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


# ---- the house


def modules() -> list[tuple[str, Path]]:
    """(room, file) of all of snnlib except the package's own __init__."""
    package = REPOSITORY / "snnlib"
    files = [path for path in sorted(package.rglob("*.py")) if path != package / "__init__.py"]
    return [(path.relative_to(package).parts[0].removesuffix(".py"), path) for path in files]


def imported(path: Path) -> set[str]:
    """Full names a file imports, wherever in it and even if only for types, such as "snnlib.spec" or "torch"."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            package = path.relative_to(REPOSITORY).with_suffix("").parts[: -node.level] if node.level else ()
            base = ".".join([*package, *([node.module] if node.module else [])])
            names |= {f"{base}.{alias.name}" for alias in node.names}
    return names


def rooms_imported(path: Path) -> set[str]:
    return {name.split(".")[1] for name in imported(path) if name.startswith("snnlib.")} - {"__version__"}


@pytest.mark.parametrize(
    ("room", "path"), modules(), ids=lambda value: value.stem if isinstance(value, Path) else value
)
def test_imports_point_downwards(room: str, path: Path) -> None:
    assert room in ROOMS, f"{room} is a new room: give it its place in ROOMS"
    allowed = set(ROOMS[: ROOMS.index(room) + 1])
    upwards = rooms_imported(path) - allowed
    assert not upwards, f"{room} imports {', '.join(sorted(upwards))}, which stand above it"


def test_every_room_is_an_attribute_of_its_package() -> None:
    """All but the command line, which is a program."""
    rooms = set(ROOMS) - {"cli", "cli_store", "terminal", "__main__"}
    assert rooms <= set(snnlib.__all__)
    parts = {path.stem for path in (REPOSITORY / "snnlib/data").glob("*.py")} - {"__init__"}
    assert parts <= set(snnlib.data.__all__)


def test_charts_need_no_torch() -> None:
    """A page of charts is drawn from stored results, on machines that cannot train."""
    code = "import sys, snnlib.charts; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY).returncode == 0


def test_links_of_the_book_resolve_inside_the_repository() -> None:
    for name in ("_config.yml", "_toc.yml", "notebooks"):
        link = REPOSITORY / "book" / name
        assert link.is_symlink()
        target = os.readlink(link)
        assert not os.path.isabs(target)
        assert link.resolve() == (REPOSITORY / name).resolve()
        assert link.exists()


def test_no_tracked_file_names_a_place_on_one_machine() -> None:
    homes = re.compile(r"(?<![\w.~])/(?:home|Users|root|work|tmp)/[\w.]|[A-Z]:\\\\?Users")
    found = []
    for path in repository_files():
        if (REPOSITORY / path).is_symlink() or path.suffix in {".png", ".npz", ".nc", ".safetensors"}:
            continue
        for number, line in enumerate((REPOSITORY / path).read_text(encoding="utf8").splitlines(), start=1):
            if homes.search(line):
                found.append(f"{path}:{number}: {line.strip()[:100]}")
    assert not found, "\n".join(found)


# ---- what the guides tell people to type


def commands(program: str) -> list[str]:
    """Lines of README and book pages that start with a program's name, in fenced blocks, without comments."""
    lines: list[str] = []
    for path in GUIDES:
        for block in re.findall(
            r"^```bash\n(.*?)^```", path.read_text(encoding="utf8"), flags=re.MULTILINE | re.DOTALL
        ):
            lines += [line.split(" #")[0].strip() for line in block.splitlines() if line.startswith(f"{program} ")]
    return lines


def targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):", (REPOSITORY / "Makefile").read_text(encoding="utf8"), flags=re.MULTILINE))


def test_make_has_every_target_that_is_named() -> None:
    named = {line.split()[1] for line in commands("make")}
    named |= set(re.findall(r"^make (\w+)$", (REPOSITORY / ".ci/run").read_text(encoding="utf8"), flags=re.MULTILINE))
    assert {"book", "serve", "test", "lint"} <= named
    assert named <= targets()


def test_make_help_lists_every_target() -> None:
    listing = subprocess.run(["make", "help"], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    assert set(re.findall(r"^make (\w+)", listing, flags=re.MULTILINE)) == targets()


def test_papermill_lines_name_notebooks_and_parameters_that_exist() -> None:
    lines = commands("papermill")
    assert lines
    for line in lines:
        notebook = REPOSITORY / line.split()[1]
        assert notebook.exists(), line
        assert set(re.findall(r"-p (\w+)", line)) <= parameters_of(notebook), line


def test_snnlib_has_every_command_that_is_named() -> None:
    program = shutil.which("snnlib", path=str(Path(sys.executable).parent))
    assert program, "snnlib is not installed beside this Python: pip install -e '.[test]'"
    plain = {**os.environ, "NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "200"}

    def command(line: str) -> tuple[str, ...]:
        words = line.split()[1:]
        return tuple(words[: 2 if words[0] == "store" else 1])  # `store` has commands of its own

    for name in sorted({command(line) for line in commands("snnlib")}):
        answer = subprocess.run([program, *name, "--help"], env=plain, capture_output=True, text=True)
        assert answer.returncode == 0, f"snnlib {name}: {answer.stderr}"
        lines = [line for line in commands("snnlib") if command(line) == name]
        options = set(re.findall(r" (--[\w-]+)", " ".join(lines)))
        assert options <= set(re.findall(r"--[\w-]+", answer.stdout)), name


def test_ci_script_is_executable_and_sound() -> None:
    script = REPOSITORY / ".ci/run"
    assert os.access(script, os.X_OK)
    assert subprocess.run(["bash", "-n", script]).returncode == 0


# ---- citation


def test_citation_names_this_project_and_the_paper() -> None:
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text(encoding="utf8"))
    assert str(citation["cff-version"]) == "1.2.0"
    assert {"message", "title", "authors", "version", "license", "references"} <= citation.keys()
    assert str(citation["version"]) == project()["version"]
    assert citation["license"] == project()["license"] == "MIT"
    (paper,) = citation["references"]
    assert paper["type"] == "article"
    assert [author["family-names"] for author in paper["authors"]] == ["Li", "Kim", "Park", "Panda"]
    bibliography = (REPOSITORY / "book/references.bib").read_text(encoding="utf8")
    assert paper["title"] in bibliography
    assert paper["url"] in bibliography


def test_version_is_the_same_everywhere() -> None:
    declared = re.search(r'^__version__ = "(.+)"$', (REPOSITORY / "snnlib/__init__.py").read_text(), flags=re.MULTILINE)
    assert declared
    assert declared[1] == project()["version"]


def test_the_bibliography_has_what_is_cited_and_nothing_else() -> None:
    bibliography = (REPOSITORY / "book/references.bib").read_text(encoding="utf8")
    keys = re.findall(r"^@\w+\{([\w-]+),", bibliography, flags=re.MULTILINE)
    assert len(keys) == len(set(keys))
    text = "\n".join(path.read_text(encoding="utf8") for path in [*GUIDES, *NOTEBOOKS])
    cited = {key.strip() for group in re.findall(r"\{cite[:\w]*\}`([^`]+)`", text) for key in group.split(",")}
    assert cited == set(keys)
