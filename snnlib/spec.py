"""What to train and what to compare, as validated, hashable descriptions.

A *spec* says everything that bears on a result, and nothing else: not where files lie, not which device computes.
Two specs that are equal have the same canonical form and so the same hash, which is the name the store keeps a
model or a result under. The presets `quick`, `laptop` and `paper` are the values a spec takes when a user says none.
"""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StrictBool, ValidationError, field_validator, model_validator

DEPTHS = (20, 38, 56, 110, 164)
STAGES = (1, 2, 3)

PositiveInt = Annotated[int, Field(ge=1, strict=True)]
NonNegativeInt = Annotated[int, Field(ge=0, strict=True)]
PositiveFloat = Annotated[float, Field(gt=0, allow_inf_nan=False)]
UnitFloat = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class SpecError(ValueError):
    """Input that cannot be used: one sentence that names the value at fault and the way out."""

    def _render_traceback_(self) -> list[str]:
        """What IPython, and so papermill, shows: the sentence, without a traceback through our code."""
        return [f"{type(self).__name__}: {self}"]


class Spec(BaseModel):
    """Base of all specs: immutable, no unknown fields, a canonical form and its hash."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise SpecError(explain(error, type(self).__name__)) from error

    def canonical(self) -> str:
        """The spec as JSON with sorted keys and no white space: equal specs give equal text."""
        content = {"kind": type(self).__name__, **self.model_dump(mode="json")}
        return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)

    @property
    def hash(self) -> str:
        """First 12 hexadecimal digits of the SHA-256 of the canonical form."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()[:12]

    @property
    def slug(self) -> str:
        """A few words for people that open the store's folder; the hash tells specs apart."""
        return type(self).__name__.lower()

    @property
    def name(self) -> str:
        """Folder name in the store: words for people, then the hash."""
        return f"{self.slug}-{self.hash}"


class ModelSpec(Spec):
    """One network. `T`, `tau`, `v_threshold`, `surrogate` and `alpha` are those of `snnlib.LIF`.

    An ordinary network (`spiking=False`) has none of them: they are set to fixed values, so that an ANN has one hash
    whatever `T` its spiking partner runs at.
    """

    arch: Literal["resnet20", "resnet38", "resnet56", "resnet110", "resnet164"] = "resnet20"
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
        if isinstance(values, dict) and values.get("spiking") is False:
            neuron = {"T": 1, "tau": 0.5, "v_threshold": 1.0, "surrogate": "triangular", "alpha": 1.0}
            return {**values, **neuron}
        if isinstance(values, dict) and values.get("surrogate") == "dspike":
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
    """One data set, known by its content: `fingerprint` is that of the decoded images, labels and class names."""

    dataset: str
    fingerprint: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    in_channels: PositiveInt
    num_classes: Annotated[int, Field(ge=2, strict=True)]
    image_size: PositiveInt

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
    precision: Literal["32-true", "bf16-mixed"] = "32-true"  # mixed: where the processor has bfloat16, else float32
    seed: NonNegativeInt = 0

    @model_validator(mode="after")
    def _warm_up_ends(self) -> Self:
        if self.epochs and self.warmup_epochs >= self.epochs:
            raise ValueError(f"warmup_epochs = {self.warmup_epochs} must be fewer than epochs = {self.epochs}")
        return self

    @property
    def slug(self) -> str:
        return f"{self.data.slug}-{self.model.slug}-e{self.epochs}-s{self.seed}"

    @property
    def work(self) -> float:
        """Amount of computation, for comparing networks of one data set: what is largest is best begun first."""
        depth = int(self.model.arch.removeprefix("resnet"))
        return max(self.epochs, 1) * depth * self.model.width**2 * (self.model.T if self.model.spiking else 1)


