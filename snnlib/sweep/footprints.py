"""What a network does and holds for one image, counted on one without numbers (PyTorch's `meta` device)."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import torch

from snnlib.neurons import LIF
from snnlib.spec import DataSpec, ModelSpec
from snnlib.training import build

LAYERS = (torch.nn.Conv2d, torch.nn.Linear)  # whose multiply-adds are counted


@dataclass(frozen=True)
class Footprint:
    """Of one image in a training step: multiply-adds forward, bytes kept for backward; bytes that are there at a time
    where nothing is kept, at most; the network's parameters."""

    operations: float
    kept: float
    passing: float
    parameters: int


@functools.cache
def operations(model: ModelSpec, data: DataSpec) -> float:
    """Multiply-adds of the convolutions and linear layers for one image, forward.

    Norms and neurons are not counted, and so they are left out: on the `meta` device they take most of the time.
    """
    network, images = _without_numbers(model, data)
    products: list[int] = []

    def count(module: torch.nn.Module, inputs: tuple[torch.Tensor], output: torch.Tensor) -> None:
        products.append(output.numel() * module.weight[0].numel())  # a weight of each output, once

    for module in network.modules():
        if isinstance(module, LAYERS):
            module.register_forward_hook(count)
        elif isinstance(module, torch.nn.BatchNorm2d | LIF):
            module.forward = lambda x: x
    with torch.no_grad():
        network(images)
    return sum(products) / len_of(images)


@functools.cache
def footprint(model: ModelSpec, data: DataSpec) -> Footprint:
    """Counted on a network that holds no numbers."""
    network, images = _without_numbers(model, data)
    own = {tensor.untyped_storage()._cdata for tensor in (*network.parameters(), *network.buffers())}
    kept: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        kept[storage._cdata] = storage  # held, so that no other storage takes its address
        return tensor

    around: list[int] = []  # a layer

    def note_size(module: torch.nn.Module, inputs: tuple[torch.Tensor], output: torch.Tensor) -> None:
        around.append(inputs[0].nbytes + output.nbytes)

    for module in network.modules():
        if isinstance(module, LAYERS):
            module.register_forward_hook(note_size)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x):
        network(images)
    total = sum(storage.nbytes() for address, storage in kept.items() if address not in own)
    passing = 2 * max(around)  # beside a layer, a shortcut and a norm, or a neuron and its potential
    parameters = sum(p.numel() for p in network.parameters())
    return Footprint(operations(model, data), total / len_of(images), passing / len_of(images), parameters)


def _without_numbers(model: ModelSpec, data: DataSpec) -> tuple[torch.nn.Module, torch.Tensor]:
    """A network on PyTorch's `meta` device, and a batch of two images for it."""
    with torch.device("meta"):
        network = build(model, data, seed=0).to(memory_format=torch.channels_last).train()
        shape = (2, data.in_channels, data.image_size, data.image_size)
        return network, torch.empty(shape if data.frames is None else (data.frames, *shape))


def len_of(images: torch.Tensor) -> int:
    """Images of a batch, which of frames (T, B, C, H, W) is the second size."""
    return images.shape[-4]
