"""The store as a running computation sees it: `experiments.Context`."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snnlib.spec import DataSpec, Spec, TrainSpec

if TYPE_CHECKING:
    from lightning_fabric import Fabric


@dataclass
class Working:
    """What the computation of `spec` may ask for; notes how long it waited, and what images it saw."""

    store: Any  # a `Store`, which stands above
    spec: Spec
    folder: Path  # for checkpoints
    siblings: int = 1
    stop: threading.Event | None = None
    waited: float = 0.0  # seconds spent on what the computation builds on, which has cards of its own
    shown: dict[str, Any] = field(default_factory=dict)  # what the images that it opened are
    inputs: dict[str, str] = field(default_factory=dict)  # name of what it builds on -> checksum of its payload

    def get(self, spec: Spec) -> Any:
        self.go_on()
        started = time.perf_counter()
        value = self.store.get(spec, siblings=self.siblings, stop=self.stop)
        if entry := self.store.find(spec):
            self.inputs[spec.name] = entry.checksum
        self.waited += time.perf_counter() - started
        return value

    def images(self, data: DataSpec) -> Any:
        self.go_on()
        images = self.store.images(data)
        self.shown = {"title": images.title, "train": len(images.train), "test": len(images.test)}
        return images

    def example(self, data: DataSpec, index: int) -> Any:
        from snnlib.data.example import example

        self.images(data)  # which makes sure that the data at hand are those asked for
        where = {"data_root": self.store.data_root, "cache_dir": self.store.image_cache}
        return example(data.dataset, frames=data.frames, size=data.image_size, index=index, **where)

    def go_on(self) -> None:
        """Called before each long step; a training looks at `stop` itself.

        Raises:
            Stopped: the computation is not wanted any more.
        """
        from snnlib.training import Stopped

        if self.stop is not None and self.stop.is_set():
            raise Stopped(f"{self.spec.name} was stopped; asked for again, it is made")

    @property
    def devices(self) -> Callable[[str], Fabric]:
        """One device, or all of the team's."""
        from snnlib.training.loop import one_device

        team, spec = self.store.team, self.spec
        return team.leads(spec, self.folder) if team and isinstance(spec, TrainSpec) else one_device
