"""CKA of all 74 layers of an SNN (T = 4) with all of an ANN, both ResNet-20, forward passes included."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

import snnlib as package
from snnlib.layers import select_layers
from snnlib.memory import in_memory_order, keep_freed_memory

T = 4
PAIRS_TIMED = 200  # of 5,476: the others cost the same


def networks() -> tuple[nn.Module, nn.Module]:
    """An SNN and an ANN whose batch norms have seen some images, so that the deep layers of the SNN fire."""
    torch.manual_seed(0)
    pair = package.build_model("resnet20", spiking=True, T=T), package.build_model("resnet20", spiking=False)
    for network in pair:
        network.to(memory_format=torch.channels_last).train()
        with torch.no_grad():
            for _ in range(20):
                network(torch.randn(32, 3, 32, 32))
        network.eval()
    return pair


def snnlib(n: int, batches: int = 1, layers: int | None = None, time: str = "concat") -> Callable[[], object]:
    """`snnlib.compare` on so many batches of n images; `layers`: every so-manieth only, to make so many."""
    snn, ann = networks()
    names = select_layers(snn)
    some = names[:: len(names) // layers][:layers] if layers else None
    images = torch.randn(n, 3, 32, 32)
    package.compare(snn, ann, [images[:8]])  # loads what is loaded lazily
    return lambda: package.compare(snn, ann, [images] * batches, layers_a=some, layers_b=some, time=time)


def snnlib_each(n: int) -> Callable[[], object]:
    return snnlib(n, time="each")


@contextmanager
def features_of(network: nn.Module, n: int, reduce: Callable[[Tensor], object]) -> Iterator[list]:
    """What `reduce` makes of each layer's features, (steps, n, p), by plain hooks."""
    found: list = []

    def hook(module: nn.Module, args: object, out: Tensor) -> None:
        out = out if out.dim() == 5 else out.unflatten(0, (-1, n))
        found.append(reduce(in_memory_order(out, leading=2)))  # a view: no copy in the bound

    handles = [network.get_submodule(name).register_forward_hook(hook) for name in select_layers(network)]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def plain_grams(n: int, images: Tensor, pair: tuple[nn.Module, nn.Module], keep: bool) -> tuple[list, list]:
    """Both forward passes with one plain float32 product a layer: the Gram matrix of features flattened over time."""

    def reduce(features: Tensor) -> Tensor | None:
        gram = sum(step @ step.T for step in features)
        return gram if keep else None

    grams = []
    for network in pair:
        with torch.no_grad(), features_of(network, n, reduce) as found:
            network(images)
        grams.append(found)
    return grams[0], grams[1]


def plain(n: int) -> Callable[[], object]:
    """No CKA at all: the two forward passes and one product a layer."""
    keep_freed_memory()
    pair, images = networks(), torch.randn(n, 3, 32, 32)
    return lambda: plain_grams(n, images, pair, keep=False)


def released(n: int) -> Callable[[], object]:
    """The cost of the paper's released algorithm: Gram matrices once, an n x n x n product for each pair of layers.

    A sample of the pairs is timed, and the time of all follows from it.
    """
    pair, images = networks(), torch.randn(n, 3, 32, 32)
    seconds = {"pairs": 0.0}

    def hsic(k: Tensor, other: Tensor) -> Tensor:
        product = k @ other
        total = k.sum() * other.sum() / ((n - 1) * (n - 2)) - 2 / (n - 2) * product.sum()
        return (product.trace() + total) / (n * (n - 3))

    class Run:
        def __call__(self) -> None:
            grams = plain_grams(n, images, pair, keep=True)
            for k in itertools.chain(*grams):
                k.fill_diagonal_(0)
                hsic(k, k)
            self.pairs = len(grams[0]) * len(grams[1])
            started = time.perf_counter()
            for k, other in itertools.islice(itertools.product(*grams), PAIRS_TIMED):
                hsic(k, other).item()
            seconds["pairs"] = time.perf_counter() - started

        def scale(self, measured: float) -> float:
            """Seconds of the whole from those of the sample."""
            return measured + seconds["pairs"] * (self.pairs / PAIRS_TIMED - 1)

    return Run()


def torch_cka(n: int) -> Callable[[], object]:
    """torch_cka on the same layers; the time of the SNN's layers is moved behind the images, as it needs it."""
    from torch.utils.data import DataLoader, TensorDataset
    from torch_cka import CKA

    class TimeLast(CKA):
        def _log_layer(self, model, name, layer, inp, out):
            if model == "model1" and out.shape[0] in (T, T * n):
                out = (out if out.shape[0] == T else out.unflatten(0, (T, n))).transpose(0, 1).contiguous()
            super()._log_layer(model, name, layer, inp, out)

    snn, ann = (network.to(memory_format=torch.contiguous_format) for network in networks())  # it flattens that way
    loader = DataLoader(TensorDataset(torch.randn(n, 3, 32, 32)), batch_size=n)
    cka = TimeLast(snn, ann, "SNN", "ANN", select_layers(snn), select_layers(ann))

    def run() -> None:
        with torch.no_grad():
            cka.compare(loader)

    return run
