"""What a figure is drawn from: the networks, results and data that its sources name, with their cards."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import xarray as xr

from snnlib.entries import Entry, changed_inputs
from snnlib.measurements import Measurements
from snnlib.spec import DataSpec, SamplesSpec, Spec, StreamSpec, TrainSpec, networks_of

if TYPE_CHECKING:
    from snnlib.store import Store


class NoSource(ValueError):
    """Something that is no result, no network, and no collection of these."""


@dataclass(frozen=True)
class Origin:
    """Networks and results by name, each with its entry, or None where the store has it no longer."""

    specs: dict[str, Spec]
    entries: dict[str, Entry | None]
    data: tuple[DataSpec, ...]
    measured: tuple[Mapping[str, Any], ...] = ()  # what files of measurements say of themselves

    @property
    def networks(self) -> dict[str, TrainSpec]:
        return {name: spec for name, spec in self.specs.items() if isinstance(spec, TrainSpec)}

    @property
    def results(self) -> dict[str, Spec]:
        return {name: spec for name, spec in self.specs.items() if not isinstance(spec, TrainSpec)}

    @property
    def n_images(self) -> list[int]:
        """How many images the results rest on."""
        counts = (getattr(spec, "n_images", None) for spec in self.results.values())
        return sorted({count for count in counts if count})

    def cards(self, names: Iterable[str]) -> list[Mapping[str, Any]]:
        """The cards of those that the store has."""
        return [entry.card for name in names if (entry := self.entries[name])]

    def changed_since(self) -> list[str]:
        """Names of results that were computed from other weights than the store has now."""
        here = self.entries.get
        return [name for name in self.results for card in self.cards([name]) if changed_inputs(card, here)]


def origin(sources: Iterable[Any], store: Store | None) -> Origin:
    """What these sources were made from, and the networks that results were computed with.

    Args:
        sources: results, networks, specs, runs (all that was asked of their store so far), measurements; lists,
            mappings and dataclasses of these, of which other members say nothing.
        store: where results are looked up.

    Raises:
        ValueError: a source that is nothing of this; a result that does not say which entry it is.
    """
    found: dict[str, Spec] = {}
    data: dict[DataSpec, None] = {}
    measured = []
    for one in (named for source in sources for named in _named(source, store)):
        if isinstance(one, Measurements):
            measured.append(one.about)
        elif isinstance(one, DataSpec):
            data[one] = None
        else:
            found |= {spec.name: spec for spec in (*networks_of(one), one)}
    data |= {spec.data: None for spec in found.values() if isinstance(spec, TrainSpec | SamplesSpec | StreamSpec)}
    # a result that does not count any more is what the figure is drawn from nevertheless
    entries = {name: (store.find(spec) or store.named(name)) if store else None for name, spec in found.items()}
    return Origin(found, entries, tuple(data), tuple(measured))


def _named(source: Any, store: Store | None) -> Iterator[Spec | Measurements]:
    """The specs of a source; all members of a list or a mapping are sources, those of a dataclass may be."""
    spec = getattr(source, "spec", source)  # a network's, an entry's
    if isinstance(spec, Spec | Measurements):
        yield spec
    elif isinstance(source, xr.DataArray | xr.Dataset):
        yield _spec_of(source, store)
    elif isinstance(source, Mapping | list | tuple):
        for member in source.values() if isinstance(source, Mapping) else source:
            yield from _named(member, store)
    elif (asked := getattr(getattr(source, "store", None), "asked", None)) is not None:  # a run
        yield from asked.values() or [source.data]
    elif dataclasses.is_dataclass(source):
        for field in dataclasses.fields(source):
            with suppress(NoSource):
                yield from _named(getattr(source, field.name), store)
    else:
        raise NoSource(
            f"a {type(source).__name__} does not say where it comes from; name the results or networks behind it"
        )


def _spec_of(result: xr.DataArray | xr.Dataset, store: Store | None) -> Spec:
    name = result.attrs.get("entry")
    if name is None:
        raise ValueError(
            "an array computed from results does not say where it comes from; name those that the study returned"
        )
    entry = store.named(name) if store else None
    if entry is None:
        raise ValueError(f"the store of this page has no entry {name}; name what it is made of instead")
    return entry.spec
