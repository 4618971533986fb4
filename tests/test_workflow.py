"""The workflow on a few small networks, as a real process: all from nothing, after a kill, after a loss."""

import importlib.util
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import psutil
import pytest
import yaml
from conftest import REPOSITORY
from sweep_costs import write_speeds

from snnlib import build_model, sweep
from snnlib.sweep.costs import BASE

pytest.importorskip("snakemake", reason="needs the extra `sweep`")
CHAPTER = "01_training"
SMALL = {"epochs": 3, "width": 0.25, "T": 2, "n_images": 32}
NOTEBOOK = [
    "# Parameters\npreset = 'quick'\ndata_root = None\nT = None\nwidth = None\nepochs = None\nn_images = None",
    "from snnlib.notebook import begin, protocol\nrun = begin(globals())\nprotocol(run)",
    "pair = run.network(spiking=True, seed=0), run.network(spiking=False, seed=1)",
    "print('CKA of', *run.compare(*pair).shape)",
]


@pytest.fixture(scope="module")
def workflow(tmp_path_factory):
    """A repository with one page, its list, and a store; `run` starts the workflow there."""
    root = tmp_path_factory.mktemp("work flow")
    for name in ("workflow", "book"):
        ignored = shutil.ignore_patterns("_build", "__pycache__", "*.md", "notebooks", "_toc.yml")
        shutil.copytree(REPOSITORY / name, root / name, symlinks=True, ignore=ignored)
    shutil.copy(REPOSITORY / "_config.yml", root / "_config.yml")
    (root / "_toc.yml").write_text(f"format: jb-book\nroot: intro\nchapters:\n- file: notebooks/{CHAPTER}\n")
    for name in ("notebooks", "_toc.yml"):
        (root / "book" / name).symlink_to(Path("..") / name)
    (root / "book" / "intro.md").write_text("# A book of one chapter\n\nIt has one chapter.\n")
    (root / "notebooks").mkdir()
    (root / "no images").mkdir()
    page = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# A chapter")])
    page.cells += [nbformat.v4.new_code_cell(source) for source in NOTEBOOK]
    page.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    page.cells[1].metadata["tags"] = ["parameters"]
    nbformat.write(page, root / "notebooks" / f"{CHAPTER}.ipynb")

    plan = yaml.safe_load(sweep.plan_text("quick", sweep.listing("quick", [CHAPTER], **SMALL), SMALL))
    names = [entry["name"] for entry in plan["networks"]]
    compared = {"kind": "CompareSpec", "a": names[0], "b": names[3], "n_images": 32, "chapters": [CHAPTER]}
    plan["results"].append(compared)
    assert (plan["networks"][0]["model"], plan["networks"][3].get("seed")) == ({"T": 2, "width": 0.25}, 1)
    (root / "list.yaml").write_text(yaml.safe_dump(plan, sort_keys=False))

    write_speeds(root / "cache", "some-machine")
    return Workflow(root)


class Workflow:
    def __init__(self, root):
        self.root, self.cache = root, root / "cache"
        self.site = self.cache / "sweep" / "list" / "book"
        cleared = {key: value for key, value in os.environ.items() if key != "SNNLIB_DATA"}
        self.environment = {**cleared, "SNNLIB_CACHE": str(self.cache), "SNNLIB_PUBLISHED": str(root / "none")}

    def start(self, *arguments, cores=2, **config):
        command = [sys.executable, "-m", "snakemake", "--cores", str(cores), *arguments]
        config = {"preset": self.root / "list.yaml", "machine": "some-machine", **config}
        command += ["--config", *(f"{name}={value}" for name, value in config.items())]
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        return subprocess.Popen(command, cwd=self.root, env=self.environment, **streams)

    def run(self, *arguments, **config):
        process = self.start(*arguments, **config)
        said, _ = process.communicate(timeout=600)
        assert process.returncode == 0, said[-6000:]
        return said

    def entries(self):
        return {path.name for path in (self.cache / "entries").iterdir()}


def shown(said):
    """Group of a job -> what a dry run says of it, line by line and resource by resource."""
    found = {}
    for block in said.split("\n\n"):
        lines = dict(re.findall(r"^ *(\w[\w ]*): (.+)$", block, flags=re.MULTILINE))
        kind, _, group = lines.get("wildcards", "").partition("=")
        if kind == "group":
            found[group] = lines | dict(re.findall(r"(\w+)=(\w+)", lines["resources"]))
    return found


