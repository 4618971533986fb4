"""What all networks for small images share: time folded into the batch, the still image, input checks, the read-out.

Time comes first: every layer but the neurons sees (T·B, C, H, W), so batch norm takes its statistics over time too. An
image that is fed at every step (direct encoding) gives the same current at every step: what stands before the first
neurons runs once on it, and its output is repeated over time.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn

Activation = Callable[[], nn.Module]


def over_time(act: nn.Module, x: Tensor, steps: int) -> Tensor:
    """Apply neurons to features with time folded into the batch. ReLU has no time, and is spared the reshaping."""
    if isinstance(act, nn.ReLU):
        return act(x)
    return act(x.unflatten(0, (steps, -1))).flatten(0, 1)  # (T*B, C, H, W) -> (T, B, C, H, W) -> (T*B, C, H, W)


def conv3x3(c_in: int, c_out: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(c_in, c_out, kernel_size=3, stride=stride, padding=1, bias=False)  # batch norm has the bias


def scaled(channels: int, width: float) -> int:
    """Channels times `width`, a whole number of at least 1."""
    return max(1, round(channels * width))


class Classifier(nn.Module, ABC):
    """A network for small images: `currents`, then `features`, global average pooling `pool`, linear `fc`.

    Shape:
        (B, C, H, W) images, fed at every step, or (T, B, C, H, W) frames, one a step -> (B, num_classes) logits,
        averaged over time. An ordinary network sees each frame by itself.
    """

    pool: nn.Module
    fc: nn.Linear

    def __init__(self, *, spiking: bool, T: int, in_channels: int) -> None:
        super().__init__()
        self.spiking, self.T, self.in_channels = spiking, T, in_channels

    @abstractmethod
    def currents(self, x: Tensor) -> Tensor:
        """Images or single frames (N, C, H, W) -> the input of the first neurons, (N, C', H, W)."""

    @abstractmethod
    def features(self, x: Tensor, steps: int) -> Tensor:
        """Input of the first neurons (T*B, C', H, W) -> what is pooled and read out, (T*B, C'', H', W')."""

    def forward(self, x: Tensor) -> Tensor:
        self._check(x)
        if x.dim() == 5:
            steps = x.shape[0]
            x = self.currents(x.flatten(0, 1))  # (T, B, C, H, W) -> (T*B, C', H, W)
        else:
            steps = self.T
            x = self.currents(x)  # once: they are the same at every step
            # (B, C', H, W) -> (T*B, C', H, W); `repeat` forgets channels-last
            x = torch.cat([x] * steps) if steps > 1 else x
        x = self.pool(self.features(x, steps)).flatten(1)  # (T*B, C'')
        logits = self.fc(x)  # (T*B, num_classes): recorded step by step, then averaged
        return logits.unflatten(0, (steps, -1)).mean(0) if steps > 1 else logits

    def _check(self, x: Tensor) -> None:
        if x.dim() not in (4, 5):
            raise ValueError(f"expected images (B, C, H, W) or frames (T, B, C, H, W), got shape {tuple(x.shape)}")
        if x.shape[-3] != self.in_channels:
            raise ValueError(
                f"the network takes {self.in_channels} channels, the input of shape {tuple(x.shape)} has {x.shape[-3]}"
            )
        if x.dim() == 5 and self.spiking and x.shape[0] != self.T:
            raise ValueError(
                f"the network runs T={self.T} steps, the input of shape {tuple(x.shape)} has {x.shape[0]} frames"
            )
