"""How each kind of spec is computed, written and read. The store asks; it knows nothing of networks.

| spec | value | file |
|---|---|---|
| `TrainSpec` | `training.Network` | weights.safetensors, its history in the card |
| `CompareSpec` | `xarray.DataArray`, similarity by layer (and step) | result.nc |
| `MeasuresSpec` | `xarray.Dataset`, corresponding layers by all measures | result.nc |
| `RatesSpec` | `xarray.DataArray`, firing rates by layer and step | result.nc |
| `AttackSpec` | `xarray.Dataset`, what attacked images do to networks: see `attacks.evaluate` | result.nc |
| `SamplesSpec` | `xarray.DataArray`, images by class: see `data.samples` | result.nc |
| `StreamSpec` | `xarray.Dataset`, an event stream: see `data.example` | result.nc |
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import singledispatch
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
import xarray as xr
from lightning_fabric import Fabric
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from snnlib import attacks, kernels, recording, similarity, training
from snnlib.data.batches import Batches
from snnlib.data.example import Example
from snnlib.data.images import ImageData
from snnlib.data.samples import samples
from snnlib.devices import best_device, float32_in_full
from snnlib.provenance import ATTACK_ROOMS, RESULT_ROOMS, SAMPLE_ROOMS, STREAM_ROOMS, TRAINING_ROOMS
from snnlib.recording import device_of
from snnlib.spec import (
    AttackSpec,
    CompareSpec,
    DataSpec,
    MeasuresSpec,
    RatesSpec,
    SamplesSpec,
    Spec,
    SpecError,
    StreamSpec,
    TrainSpec,
)

# Fabric says so to every process on a machine that has Slurm's programs, also to one that needs no others.
warnings.filterwarnings("ignore", message="The `srun` command is available on your system but is not used")

BATCH = 256
COMPILE_FROM = 1e7  # `AttackSpec.work` from which on it pays to wait for a compiler: 5e5 steps of a ResNet-20
WEIGHTS, RESULT = "weights.safetensors", "result.nc"


class Context(Protocol):
    """What a computation may ask of the store that runs it."""

    folder: Path  # for checkpoints; survives a crash
    siblings: int  # how many networks are trained side by side with this one, itself included
    stop: threading.Event | None  # once set, the computation is no longer wanted
    devices: Callable[[str], Fabric]  # what a network is trained on, given a precision

    def go_on(self) -> None:
        """Called before each long step. Raises `training.Stopped` once the computation is no longer wanted."""

    def get(self, spec: Spec) -> Any:
        """The value of another spec that this one builds on."""

    def images(self, data: DataSpec) -> ImageData:
        """The images of a data set, found or downloaded."""

    def example(self, data: DataSpec, index: int) -> Example:
        """An event stream of a data set."""


@dataclass(frozen=True)
class Shuffled:
    """The same batches, the images of each in another, fixed order, without labels: the null of a comparison."""

    batches: Batches

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Tensor]:
        generator = torch.Generator().manual_seed(0)
        for images, _ in self.batches:
            axis = images.dim() - 4  # images (B, C, H, W), frames (T, B, C, H, W)
            yield images.index_select(axis, torch.randperm(images.shape[axis], generator=generator))


@dataclass(frozen=True)
class Wanted:
    """The same batches, as long as their result is wanted."""

    batches: Batches
    context: Context

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for batch in self.batches:
            self.context.go_on()
            yield batch


def compute(spec: Spec, context: Context) -> Any:
    """The value of `spec`, from nothing but what `context` gives."""
    with float32_in_full():
        return _compute(spec, context)


@singledispatch
def _compute(spec: Spec, context: Context) -> Any:
    raise TypeError(f"no computation is known for a {type(spec).__name__}")


@_compute.register
def _(spec: TrainSpec, context: Context) -> training.Network:
    images = context.images(spec.data)
    how = {"devices": context.devices, "siblings": context.siblings, "stop": context.stop}
    network = training.train(spec, images, context.folder, **how)
    if spec.epochs == 0:
        shown = Batches(images.train, BATCH, mean=images.mean, std=images.std)
        estimate_batch_norm(network.model.to(best_device()), Wanted(shown, context))
    return network


def _networks(spec: CompareSpec | MeasuresSpec, context: Context) -> tuple[nn.Module, nn.Module]:
    """Both networks where they run; a network that is compared with itself is one object, which then runs once."""
    a = context.get(spec.a).model.to(best_device())
    return a, a if spec.b == spec.a else context.get(spec.b).model.to(best_device())


@_compute.register
def _(spec: CompareSpec, context: Context) -> xr.DataArray:
    a, b = _networks(spec, context)
    batches = test_batches(context.images(spec.a.data), spec.n_images, spec.batch_size)
    options = {"loader_b": Shuffled(batches) if spec.pairing == "shuffled" else None, "time": spec.time}
    groups, wanted = groups_of(batches), Wanted(batches, context)
    if groups:
        return similarity.compare_groups(a, b, wanted, groups=groups, progress=True, **options)
    return similarity.compare(a, b, wanted, progress=True, **options).expand_dims(similarity.GROUP)


@_compute.register
def _(spec: MeasuresSpec, context: Context) -> xr.Dataset:
    a, b = _networks(spec, context)
    batches = test_batches(context.images(spec.a.data), spec.n_images, spec.batch_size)
    other = Shuffled(batches) if spec.pairing == "shuffled" else None
    options = {"groups": groups_of(batches), "thorough": spec.jackknife, "measures": spec.measures}
    wanted, time = Wanted(batches, context), spec.time or "concat"
    return similarity.compare_corresponding(a, b, wanted, loader_b=other, time=time, **options)


@_compute.register
def _(spec: RatesSpec, context: Context) -> xr.DataArray:
    network = context.get(spec.network).model.to(best_device())
    batches = test_batches(context.images(spec.network.data), spec.n_images, BATCH)
    groups, wanted = groups_of(batches), Wanted(batches, context)
    if groups:
        return recording.firing_rates(network, wanted, groups=groups)
    return recording.firing_rates(network, wanted).expand_dims(similarity.GROUP)


@_compute.register
def _(spec: AttackSpec, context: Context) -> xr.Dataset:
    targets = [context.get(network).model.to(best_device()) for network in spec.targets]
    source = targets[0] if spec.source is None else context.get(spec.source).model.to(best_device())
    data = context.images(spec.targets[0].data)
    normalised = test_batches(data, spec.n_images, spec.batch_size)
    batches, shown, valid = normalised, None, None
    if spec.space == "pixels":
        blank = {"mean": [0.0] * data.in_channels, "std": [1.0] * data.in_channels}
        batches, valid = Batches(normalised.dataset, normalised.batch_size, **blank), attacks.PIXELS
        source = attacks.Normalised(source, data.mean, data.std)
        shown = source.normalise
    options = {"shown": shown, "groups": groups_of(batches), "measures": spec.measures or (), "progress": True}
    attack = attack_of(spec, source, valid)

    def while_wanted(images: Tensor, labels: Tensor, epsilon: float) -> Tensor:
        context.go_on()
        return attack(images, labels, epsilon)

    with kernels.compiled(spec.work >= COMPILE_FROM):
        found = attacks.evaluate(targets, batches, while_wanted, spec.epsilons, **options)
    found = found.assign_coords({"class": list(data.classes)})
    if spec.space == "normalised":  # examples are looked at as pixels
        mean, std = (np.array(channels).reshape(-1, 1, 1) for channels in (data.mean, data.std))
        found["images"] = (found["images"] * std + mean).astype(np.float32)
    return found


@_compute.register
def _(spec: SamplesSpec, context: Context) -> xr.DataArray:
    return samples(context.images(spec.data), spec.classes)


@_compute.register
def _(spec: StreamSpec, context: Context) -> xr.Dataset:
    return context.example(spec.data, spec.index).to_dataset()


def attack_of(spec: AttackSpec, source: nn.Module, valid: attacks.Range | None) -> attacks.Attack:
    """The attack that a spec describes, on the network `source`; one object is one sequence of random numbers."""
    generator = None if spec.start is None else torch.Generator().manual_seed(spec.start)

    def attack(images: Tensor, labels: Tensor, epsilon: float) -> Tensor:
        size: dict[str, Any] = {"epsilon": epsilon, "valid": valid}
        match spec.method:
            case "noise":
                return attacks.noise(images, generator=generator, **size)
            case "fgsm":
                return attacks.fgsm(source, images, labels, **size)
            case "pgd":
                steps = {"steps": spec.steps, "step": spec.step}
                return attacks.pgd(source, images, labels, generator=generator, **steps, **size)

    return attack


@torch.no_grad()
def estimate_batch_norm(model: nn.Module, batches: Iterable[tuple[Tensor, Tensor]]) -> None:
    """Give the batch norms of an untrained network the mean and variance of the training images, as averages over
    batches. With PyTorch's initial ones (0 and 1) the currents of a deep spiking network never reach the threshold."""
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # PyTorch's name for a plain average
    model.train()
    for images, _ in batches:
        model(images.to(device_of(model)))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    model.eval()