def test_jobs_ask_for_what_their_processes_take_and_follow_the_list(workflow):
    listed = [entry["name"] for entry in yaml.safe_load((workflow.root / "list.yaml").read_text())["networks"]]
    one = shown(workflow.run("--dry-run"))
    by_worth = sorted(one, key=lambda name: -int(one[name]["priority"]))
    assert [name.rpartition("-")[0] for name in by_worth[:4]] == listed
    assert all(name.startswith("compare-") for name in by_worth[4:])
    assert not (workflow.cache / "entries").exists()

    four = shown(workflow.run("--dry-run", cores=16, gpus=4, threads=3))
    network, compared = by_worth[0], by_worth[-1]
    assert (four[network]["gpu"], four[network]["threads"]) == ("4", "12")
    assert (four[compared]["gpu"], four[compared]["threads"]) == ("1", "3")
    weights = sum(p.numel() for p in build_model("resnet20", spiking=True, T=2, width=0.25, in_channels=1).parameters())
    for_itself = 1.25 * (BASE + 3 * 4 * weights) / 2**20  # with gradients and momenta, in float32
    assert int(four[network]["mem_mb"]) == pytest.approx(int(one[network]["mem_mb"]) + 3 * for_itself, abs=2)
    assert four[compared]["mem_mb"] == one[compared]["mem_mb"]
    # of some chapters there is no book
    other = workflow.root / "notebooks" / "02_other.ipynb"
    shutil.copy(workflow.root / "notebooks" / f"{CHAPTER}.ipynb", other)
    assert "rule book:" not in workflow.run("--dry-run", chapters=CHAPTER)
    other.unlink()
    # a page of which the list has nothing would train
    other = workflow.root / "notebooks" / "02_spatial_cka.ipynb"
    shutil.copy(workflow.root / "notebooks" / f"{CHAPTER}.ipynb", other)
    said = workflow.run("--dry-run")
    assert "list.yaml has nothing of 02_spatial_cka" in said
    assert jobs(said) == {"all": 1, "compare": 2, "notebook": 1, "train": 4, "total": 8}
    other.unlink()
    # a page is drawn again where the code that draws it is newer
    said = workflow.run("--dry-run")
    for rule in ("notebook", "book"):
        (inputs,) = re.findall(rf"^(?:local)?rule {rule}:\n +input: (.+)$", said, re.M)
        assert str(REPOSITORY / "snnlib" / "ledger.py") in inputs
    words = shlex.split(four[network]["Shell command"])
    assert words[:7] == [
        "OMP_NUM_THREADS=3",
        "MKL_NUM_THREADS=3",
        "snnlib",
        "sweep",
        "--preset",
        str(workflow.root / "list.yaml"),
        "--devices",
    ]
    assert words[7:] == ["4", "--only", network]


