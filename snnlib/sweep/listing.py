"""Every network and every result that the chapters ask for, found by running their studies with nothing behind them.

The studies say themselves what they need: here they run against a store that answers every question with a stand-in
and notes what it was asked. So the list needs neither images nor trained networks, and cannot differ from what the
chapters do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from snnlib.data.images import EVENTS, KNOWN
from snnlib.parameters import (
    AdversarialParameters,
    EventParameters,
    ManyClassesParameters,
    Parameters,
    QuickstartParameters,
    ResidualParameters,
    SpatialParameters,
    TemporalParameters,
    TrainingParameters,
    VggParameters,
)
from snnlib.run import Run
from snnlib.spec import PRESETS, DataSpec, Spec, TrainSpec, networks_of
from snnlib.studies.adversarial import adversarial
from snnlib.studies.appendix import examples, further_case
from snnlib.studies.events import event_data, stream_spec
from snnlib.studies.residual import residual
from snnlib.studies.spatial import spatial
from snnlib.studies.temporal import temporal
from snnlib.tables import seed_pairs
from snnlib.training import Network

Study = Callable[[Run], object]


def _quickstart(run: Run) -> None:
    first, second = seed_pairs(run.seeds)[0]
    run.train_all([run.network(spiking=True, seed=first), run.network(spiking=False, seed=second)])


def _training(run: Run) -> None:
    run.train_all(run.network(spiking=kind, seed=seed) for seed in run.seeds for kind in (True, False))
    run.rates(run.network(spiking=True))


def _events(run: Run) -> None:
    event_data(run)
    run.store.get(stream_spec(run))


def _many_classes(run: Run) -> None:
    further_case(run)
    examples(run)


# In the order of worth: what stops early should have made what says most.
CHAPTERS: dict[str, tuple[type[Parameters], Study]] = {
    "00_quickstart": (QuickstartParameters, _quickstart),
    "01_training": (TrainingParameters, _training),
    "06_adversarial": (AdversarialParameters, adversarial),
    "04_temporal": (TemporalParameters, temporal),
    "03_residual": (ResidualParameters, residual),
    "02_spatial_cka": (SpatialParameters, spatial),
    "a1_vgg": (VggParameters, further_case),
    "05_event_data": (EventParameters, _events),
    "a2_cifar100": (ManyClassesParameters, _many_classes),
}


def listing(preset: str, chapters: Iterable[str] | None = None, **given: Any) -> dict[Spec, list[str]]:
    """Every spec that the chapters ask for -> the chapters that do; networks before what builds on them.

    Args:
        preset: of all chapters.
        chapters: some of `CHAPTERS`; all by default.
        given: further parameters that every chapter has.

    The data in the specs have a made-up fingerprint: the list is that of data sets by name.
    """
    found: dict[Spec, list[str]] = {}
    for chapter in chapters or CHAPTERS:
        schema, study = CHAPTERS[chapter]
        for spec in asked(schema(preset=preset, **given), study):
            found.setdefault(spec, []).append(chapter)
    return found


def asked(given: Parameters, study: Study) -> list[Spec]:
    """What one study asks for, or a part of it, in its order; networks before what builds on them."""
    store = AskedStore()
    study(_hollow(store).of(given))
    return list(store.asked)


class AskedStore:
    """A store that has everything, as stand-ins, and notes what it was asked for."""

    def __init__(self) -> None:
        self.asked: dict[Spec, None] = {}  # in the order of asking
        self.renewed: set[str] = set()

    def get(self, spec: Spec) -> Any:
        self.asked |= dict.fromkeys([*networks_of(spec), spec])
        if not isinstance(spec, TrainSpec):
            return Anything()
        history = [{"test_accuracy": float("nan")}] if spec.epochs else []
        return Network(spec, Anything(), history)  # type: ignore[arg-type]

    def get_all(self, specs: Sequence[Spec]) -> list[Any]:
        return [self.get(spec) for spec in specs]

    def make_all(self, specs: Sequence[Spec]) -> None:
        self.get_all(specs)


class Anything:
    """Stands for a result: whatever is asked of it, or done with it, gives it again."""

    def __getattr__(self, name: str) -> Anything:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __call__(self, *_: Any, **__: Any) -> Anything:
        return self

    def __getitem__(self, _: Any) -> Anything:
        return self


def _hollow(store: AskedStore) -> type[Run]:
    """Runs that ask `store`, of data that need not be there."""

    class Hollow(Run):
        @classmethod
        def of(cls, given: Parameters, renewed: set[str] | None = None) -> Run:
            preset, name = PRESETS[given.preset], given.data_set()
            known, how = KNOWN[name], {}
            if name in EVENTS:
                how = {"frames": given.T or preset.T, "size": getattr(given, "size", None) or preset.size}
            data = described(name, **how)
            n_test = known.sizes[1] if known.sizes else 0
            return cls(given, preset, data, known.title, store, n_test=n_test)  # type: ignore[arg-type]

    return Hollow


def described(name: str, frames: int | None = None, size: int | None = None) -> DataSpec:
    """A data set as far as it can be known without the data; simulated events have the size of their images."""
    channels, side, _ = KNOWN[name].shape
    return DataSpec(
        dataset=name,
        fingerprint="0" * 16,
        in_channels=channels,
        num_classes=max(2, len(KNOWN[name].classes)),
        image_size=side if size is None or name.startswith("moving-") else size,
        frames=frames,
    )
