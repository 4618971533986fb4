r"""Pre-activation residual networks for small images, spiking or ordinary, from one definition.

A block computes, with shortcut :math:`S` and activation :math:`\sigma` (LIF neurons or ReLU),

.. math:: y = S(x) + \mathrm{BN}(W_2 * \sigma(\mathrm{BN}(W_1 * \sigma(x)))).

The identity shortcut takes the raw input; where a stage halves the image, the shortcut takes the activated input
through average pooling, a 1×1 convolution and batch norm. Three stages of :math:`n` blocks, 16, 32 and 64 channels
times `width`: ResNet-20/38/56/110/164 have :math:`n` = 3/6/9/18/27. After He et al. (ECCV 2016), as in the released
code of Li et al. (TMLR 2023).

Time is folded into the batch, time first: every layer but the neurons sees (T·B, C, H, W), so batch norm takes its
statistics over time too. An image that is fed at every step (direct encoding) gives the same current at every step: the
stem runs once on it, and its output is repeated over time.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection

import torch
from torch import Tensor, nn

BLOCKS_PER_STAGE = {"resnet20": 3, "resnet38": 6, "resnet56": 9, "resnet110": 18, "resnet164": 27}
BASE_WIDTH = 16

Activation = Callable[[], nn.Module]


def over_time(act: nn.Module, x: Tensor, steps: int) -> Tensor:
    """Apply neurons to features with time folded into the batch. ReLU has no time, and is spared the reshaping."""
    if isinstance(act, nn.ReLU):
        return act(x)
    return act(x.unflatten(0, (steps, -1))).flatten(0, 1)  # (T*B, C, H, W) -> (T, B, C, H, W) -> (T*B, C, H, W)


def conv3x3(c_in: int, c_out: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(c_in, c_out, kernel_size=3, stride=stride, padding=1, bias=False)  # batch norm has the bias


class Block(nn.Module):
    """Pre-activation block; `shortcut=False` leaves the residual branch alone."""

    def __init__(self, c_in: int, c_out: int, stride: int, activation: Activation, shortcut: bool) -> None:
        super().__init__()
        self.act1 = activation()
        self.conv1 = conv3x3(c_in, c_out, stride)
        self.bn1 = nn.BatchNorm2d(c_out)
        self.act2 = activation()
        self.conv2 = conv3x3(c_out, c_out)
        self.bn2 = nn.BatchNorm2d(c_out)
        self.has_shortcut = shortcut
        self.shortcut = None
        if shortcut and (stride != 1 or c_in != c_out):
            # ceil_mode: an image of odd size shrinks as under a padded 3x3 convolution of stride 2
            layers = [
                ("pool", nn.AvgPool2d(stride, ceil_mode=True, count_include_pad=False)),
                ("conv", nn.Conv2d(c_in, c_out, kernel_size=1, bias=False)),
                ("bn", nn.BatchNorm2d(c_out)),
            ]
            self.shortcut = nn.Sequential(OrderedDict(layers))

    def forward(self, x: Tensor, steps: int) -> Tensor:
        activated = over_time(self.act1, x, steps)  # (T*B, C, H, W)
        y = self.bn1(self.conv1(activated))  # (T*B, C', H/stride, W/stride)
        y = self.bn2(self.conv2(over_time(self.act2, y, steps)))
        if not self.has_shortcut:
            return y
        return y + (x if self.shortcut is None else self.shortcut(activated))


class ResNet(nn.Module):
    """See the module's text for the structure and `snnlib.build_model` for the arguments.

    Shape:
        (B, C, H, W) images, fed at every step, or (T, B, C, H, W) frames, one a step -> (B, num_classes) logits,
        averaged over time. An ordinary network sees each frame by itself.
    """

    def __init__(
        self,
        blocks_per_stage: int,
        activation: Activation,
        *,
        spiking: bool,
        T: int,
        width: float,
        num_classes: int,
        in_channels: int,
        residual_stages: Collection[int],
    ) -> None:
        super().__init__()
        self.spiking, self.T, self.in_channels = spiking, T, in_channels
        channels = [max(1, round(BASE_WIDTH * 2**i * width)) for i in range(3)]
        self.stem = nn.Sequential(OrderedDict(conv=conv3x3(in_channels, channels[0]), bn=nn.BatchNorm2d(channels[0])))
        c_in = channels[0]
        for stage, c_out in enumerate(channels, start=1):
            blocks = []
            for i in range(blocks_per_stage):
                stride = 2 if stage > 1 and i == 0 else 1
                blocks.append(Block(c_in, c_out, stride, activation, shortcut=stage in residual_stages))
                c_in = c_out
            self.add_module(f"stage{stage}", nn.ModuleList(blocks))
        self.act = activation()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(c_in, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        self._check(x)
        if x.dim() == 5:
            steps = x.shape[0]
            x = self.stem(x.flatten(0, 1))  # (T, B, C, H, W) -> (T*B, C, H, W)
        else:
            steps = self.T
            x = self.stem(x)  # once: the current is the same at every step
            x = (
                torch.cat([x] * steps) if steps > 1 else x
            )  # (B, C, H, W) -> (T*B, C, H, W); `repeat` forgets channels-last
        for stage in (self.stage1, self.stage2, self.stage3):
            for block in stage:
                x = block(x, steps)
        x = self.pool(over_time(self.act, x, steps)).flatten(1)  # (T*B, C)
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
