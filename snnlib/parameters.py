"""From the parameters a user gives, to a notebook or on the command line, to specs the store can be asked for.

`None` means the preset's value. All parameters are validated at once, before anything heavy is imported.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from snnlib.spec import (
    DEPTHS,
    PRESETS,
    CompareSpec,
    DataSpec,
    ModelSpec,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Preset,
    RatesSpec,
    Spec,
    SpecError,
    TrainSpec,
)
from snnlib.store import Store

if TYPE_CHECKING:
    import xarray as xr

    from snnlib.training import Network


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


class Parameters(Spec):
    """The parameters that every notebook has."""

    preset: Annotated[str, BeforeValidator(_one_of(*PRESETS))] = "quick"
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
    n_images: Annotated[int, Field(ge=4, strict=True)] | None = None
    recompute: Annotated[bool, Field(strict=True)] = False


class SpatialParameters(Parameters):
    """Those of the section on width and depth."""

    widths: Widths | None = None
    depths: Depths | None = None


class SpeedParameters(Spec):
    """Those of the page on speed."""

    results: Annotated[Path | None, BeforeValidator(_path)] = None


@dataclass(frozen=True)
class Run:
    """Validated parameters with the preset's values filled in, and the store they are computed through."""

    given: Parameters
    preset: Preset
    data: DataSpec
    title: str  # of the data set, for people; a subset says so
    store: Store

    @classmethod
    def of(cls, given: Parameters) -> Run:
        """Resolve parameters; finds the data, or what the store knows of it.

        Raises:
            SpecError: unknown data set, or data that are neither at hand nor to be downloaded, and no stored result.
        """
        from snnlib.data.cifar import MissingData
        from snnlib.data.images import KNOWN, describe, open_images

        preset = PRESETS[given.preset]
        dataset = given.dataset or preset.dataset
        store = Store(data_root=given.data_root, dataset=dataset, recompute=given.recompute)
        try:
            images = open_images(dataset, given.data_root, cache_dir=store.cache, download=False)
        except MissingData:
            known = describe(dataset, given.data_root, cache_dir=store.cache, require_data=False)
            run = cls(given, preset, known, KNOWN[dataset].title, store)
            if run.is_stored():  # then the images may never be needed
                return run
            images = open_images(dataset, given.data_root, cache_dir=store.cache)  # downloads, or says what is missing
        available = len(images.test)
        if given.n_images and given.n_images > available:
            raise SpecError(
                f"n_images = {given.n_images}, but {images.title} has {available} test images; ask for at most these."
            )
        # a small folder of one's own need not have as many as a preset takes
        given = given.model_copy(update={"n_images": given.n_images or min(preset.n_images, available)})
        return cls(given, preset, images.spec, images.title, store)

    def is_stored(self) -> bool:
        """Whether the store has the networks that every chapter asks for: of both kinds, of all seeds."""
        base = [self.network(spiking=spiking, seed=seed) for spiking in (True, False) for seed in self.seeds]
        return all(self.store.find(spec) for spec in base)

    def value(self, name: str) -> Any:
        """A parameter as given, else the preset's."""
        given = getattr(self.given, name)
        return getattr(self.preset, name) if given is None else given

    @cached_property
    def seeds(self) -> tuple[int, ...]:
        return self.value("seeds")

    def network(
        self,
        *,
        spiking: bool,
        seed: int | None = None,
        epochs: int | None = None,
        depth: int | None = None,
        **model: Any,
    ) -> TrainSpec:
        """The spec of one network of this run; what is not named is the run's. `epochs=0`: the untrained one."""
        settings = {"T": self.value("T"), "width": self.value("width"), **model}
        preset = self.preset
        return TrainSpec(
            model=ModelSpec(arch=f"resnet{depth or self.value('depth')}", spiking=spiking, **settings),
            data=self.data,
            epochs=self.value("epochs") if epochs is None else epochs,
            batch_size=preset.batch_size,
            lr=preset.lr,
            warmup_epochs=preset.warmup_epochs,
            precision=preset.precision,
            seed=self.seeds[0] if seed is None else seed,
        )

    def train(self, spec: TrainSpec) -> Network:
        """The trained network, from the store or trained now."""
        return self.store.get(spec)

    def train_all(self, specs: Iterable[TrainSpec]) -> list[Network]:
        """The trained networks, from the store or trained now, side by side where there are cores for it."""
        return self.store.get_all(list(specs))

    def compare(self, a: TrainSpec, b: TrainSpec, **options: Any) -> xr.DataArray:
        """Similarity of two networks, layer by layer; options are those of `CompareSpec`."""
        return self.store.get(CompareSpec(a=a, b=b, n_images=self.value("n_images"), **options))

    def rates(self, network: TrainSpec) -> xr.DataArray:
        """Firing rates by layer and step."""
        return self.store.get(RatesSpec(network=network, n_images=self.value("n_images")))

    def published_networks(self) -> list[Network]:
        """The trained networks that came with this checkout, of any data set."""
        entries = [entry for entry in self.store.entries() if entry.layer == "published" and entry.kind == "TrainSpec"]
        return [self.store.read(entry) for entry in entries]
