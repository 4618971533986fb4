"""Models and results by the hash of their spec, in two layers: `published/` (read-only) under the user's own cache.

    CACHE/entries/<words>-<hash>/   the payload, card.json, SHA256SUMS
    CACHE/working/<words>-<hash>/   checkpoints of what is being computed
    CACHE/locks/, CACHE/damaged/    one lock an entry; entries whose checksum was wrong, set aside

`Store.get(spec)` finds an entry in the published layer, else in the cache, else computes it and keeps it. An entry is
written under a temporary name and renamed whole. Of two processes that ask for the same thing one works, the other
waits.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs
from filelock import FileLock, Timeout

from snnlib import spec as specs
from snnlib.provenance import PACKAGE, code_fingerprint, provenance
from snnlib.spec import DataSpec, Spec, SpecError

CARD, SUMS = "card.json", "SHA256SUMS"


class DamagedEntry(UserWarning):
    """A file of the store is missing or is not what its checksum says."""


class OtherCode(UserWarning):
    """An entry was made by code that computes differently from today's."""


def cache_folder() -> Path:
    """`SNNLIB_CACHE`, or the user's cache directory of this system."""
    return Path(os.environ.get("SNNLIB_CACHE") or platformdirs.user_cache_dir("snnlib"))


def published_folder() -> Path:
    """`SNNLIB_PUBLISHED`, or `published/` beside the package in its checkout."""
    return Path(os.environ.get("SNNLIB_PUBLISHED") or PACKAGE.parent / "published")


@dataclass(frozen=True)
class Entry:
    """One stored model or result."""

    folder: Path
    layer: str  # "published" or "cache"
    card: dict[str, Any]

    @property
    def kind(self) -> str:
        return self.card["kind"]

    @property
    def spec(self) -> Spec:
        return getattr(specs, self.kind)(**self.card["spec"])