def test_batches(data: ImageData, n_images: int, batch_size: int) -> Batches:
    """The first `n_images` test images in batches of at most `batch_size`, as equal as can be, none below 4 images.

    Every batch weighs the same in CKA, and the estimator needs 4 images.

    Raises:
        SpecError: no such batches; or more images than there are.
    """
    split = data.test.take(n_images)
    equal = -(-n_images // -(-n_images // batch_size))  # the size of the fewest batches of one size
    for size in range(equal, 3, -1):
        if n_images % size == 0 or n_images % size >= 4:
            return Batches(split, size, mean=data.mean, std=data.std)
    raise SpecError(
        f"n_images = {n_images} cannot be split into batches of 4 to {batch_size}: take a multiple of the batch size."
    )


def groups_of(batches: Batches) -> int:
    """Groups of images to leave out one at a time: 0 where a batch has too few images for an interval over them."""
    smallest = len(batches.dataset) % batches.batch_size or batches.batch_size
    return similarity.GROUPS if smallest >= similarity.least_images(similarity.GROUPS) else 0


def rooms(spec: Spec) -> tuple[str, ...]:
    """The code that bears on the value of `spec`."""
    if isinstance(spec, AttackSpec):
        return ATTACK_ROOMS
    if isinstance(spec, SamplesSpec):
        return SAMPLE_ROOMS
    if isinstance(spec, StreamSpec):
        return STREAM_ROOMS
    return TRAINING_ROOMS if isinstance(spec, TrainSpec) and spec.epochs else RESULT_ROOMS


def write(value: Any, folder: Path) -> dict[str, Any]:
    """Write a value's file into `folder`; returns what its card says of it besides spec and provenance."""
    if isinstance(value, training.Network):
        weights = {name: tensor.detach().cpu().contiguous() for name, tensor in value.model.state_dict().items()}
        save_file(weights, folder / WEIGHTS)
        metrics = {k: v for k, v in (value.history[-1] if value.history else {}).items() if k not in ("epoch", "lr")}
        parameters = sum(p.numel() for p in value.model.parameters())
        known = {"parameters": parameters, "metrics": metrics, "history": value.history, "means": value.means}
        if value.history:  # of all sessions; the store knows of the last one, and of an untrained network
            known["duration"] = sum(epoch["seconds"] for epoch in value.history)
        return known
    value.to_netcdf(folder / RESULT, engine="h5netcdf")
    return {"shape": dict(value.sizes), **value.attrs}


def read(spec: Spec, folder: Path, card: dict[str, Any]) -> Any:
    """The value that `write` put into `folder`."""
    if isinstance(spec, TrainSpec):
        model = training.build(spec.model, spec.data, spec.seed)
        model.load_state_dict(load_file(folder / WEIGHTS))
        model = model.to(memory_format=torch.channels_last).eval()
        return training.Network(spec, model, card["history"], card.get("means", {}))
    load = xr.load_dataset if isinstance(spec, AttackSpec | MeasuresSpec | StreamSpec) else xr.load_dataarray
    found = load(folder / RESULT, engine="h5netcdf")
    return found.drop_encoding()  # of published numbers, 16 bits: whoever changes and saves them has others
