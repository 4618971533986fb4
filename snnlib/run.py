"""From validated parameters to specs the store can be asked for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from snnlib.parameters import Parameters
from snnlib.spec import (
    MIN_IMAGES,
    PRESETS,
    CompareSpec,
    DataSpec,
    MeasuresSpec,
    ModelSpec,
    Preset,
    RatesSpec,
    SpecError,
    TrainSpec,
)
from snnlib.store import Store

if TYPE_CHECKING:
    import xarray as xr

    from snnlib.training import Network

FAMILIES = {"resnet": "ResNet", "vgg": "VGG"}


@dataclass(frozen=True)
class Run:
    """Validated parameters, the preset for those that were not given, and the store they are computed through."""

    given: Parameters
    preset: Preset
    data: DataSpec
    title: str  # of the data set, for people; a subset says so
    store: Store
    n_train: int = 0  # images that networks are trained with
    n_test: int = 0  # test images that accuracies are shares of

    @classmethod
    def of(cls, given: Parameters, renewed: set[str] | None = None) -> Run:
        """Resolve parameters; finds the data, or what the store knows of it.

        Args:
            given: validated parameters.
            renewed: shared by runs that make anew only once, with `recompute`, what several of them need.

        Raises:
            SpecError: unknown data set, or data that are neither at hand nor to be downloaded, and no stored result.
        """
        from snnlib.candidates import candidates
        from snnlib.data.images import EVENTS, KNOWN, open_images

        preset = PRESETS[given.preset]
        dataset = given.data_set()
        how = {}
        if dataset in EVENTS:
            if not given.takes_events:
                still = ", ".join(name for name in KNOWN if name not in EVENTS)
                raise SpecError(
                    f"dataset = {dataset!r} is event data, and {given.title} is about still images: choose {still} or "
                    "folder:PATH, or give it to another chapter"
                )
            size = getattr(given, "size", None) or (None if dataset.startswith("moving-") else preset.size)
            how = {"frames": given.T or preset.T, "size": size}
        store = Store(data_root=given.data_root, dataset=dataset, recompute=given.recompute, renewed=renewed)
        images, known = candidates(store, dataset, how, asked_for=bool(given.dataset or given.data_root))
        enough = [one for one in known if (given.n_images or 0) <= one.n_test]
        whole = KNOWN[dataset].sizes if dataset in KNOWN else None
        if known and not enough and images is None and (not whole or given.n_images > whole[1]):
            enough = [max(known, key=lambda one: one.n_test)]  # no images to be had would be enough either
        for data, title, n_train, n_test in enough:
            _check_images(given, title, n_test)
            run = cls(given, preset, data, title, store, n_train, n_test)
            if run.is_stored():  # then the images may never be needed
                return run
        if images is None:  # downloads, or says what is missing
            images = open_images(dataset, given.data_root, cache_dir=store.cache, **how)
        _check_images(given, images.title, len(images.test))
        return cls(given, preset, images.spec, images.title, store, len(images.train), len(images.test))

    def is_stored(self) -> bool:
        """Whether the store has the networks that every chapter asks for: of both kinds, of all seeds."""
        base = [self.network(spiking=spiking, seed=seed) for spiking in (True, False) for seed in self.seeds]
        return all(self.store.find(spec) for spec in base)

    def value(self, name: str) -> Any:
        """A parameter as given, else the preset's.

        Raises:
            SpecError: for "n_images", where the data set has too few test images.
        """
        found = self.given.value(name)
        if name != "n_images" or self.given.n_images is not None:
            return found
        if self.n_test < MIN_IMAGES:
            images = f"{self.n_test} test image{'s' * (self.n_test != 1)}"
            raise SpecError(
                f"{self.title} has {images}, and a comparison needs at least {MIN_IMAGES}: add some to them"
            )
        return min(found, self.n_test)  # a small folder need not have as many as a preset takes

    @property
    def architecture(self) -> str:
        """Name of the networks, for people."""
        return f"{FAMILIES[self.given.family]}-{self.value('depth')}"

    @property
    def networks(self) -> str:
        """What the networks of this run are, for people."""
        return f"{self.architecture}, width {self.value('width'):g}, T = {self.value('T')}"

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
        epochs = self.value("epochs") if epochs is None else epochs
        return TrainSpec(
            model=ModelSpec(arch=f"{self.given.family}{depth or self.value('depth')}", spiking=spiking, **settings),
            data=self.data,
            epochs=epochs,
            batch_size=preset.batch_size,
            lr=preset.lr,
            weight_decay=preset.weight_decay,
            warmup_epochs=preset.warmup_epochs * epochs / preset.epochs,  # the same share of a shorter training
            precision=preset.precision,
            seed=self.seeds[0] if seed is None else seed,
        )

    def pair(self, seeds: tuple[int, int], **settings: Any) -> tuple[TrainSpec, TrainSpec]:
        """An SNN of the first seed and an ANN of the second; settings are those of `network`."""
        first, second = seeds
        return self.network(spiking=True, seed=first, **settings), self.network(spiking=False, seed=second, **settings)

    def one_kind(self, seeds: tuple[int, int], **settings: Any) -> tuple[tuple[TrainSpec, TrainSpec], ...]:
        """Two SNNs, and two ANNs, of these seeds in ascending order: both orders are one comparison."""
        low, high = sorted(seeds)
        return tuple(
            (self.network(spiking=kind, seed=low, **settings), self.network(spiking=kind, seed=high, **settings))
            for kind in (True, False)
        )

    def train(self, spec: TrainSpec) -> Network:
        """The trained network, from the store or trained now."""
        return self.store.get(spec)

    def train_all(self, specs: Iterable[TrainSpec]) -> list[Network]:
        """The trained networks, from the store or trained now, side by side where there are cores for it."""
        return self.store.get_all(list(specs))

    def make_all(self, specs: Iterable[TrainSpec]) -> None:
        """See that the store has these networks: those it lacks are trained now, as by `train_all`."""
        self.store.make_all(list(specs))

    def compare(self, a: TrainSpec, b: TrainSpec, *, groups: bool = False, **options: Any) -> xr.DataArray:
        """Similarity of two networks, layer by layer; options are those of `CompareSpec`.

        With `groups` it has a leading dimension "group": all images, then all but one group of them at a time, as
        `evidence.effect` takes it.
        """
        found = self.store.get(CompareSpec(a=a, b=b, n_images=self.value("n_images"), **options))
        return found if groups else found.isel(group=0, drop=True)

    def measures(self, a: TrainSpec, b: TrainSpec, **options: Any) -> xr.Dataset:
        """Corresponding layers by all measures, and agreement of decisions; options are those of `MeasuresSpec`."""
        return self.store.get(MeasuresSpec(a=a, b=b, n_images=self.value("n_images"), **options))

    def rates(self, network: TrainSpec, *, groups: bool = False) -> xr.DataArray:
        """Firing rates by layer and step; `groups` as in `compare`."""
        found = self.store.get(RatesSpec(network=network, n_images=self.value("n_images")))
        return found if groups else found.isel(group=0, drop=True)

    def published_networks(self) -> list[tuple[Network, dict[str, Any]]]:
        """The networks that came with this checkout, of any data set, each with its card."""
        entries = [entry for entry in self.store.entries() if entry.layer == "published" and entry.kind == "TrainSpec"]
        return [(self.store.read(entry), entry.card) for entry in entries]


def _check_images(given: Parameters, title: str, n_test: int) -> None:
    """Raise a SpecError where more images are asked for than there are."""
    if given.n_images and given.n_images > n_test:
        raise SpecError(f"n_images = {given.n_images}, but {title} has {n_test} test images; ask for at most these.")