def damage(folder: Path) -> str | None:
    """What is wrong with an entry's files, or None: every file must be there and have the checksum it was given."""
    try:
        lines = (folder / SUMS).read_text().splitlines()
        listed = dict(reversed(line.split("  ", 1)) for line in lines)
    except (OSError, ValueError) as error:
        return f"{folder / SUMS} cannot be read ({error})"
    if CARD not in listed:
        return f"{folder / SUMS} does not list {CARD}"
    for name, expected in listed.items():
        path = folder / name
        if not path.is_file():
            return f"{path} is missing"
        if _sha256(path) != expected:
            return f"{path} does not have the checksum that {SUMS} gives"
    return None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Store:
    """See the module's text.

    Args:
        cache: the user's layer; default `cache_folder()`.
        published: the read-only layer; default `published_folder()`; need not exist.
        data_root: where data sets lie, for what must be computed.
        dataset: the data set as its user names it; a spec knows only the content of a `folder:PATH`, not where it lies.
        recompute: compute anew whatever is asked for, once, and replace it in the cache.
    """

    def __init__(
        self,
        cache: Path | None = None,
        published: Path | None = None,
        data_root: Path | None = None,
        dataset: str | None = None,
        recompute: bool = False,
    ) -> None:
        self.cache = Path(cache or cache_folder())
        self.published = Path(published or published_folder())
        self.data_root, self.dataset = data_root, dataset
        self._recompute = recompute
        self._renewed: set[str] = set()  # what this store object has made anew already

    def get(self, spec: Spec) -> Any:
        """The value of `spec`: a `training.Network`, or an `xarray.DataArray`. Computed if it is nowhere, then kept."""
        if not self._must_renew(spec) and (entry := self.find(spec)):
            return self._read(spec, entry)
        with self._lock(spec):
            if not self._must_renew(spec) and (entry := self.find(spec)):  # another process made it meanwhile
                return self._read(spec, entry)
            return self._make(spec)

    def find(self, spec: Spec) -> Entry | None:
        """The entry of `spec`, undamaged, in the published layer, else in the cache. Damage is named and set aside."""
        for layer, folder in (("published", self.published / spec.name), ("cache", self.cache / "entries" / spec.name)):
            if not folder.is_dir():
                continue
            if problem := damage(folder):
                self._set_aside(folder, layer, problem)
                continue
            card = json.loads((folder / CARD).read_text())
            return Entry(folder, layer, card)
        return None

    def entries(self) -> Iterator[Entry]:
        """All undamaged entries of both layers, published ones first, by name."""
        for layer, root in (("published", self.published), ("cache", self.cache / "entries")):
            for folder in sorted(root.iterdir()) if root.is_dir() else ():
                if folder.is_dir() and not damage(folder):
                    yield Entry(folder, layer, json.loads((folder / CARD).read_text()))

    def images(self, data: DataSpec) -> Any:
        """The images that `data` names, opened at this store's `data_root`.

        Raises:
            SpecError: when they cannot be had, or are other images than those named.
        """
        from snnlib.data.images import open_images

        is_folder = data.dataset.startswith("folder:") and (self.dataset or "").startswith("folder:")
        images = open_images(self.dataset if is_folder else data.dataset, self.data_root, cache_dir=self.cache)
        if images.fingerprint != data.fingerprint:
            raise SpecError(
                f"dataset = {data.dataset!r} holds other images ({images.fingerprint}) than those asked for "
                f"({data.fingerprint}); point data_root at the right ones"
            )
        return images

    def publish(self, spec: Spec) -> Path:
        """Copy the entry of `spec` from the cache into the published layer; returns its folder there."""
        entry = self.find(spec)
        if entry is None:
            raise SpecError(f"{spec.name} is not in the store: compute it before publishing it")
        if entry.layer == "cache":
            self.published.mkdir(parents=True, exist_ok=True)
            with _whole_folder(self.published / spec.name, self.published) as folder:
                shutil.copytree(entry.folder, folder, dirs_exist_ok=True)
        return self.published / spec.name

    def _must_renew(self, spec: Spec) -> bool:
        return self._recompute and spec.hash not in self._renewed

    def _read(self, spec: Spec, entry: Entry) -> Any:
        from snnlib import experiments

        if entry.card["code"] != code_fingerprint(experiments.rooms(spec)):
            warnings.warn(
                f"{spec.name} ({entry.layer}) was made by other code (commit {entry.card['commit']}) than the one that "
                "runs now; recompute=True makes it anew",
                OtherCode,
                stacklevel=3,
            )
        return experiments.read(spec, entry.folder, entry.card)

    def _make(self, spec: Spec) -> Any:
        from snnlib import experiments

        started = time.perf_counter()
        for abandoned in self.cache.glob(f".{spec.name}-*"):  # of a process that was killed while writing
            shutil.rmtree(abandoned, ignore_errors=True)
        working = self.cache / "working" / spec.name
        value = experiments.compute(spec, _Context(self, working))
        entries = self.cache / "entries"
        entries.mkdir(parents=True, exist_ok=True)
        with _whole_folder(entries / spec.name, self.cache) as folder:
            card = {"kind": type(spec).__name__, "hash": spec.hash, "spec": spec.model_dump(mode="json")}
            card |= provenance(experiments.rooms(spec)) | {"duration": time.perf_counter() - started}
            card |= experiments.write(value, folder)  # may know the duration better: a training that was resumed does
            for path in folder.iterdir():
                path.chmod(0o644)  # some writers make private files
            (folder / CARD).write_text(json.dumps(card, indent=1, allow_nan=False) + "\n")
            sums = [f"{_sha256(path)}  {path.name}\n" for path in sorted(folder.iterdir())]
            (folder / SUMS).write_text("".join(sums))
        shutil.rmtree(working, ignore_errors=True)
        self._renewed.add(spec.hash)
        return experiments.read(spec, entries / spec.name, card)  # what a later call will get, not something like it

    @contextmanager
    def _lock(self, spec: Spec) -> Iterator[None]:
        path = self.cache / "locks" / f"{spec.name}.lock"
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            print(f"another process is computing {spec.name}; waiting for it", file=sys.stderr, flush=True)
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def _set_aside(self, folder: Path, layer: str, problem: str) -> None:
        if layer == "published":  # not ours to move
            warnings.warn(f"{problem}; the published entry is passed over", DamagedEntry, stacklevel=3)
            return
        aside = Path(tempfile.mkdtemp(prefix=f"{folder.name}-", dir=_made(self.cache / "damaged")))
        try:
            os.replace(folder, aside / folder.name)
        except FileNotFoundError:  # another process was faster
            aside.rmdir()
            return
        warnings.warn(f"{problem}; set aside in {aside} and made again", DamagedEntry, stacklevel=3)


@dataclass(frozen=True)
class _Context:
    """The store as a running computation sees it: `experiments.Context`."""

    store: Store
    folder: Path

    def get(self, spec: Spec) -> Any:
        return self.store.get(spec)

    def images(self, data: DataSpec) -> Any:
        return self.store.images(data)


@contextmanager
def _whole_folder(target: Path, scratch: Path) -> Iterator[Path]:
    """A folder that takes the name `target` only once it is complete; an older one of that name is replaced."""
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=scratch))
    temporary.chmod(0o755)  # mkdtemp's folders are private, the store's are like any other
    try:
        yield temporary
        if target.exists():
            retired = Path(tempfile.mkdtemp(prefix=f".{target.name}-old-", dir=scratch))
            os.replace(target, retired / "entry")
            os.replace(temporary, target)
            shutil.rmtree(retired)
        else:
            os.replace(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
