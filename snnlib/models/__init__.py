"""The networks: one definition a family serves both kinds; `spiking` picks the activation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

from torch import nn

from snnlib.models.parts import Classifier
from snnlib.models.resnet import BLOCKS_PER_STAGE, ResNet
from snnlib.models.vgg import LAYERS_PER_STAGE, VGG
from snnlib.neurons import LIF, Backend, Surrogate

ARCHITECTURES = (*BLOCKS_PER_STAGE, *LAYERS_PER_STAGE)
STAGES = (1, 2, 3)


def build_model(
    arch: str,
    *,
    spiking: bool,
    T: int = 4,
    width: float = 1.0,
    num_classes: int = 10,
    in_channels: int = 3,
    residual: bool | Sequence[int] = True,
    tau: float = 0.5,
    v_threshold: float = 1.0,
    surrogate: Surrogate = "triangular",
    alpha: float = 1.0,
    backend: Backend = "auto",
) -> Classifier:
    """Build a spiking network, or the ordinary one of the same structure.

    Args:
        arch: "resnet20", "resnet38", "resnet56", "resnet110" or "resnet164"; "vgg11", "vgg13" or "vgg16".
        spiking: LIF neurons if true, ReLU if false.
        T: time steps of a spiking network; an ordinary one has a single step, whatever T says.
        width: factor on the channels of every stage (ResNet: 16, 32, 64; VGG: 64, 128, 256, 512, 512), fractions
            allowed.
        num_classes, in_channels: size of the output and channels of the input.
        residual: shortcuts everywhere (True), nowhere (False), or in the named stages only, e.g. (1, 3). A VGG has
            none to take away: leave it at True.
        tau, v_threshold, surrogate, alpha, backend: those of `snnlib.LIF`.

    Returns:
        A module (B, C, H, W) images or (T, B, C, H, W) frames -> (B, num_classes) logits.

    Raises:
        ValueError: names the argument that cannot be used.
    """
    if arch not in ARCHITECTURES:
        raise ValueError(f"arch = {arch!r} is unknown: choose one of {', '.join(ARCHITECTURES)}")
    for name, count in {"T": T, "num_classes": num_classes, "in_channels": in_channels}.items():
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise ValueError(f"{name} = {count!r} must be a whole number of at least 1")
    if not 0 < width < math.inf:
        raise ValueError(
            f"width = {width!r} must be a finite number larger than 0; 1.0 is the base width, 0.5 half of it"
        )
    neuron = partial(LIF, tau=tau, v_threshold=v_threshold, surrogate=surrogate, alpha=alpha, backend=backend)
    settings = {
        "activation": neuron if spiking else nn.ReLU,
        "spiking": spiking,
        "T": T if spiking else 1,
        "width": width,
        "num_classes": num_classes,
        "in_channels": in_channels,
    }
    if arch in LAYERS_PER_STAGE:
        if residual is not True:
            raise ValueError(f"residual = {residual!r} with {arch}: a VGG has no shortcuts; leave residual out")
        return VGG(LAYERS_PER_STAGE[arch], **settings)
    return ResNet(BLOCKS_PER_STAGE[arch], residual_stages=_residual_stages(residual), **settings)


def _residual_stages(residual: bool | Sequence[int]) -> frozenset[int]:
    if isinstance(residual, bool):
        return frozenset(STAGES if residual else ())
    unknown = [stage for stage in residual if stage not in STAGES]
    if unknown:
        raise ValueError(f"residual = {residual!r} names stage {unknown[0]!r}: there are only {STAGES}")
    return frozenset(residual)
