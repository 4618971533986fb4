r"""VGG networks with batch norm for small images, spiking or ordinary, from one definition.

A layer computes, with activation :math:`\sigma` (LIF neurons or ReLU),

.. math:: y = \sigma(\mathrm{BN}(W * x)),

with 3×3 convolutions and no shortcuts. Five stages of 64, 128, 256, 512 and 512 channels times `width` hold 8, 10 or
13 of them: VGG-11, -13 and -16, configurations A, B and D of Simonyan and Zisserman (ICLR 2015). Each stage ends in
pooling. Of the three linear layers, made for large images, only the last is left, as is usual for 32×32 pixels.

**Pooling.** The first four poolings halve the image, and round an odd side up (`ceil_mode`), so that no side falls
below 1; the fifth takes all that is left. On 32×32 pixels that is 2×2, as in the original; the digits' 16×16 pixels
have reached 1×1 by then. All are average pooling, in both kinds of network. The maximum over spikes is a logical "or":
it says whether any neuron of a window fires and not how many do; among equal inputs, as zeros and ones mostly are, the
gradient goes to whichever comes first. The average is linear: it commutes with the average over time, and every neuron
of the window gets its share of the gradient.

The first convolution and batch norm run once on an image that is fed at every step, see `snnlib.models.parts`.
"""

from __future__ import annotations

from torch import Tensor, nn

from snnlib.models.parts import Activation, Classifier, conv3x3, over_time, scaled

CHANNELS = (64, 128, 256, 512, 512)
LAYERS_PER_STAGE = {"vgg11": (1, 1, 2, 2, 2), "vgg13": (2, 2, 2, 2, 2), "vgg16": (2, 2, 3, 3, 3)}


class VGG(Classifier):
    """See the module's text for the structure and `snnlib.build_model` for the arguments."""

    def __init__(
        self,
        layers_per_stage: tuple[int, ...],
        activation: Activation,
        *,
        spiking: bool,
        T: int,
        width: float,
        num_classes: int,
        in_channels: int,
    ) -> None:
        super().__init__(spiking=spiking, T=T, in_channels=in_channels)
        c_in = in_channels
        for number, (channels, count) in enumerate(zip(CHANNELS, layers_per_stage, strict=True), start=1):
            stage = nn.ModuleList()
            for _ in range(count):
                c_out = scaled(channels, width)
                layer = {"conv": conv3x3(c_in, c_out), "bn": nn.BatchNorm2d(c_out), "act": activation()}
                stage.append(nn.ModuleDict(layer))
                c_in = c_out
            if number < len(CHANNELS):
                stage[-1]["pool"] = nn.AvgPool2d(2, ceil_mode=True, count_include_pad=False)
            self.add_module(f"stage{number}", stage)
        self.pool = nn.AdaptiveAvgPool2d(1)  # the fifth
        self.fc = nn.Linear(c_in, num_classes)

    def currents(self, x: Tensor) -> Tensor:
        first = self.stage1[0]
        return first["bn"](first["conv"](x))

    def features(self, x: Tensor, steps: int) -> Tensor:
        layers = [layer for n in range(1, len(CHANNELS) + 1) for layer in self.get_submodule(f"stage{n}")]
        for i, layer in enumerate(layers):
            if i:  # those of the first layer are in `currents`
                x = layer["bn"](layer["conv"](x))  # (T*B, C', H, W)
            x = over_time(layer["act"], x, steps)
            if "pool" in layer:
                x = layer["pool"](x)  # (T*B, C', ceil(H/2), ceil(W/2))
        return x
