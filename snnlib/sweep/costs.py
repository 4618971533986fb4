r"""What a run will cost, in time and in memory, before it is begun.

A training step is bound by arithmetic in wide networks and by memory in narrow ones. An image takes

.. math:: s = p \cdot \text{multiply-adds} + q \cdot \text{bytes kept for the backward pass},

both counted on a network without data (PyTorch's `meta` device), the multiply-adds of its convolutions and linear
layers; :math:`p` and :math:`q` fitted, for spiking and ordinary networks apart, to what this machine has done: the
rates on the cards of the store, or, where there are none, a few steps that are timed now. A structure whose own rate is
on a card takes that.
"""

from __future__ import annotations

import functools
import json
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from scipy.optimize import nnls

from snnlib.data.batches import Batches
from snnlib.data.images import Split
from snnlib.devices import float32_in_full
from snnlib.entries import Entry, whole_file
from snnlib.provenance import hardware
from snnlib.spec import (
    AttackSpec,
    DataSpec,
    ModelSpec,
    SamplesSpec,
    Spec,
    SpecError,
    StreamSpec,
    TrainSpec,
    networks_of,
)
from snnlib.sweep.footprints import footprint
from snnlib.training import build, pace
from snnlib.training.loop import one_device

FORWARD = 1 / 3  # of a training step is its forward pass
COMPARING = 2.0  # forward passes that a comparison's own arithmetic is worth, where no card says better
BASE = 600 * 2**20  # bytes of an idle process with PyTorch in it
AT_ONCE = 256  # images of a batch that is compared
EXAMPLE = 5.0  # seconds in which an example of a data set is found, or an event stream simulated
FLOATS = 4  # bytes of a number


@dataclass(frozen=True)
class Cost:
    """Seconds on this machine when nothing else runs there, and bytes of memory at the peak.

    `each`: of the memory, what each of several processes has for itself that train a network together; the rest, which
    grows with the images of a batch, they share.
    """

    seconds: float
    memory: float
    each: float


@dataclass(frozen=True)
class Rate:
    """Seconds that an image took in the training steps of a network."""

    model: ModelSpec
    data: DataSpec
    seconds: float


class Costs:
    """Forecasts for one machine from what was measured on it.

    Args:
        entries: of the store; those made on such a machine, with as many threads, count.
        folder: where the store keeps what `measure` found, for machines whose cards do not say enough.
        machine: a name that `measure` gave; by default this machine, which is measured when need be.

    Raises:
        SpecError: nothing is known of that machine.
    """

    def __init__(self, entries: Iterable[Entry], folder: Path, machine: str | None = None) -> None:
        name = machine or machine_name(hardware())
        mine = [entry for entry in entries if machine_of(entry) == name]
        self.rates = [rate_of(entry) for entry in mine if is_trained(entry)]
        widths = {kind: {r.model.width for r in self.rates if r.model.spiking == kind} for kind in (True, False)}
        if any(len(found) < 2 for found in widths.values()):  # one width cannot tell arithmetic from memory
            if machine is None and not (folder / f"{name}.json").exists():
                measure(folder)
            self.rates += _read_rates(folder / f"{name}.json")
        self.results = [entry for entry in mine if entry.kind != "TrainSpec"]

    def of(self, spec: Spec, n_train: int, n_test: int) -> Cost:
        """The cost of making `spec` when all that it builds on is there."""
        if isinstance(spec, TrainSpec):
            return self._training(spec, n_train, n_test)
        if isinstance(spec, SamplesSpec | StreamSpec):
            return Cost(EXAMPLE, BASE, BASE)
        memory = BASE + AT_ONCE * sum(footprint(one.model, one.data).kept for one in networks_of(spec))
        attack, passes = self._passes(spec)
        seconds = spec.n_images * (attack + passes * (1 + self._comparing(type(spec).__name__)))
        return Cost(seconds, memory, memory)

    def per_image(self, model: ModelSpec, data: DataSpec) -> float:
        """Seconds of a training step, by image."""
        return per_image(self.rates, model, data)

    def _training(self, spec: TrainSpec, n_train: int, n_test: int) -> Cost:
        images = spec.epochs * (n_train + FORWARD * n_test) if spec.epochs else FORWARD * n_train
        found = footprint(spec.model, spec.data)
        if spec.epochs:  # weights, gradients, momenta
            own, of_images = 3 * FLOATS * found.parameters, spec.batch_size * found.kept
        else:  # looks at as many images at once as a comparison, and learns nothing
            own, of_images = FLOATS * found.parameters, AT_ONCE * found.passing
        return Cost(images * self.per_image(spec.model, spec.data), BASE + own + of_images, BASE + own)

    def _passes(self, spec: Any) -> tuple[float, float]:
        """Seconds that an image of a result takes: in the steps of an attack, and in forward passes to be compared."""
        attacked, shown = passes_of(spec)
        forward = FORWARD * sum(self.per_image(network.model, network.data) for network in shown)
        return sum(self.per_image(network.model, network.data) for network in attacked), forward

    @functools.cache  # noqa: B019 -- an object for the length of a command
    def _comparing(self, kind: str) -> float:
        """Median over cards of what a comparison took beside its forward passes, in units of these."""
        found = []
        for entry in self.results:
            if entry.kind == kind:
                spec: Any = entry.spec
                attack, passes = self._passes(spec)
                found.append(max(0.0, (entry.card["duration"] / spec.n_images - attack) / passes - 1))
        return median(found) if found else COMPARING