def jobs(said):
    """Rule -> jobs, from the table that Snakemake shows first."""
    table = said.split("Job stats:")[1].split("\n\n")[0]
    return {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", table, flags=re.MULTILINE)}


@pytest.mark.slow
def test_the_whole_workflow(workflow):
    # all of it, from an empty store; a training is killed on the way
    process = workflow.start(data_root=workflow.root / "no images")
    killed = kill_a_training_after_its_first_epoch(process, workflow)
    said, _ = process.communicate(timeout=600)
    assert process.returncode == 0, said[-6000:]
    assert jobs(said) == {"all": 1, "book": 1, "compare": 2, "notebook": 1, "train": 4, "total": 9}
    assert "going on after epoch" in said, "the killed training went on from its checkpoint"
    made = workflow.entries()
    assert len(made) == 6
    assert killed in made
    page = (workflow.site / "notebooks" / f"{CHAPTER}.html").read_text()
    assert "CKA of" in page
    assert "3 epochs" in page, "executed with the parameters of the list"

    # again: nothing
    ages = {path: path.stat().st_mtime_ns for path in workflow.site.rglob("*.html")}
    assert "Nothing to be done" in workflow.run()
    assert {path: path.stat().st_mtime_ns for path in workflow.site.rglob("*.html")} == ages

    # with other parameters, though they ask for the same networks: the notebook, until it was executed with them
    listed = workflow.root / "list.yaml"
    written = listed.read_text()
    listed.write_text(yaml.safe_dump(yaml.safe_load(written) | {"parameters": SMALL | {"seeds": [0, 1]}}))
    for _ in range(2):
        assert jobs(workflow.run("--dry-run")) == {"all": 1, "book": 1, "notebook": 1, "total": 3}
    listed.write_text(written)
    workflow.run("--touch")

    # with another page of prose: the book, and while that does not build, the one before
    intro = workflow.root / "book" / "intro.md"
    written = intro.read_text()
    intro.write_text(f"{written}\nSee {{doc}}`a page that is nowhere`.\n")
    assert jobs(workflow.run("--dry-run")) == {"all": 1, "book": 1, "total": 2}
    process = workflow.start()
    assert "a page that is nowhere" in process.communicate(timeout=600)[0]
    assert process.returncode == 1
    assert {path: path.stat().st_mtime_ns for path in workflow.site.rglob("*.html")} == ages
    intro.write_text(f"{written}\nAnother sentence.\n")

    # without one result: what hangs on it
    (lost,) = [name for name in made if name.startswith("cka-")]
    shutil.rmtree(workflow.cache / "entries" / lost)
    said = workflow.run()
    assert jobs(said) == {"all": 1, "book": 1, "compare": 1, "notebook": 1, "total": 4}
    assert workflow.entries() == made

    # without a network that nothing is compared with: that network, and what shows it
    (lost,) = [name for name in made if name.startswith("digits-resnet20-ann-w0.25-e3-s0-")]
    shutil.rmtree(workflow.cache / "entries" / lost)
    said = workflow.run("--dry-run")
    assert jobs(said) == {"all": 1, "book": 1, "notebook": 1, "train": 1, "total": 4}

    # while that cannot be trained: what does not hang on it, all the same
    (other,) = [name for name in made if name.startswith("cka-")]
    shutil.rmtree(workflow.cache / "entries" / other)
    (workflow.cache / "working" / lost).write_text("where its checkpoint would go")
    process = workflow.start()
    said = process.communicate(timeout=600)[0]
    assert process.returncode == 1
    assert said.count(f"{lost} failed") == 3, "it was tried again"
    assert workflow.entries() == made - {lost}


def kill_a_training_after_its_first_epoch(process, workflow):
    """`kill -9` of the process behind the first checkpoint; returns the name of the network."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and process.poll() is None:
        for checkpoint in workflow.cache.glob("working/*/checkpoint.pt"):
            name = checkpoint.parent.name
            for child in psutil.Process(process.pid).children(recursive=True):
                if name in child.cmdline() and "sweep" in child.cmdline():
                    child.send_signal(signal.SIGKILL)
                    return name
        time.sleep(0.05)
    raise AssertionError(f"no training was caught at work: {process.communicate()[0][-3000:]}")


def test_the_workflow_gives_its_parameters_to_the_front_page(tmp_path) -> None:
    spec = importlib.util.spec_from_file_location("build_book", REPOSITORY / "workflow" / "build_book.py")
    build_book = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build_book)
    executed = tmp_path / "executed"
    executed.mkdir()
    shutil.copy2(REPOSITORY / "notebooks" / "04_temporal.ipynb", executed)
    shutil.copy2(REPOSITORY / "notebooks" / "04_temporal.ipynb", executed / "of_a_page_that_is_gone.ipynb")
    plan = sweep.Plan("paper", {"seeds": [0, 1]}, {}, [], [])
    build_book.copy_of_sources(tmp_path / "copy", executed, plan, Path("/some where"))
    pages = {path.name for path in (tmp_path / "copy" / "notebooks").glob("*.ipynb")}
    assert pages == {path.name for path in (REPOSITORY / "notebooks").glob("*.ipynb")}
    page = (tmp_path / "copy" / "book" / "intro.md").read_text(encoding="utf8")
    assert "\ngiven = {'preset': 'paper', 'seeds': [0, 1], 'data_root': '/some where'}" in page
    assert page.count("given = {") == 1
    assert "begin(given, TemporalParameters)" in page
    assert "ledger(**given)" in page
