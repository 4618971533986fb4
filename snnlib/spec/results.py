"""What is computed from trained networks."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StrictBool, model_validator

from snnlib.spec.base import NonNegativeInt, PositiveInt, Spec
from snnlib.spec.networks import DataSpec, TrainSpec

MeasureName = Literal["cka", "cka_without_top", "procrustes", "rsa_pearson", "rsa_spearman", "neighbours"]
Measures = Annotated[tuple[MeasureName, ...], Field(min_length=1)]  # of `snnlib.similarity.MEASURES`

MIN_IMAGES = 4  # of a batch: debiased HSIC divides by n - 3
GROUP = "group"  # dimension of results: 0 are all images, g = 1 ... G all but those of group g


class CompareSpec(Spec):
    """The similarity of two trained networks, layer by layer, on the first `n_images` test images.

    `pairing="shuffled"` shows each network the same images in another order: what is left is the similarity of
    networks that do not look at the same thing, the null of every number.

    The result has a leading dimension "group": all images, then all but one of 8 groups at a time, for an interval over
    images. That takes batches of at least 8 images; with fewer there are all images only.
    """

    a: TrainSpec
    b: TrainSpec
    n_images: Annotated[int, Field(ge=MIN_IMAGES, strict=True)]
    batch_size: Annotated[int, Field(ge=MIN_IMAGES, strict=True)] = 256
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


class MeasuresSpec(Spec):
    """Corresponding layers of two trained networks of one structure, by all measures; `pairing` as in `CompareSpec`.

    `jackknife=False` leaves groups of images out only of measures that are sums over pairs of images: quicker, and the
    others have no interval over images. `measures`: these alone. `time="each"`: every step of one with every step of
    the other, as in `CompareSpec`; "same": with the same step alone; None flattens time.
    """

    a: TrainSpec
    b: TrainSpec
    n_images: Annotated[int, Field(ge=MIN_IMAGES, strict=True)]
    batch_size: Annotated[int, Field(ge=MIN_IMAGES, strict=True)] = 256
    pairing: Literal["same", "shuffled"] = "same"
    jackknife: StrictBool = True
    measures: Measures | None = None
    time: Literal["each", "same"] | None = None

    @model_validator(mode="after")
    def _they_correspond(self) -> Self:
        if self.a.data != self.b.data:
            raise ValueError(
                f"a is trained on {self.a.data.dataset}, b on {self.b.data.dataset}; compare networks of one data set"
            )
        if self.a.model.arch != self.b.model.arch:
            raise ValueError(f"a is a {self.a.model.arch}, b a {self.b.model.arch}: their layers do not correspond")
        return self

    @property
    def slug(self) -> str:
        return f"measures-{self.a.slug}-x-{self.b.model.slug}-s{self.b.seed}"


class RatesSpec(Spec):
    """Firing rates of a spiking network by layer and time step, on the first `n_images` test images.

    The dimension "group" is that of `CompareSpec`.
    """

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


class SamplesSpec(Spec):
    """A test image of each of some classes, spread over all, for a picture; kept for readers who lack the data."""

    data: DataSpec
    classes: PositiveInt = 8

    @model_validator(mode="after")
    def _there_are_images(self) -> Self:
        if self.data.frames:
            raise ValueError(f"{self.data.dataset} holds event streams; only still images have samples")
        return self

    @property
    def slug(self) -> str:
        return f"samples-{self.data.slug}"


class StreamSpec(Spec):
    """One event stream of a data set in all its forms, for a picture; kept for readers who lack the data."""

    data: DataSpec
    index: NonNegativeInt = 0

    @model_validator(mode="after")
    def _there_are_events(self) -> Self:
        if not self.data.frames:
            raise ValueError(f"{self.data.dataset} holds images; only event data have streams")
        return self

    @property
    def slug(self) -> str:
        return f"stream-{self.data.dataset}-{self.index}"