def passes_of(spec: Any) -> tuple[list[TrainSpec], list[TrainSpec]]:
    """The networks that an image of a result passes, each as often as it does: forward and back, and forward alone."""
    if not isinstance(spec, AttackSpec):
        return [], list(networks_of(spec))
    steps = len(spec.epsilons) * (spec.steps or 1) if spec.source else 0
    return [spec.source] * steps, [*spec.targets] * (1 + len(spec.epsilons))  # the clean images, too


def per_image(rates: Sequence[Rate], model: ModelSpec, data: DataSpec) -> float:
    """Seconds that an image takes in a training step, by the rates of one machine.

    A structure of its own rate takes that. Else the module's equation, neither p nor q negative, is fitted to the rates
    of the kind, each of which weighs by its own size.
    """
    of_kind = [rate for rate in rates if rate.model.spiking == model.spiking]
    own = [rate.seconds for rate in of_kind if rate.model == model and _alike(rate.data, data)]
    if own:
        return median(own)
    known = [footprint(rate.model, rate.data) for rate in of_kind]
    pairs = zip(known, of_kind, strict=True)
    rows = np.array([[one.operations / rate.seconds, one.kept / rate.seconds] for one, rate in pairs])
    scale = rows.max(axis=0)
    p, q = nnls(rows / scale, np.ones(len(rows)))[0] / scale
    found = footprint(model, data)
    return float(p * found.operations + q * found.kept)


def machine_name(found: dict[str, Any]) -> str:
    """What a machine is called by its speed: its accelerator, or its processor and the threads that compute."""
    words = found["accelerators"][:1] or [found["processor"], f"{found['threads']}-threads"]
    return re.sub(r"[^A-Za-z0-9.]+", "-", " ".join(words)).strip("-")


def measure(folder: Path) -> Path:
    """Time training steps of small networks on noise, compiled where training would compile them; keep what is found.

    Returns:
        The file, which is called after the machine.
    """
    path = folder / f"{machine_name(hardware())}.json"
    print(f"measuring the speed of this machine once, about a minute: {path}", file=sys.stderr)
    rates = [rate for spiking in (True, False) for rate in measured(spiking)]
    rows = [{"model": r.model.model_dump(), "data": r.data.model_dump(), "seconds": r.seconds} for r in rates]
    folder.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as file:
        file.write_text(json.dumps(rows, indent=1), encoding="utf8")
    return path


def _read_rates(path: Path) -> list[Rate]:
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in path.parent.glob("*.json"))) or "none"
        raise SpecError(
            f"machine = {path.stem!r} was not measured: run `snnlib sweep --measure` on it; measured are {known}"
        )
    rows = json.loads(path.read_text(encoding="utf8"))
    return [Rate(ModelSpec(**row["model"]), DataSpec(**row["data"]), row["seconds"]) for row in rows]


def measured(spiking: bool, widths: tuple[float, ...] = (0.25, 1.0), batch: int = 32) -> list[Rate]:
    """The rates of ResNet-20 at some widths, on this machine."""
    data = DataSpec(dataset="noise", fingerprint="0" * 16, in_channels=3, num_classes=10, image_size=32)
    noise = np.random.default_rng(0).integers(0, 256, (batch, 3, 32, 32), dtype=np.uint8)
    batches = Batches(Split(noise, np.zeros(batch, dtype=np.int64)), batch, mean=[0.5] * 3, std=[0.25] * 3)
    fabric, found = one_device("32-true"), []
    for width in widths:
        model = ModelSpec(spiking=spiking, width=width)
        spec = TrainSpec(model=model, data=data, epochs=1, batch_size=batch)
        with float32_in_full():  # as trainings run; of many siblings, so that the time of the compiler plays no part
            seconds = pace.forecast(spec, build(model, data, 0), batches, 0, fabric, siblings=10**6).seconds
        found.append(Rate(model, data, seconds / batch))
    return found


def rate_of(entry: Entry) -> Rate:
    """The rate of one device on the card of a trained network, in its fastest epoch: other work only ever slows one."""
    spec: Any = entry.spec
    together = max(epoch["images_per_second"] for epoch in entry.card["history"])
    return Rate(spec.model, spec.data, processes_of(entry) / together)


def machine_of(entry: Entry) -> str:
    """The name of the machine that made an entry, with the threads that it used there."""
    return machine_name(entry.card["hardware"] | {"threads": threads_of(entry)})


def threads_of(entry: Entry) -> int:
    """The threads that an entry was made with."""
    return (entry.card["hardware"] | entry.card.get("means", {}))["threads"]


def processes_of(entry: Entry) -> int:
    """The processes, one a device, that trained a network together."""
    return entry.card.get("means", {}).get("processes", 1)


def is_trained(entry: Entry) -> bool:
    """Whether it is a network that was trained for an epoch or more."""
    return entry.kind == "TrainSpec" and bool(entry.card.get("history"))


def _alike(a: DataSpec, b: DataSpec) -> bool:
    """Whether an image costs the same: of one size and shape, whatever it shows."""
    shape = {"in_channels", "image_size", "frames"}
    return a.model_dump(include=shape) == b.model_dump(include=shape)