class CompareSpec(Spec):
    """The similarity of two trained networks, layer by layer, on the first `n_images` test images.

    `pairing="shuffled"` shows each network the same images in another order: what is left is the similarity of
    networks that do not look at the same thing, the null of every number.
    """

    a: TrainSpec
    b: TrainSpec
    n_images: Annotated[int, Field(ge=4, strict=True)]
    batch_size: Annotated[int, Field(ge=4, strict=True)] = 256
    time: Literal["concat", "each"] = "concat"
    pairing: Literal["same", "shuffled"] = "same"

    @model_validator(mode="after")
    def _one_data_set(self) -> Self:
        if self.a.data != self.b.data:
            raise ValueError(
                f"a is trained on {self.a.data.dataset}, b on {self.b.data.dataset}; compare networks of one data set"
            )
        return self

    @property
    def slug(self) -> str:
        return f"cka-{self.a.slug}-x-{self.b.model.slug}-s{self.b.seed}"


class RatesSpec(Spec):
    """Firing rates of a spiking network by layer and time step, on the first `n_images` test images."""

    network: TrainSpec
    n_images: PositiveInt

    @model_validator(mode="after")
    def _it_spikes(self) -> Self:
        if not self.network.model.spiking:
            raise ValueError(f"{self.network.model.slug} is an ordinary network: only a spiking one has firing rates")
        return self

    @property
    def slug(self) -> str:
        return f"rates-{self.network.slug}"


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
    warmup_epochs: float = 0.0
    precision: Literal["32-true", "bf16-mixed"] = "bf16-mixed"
    widths: tuple[float, ...]
    depths: tuple[int, ...]


PRESETS = {
    "quick": Preset(
        title="embedded digits, under a minute a network on two cores",
        dataset="digits",
        width=0.5,
        seeds=(0, 1),
        n_images=352,
        epochs=10,
        batch_size=64,
        widths=(0.25, 0.5, 1.0),
        depths=(20, 38),
    ),
    "laptop": Preset(
        title="CIFAR-10, a dozen epochs, hours on two cores",
        dataset="cifar10",
        seeds=(0, 1),
        n_images=2048,
        epochs=12,
        batch_size=128,
        widths=(0.5, 1.0),
        depths=(20,),  # ResNet-38 alone would take as long as all the rest: ask for it with depths=20,38
    ),
    "paper": Preset(
        title="CIFAR-10 and 300 epochs as the paper states, what it leaves open as in the other presets; for GPUs",
        dataset="cifar10",
        seeds=(0, 1, 2),
        n_images=2048,
        epochs=300,
        batch_size=128,
        precision="32-true",
        widths=(1.0, 2.0, 4.0, 8.0, 16.0),
        depths=(20, 38, 56, 110, 164),
    ),
}


WORDS = {
    "a valid integer": "a whole number",
    "a valid number": "a number",
    "a valid boolean": "True or False",
    "a valid tuple": "one or several values, such as 1 or 1,2",
    "greater than or equal to": "at least",
    "less than or equal to": "at most",
}


def explain(error: ValidationError, subject: str) -> str:
    """All that pydantic found, as one sentence a user can act on: the name, the value, what would be right."""
    parts = [_explain_one(_field(found["loc"]), found, subject) for found in error.errors(include_url=False)]
    return "; ".join(dict.fromkeys(parts)) + "."


def _field(location: tuple[str | int, ...]) -> str:
    """Dotted name of a field, without the positions in a list and the types of a union that pydantic adds."""
    names = (part for part in location if isinstance(part, str) and part.isidentifier())
    return ".".join(name for name in names if name not in ("bool", "int", "float", "str"))


def _explain_one(field: str, found: Any, subject: str) -> str:
    value = found["input"]
    if found["type"] == "extra_forbidden":
        return f"{field} = {value!r}: {subject} has no such parameter"
    if found["type"] == "missing":
        return f"{field} is missing from {subject}"
    if found["type"] == "value_error":
        reason = str(found["ctx"]["error"])
        return f"{field} = {reason}" if field else reason
    wanted = found["msg"].removeprefix("Input should be ")
    for pydantics, ours in WORDS.items():
        wanted = wanted.replace(pydantics, ours)
    usual = getattr(PRESETS["quick"], field, None)
    example = "" if usual is None else f"; preset quick has {field} = {usual}"
    return f"{field} = {value!r} cannot be used: it should be {wanted}{example}"
