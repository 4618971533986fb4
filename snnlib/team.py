"""Several devices, on one host or more, on one network at a time: the first process leads, the others follow.

All processes run the same command. The first does what the command says, and the store with its locks is its alone;
whenever it comes to a training, it tells the others, who join in that and wait for the next. So nothing but training
knows of several processes. What ends a training in all of them at once, `SURVIVED`, need not end them; after any other
error nobody knows where the others are, and all of them end.

    team = Team(devices=4)
    if team.follows:
        team.follow(Store().images)  # until the leader is done
    else:
        with team:                   # lets the others go in the end
            Store(team=team).get(spec)

Processes are started by Fabric, or by what starts them on a cluster (`srun`, `torchrun`). They need a common folder for
the checkpoint.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any

from lightning_fabric import Fabric
from lightning_fabric.plugins.environments import LightningEnvironment
from lightning_fabric.strategies import DDPStrategy

from snnlib import training
from snnlib.data.images import ImageData
from snnlib.devices import float32_in_full
from snnlib.spec import DataSpec, SpecError, TrainSpec

SURVIVED = (training.TrainingDiverged, SpecError)  # all processes come to it from the same numbers
PATIENCE = timedelta(days=7)  # followers wait while the leader computes other things


class Team:
    """The processes of this command. `accelerator` is Fabric's word: "auto", "cpu", "cuda"."""

    def __init__(self, devices: int = 1, hosts: int = 1, accelerator: str = "auto") -> None:
        self._settings = {"accelerator": accelerator, "devices": devices, "num_nodes": hosts}
        self._fabric = self._of("32-true")
        self._fabric.launch()

    @property
    def follows(self) -> bool:
        """Whether this process is another than the first."""
        return not self._fabric.is_global_zero

    def follow(self, images: Callable[[DataSpec], ImageData]) -> None:
        """Join in what the leader trains, until it is done; `images` opens a data set here."""
        while (task := self._fabric.broadcast(None)) is not None:
            spec = TrainSpec.model_validate_json(task[0])
            here = images(spec.data)  # what the leader has opened, and this process cannot, is not survived
            with float32_in_full(), suppress(*SURVIVED):  # the leader has that, too, and says it
                training.train(spec, here, Path(task[1]), devices=self._of)

    def leads(self, spec: TrainSpec, folder: Path) -> Callable[[str], Fabric]:
        """What `training.train` takes as its devices: once it asks for them, the others join in."""

        def devices(precision: str) -> Fabric:
            self._fabric.broadcast((spec.model_dump_json(), str(folder)))
            return self._of(precision)

        return devices

    def __enter__(self) -> Team:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: Any, trace: TracebackType | None) -> None:
        if kind is None or issubclass(kind, (SystemExit, *SURVIVED)):
            self._fabric.broadcast(None)
        else:  # they may be in the middle of a step, and would wait there; once this process has said what is wrong
            atexit.register(self._end_others)

    def _end_others(self) -> None:
        """Those that were started from here; a cluster ends the others with this process."""
        for process in getattr(self._fabric.strategy.launcher, "procs", ()):
            process.kill()

    def _of(self, precision: str) -> Fabric:
        # a Slurm job of one task starts its processes itself, as a machine without Slurm does
        environment = LightningEnvironment() if os.environ.get("SLURM_NTASKS") == "1" else None
        strategy = DDPStrategy(cluster_environment=environment, timeout=PATIENCE, broadcast_buffers=False)
        return Fabric(strategy=strategy, precision=precision, **self._settings)
