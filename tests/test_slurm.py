"""The workflow on a real Slurm of one node, started by workflow/slurm.sh, where Debian's packages are installed."""

import json
import os
import shutil
import subprocess
import sys

import pytest
import yaml
from conftest import REPOSITORY

from snnlib import sweep
from snnlib.spec import ModelSpec
from snnlib.sweep.listing import described

SCRIPT = REPOSITORY / "workflow" / "slurm.sh"
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch")
PATH = f"{os.environ['PATH']}{os.pathsep}/usr/sbin"
SMALL = {"epochs": 1, "width": 0.25, "T": 2, "n_images": 32, "seeds": (0,)}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not all(shutil.which(program, path=PATH) for program in PROGRAMS), reason=f"needs {', '.join(PROGRAMS)}"
    ),
    pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs to be root"),
]


@pytest.fixture
def slurm(tmp_path):
    """A cluster of one node; the environment of a shell that finds its programs."""
    folder = tmp_path / "slurm"
    started = subprocess.run(["sh", str(SCRIPT), str(folder)], capture_output=True, text=True, timeout=120)
    assert started.returncode == 0, started.stdout + started.stderr
    yield {**os.environ, "PATH": PATH}
    subprocess.run(["sh", str(SCRIPT), str(folder), "stop"], check=True, timeout=60)


def test_two_networks_through_slurm(slurm, tmp_path):
    pytest.importorskip("snakemake_executor_plugin_slurm", reason="needs the extra `sweep`")
    listed = yaml.safe_load(sweep.plan_text("quick", sweep.listing("quick", ["01_training"], **SMALL), SMALL))
    listed["results"] = []
    assert len(listed["networks"]) == 2
    (tmp_path / "two.yaml").write_text(yaml.safe_dump(listed))
    speeds = tmp_path / "cache" / "speeds"
    speeds.mkdir(parents=True)
    models = [ModelSpec(spiking=kind, width=width) for kind in (True, False) for width in (0.25, 1.0)]
    rows = [{"model": m.model_dump(), "data": described("cifar10").model_dump(), "seconds": 0.001} for m in models]
    (speeds / "some-machine.json").write_text(json.dumps(rows))

    run = sweep.Sweep(sweep.read_plan(tmp_path / "two.yaml"))
    names = [item.spec.name for item in run.items()]
    environment = {**slurm, "SNNLIB_CACHE": str(tmp_path / "cache"), "SNNLIB_PUBLISHED": str(tmp_path / "none")}
    command = [sys.executable, "-m", "snakemake", "--executor", "slurm", "--jobs", "2", "--keep-going"]
    command += ["--slurm-status-command", "squeue", "--latency-wait", "30", *(f"made/{name}" for name in names)]
    command += ["--config", f"preset={tmp_path / 'two.yaml'}", "machine=some-machine"]
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    entries = tmp_path / "cache" / "entries"
    assert {path.name for path in entries.iterdir()} == set(names)
    submitted = (done.stdout + done.stderr).count("has been submitted with SLURM jobid")
    assert submitted == 2, "each network is a job of the cluster"
