"""The workflow on the whole of the preset `quick`, from an empty store, as the guide has it typed."""

import shutil
import subprocess
import sys

import nbformat
import pytest
from conftest import ALL_CORES, REPOSITORY
from test_workflow import jobs

from snnlib import sweep

pytest.importorskip("snakemake", reason="needs the extra `sweep`")
PAGES = sorted(path.stem for path in (REPOSITORY / "notebooks").glob("*.ipynb"))
LOST = "cka-moving-digits-resnet20-snn-T4-w0.5-e10-s1-x-"


@pytest.fixture
def snakemake(tmp_path):
    """Runs `snakemake --cores 2` in the repository, on an empty store, without what is published."""
    cleared = {key: value for key, value in ALL_CORES.items() if key != "SNNLIB_DATA"}
    environment = {**cleared, "SNNLIB_CACHE": str(tmp_path / "cache"), "SNNLIB_PUBLISHED": str(tmp_path / "none")}

    def run(*arguments):
        command = [sys.executable, "-m", "snakemake", "--cores", "2", *arguments]
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        done = subprocess.run(command, cwd=REPOSITORY, env=environment, timeout=3600, **streams, check=False)
        assert done.returncode == 0, done.stdout[-6000:]
        return done.stdout

    return run


@pytest.mark.whole
def test_the_preset_quick_from_an_empty_store(snakemake, tmp_path):
    made, done = tmp_path / "cache" / "entries", tmp_path / "cache" / "sweep" / "quick"
    plan = sweep.read_plan(sweep.plan_file("quick"))

    said = snakemake()
    assert jobs(said) | {"compare": 0, "total": 0} == {
        "all": 1,
        "book": 1,
        "compare": 0,
        "notebook": len(PAGES),
        "total": 0,
        "train": len(plan.networks),
    }
    names = {path.name for path in made.iterdir()}
    assert len(names) == len(plan.networks) + len(plan.results)
    for page in PAGES:
        cells = [cell for cell in nbformat.read(done / "notebooks" / f"{page}.ipynb", 4).cells if cell.source.strip()]
        code = [cell for cell in cells if cell.cell_type == "code"]
        assert all(cell.execution_count for cell in code), f"all of {page} was executed"
        assert (done / "book" / "notebooks" / f"{page}.html").exists()
    front = (done / "book" / "intro.html").read_text(encoding="utf8")
    assert all(f"C{claim}" in front for claim in range(1, 9))

    assert "Nothing to be done" in snakemake()

    (lost,) = [name for name in names if name.startswith(LOST)]
    shutil.rmtree(made / lost)
    said = snakemake()
    assert jobs(said) == {"all": 1, "book": 1, "compare": 1, "notebook": 1, "total": 4}
    assert {path.name for path in made.iterdir()} == names
