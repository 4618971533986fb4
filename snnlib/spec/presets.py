"""Values for everything a user left open: `quick`, `laptop` and `paper`."""

from __future__ import annotations

from typing import Literal

from snnlib.spec.base import USUAL, PositiveFloat, PositiveInt, Spec, UnitFloat


class Preset(Spec):
    """Values for everything a user left open."""

    title: str
    dataset: str
    T: PositiveInt = 4
    depth: PositiveInt = 20
    width: PositiveFloat = 1.0
    seeds: tuple[int, ...]
    n_images: PositiveInt
    epochs: PositiveInt
    batch_size: PositiveInt
    lr: PositiveFloat = 0.1
    weight_decay: float = 1e-4
    warmup_epochs: float = 0.0
    precision: Literal["32-true", "bf16-mixed"] = "bf16-mixed"
    widths: tuple[float, ...]
    depths: tuple[int, ...]
    epsilons: tuple[PositiveFloat, ...]  # of pixels in 0..1
    attack_steps: PositiveInt = 10
    shortcuts: tuple[tuple[int, ...], ...]  # stages that keep theirs, a network each, beside everywhere and nowhere
    plain_pairs: PositiveInt | None = None  # pairs of networks without shortcuts; None: of all seeds
    timesteps: tuple[int, ...]
    tau: UnitFloat = 0.5
    alpha: PositiveFloat = 1.0
    vgg_depth: PositiveInt = 11
    vgg_width: PositiveFloat = 1.0
    many_classes: str = "cifar100"
    events: str  # data set of the section on event data
    size: PositiveInt = 48  # side of the frames of recorded events, in pixels


PRESETS = {
    "quick": Preset(
        title="embedded digits, a minute or two a network on two cores",
        dataset="digits",
        width=0.5,
        seeds=(0, 1),
        n_images=352,
        epochs=10,
        batch_size=64,
        widths=(0.25, 0.5, 1.0),
        depths=(20, 38),
        epsilons=(0.02, 0.05, 0.1, 0.2),
        attack_steps=7,
        shortcuts=((1,),),
        timesteps=(1, 2, 4, 8),
        vgg_width=0.25,
        many_classes="digit-variants",
        events="moving-digits",
    ),
    "laptop": Preset(
        title="CIFAR images, ten epochs, hours on two cores",
        dataset="cifar10",
        seeds=(0, 1, 2),
        n_images=2048,
        epochs=10,
        batch_size=128,
        weight_decay=5e-4,  # with so few epochs the paper's 1e-4 leaves networks underfitted
        warmup_epochs=1.0,
        precision="32-true",  # the published networks come from several machines, and must not differ by that
        widths=(0.25, 0.5, 1.0),
        depths=(20, 38),
        epsilons=(0.002, 0.004, 0.008, 0.016),  # about 0.5, 1, 2 and 4 of 255
        shortcuts=(),  # everywhere and nowhere; each stage of its own would be two more networks
        plain_pairs=1,
        timesteps=(1, 2, 4, 8),
        vgg_width=0.25,
        events="moving-cifar10",
    ),
    "paper": Preset(
        title="CIFAR images and 300 epochs as the paper states, what it leaves open as in the other presets; for GPUs",
        dataset="cifar10",
        seeds=(0, 1, 2),
        n_images=2048,
        epochs=300,
        batch_size=128,
        precision="32-true",
        widths=(1.0, 2.0, 4.0, 8.0, 16.0),
        depths=(20, 38, 56, 110, 164),
        epsilons=(0.002, 0.004, 0.008, 0.016, 0.031),  # about 0.5, 1, 2, 4 and 8 of 255
        attack_steps=20,
        shortcuts=((1,), (2,), (3,), (1, 2)),
        timesteps=(1, 2, 4, 8, 16),
        vgg_depth=16,
        events="cifar10-dvs",
    ),
}
USUAL.update(PRESETS["quick"].model_dump())
