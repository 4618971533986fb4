"""One training step of ResNet-20 on 32 x 32 images: forward, backward, update; each library as its users write it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from benchmarks import peers
from snnlib import build_model, kernels
from snnlib.memory import keep_freed_memory
from snnlib.training import pace

Step = Callable[[], Tensor]
MIXED = pace.precision_here("bf16-mixed") == "bf16-mixed"  # what `snnlib.training` chooses on this machine


def _step(network: nn.Module, batch: int, *, bf16: bool, channels_last: bool, run: nn.Module | None = None) -> Step:
    """The step of a network, after one on two images that loads what is loaded lazily."""
    layout = torch.channels_last if channels_last else torch.contiguous_format
    network = network.to(memory_format=layout).train()
    run = network if run is None else run
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)

    def step(images: Tensor, labels: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss = cross_entropy(run(images).float(), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    def data(size: int) -> tuple[Tensor, Tensor]:
        return torch.randn(size, 3, 32, 32).to(memory_format=layout), torch.randint(10, (size,))

    if run is network:
        step(*data(2))
    images, labels = data(batch)
    return lambda: step(images, labels)


def snnlib(
    batch: int, T: int = 4, arch: str = "resnet20", width: float = 1.0, *, compiled: bool = True, bf16: bool = MIXED
) -> Step:
    """As `snnlib.training` does it in a long run: compiled, channels-last, the faster precision, freed memory kept."""
    keep_freed_memory()
    network = build_model(arch, spiking=True, T=T, width=width)

    def within(step: Step) -> Step:
        def run() -> Tensor:
            with kernels.compiled(compiled):
                return step()

        return run

    with kernels.compiled(compiled):
        return within(_step(network, batch, bf16=bf16, channels_last=True))


def relu(batch: int, T: int) -> Step:
    """The bound: the same network with ReLU on as many images as the spiking one sees in all its steps."""
    keep_freed_memory()
    return _step(build_model("resnet20", spiking=False), batch * T, bf16=MIXED, channels_last=True)


def relu_compiled(batch: int, T: int) -> Step:
    """The bound, compiled as a whole."""
    keep_freed_memory()
    torch._dynamo.reset()  # else the batch size of the case before makes this one's a variable
    network = build_model("resnet20", spiking=False)
    run = torch.compile(network, dynamic=False)
    return _step(network, batch * T, bf16=MIXED, channels_last=True, run=run)


def snntorch(batch: int, T: int, *, bf16: bool = False) -> Step:
    """The network in a loop over time, `Leaky` layers with their membrane potentials passed along."""
    return _step(peers.SnnTorchNet(T), batch, bf16=bf16, channels_last=bf16)


def spikingjelly(batch: int, T: int, *, bf16: bool = False) -> Step:
    """Multi-step `LIFNode`s, everything else on time folded into the batch."""
    return _step(peers.SpikingJellyNet(T), batch, bf16=bf16, channels_last=bf16)
