"""The workflow on a real Slurm of one node, which workflow/slurm.sh starts where Debian's packages are installed.

Where they are not, `sudo apt-get install slurmctld slurmd slurm-client munge` puts them there; until then tests that
need them are skipped, in CI, too.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import yaml
from conftest import REPOSITORY

from snnlib import sweep
from snnlib.spec import ModelSpec
from snnlib.sweep.listing import described

SCRIPT = REPOSITORY / "workflow" / "slurm.sh"
SMALL = {"epochs": 1, "width": 0.25, "T": 2, "n_images": 32, "seeds": (0,)}

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Slurm runs on Linux")


def slurm(word, folder, **environment):
    return subprocess.run(
        [shutil.which("sh"), str(SCRIPT), word, str(folder)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=180,
    )


def two_free_ports():
    with socket.socket() as one, socket.socket() as other:
        for server in (one, other):
            server.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


class Cluster:
    """The node that the script started in `folder`; `sh` runs commands of a shell that has read its environment."""

    def __init__(self, folder):
        self.folder, self.ports = folder, two_free_ports()
        names = ("SLURMCTLD_PORT", "SLURMD_PORT")
        started = slurm("start", folder, **dict(zip(names, map(str, self.ports), strict=True)))
        if "cannot find" in started.stderr:
            pytest.skip(f"Slurm is not installed here, see the command at the end: {started.stderr.strip()}")
        if "belongs to a cluster" in started.stderr:
            pytest.skip(started.stderr.strip())
        assert started.returncode == 0, started.stdout + started.stderr

    def sh(self, commands, **environment):
        return subprocess.run(
            ["sh", "-c", f". {self.folder}/environment; {commands}"],
            cwd=self.folder.parent,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=900,
        )


def processes_of(folder):
    """The daemons of the node in `folder`, and what starts and watches jobs for them."""
    names = {"munged", "slurmctld", "slurmd", "slurmstepd"}
    found = (process for process in psutil.process_iter(["name", "environ"]) if process.info["name"] in names)
    return [each for each in found if (each.info["environ"] or {}).get("SLURM_CONF") == str(folder / "slurm.conf")]


@pytest.fixture
def cluster(tmp_path):
    started = Cluster(tmp_path / "slurm")
    yield started
    slurm("stop", started.folder)


def test_missing_programs_are_named_and_so_is_their_package(tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "realpath").symlink_to(shutil.which("realpath"))
    done = slurm("start", tmp_path / "slurm", PATH=str(tmp_path / "bin"))
    if "belongs to a cluster" in done.stderr:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 2
    assert "cannot find" in done.stderr
    assert " sbatch srun " in done.stderr
    assert "apt-get install slurmctld slurmd slurm-client munge" in done.stderr
    assert not (tmp_path / "slurm").exists()


def test_a_machine_of_another_cluster_is_refused(tmp_path):
    theirs = tmp_path / "slurm.conf"
    theirs.write_text("ClusterName=theirs\n")
    done = slurm("start", tmp_path / "slurm", SLURM_CONF=str(theirs))
    assert done.returncode == 2
    assert f"belongs to a cluster, see {theirs}" in done.stderr
    assert not (tmp_path / "slurm").exists()


def test_only_folders_of_its_own_are_written_to_and_removed(tmp_path):
    (tmp_path / "mine").write_text("precious")
    for word, sentence in (("start", "is not empty"), ("stop", "no cluster was started in")):
        done = slurm(word, tmp_path, SLURM_CONF="")
        assert done.returncode == 2
        assert sentence in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_machine_that_has_srun_may_do_without_it(tmp_path):
    (tmp_path / "srun").write_text("#!/bin/sh\n")
    (tmp_path / "srun").chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SLURM_")}
    environment["PATH"] = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    command = [sys.executable, "-c", "import snnlib.experiments as e; print(e.best_device())"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "srun" not in done.stderr, "nobody asked for several processes"


def test_a_node_that_does_not_come_up_says_why_and_leaves_nothing(cluster, tmp_path):
    done = slurm("start", tmp_path / "second", SLURMCTLD_PORT=str(cluster.ports[0]), SLURM_CONF="")
    assert done.returncode == 1
    assert "the node did not come up" in done.stderr
    assert "slurmctld: fatal" in done.stderr, "its port is taken"
    assert not (tmp_path / "second").exists()
    assert processes_of(tmp_path / "second") == []
    assert len(processes_of(cluster.folder)) == 3


def test_nothing_is_left_when_it_is_stopped(cluster, tmp_path):
    assert {"munged", "slurmctld", "slurmd"} <= {process.name() for process in processes_of(cluster.folder)}
    again = slurm("start", cluster.folder)
    assert (again.returncode, "is not empty" in again.stderr) == (2, True)

    done = cluster.sh("sbatch --output=/dev/null --wrap='echo $$ >job && exec sleep 600'")
    assert done.returncode == 0, done.stderr
    job = int(soon(lambda: (tmp_path / "job").exists() and (tmp_path / "job").read_text()))
    assert psutil.pid_exists(job)
    before = [*processes_of(cluster.folder), psutil.Process(job)]

    done = slurm("stop", cluster.folder)
    assert done.returncode == 0, done.stderr
    assert not psutil.wait_procs(before, timeout=5)[1]
    assert processes_of(cluster.folder) == []
    assert not cluster.folder.exists()
    for port in cluster.ports:
        with socket.socket() as client:
            assert client.connect_ex(("127.0.0.1", port)) != 0


def soon(value, seconds=60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := value():
            return found
        time.sleep(0.1)
    raise AssertionError("waited in vain")


@pytest.mark.slow
def test_two_networks_through_slurm(cluster, tmp_path):
    pytest.importorskip("snakemake_executor_plugin_slurm", reason="needs the extra `sweep`")
    names = list_of_two_networks(tmp_path / "two.yaml")
    measured_before(tmp_path / "cache")
    store = {"SNNLIB_CACHE": str(tmp_path / "cache"), "SNNLIB_PUBLISHED": str(tmp_path / "none")}
    made = " ".join(f"made/{name}" for name in names)
    workflow = REPOSITORY / "workflow"
    done = cluster.sh(
        f"{sys.executable} -m snakemake --snakefile {workflow / 'Snakefile'} {made}"
        f" --workflow-profile {workflow / 'profiles' / 'default'}"
        " --executor slurm --slurm-status-command squeue --jobs 2"
        " --slurm-init-seconds-before-status-checks 5 --seconds-between-status-checks 2"
        f" --config preset={tmp_path / 'two.yaml'} machine=some-machine",
        **store,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert {path.name for path in Path(tmp_path, "cache", "entries").iterdir()} == set(names)
    # what Slurm says of its jobs
    assert cluster.sh("squeue --states=all --noheader --format=%T").stdout.split() == ["COMPLETED"] * 2


@pytest.mark.slow
def test_srun_starts_the_processes_of_one_training(cluster, tmp_path):
    store = {"SNNLIB_CACHE": str(tmp_path / "cache"), "SNNLIB_PUBLISHED": str(tmp_path / "none")}
    train = f"{sys.executable} -m snnlib train --ann --epochs 1 --width 0.25 --devices 2"
    # both on one CPU if there is but one
    done = cluster.sh(f"srun --nodes 1 --ntasks-per-node 2 --overcommit {train}", **store)
    assert done.returncode == 0, done.stdout + done.stderr
    (card,) = tmp_path.glob("cache/entries/*/card.json")
    assert json.loads(card.read_text())["means"]["processes"] == 2


def list_of_two_networks(path):
    listed = yaml.safe_load(sweep.plan_text("quick", sweep.listing("quick", ["01_training"], **SMALL), SMALL))
    listed["results"] = []
    path.write_text(yaml.safe_dump(listed))
    names = [item.spec.name for item in sweep.Sweep(sweep.read_plan(path)).items()]
    assert len(names) == 2
    return names


def measured_before(cache):
    """Speeds of a machine, which the forecasts rest on: nothing is measured in this test."""
    models = [ModelSpec(spiking=kind, width=width) for kind in (True, False) for width in (0.25, 1.0)]
    rows = [{"model": m.model_dump(), "data": described("cifar10").model_dump(), "seconds": 0.001} for m in models]
    (cache / "speeds").mkdir(parents=True)
    (cache / "speeds" / "some-machine.json").write_text(json.dumps(rows))
