"""A list at work: what of it is there, what the rest will cost, and making it."""

from __future__ import annotations

import hashlib
import os
import sys
import traceback
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

from snnlib.candidates import candidates
from snnlib.data.images import KNOWN
from snnlib.entries import SUMS, whole_file
from snnlib.spec import DataSpec, Spec, SpecError, TrainSpec, networks_of
from snnlib.store import Store
from snnlib.sweep.costs import Cost, Costs
from snnlib.sweep.listing import described
from snnlib.sweep.plan import Plan
from snnlib.team import SURVIVED

SPEEDS = "speeds"  # folder of the cache with what was measured of machines
State = Literal["published", "cached", "begun", "missing", "no data"]  # begun is a training with a checkpoint


@dataclass(frozen=True)
class Item:
    """One spec of a list, the chapters that show it, and what of it is there."""

    spec: Spec
    chapters: tuple[str, ...]
    state: State

    @property
    def is_there(self) -> bool:
        return self.state in ("published", "cached")


class Sweep:
    """A list, with the data that it is about and the store that holds its results.

    Args:
        plan: the list.
        data_root: where data sets lie; one that is not there, and has no published results, leaves its items without.
        machine: on whose speed forecasts rest, see `Costs`.
        download: fetch data that are not at hand.
    """

    def __init__(
        self, plan: Plan, data_root: Path | None = None, *, machine: str | None = None, download: bool = False
    ) -> None:
        self.plan, self.machine = plan, machine
        self.store = Store(data_root=data_root, dataset=plan.folder)
        self.data: dict[str, DataSpec] = {}  # by the name in the list
        self.sizes: dict[DataSpec, tuple[int, int]] = {}  # images to train and to test with
        self.absent: set[DataSpec] = set()
        for name, how in plan.data.items():
            self._look_up(name, how, download)
        self.trained = plan.trained(self.data)
        self.specs = plan.specs(self.data, {name: self.sizes[data][1] for name, data in self.data.items()})

    def items(self, names: Iterable[str] | None = None) -> list[Item]:
        """All of the list in its order, or those of it with these names.

        A name is that of the store, with or without the hash at its end, or that of a network in the list.

        Raises:
            SpecError: a name that is not in the list; one that several items of it have.
        """
        wanted = list(self.specs) if names is None else [self._named(name) for name in names]
        return [Item(spec, self.specs[spec], self._state(spec)) for spec in wanted]

    def _named(self, name: str) -> Spec:
        found = [spec for spec in self.specs if name in (spec.name, spec.slug) or self.trained.get(name) == spec]
        if not found:
            raise SpecError(f"{name!r} is not in the list; --dry-run shows what is")
        if len(found) > 1:
            raise SpecError(f"{name!r} could be each of {', '.join(spec.name for spec in found)}: name one of them")
        return found[0]

    def cost(self, spec: Spec) -> Cost:
        """The forecast for one item; networks that it builds on are items of their own."""
        return self.costs.of(spec, *self.sizes[data_of(spec)])

    @cached_property
    def costs(self) -> Costs:
        return Costs(self.store.entries(), self.store.cache / SPEEDS, self.machine)

    def make(self, items: Sequence[Item]) -> list[str]:
        """Make what is missing, one after the other; returns the names of what failed, which stops nothing else.

        A result whose network failed is not tried. An error that the others of a team do not survive stops all.
        """
        failed: dict[Spec, str] = {}
        for item in items:
            if any(network in failed for network in networks_of(item.spec)):
                failed[item.spec] = item.spec.name
                continue
            try:
                self.store.get(item.spec)
            except Exception as error:
                print(f"{item.spec.name} failed: {type(error).__name__}: {error}", file=sys.stderr)
                if self.store.team and not isinstance(error, SURVIVED):
                    raise
                if not isinstance(error, SpecError):
                    traceback.print_exc()
                failed[item.spec] = item.spec.name
        return list(failed.values())

    def groups(self) -> dict[str, list[Spec]]:
        """The list as jobs: every network by its name, results by the networks that they are of, if by any."""
        found: dict[str, list[Spec]] = {}
        for spec in self.specs:
            name = spec.name
            if not isinstance(spec, TrainSpec):
                name = f"compare-{'-'.join(one.hash for one in list(networks_of(spec)) or [spec])}"
            found.setdefault(name, []).append(spec)
        return found

    def stamp(self, groups: Mapping[str, Sequence[Spec]], folder: Path) -> None:
        """For a workflow engine, which knows files: one in `folder` for every group that is there, as old as that is.

        The store decides what is there; a stamp of what it has lost, or does not count any more, is taken away. A stamp
        has the names and checksums of what it stands for. Where others have come in their place, the stamp is of now,
        however old these are: what was drawn from the former ones has to be drawn again.
        """
        folder.mkdir(parents=True, exist_ok=True)
        for name, specs in groups.items():
            stamp, entries = folder / name, [self.store.find(spec) for spec in specs]
            if None in entries:
                stamp.unlink(missing_ok=True)
                continue
            sums = [entry.folder / SUMS for entry in entries if entry]
            text = "".join(f"{file.parent.name} {hashlib.sha256(file.read_bytes()).hexdigest()}\n" for file in sums)
            is_new = not stamp.exists() or not stamp.stat().st_size  # the engine's own, of a job that is done, is empty
            note(stamp, text)
            if is_new:
                age = max(file.stat().st_mtime for file in sums)
                os.utime(stamp, (age, age))

    def _look_up(self, name: str, how: dict[str, int], download: bool) -> None:
        """Note what a name of the list stands for: what the chapters would show without being told where data lie."""
        asked_for = bool(self.store.data_root or self.plan.parameters.get("dataset"))
        images, known = candidates(self.store, name, how, asked_for=asked_for, download=download)
        least = self.plan.parameters.get("n_images") or 0
        shown = next((one for one in known if one.n_test >= least and self._has_networks(name, one.data)), None)
        whole = next((one for one in known if one.data.fingerprint == KNOWN[name].fingerprint), None)
        if shown is None and images is not None:
            data, sizes = images.spec, (len(images.train), len(images.test))
        elif found := shown or whole:
            data, _, *sizes = found
        else:  # what would be fetched, as far as it is known
            data, sizes = described(name, **how), KNOWN[name].sizes or (0, 0)
        if images is None or images.spec != data:
            self.absent.add(data)  # its results may be there without it
        self.data[name], self.sizes[data] = data, tuple(sizes)

    def _has_networks(self, name: str, data: DataSpec) -> bool:
        """Whether the store has the base networks of the list, trained on these images: then a chapter shows those.

        These are, of both kinds and of all seeds, those of the model that stands first in the list. (`Run.is_stored`)
        """
        of_data = replace(self.plan, networks=[one for one in self.plan.networks if one.get("data") == name])
        trained = [spec for spec in of_data.trained({name: data}).values() if spec.epochs]
        first = {spec.model.spiking: spec.model for spec in reversed(trained)}
        return bool(trained) and all(self.store.find(spec) for spec in trained if spec.model in first.values())

    def _state(self, spec: Spec) -> State:
        if (entry := self.store.find(spec)) is not None:
            return "published" if entry.layer == "published" else "cached"
        if data_of(spec) in self.absent:
            return "no data"
        begun = (self.store.cache / "working" / spec.name / "checkpoint.pt").exists()
        return "begun" if begun else "missing"


def note(path: Path, text: str) -> None:
    """Write a text to a file; one that has it already stays as old as it is."""
    if not path.exists() or path.read_text(encoding="utf8") != text:
        with whole_file(path) as file:
            file.write_text(text, encoding="utf8")


def data_of(spec: Spec) -> DataSpec:
    """What a network was trained on, or what a result is of."""
    own = getattr(spec, "data", None)
    return own or next(networks_of(spec)).data
