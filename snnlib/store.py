"""Models and results by the hash of their spec, in two layers: `published/` (read-only) under the user's own cache.

    CACHE/entries/<words>-<hash>/   the payload, card.json, SHA256SUMS
    CACHE/working/<words>-<hash>/   checkpoints of what is being computed
    CACHE/locks/, CACHE/damaged/    one lock an entry; entries whose checksum was wrong, set aside

`Store.get(spec)` finds an entry in the published layer, else in the cache, else computes it and keeps it; which entries
count says `snnlib.shelves`. An entry is written under a temporary name and renamed whole. Of two processes that ask for
the same thing one works, the other waits.

A result says in `attrs["entry"]` which entry it is, and the card of an entry, under "inputs", the checksums of what it
was computed from.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snnlib.entries import Entry, OtherCode, damage, read_card, seal, whole_folder
from snnlib.provenance import code_fingerprint, note_code, now, provenance
from snnlib.shelves import Shelves
from snnlib.spec import DataSpec, Spec, SpecError
from snnlib.working import Working

if TYPE_CHECKING:
    from snnlib.team import Team


class Store(Shelves):
    """See the module's text.

    Args:
        cache: the user's layer; default `data.default_cache_dir()`.
        published: the read-only layer; default `published_folder()`; need not exist.
        data_root: where data sets lie, for what must be computed.
        dataset: the data set as its user names it; a spec knows only the content of a `folder:PATH`, not where it lies.
        recompute: compute anew whatever is asked for, once, and replace it in the cache.
        team: further processes that train along, see `snnlib.team`.
        renewed: hashes of what `recompute` has made anew already, of this store object, or of several that share it.
    """

    def __init__(
        self,
        cache: Path | None = None,
        published: Path | None = None,
        data_root: Path | None = None,
        dataset: str | None = None,
        recompute: bool = False,
        team: Team | None = None,
        renewed: set[str] | None = None,
    ) -> None:
        super().__init__(cache, published)
        self.image_cache = self.cache  # where images are downloaded to, and kept as they were prepared
        self.data_root, self.dataset = data_root, dataset
        self.asked: dict[str, Spec] = {}  # by name of the entry, what was asked of this store object
        self.team = team
        self._recompute = recompute
        self.renewed = set() if renewed is None else renewed

    def get(self, spec: Spec, *, siblings: int = 1, stop: threading.Event | None = None) -> Any:
        """The value of `spec`: a `training.Network`, or an `xarray.DataArray` or `Dataset`.

        Computed if it is nowhere, then kept.

        `siblings` and `stop` are those of `training.train`.
        """
        self.asked[spec.name] = spec
        if (value := self._read_if_there(spec)) is not None:
            return value
        with self.lock(spec.name, stop):
            self._recover(spec)
            if (value := self._read_if_there(spec)) is not None:  # another process made it meanwhile
                return value
            return self._make(spec, siblings, stop)

    def get_all(self, specs: Sequence[Spec]) -> list[Any]:
        """The values of several specs, which do not build on each other; what is missing is computed side by side."""
        self._side_by_side(specs)
        return [self.get(spec) for spec in specs]

    def make_all(self, specs: Sequence[Spec]) -> None:
        """Compute what is missing of several specs, as `get_all` does; what is there is not read."""
        for spec in self._side_by_side(specs):
            self.get(spec)

    def _side_by_side(self, specs: Sequence[Spec]) -> list[Spec]:
        """Compute what is missing, where that is more than one; what is missing still."""
        from snnlib import workers

        missing = [spec for spec in dict.fromkeys(specs) if self._must_renew(spec) or self.find(spec) is None]
        if len(missing) <= 1 or self.team is not None:  # a team works on one thing at a time
            return missing
        sizes = {spec: getattr(spec, "work", 1.0) for spec in missing}
        missing.sort(key=sizes.__getitem__, reverse=True)  # the longest first, so that all end together
        siblings = len(missing)
        tasks = [lambda stop, spec=spec: self.get(spec, siblings=siblings, stop=stop) for spec in missing]
        workers.side_by_side(tasks, [sizes[spec] for spec in missing])
        return []

    def images(self, data: DataSpec) -> Any:
        """The images that `data` names, opened at this store's `data_root`.

        Raises:
            SpecError: when they cannot be had, or are other images than those named.
        """
        from snnlib.data.images import open_images

        is_folder = data.dataset.startswith("folder:") and (self.dataset or "").startswith("folder:")
        name = self.dataset if is_folder else data.dataset
        as_frames = {"frames": data.frames, "size": data.image_size} if data.frames else {}
        images = open_images(name, self.data_root, cache_dir=self.image_cache, **as_frames)
        if images.fingerprint != data.fingerprint:
            raise SpecError(
                f"dataset = {data.dataset!r} holds other images ({images.fingerprint}) than those asked for "
                f"({data.fingerprint}); point data_root at the right ones"
            )
        return images

    def without_cache(self, scratch: Path) -> Store:
        """The published layer, above an empty cache in the folder `scratch`; images are where this store has them."""
        other = Store(scratch, self.published, self.data_root, self.dataset)
        other.image_cache = self.image_cache
        return other

    def compute(self, spec: Spec) -> Any:
        """The value of `spec`, computed though it may be there, and not kept. What it builds on is as `get` has it."""
        from snnlib import experiments

        with tempfile.TemporaryDirectory() as folder:
            return experiments.compute(spec, Working(self, spec, Path(folder)))

    def publish(self, spec: Spec, change: Callable[[Path, Entry], dict[str, Any]] | None = None) -> Path:
        """Copy the entry of `spec` from the cache into the published layer; returns its folder there.

        Args:
            change: given the folder of the copy and the entry, may change the payload; returns the new card.

        Raises:
            SpecError: neither layer has it, or what the cache has does not count any more.
        """
        entry = self.find(spec)
        if entry is not None and entry.layer == "published":  # which nobody has to wait for
            return self.published / spec.name
        with self.lock(spec.name):  # the card and the payload of one entry, whoever replaces it meanwhile
            entry = self.find(spec)
            if entry is None:
                raise SpecError(f"{spec.name} {self._why_missing(spec)}: compute it before publishing it")
            if entry.layer == "cache":
                self.published.mkdir(parents=True, exist_ok=True)
                with whole_folder(self.published / spec.name, self.published) as folder:
                    shutil.copytree(entry.folder, folder, dirs_exist_ok=True)
                    if change is not None:
                        seal(folder, change(folder, entry))
        return self.published / spec.name

    def _why_missing(self, spec: Spec) -> str:
        old = self.undamaged(spec.name, "cache")
        reason = self.outdated(spec, old.card) if old else None
        return f"in the cache {reason}" if reason else "is not in the store"

    def read(self, entry: Entry) -> Any:
        """The value of an entry, with a warning if it was made by other code than runs now."""
        from snnlib import experiments

        spec = entry.spec
        if entry.card["code"] != code_fingerprint(experiments.rooms(spec)):
            warnings.warn(
                f"{spec.name} ({entry.layer}) was made by other code (commit {entry.card['commit']}) than the one that "
                "runs now; recompute=True makes it anew",
                OtherCode,
                stacklevel=3,
            )
        return self._value(spec, entry.folder, entry.card)

    def _value(self, spec: Spec, folder: Path, card: dict[str, Any]) -> Any:
        from snnlib import experiments

        value = experiments.read(spec, folder, card)
        if hasattr(value, "attrs"):  # a network has its spec
            value.attrs["entry"] = spec.name
        return value

    def _must_renew(self, spec: Spec) -> bool:
        return self._recompute and spec.hash not in self.renewed

    def _read_if_there(self, spec: Spec) -> Any:
        """The value of `spec`, or None. Read again if the entry was replaced meanwhile: no old card, new weights."""
        while not self._must_renew(spec) and (entry := self.find(spec)):
            with suppress(FileNotFoundError):
                value = self.read(entry)
                if read_card(entry.folder) == entry.card:
                    return value
        return None

    def _make(self, spec: Spec, siblings: int, stop: threading.Event | None) -> Any:
        from snnlib import experiments

        before = None if self._must_renew(spec) else self.undamaged(spec.name, "cache")
        if before and (reason := self.outdated(spec, before.card)):
            print(f"{spec.name} in the cache {reason}: it is made again", file=sys.stderr)
        context = Working(self, spec, self.cache / "working" / spec.name, siblings, stop)
        note_code()  # this, and the commit, are those that compute, whatever is edited or checked out meanwhile
        circumstances = provenance(experiments.rooms(spec))
        started = time.perf_counter()
        value = experiments.compute(spec, context)
        duration = time.perf_counter() - started - context.waited
        entries = self.cache / "entries"
        entries.mkdir(parents=True, exist_ok=True)
        with whole_folder(entries / spec.name, self.cache) as folder:
            card = {"kind": type(spec).__name__, "hash": spec.hash, "spec": spec.model_dump(mode="json")}
            card |= circumstances | {"made": now()}
            card |= {"duration": duration, "images": context.shown, "inputs": context.inputs}
            card |= experiments.write(value, folder)  # may know the duration better: a training that was resumed does
            seal(folder, card)
        shutil.rmtree(context.folder, ignore_errors=True)
        self.renewed.add(spec.hash)
        return self._value(spec, entries / spec.name, card)  # what a later call will get, not something like it

    def _recover(self, spec: Spec) -> None:
        """Tidy up after a process that was killed while it wrote: keep a whole entry that has lost its place."""
        target = self.folder(spec.name, "cache")
        for abandoned in self.cache.glob(f".{spec.name}-*"):
            for whole in (abandoned / "entry", abandoned):
                if not target.exists() and damage(whole) is None:
                    os.replace(whole, target)
            shutil.rmtree(abandoned, ignore_errors=True)
