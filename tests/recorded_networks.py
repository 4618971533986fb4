"""Networks and batches that the tests of recording share."""

from __future__ import annotations

import snntorch
import torch
from torch import Tensor, nn

from snnlib.loaders import Batch

T, B = 3, 5


def batch(*shape: int, n: int | None = None) -> Batch:
    return Batch(torch.randn(shape), None, n or shape[0])


def keep(features: Tensor, module: nn.Module) -> Tensor:
    """A reduction that keeps everything, to look at it."""
    return features.clone()


class Twice(nn.Module):
    """Calls one ReLU twice, the second time in place on what a recorded layer gave."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2, self.relu = nn.Linear(6, 7), nn.Linear(7, 4), nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.fc2(self.relu(self.fc1(x))))


class Loop(nn.Module):
    """A single-step snnTorch network in a loop over time; the ReLU is called twice a step."""

    T = T

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.relu = nn.Linear(6, 7), nn.ReLU()
        self.fc, self.lif = nn.Linear(7, 4), snntorch.Leaky(beta=0.9)

    def forward(self, x: Tensor) -> Tensor:
        current, mem, spikes = self.encoder(x), self.lif.init_leaky(), []
        for t in range(self.T):
            h = self.relu(self.fc(self.relu((t + 1) * current)))
            spk, mem = self.lif(h, mem)
            spikes.append(spk)
        return torch.stack(spikes).mean(0)


class Gives(nn.Module):
    """A network whose one inner layer gives what it is told to, whatever goes in."""

    def __init__(self, output: object, layer: type[nn.Module] = nn.Module) -> None:
        super().__init__()
        self.layer = layer()
        self.layer.forward = lambda x: output  # type: ignore[method-assign]

    def forward(self, x: Tensor) -> object:
        return self.layer(x)
