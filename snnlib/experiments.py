"""How each kind of spec is computed, written and read. The store asks; it knows nothing of networks.

| spec | value | file |
|---|---|---|
| `TrainSpec` | `training.Network` | weights.safetensors, its history in the card |
| `CompareSpec` | `xarray.DataArray`, similarity by layer (and step) | result.nc |
| `RatesSpec` | `xarray.DataArray`, firing rates by layer and step | result.nc |
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import singledispatch
from pathlib import Path
from typing import Any, Protocol

import torch
import xarray as xr
from safetensors.torch import load_file, save_file
from torch import Tensor

from snnlib import recording, similarity, training
from snnlib.data.batches import Batches
from snnlib.data.images import ImageData
from snnlib.provenance import RESULT_ROOMS, TRAINING_ROOMS
from snnlib.spec import CompareSpec, DataSpec, RatesSpec, Spec, TrainSpec

WEIGHTS, RESULT = "weights.safetensors", "result.nc"


class Context(Protocol):
    """What a computation may ask of the store that runs it."""

    folder: Path  # for checkpoints; survives a crash

    def get(self, spec: Spec) -> Any:
        """The value of another spec that this one builds on."""

    def images(self, data: DataSpec) -> ImageData:
        """The images of a data set, found or downloaded."""


@dataclass(frozen=True)
class Shuffled:
    """The same batches, the images of each in another, fixed order, without labels: the null of a comparison."""

    batches: Batches

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Tensor]:
        generator = torch.Generator().manual_seed(0)
        for images, _ in self.batches:
            yield images[torch.randperm(len(images), generator=generator)]


@singledispatch
def compute(spec: Spec, context: Context) -> Any:
    """The value of `spec`, from nothing but what `context` gives."""
    raise TypeError(f"no computation is known for a {type(spec).__name__}")


@compute.register
def _(spec: TrainSpec, context: Context) -> training.Network:
    return training.train(spec, context.images(spec.data), context.folder)


@compute.register
def _(spec: CompareSpec, context: Context) -> xr.DataArray:
    a, b = context.get(spec.a).model, context.get(spec.b).model
    batches = test_batches(context.images(spec.a.data), spec.n_images, spec.batch_size)
    other = Shuffled(batches) if spec.pairing == "shuffled" else None
    return similarity.compare(a, b, batches, loader_b=other, time=spec.time)


@compute.register
def _(spec: RatesSpec, context: Context) -> xr.DataArray:
    network = context.get(spec.network).model
    return recording.firing_rates(network, test_batches(context.images(spec.network.data), spec.n_images, 256))


def test_batches(data: ImageData, n_images: int, batch_size: int) -> Batches:
    """The first `n_images` test images, in equal batches of at most `batch_size` so that each weighs the same."""
    split = data.test.take(n_images)
    batches = -(-len(split) // batch_size)
    return Batches(split, -(-len(split) // batches), mean=data.mean, std=data.std)


def rooms(spec: Spec) -> tuple[str, ...]:
    """The code that bears on the value of `spec`."""
    return TRAINING_ROOMS if isinstance(spec, TrainSpec) else RESULT_ROOMS


def write(value: Any, folder: Path) -> dict[str, Any]:
    """Write a value's file into `folder`; returns what its card says of it besides spec and provenance."""
    if isinstance(value, training.Network):
        weights = {name: tensor.detach().cpu().contiguous() for name, tensor in value.model.state_dict().items()}
        save_file(weights, folder / WEIGHTS)
        metrics = {k: v for k, v in (value.history[-1] if value.history else {}).items() if k not in ("epoch", "lr")}
        parameters = sum(p.numel() for p in value.model.parameters())
        duration = sum(epoch["seconds"] for epoch in value.history)
        return {"parameters": parameters, "metrics": metrics, "history": value.history, "duration": duration}
    value.to_netcdf(folder / RESULT, engine="h5netcdf")
    return {"shape": dict(value.sizes), **value.attrs}


def read(spec: Spec, folder: Path, card: dict[str, Any]) -> Any:
    """The value that `write` put into `folder`."""
    if isinstance(spec, TrainSpec):
        model = training.build(spec.model, spec.data, spec.seed)
        model.load_state_dict(load_file(folder / WEIGHTS))
        return training.Network(spec, model.to(memory_format=torch.channels_last).eval(), card["history"])
    return xr.load_dataarray(folder / RESULT, engine="h5netcdf")
