r"""Pre-activation residual networks for small images, spiking or ordinary, from one definition.

A block computes, with shortcut :math:`S` and activation :math:`\sigma` (LIF neurons or ReLU),

.. math:: y = S(x) + \mathrm{BN}(W_2 * \sigma(\mathrm{BN}(W_1 * \sigma(x)))).

The identity shortcut takes the raw input; where a stage halves the image, the shortcut takes the activated input
through average pooling, a 1×1 convolution and batch norm. Three stages of :math:`n` blocks, 16, 32 and 64 channels
times `width`: ResNet-20/38/56/110/164 have :math:`n` = 3/6/9/18/27. After He et al. (ECCV 2016), as in the spiking
networks of the released code of Li et al. (TMLR 2023); in its ordinary ones a ReLU that works in place rectifies what
the identity shortcut takes.

The stem, a convolution and batch norm, runs once on an image that is fed at every step, see `snnlib.models.parts`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection

from torch import Tensor, nn

from snnlib.models.parts import Activation, Classifier, conv3x3, over_time, scaled

BLOCKS_PER_STAGE = {"resnet20": 3, "resnet38": 6, "resnet56": 9, "resnet110": 18, "resnet164": 27}
BASE_WIDTH = 16


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


class ResNet(Classifier):
    """See the module's text for the structure and `snnlib.build_model` for the arguments."""

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
        super().__init__(spiking=spiking, T=T, in_channels=in_channels)
        channels = [scaled(BASE_WIDTH * 2**i, width) for i in range(3)]
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

    def currents(self, x: Tensor) -> Tensor:
        return self.stem(x)

    def features(self, x: Tensor, steps: int) -> Tensor:
        for stage in (self.stage1, self.stage2, self.stage3):
            for block in stage:
                x = block(x, steps)
        return over_time(self.act, x, steps)
