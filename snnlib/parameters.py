"""The parameters a user gives, to a notebook or on the command line: what may be said, and how.

`None` means the preset's value. All parameters are validated at once, before anything heavy is imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self

from pydantic import BeforeValidator, Field, model_validator

from snnlib.fields import (
    AnyPath,
    Depth,
    Depths,
    Epsilons,
    PresetName,
    Seeds,
    Shortcuts,
    Timesteps,
    VggDepth,
    Widths,
    one_of,
    several,
)
from snnlib.spec import MIN_IMAGES, PRESETS, NonNegativeInt, PositiveFloat, PositiveInt, Spec, UnitFloat


class PageParameters(Spec):
    """The one parameter of pages that train nothing of the study's: they compute the same under every preset.

    `notebook`: the file in notebooks/ that has these parameters; "" for parameters of none.
    """

    notebook: ClassVar[str] = ""

    preset: PresetName = "quick"


class Parameters(Spec):
    """The parameters that every notebook has. `family`: the networks whose depth `depth` is; `notebook`: as above;
    `title`: how its heading begins; `takes_events`: whether it can be given event data.

    `preset` is by default "laptop" in chapters whose networks and results under it are all published, "quick" in others
    and in the quick start.
    """

    notebook: ClassVar[str] = ""
    title: ClassVar[str] = ""
    family: ClassVar[str] = "resnet"
    takes_events: ClassVar[bool] = True

    preset: PresetName = "quick"
    dataset: str | None = None
    data_root: AnyPath | None = None
    T: PositiveInt | None = None
    depth: Depth | None = None
    width: PositiveFloat | None = None
    seeds: Seeds | None = None
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
    title: ClassVar[str] = "Quickstart"
    takes_events: ClassVar[bool] = False


class TrainingParameters(Parameters):
    """Those of the page on training."""

    notebook: ClassVar[str] = "01_training"
    title: ClassVar[str] = "Training"

    preset: PresetName = "laptop"


class SpatialParameters(Parameters):
    """Those of the section on width and depth."""

    notebook: ClassVar[str] = "02_spatial_cka"
    title: ClassVar[str] = "Space"

    preset: PresetName = "laptop"
    widths: Widths | None = None
    depths: Depths | None = None


class AdversarialParameters(Parameters):
    """Those of the section on adversarial images."""

    notebook: ClassVar[str] = "06_adversarial"
    title: ClassVar[str] = "Adversarial input"
    takes_events: ClassVar[bool] = False

    preset: PresetName = "laptop"
    method: Annotated[str, BeforeValidator(one_of("pgd", "fgsm"))] = "pgd"
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


class ResidualParameters(Parameters):
    """Those of the section on residual connections."""

    notebook: ClassVar[str] = "03_residual"
    title: ClassVar[str] = "Residual connections"

    preset: PresetName = "laptop"
    shortcuts: Shortcuts | None = None
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


class TemporalParameters(Parameters):
    """Those of the section on time. A network of a single step has no dynamics: its own T starts from 2."""

    notebook: ClassVar[str] = "04_temporal"
    title: ClassVar[str] = "Time"

    preset: PresetName = "laptop"
    T: Annotated[int, Field(ge=2, strict=True)] | None = None
    timesteps: Timesteps | None = None
    tau: UnitFloat | None = None
    alpha: PositiveFloat | None = None


class EventParameters(Parameters):
    """Those of the section on event data. `T` is also the number of frames that an event stream is cut into.

    `size`: side of the frames of recorded events, in pixels. `still`: data set of the still images to compare with;
    None takes those that the events were made from. `control`: whether a harder task on still images is compared, too.
    """

    notebook: ClassVar[str] = "05_event_data"
    title: ClassVar[str] = "Events instead of images"

    size: Annotated[int, Field(ge=4, multiple_of=4, strict=True)] | None = None
    still: str | None = None
    control: Annotated[bool, Field(strict=True)] = True

    def data_set(self) -> str:
        return self.dataset or PRESETS[self.preset].events


class SpeedParameters(PageParameters):
    """Those of the page on speed."""

    notebook: ClassVar[str] = "a3_speed"

    results: AnyPath | None = None


class EstimatorParameters(PageParameters):
    """Those of the page that tests the estimators."""

    notebook: ClassVar[str] = "a4_estimator"

    sizes: Annotated[
        tuple[Annotated[int, Field(ge=12, strict=True)], ...], BeforeValidator(several), Field(min_length=1)
    ] = (32, 128, 512)
    features: Annotated[tuple[PositiveInt, ...], BeforeValidator(several), Field(min_length=1)] = (16, 256, 4096)
    repeats: Annotated[int, Field(ge=2, strict=True)] = 10
    seed: NonNegativeInt = 0


class VggParameters(Parameters):
    """Those of the appendix on VGG networks: depth and width are a VGG's."""

    notebook: ClassVar[str] = "a1_vgg"
    title: ClassVar[str] = "VGG networks"
    family: ClassVar[str] = "vgg"
    preset_names: ClassVar[Mapping[str, str]] = {"depth": "vgg_depth", "width": "vgg_width"}

    preset: PresetName = "laptop"
    depth: VggDepth | None = None


class ManyClassesParameters(Parameters):
    """Those of the appendix on CIFAR-100."""

    notebook: ClassVar[str] = "a2_cifar100"
    title: ClassVar[str] = "Many classes"
    takes_events: ClassVar[bool] = False

    preset: PresetName = "laptop"

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
