"""The two layers of the store: what lies in them, what of it is undamaged and counts, and a lock for each name.

    PUBLISHED/<words>-<hash>/       the payload, card.json, SHA256SUMS
    CACHE/entries/<words>-<hash>/   the same, of this user
    CACHE/locks/, CACHE/damaged/    one lock an entry; entries whose checksum was wrong, set aside

Of two entries of one name the newer counts: the published one, unless it was made anew in the cache since. In the cache
does not count what was made by other code than runs now, nor a result of networks that have other weights now.
"""

from __future__ import annotations

import os
import sys
import threading
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from snnlib.data.images import default_cache_dir
from snnlib.entries import LAYERS, DamagedEntry, Entry, changed_inputs, look, read_card, set_aside
from snnlib.provenance import PACKAGE, code_fingerprint
from snnlib.spec import Spec, networks_of

LOOK_UP = 1.0  # seconds after which who waits for another process looks up whether to go on


def published_folder() -> Path:
    """`SNNLIB_PUBLISHED`, or `published/` beside the package in its checkout."""
    return Path(os.environ.get("SNNLIB_PUBLISHED") or PACKAGE.parent / "published").expanduser()


class Shelves:
    """See the module's text.

    Args:
        cache: the user's layer; default `data.default_cache_dir()`.
        published: the read-only layer; default `published_folder()`; need not exist.
    """

    def __init__(self, cache: Path | None = None, published: Path | None = None) -> None:
        self.cache = Path(cache or default_cache_dir())
        self.published = Path(published or published_folder())
        self._locks: dict[str, FileLock] = {}

    def find(self, spec: Spec) -> Entry | None:
        """The entry of `spec` that counts. Damage is named and set aside."""
        return _newest(self._counted(spec, layer) for layer in LAYERS)

    def named(self, name: str) -> Entry | None:
        """The newest undamaged entry of a name, such as a result has in `attrs["entry"]`, whether it counts or not."""
        return _newest(self.undamaged(name, layer) for layer in LAYERS)

    def entries(self) -> Iterator[Entry]:
        """All undamaged entries of both layers, published ones first, by name."""
        for layer, folder in self.folders():
            if isinstance(entry := look(folder, layer), Entry):
                yield entry

    def folders(self) -> Iterator[tuple[str, Path]]:
        """(layer, folder) of all entries, damaged ones too."""
        for layer in LAYERS:
            root = self.folder("", layer)
            for folder in sorted(root.iterdir()) if root.is_dir() else ():
                if folder.is_dir() and not folder.name.startswith("."):
                    yield layer, folder

    def folder(self, name: str, layer: str) -> Path:
        """Where the entry of a name lies in one layer, if it is there."""
        return (self.published if layer == "published" else self.cache / "entries") / name

    def undamaged(self, name: str, layer: str) -> Entry | None:
        """The entry of a name in one layer, if it is there and undamaged; damage is named and set aside."""
        folder = self.folder(name, layer)
        if not folder.is_dir():
            return None
        found = look(folder, layer)
        if isinstance(found, str):
            # Perhaps another process is just replacing it: look again when nobody is. To publish is to rename, which
            # is over by now, so that nobody waits for the lock, which also those hold that compute.
            with self.lock(name) if layer == "cache" else nullcontext():
                found = look(folder, layer)
                if isinstance(found, str):
                    self._set_aside(folder, layer, found)
        return found if isinstance(found, Entry) else None

    def outdated(self, spec: Spec, card: dict[str, Any]) -> str | None:
        """Why an entry of the cache with this card does not count, or None."""
        from snnlib import experiments

        if card["code"] != code_fingerprint(experiments.rooms(spec)):
            return "was made by other code"
        changed = self._changed(spec, card)
        return f"was computed from other weights than there are now of {' and '.join(changed)}" if changed else None

    @contextmanager
    def lock(self, name: str, stop: threading.Event | None = None) -> Iterator[None]:
        """One process at a time works on an entry; within this object the lock may be taken again.

        Raises:
            Stopped: `stop` was set while another process had the lock.
        """
        path = self.cache / "locks" / f"{name}.lock"
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = self._locks.setdefault(name, FileLock(path))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            print(f"another process is computing {name}; waiting for it", file=sys.stderr, flush=True)
            _wait_for(lock, name, stop)
        try:
            yield
        finally:
            lock.release()

    def _counted(self, spec: Spec, layer: str) -> Entry | None:
        entry = self.undamaged(spec.name, layer)
        return None if entry is None or (layer == "cache" and self.outdated(spec, entry.card)) else entry

    def _changed(self, spec: Spec, card: dict[str, Any]) -> list[str]:
        """Names of the networks of a result that have other weights now."""
        with suppress(OSError, ValueError, KeyError):  # damaged, or just being replaced: then `find` tells
            if not changed_inputs(card, self._by_card):
                return []
        return changed_inputs(card, {network.name: self.find(network) for network in networks_of(spec)}.get)

    def _by_card(self, name: str) -> Entry | None:
        """What `named` gives if nothing is damaged: quick, since no weights are held against their checksum."""
        folders = [(self.folder(name, layer), layer) for layer in LAYERS]
        return _newest(Entry(folder, layer, read_card(folder)) for folder, layer in folders if folder.is_dir())

    def _set_aside(self, folder: Path, layer: str, problem: str) -> None:
        if layer == "published":  # not ours to move
            warnings.warn(f"{problem}; the published entry is passed over", DamagedEntry, stacklevel=3)
        elif aside := set_aside(folder, self.cache / "damaged"):
            warnings.warn(f"{problem}; set aside in {aside} and made again", DamagedEntry, stacklevel=3)


def _wait_for(lock: FileLock, name: str, stop: threading.Event | None) -> None:
    from snnlib.training import Stopped

    while True:
        with suppress(Timeout):
            lock.acquire(timeout=LOOK_UP)
            return
        if stop is not None and stop.is_set():
            raise Stopped(f"{name} was stopped while it waited for another process")


def _newest(found: Iterable[Entry | None]) -> Entry | None:
    return max(filter(None, found), key=lambda entry: entry.card["made"], default=None)  # the first of equals
