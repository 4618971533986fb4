"""One network: its structure, the data it learns, and how it is trained."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StrictBool, field_validator, model_validator

from snnlib.spec.base import NonNegativeInt, PositiveFloat, PositiveInt, Spec, UnitFloat

DEPTHS = (20, 38, 56, 110, 164)
VGG_DEPTHS = (11, 13, 16)
STAGES = (1, 2, 3)
# a VGG computes as much as a ResNet of this depth at the same width: multiply-adds of either, at width 1
VGG_WORK = {"vgg11": 75, "vgg13": 112, "vgg16": 153}


class ModelSpec(Spec):
    """One network. `T`, `tau`, `v_threshold`, `surrogate` and `alpha` are those of `snnlib.LIF`.

    An ordinary network (`spiking=False`) has none of them: they are set to fixed values, so that an ANN has one hash
    whatever `T` its spiking partner runs at. So is `residual`, of which a VGG has none.
    """

    arch: Literal["resnet20", "resnet38", "resnet56", "resnet110", "resnet164", "vgg11", "vgg13", "vgg16"] = "resnet20"
    spiking: StrictBool = True
    T: PositiveInt = 4
    width: PositiveFloat = 1.0
    residual: bool | tuple[Literal[1, 2, 3], ...] = True
    tau: UnitFloat = 0.5
    v_threshold: PositiveFloat = 1.0
    surrogate: Literal["triangular", "dspike"] = "triangular"
    alpha: PositiveFloat = 1.0

    @model_validator(mode="before")
    @classmethod
    def _what_plays_no_part_is_fixed(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        if values.get("arch") in VGG_WORK:
            values = {**values, "residual": True}
        if values.get("spiking") is False:
            neuron = {"T": 1, "tau": 0.5, "v_threshold": 1.0, "surrogate": "triangular", "alpha": 1.0}
            return {**values, **neuron}
        if values.get("surrogate") == "dspike":
            return {**values, "alpha": 1.0}
        return values

    @field_validator("residual")
    @classmethod
    def _one_way_to_say_it(cls, residual: bool | tuple[int, ...]) -> bool | tuple[int, ...]:
        """Stages in order; all of them are True, none is False: one network has one hash."""
        if isinstance(residual, bool):
            return residual
        if len(set(residual)) != len(residual):
            raise ValueError(f"{residual} names a stage twice; name each of {STAGES} at most once")
        return {len(STAGES): True, 0: False}.get(len(residual), tuple(sorted(residual)))

    @property
    def slug(self) -> str:
        kind = f"snn-T{self.T}" if self.spiking else "ann"
        width = "" if self.width == 1 else f"-w{self.width:g}"
        match self.residual:
            case True:
                shortcuts = ""
            case False:
                shortcuts = "-plain"
            case stages:
                shortcuts = "-res" + "".join(map(str, stages))
        return f"{self.arch}-{kind}{width}{shortcuts}"


class DataSpec(Spec):
    """One data set, known by its content: `fingerprint` is that of the decoded images, labels and class names.

    `frames`: bins that event streams are cut into; None for still images.
    """

    dataset: str
    fingerprint: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    in_channels: PositiveInt
    num_classes: Annotated[int, Field(ge=2, strict=True)]
    image_size: PositiveInt
    frames: PositiveInt | None = None

    @property
    def slug(self) -> str:
        # a user's folder may have any name: only what file systems and shells take without quoting
        last = self.dataset.replace("\\", "/").rstrip("/").split("/")[-1].removeprefix("folder:")
        return "".join(c if c.isalnum() or c in "-_" else "_" for c in last)[:40] or "folder"


class TrainSpec(Spec):
    """One trained network: what is trained, on what, and how.

    `epochs=0` is the untrained network, the null model: initial weights, and batch-norm statistics of the training
    images, without which most of its neurons would never fire.
    """

    model: ModelSpec
    data: DataSpec
    epochs: NonNegativeInt
    batch_size: PositiveInt
    lr: PositiveFloat = 0.1
    momentum: UnitFloat = 0.9
    weight_decay: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1e-4
    warmup_epochs: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    validation: NonNegativeInt = 0
    precision: Literal["32-true", "bf16-mixed"] = "32-true"  # mixed: where that is faster, else float32
    seed: NonNegativeInt = 0

    @model_validator(mode="after")
    def _warm_up_ends(self) -> Self:
        if self.epochs and self.warmup_epochs >= self.epochs:
            raise ValueError(f"warmup_epochs = {self.warmup_epochs} must be fewer than epochs = {self.epochs}")
        return self

    @model_validator(mode="after")
    def _a_step_for_each_frame(self) -> Self:
        frames = self.data.frames
        if frames and self.model.spiking and frames != self.model.T:
            raise ValueError(
                f"T = {self.model.T}, but {self.data.dataset} was cut into {frames} frames, and a spiking network "
                "takes one frame a step; open it with as many frames as steps"
            )
        return self

    @property
    def slug(self) -> str:
        return f"{self.data.slug}-{self.model.slug}-e{self.epochs}-s{self.seed}"

    @property
    def work(self) -> float:
        """Amount of computation, for comparing networks of one data set: what is largest is best begun first."""
        return max(self.epochs, 1) * self.work_per_image

    @property
    def work_per_image(self) -> float:
        """Computation of a pass of one image, in units of a step of one layer at width 1."""
        arch = self.model.arch
        depth = VGG_WORK.get(arch) or int(arch.removeprefix("resnet"))
        steps = self.data.frames or (self.model.T if self.model.spiking else 1)
        return depth * self.model.width**2 * steps


def networks_of(spec: Spec) -> Iterator[TrainSpec]:
    """The networks that a result builds on, each once, in the order of its fields; none of a network."""
    return networks_among(value for _, value in spec)


def networks_among(values: Iterable[Any]) -> Iterator[TrainSpec]:
    """The networks among the values of a result's fields, which may be tuples of them; each once."""
    parts = (part for value in values for part in (value if isinstance(value, tuple) else (value,)))
    return iter(dict.fromkeys(part for part in parts if isinstance(part, TrainSpec)))
