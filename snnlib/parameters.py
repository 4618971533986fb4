"""The parameters a user gives, to a notebook or on the command line: what may be said, and how.

`None` means the preset's value. All parameters are validated at once, before anything heavy is imported.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from snnlib.spec import (
    DEPTHS,
    MIN_IMAGES,
    PRESETS,
    STAGES,
    VGG_DEPTHS,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Spec,
    UnitFloat,
)


def _one_of(*choices: Any):
    """A validator whose sentence lists the choices and names the nearest."""

    def check(value: Any) -> Any:
        if value in choices and type(value) in {type(choice) for choice in choices}:
            return value
        near = difflib.get_close_matches(str(value), [str(choice) for choice in choices], n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise ValueError(f"{value!r} is not one of {', '.join(map(str, choices))}{hint}")

    return check


def _several(value: Any) -> Any:
    """`-p widths 0.25,0.5` reaches us as text, one number as that number: both mean a tuple."""
    if isinstance(value, str):
        value = [_number(part) for part in value.replace(" ", "").split(",") if part]
    return (value,) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


def _number(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _path(value: Any) -> Any:
    if value is None or isinstance(value, str | Path):
        return value
    raise ValueError(f"{value!r} is not a path; write it as text")


def _seeds(value: Any) -> Any:
    """A number of seeds means the first so many."""
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return tuple(range(value))
    return _several(value) if isinstance(value, str) else value


Depth = Annotated[int, BeforeValidator(_one_of(*DEPTHS))]
Widths = Annotated[tuple[PositiveFloat, ...], BeforeValidator(_several), Field(min_length=1)]
Depths = Annotated[tuple[Depth, ...], BeforeValidator(_several), Field(min_length=1)]


def _distinct(seeds: tuple[int, ...]) -> tuple[int, ...]:
    if len(set(seeds)) != len(seeds):
        raise ValueError(f"{list(seeds)} names a seed twice; name each once")
    return seeds


Preset = Annotated[str, BeforeValidator(_one_of(*PRESETS))]


class PageParameters(Spec):
    """The one parameter of pages that train nothing of the study's: they compute the same under every preset.

    `notebook`: the file in notebooks/ that has these parameters; "" for parameters of none.
    """

    notebook: ClassVar[str] = ""

    preset: Preset = "quick"


class Parameters(Spec):
    """The parameters that every notebook has. `family`: the networks whose depth `depth` is; `notebook`: as above.

    `preset` is by default "laptop" in chapters whose networks and results under it are all published, "quick" in others
    and in the quick start.
    """

    notebook: ClassVar[str] = ""
    family: ClassVar[str] = "resnet"

    preset: Preset = "quick"
    dataset: str | None = None
    data_root: Annotated[Path | None, BeforeValidator(_path)] = None
    T: PositiveInt | None = None
    depth: Depth | None = None
    width: PositiveFloat | None = None
    seeds: (
        Annotated[tuple[NonNegativeInt, ...], BeforeValidator(_seeds), AfterValidator(_distinct), Field(min_length=1)]
        | None
    ) = None
    epochs: PositiveInt | None = None
    n_images: Annotated[int, Field(ge=MIN_IMAGES, strict=True)] | None = None
    recompute: Annotated[bool, Field(strict=True)] = False

    def data_set(self) -> str:
        """The data set as given, else the preset's."""
        return self.dataset or PRESETS[self.preset].dataset

    def value(self, name: str) -> Any:
        """A parameter as given, else the preset's."""
        given = getattr(self, name)
        return getattr(PRESETS[self.preset], self.preset_names.get(name, name)) if given is None else given


class QuickstartParameters(Parameters):
    """Those of the quick start."""

    notebook: ClassVar[str] = "00_quickstart"


class TrainingParameters(Parameters):
    """Those of the page on training."""

    notebook: ClassVar[str] = "01_training"

    preset: Preset = "laptop"


class SpatialParameters(Parameters):
    """Those of the section on width and depth."""

    notebook: ClassVar[str] = "02_spatial_cka"

    widths: Widths | None = None
    depths: Depths | None = None


def _ascending(values: tuple[float, ...]) -> tuple[float, ...]:
    if list(values) != sorted(set(values)):
        raise ValueError(f"{list(values)} must ascend, each named once")
    return values


Epsilons = Annotated[
    tuple[PositiveFloat, ...], BeforeValidator(_several), AfterValidator(_ascending), Field(min_length=1)
]


class AdversarialParameters(Parameters):
    """Those of the section on adversarial images."""

    notebook: ClassVar[str] = "06_adversarial"

    preset: Preset = "laptop"
    method: Annotated[str, BeforeValidator(_one_of("pgd", "fgsm"))] = "pgd"
    epsilons: Epsilons | None = None
    attack_steps: PositiveInt | None = None
    random_start: Annotated[bool, Field(strict=True)] = False
    released: Annotated[bool, Field(strict=True)] = False

    @model_validator(mode="after")
    def _one_setting(self) -> Self:
        chosen = {"method": self.method != "pgd", "epsilons": self.epsilons, "attack_steps": self.attack_steps}
        chosen["random_start"] = self.random_start
        names = [name for name, value in chosen.items() if value]
        if self.released and names:
            raise ValueError(f"released = True settles the whole attack: leave out {', '.join(names)}")
        if self.method == "fgsm" and (self.attack_steps or self.random_start):
            raise ValueError("method = 'fgsm' takes one step from the image: leave out attack_steps and random_start")
        return self


def _stages(value: Any) -> Any:
    """ "1,12" names two networks: one that keeps the shortcuts of stage 1, one those of stages 1 and 2."""
    several = _several(value)
    if not isinstance(several, tuple | list):
        return value
    return tuple(tuple(map(int, str(kept))) if str(kept).isdecimal() else kept for kept in several)


def _some_stages(kept: tuple[int, ...]) -> tuple[int, ...]:
    """Some stages, not all and not none: those two networks are always there."""
    if not set(kept) < set(STAGES) or len(set(kept)) != len(kept):
        text = "".join(map(str, kept))
        raise ValueError(f"{text!r} does not name some of the stages {STAGES}, each once: write 1, or 12 for two")
    return tuple(sorted(kept))


Kept = Annotated[tuple[int, ...], Field(min_length=1), AfterValidator(_some_stages)]


class ResidualParameters(Parameters):
    """Those of the section on residual connections."""

    notebook: ClassVar[str] = "03_residual"

    shortcuts: Annotated[tuple[Kept, ...], BeforeValidator(_stages)] | None = None
    plain_pairs: PositiveInt | None = None

    @model_validator(mode="after")
    def _enough_seeds(self) -> Self:
        pairs = len(self.value("seeds"))
        if self.plain_pairs and self.plain_pairs > pairs:
            raise ValueError(
                f"plain_pairs = {self.plain_pairs}, but there are no more pairs of networks than seeds, {pairs}: "
                "lower it, or give more seeds"
            )
        return self


Timesteps = Annotated[tuple[PositiveInt, ...], BeforeValidator(_several), Field(min_length=1)]


class TemporalParameters(Parameters):
    """Those of the section on time. A network of a single step has no dynamics: its own T starts from 2."""

    notebook: ClassVar[str] = "04_temporal"

    preset: Preset = "laptop"
    T: Annotated[int, Field(ge=2, strict=True)] | None = None
    timesteps: Timesteps | None = None
    tau: UnitFloat | None = None
    alpha: PositiveFloat | None = None


class EventParameters(Parameters):
    """Those of the section on event data. `T` is also the number of frames that an event stream is cut into.

    `size`: side of the frames of recorded events, in pixels. `still`: data set of the still images to compare with;
    None takes those that the events were made from.
    """

    notebook: ClassVar[str] = "05_event_data"
    preset_names: ClassVar[Mapping[str, str]] = {"seeds": "event_seeds"}

    size: Annotated[int, Field(ge=4, multiple_of=4, strict=True)] | None = None
    still: str | None = None

    def data_set(self) -> str:
        return self.dataset or PRESETS[self.preset].events


class SpeedParameters(PageParameters):
    """Those of the page on speed."""

    notebook: ClassVar[str] = "a3_speed"

    results: Annotated[Path | None, BeforeValidator(_path)] = None


class EstimatorParameters(PageParameters):
    """Those of the page that tests the estimators."""

    notebook: ClassVar[str] = "a4_estimator"

    sizes: Annotated[
        tuple[Annotated[int, Field(ge=12, strict=True)], ...], BeforeValidator(_several), Field(min_length=1)
    ] = (32, 128, 512)
    features: Annotated[tuple[PositiveInt, ...], BeforeValidator(_several), Field(min_length=1)] = (16, 256, 4096)
    repeats: Annotated[int, Field(ge=2, strict=True)] = 10
    seed: NonNegativeInt = 0


class VggParameters(Parameters):
    """Those of the appendix on VGG networks: depth and width are a VGG's."""

    notebook: ClassVar[str] = "a1_vgg"
    family: ClassVar[str] = "vgg"
    preset_names: ClassVar[Mapping[str, str]] = {"depth": "vgg_depth", "width": "vgg_width"}

    preset: Preset = "laptop"
    depth: Annotated[int, BeforeValidator(_one_of(*VGG_DEPTHS))] | None = None


class ManyClassesParameters(Parameters):
    """Those of the appendix on CIFAR-100."""

    notebook: ClassVar[str] = "a2_cifar100"

    preset: Preset = "laptop"

    def data_set(self) -> str:
        return self.dataset or PRESETS[self.preset].many_classes


class OwnNetworksParameters(PageParameters):
    """Those of the page on networks of one's own. Eight groups of images need eight of them."""

    notebook: ClassVar[str] = "b1_bring_your_own"

    T: PositiveInt = 4
    epochs: NonNegativeInt = 3
    n_images: Annotated[int, Field(ge=8, strict=True)] = 350
    batch_size: Annotated[int, Field(ge=8, strict=True)] = 175
    seed: NonNegativeInt = 0
