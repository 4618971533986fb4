"""Decoded images on disk, memory-mapped, in an order that depends on nothing but the images.

Files and archives give the same images in different orders and under different names. What a network sees must not
depend on that, so the images of a split are put into *canonical order*: by the SHA-256 of their raw pixels (shape
included), ties by label. A hash knows nothing of what an image shows, so the first n images of a split are a
pseudo-random subset of it. The *fingerprint* of a data set is the SHA-256 over its class names and, split by split, its
images' digests and labels in this order: equal fingerprints, equal data.

An entry of the cache is one folder, `<dataset>-<source key>/`:

    train_images.npy  test_images.npy    uint8 (N, C, H, W); frames of events (N, T, C, H, W)
    train_labels.npy  test_labels.npy    int64 (N,)
    meta.json                            classes, fingerprint, mean and std, source, versions, checksums of the above

It is written under a temporary name and renamed when whole. A file lock makes a second process wait and then read what
the first one wrote. An entry that is damaged is set aside and made again.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from snnlib.spec import SpecError

log = logging.getLogger(__name__)

FORMAT = 1  # raise it whenever the same source would be decoded to other bytes: it is part of every entry's name
SPLITS = ("train", "test")
TEST_EVERY = 5  # a source without splits of its own gives every fifth image of each class to the test split
CHUNK = 4096  # images moved at a time, so that a data set need not fit into memory


@dataclass(frozen=True)
class Raw:
    """Decoded images in whatever order they came: `splits` holds "train" and "test", or "all" to be split here.

    Each split is (images uint8 (N, C, H, W) or frames (N, T, C, H, W), labels (N,)). `ordered`: keep the order in which
    they come, because what they were made from is in canonical order already.
    """

    classes: tuple[str, ...]
    splits: dict[str, tuple[np.ndarray, np.ndarray]]
    origin: str
    ordered: bool = False


@dataclass(frozen=True)
class Source:
    """Something that can be decoded. Equal names promise equal images; `load` is given a scratch folder to use."""

    name: str
    load: Callable[[Path], Raw]


@dataclass(frozen=True)
class Entry:
    """What an intact entry of the cache holds: its `meta.json`, and the arrays as read-only memory maps."""

    meta: dict[str, Any]
    arrays: dict[str, np.ndarray]


# ---- order, fingerprint, statistics


def digests(images: np.ndarray) -> np.ndarray:
    """SHA-256 of the shape and raw pixels of each image: (N, ...) uint8 -> (N, 32) uint8."""
    head = "x".join(map(str, images.shape[1:])).encode() + b":"
    joined = b"".join(hashlib.sha256(head + image.tobytes()).digest() for image in images)
    return np.frombuffer(joined, dtype=np.uint8).reshape(-1, 32)


def canonical_order(digest: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Indices that sort by digest, ties by label."""
    words = np.ascontiguousarray(digest).view(">u8")  # (N, 4): big-endian, so numbers sort as the bytes do
    return np.lexsort((labels, *words.T[::-1]))  # lexsort takes its most significant key last


def fingerprint(classes: Iterable[str], splits: dict[str, tuple[np.ndarray, np.ndarray]]) -> str:
    """First 16 hexadecimal digits of the SHA-256 over class names and (digests, labels) of each split in order."""
    whole = hashlib.sha256(json.dumps(list(classes)).encode())
    for name in SPLITS:
        digest, labels = splits[name]
        whole.update(f"|{name}:{len(labels)}|".encode())
        whole.update(np.ascontiguousarray(digest).tobytes())
        whole.update(labels.astype("<i8").tobytes())
    return whole.hexdigest()[:16]


def channel_statistics(images: np.ndarray) -> tuple[list[float], list[float]]:
    """Mean and standard deviation per channel of (N, ..., C, H, W), pixels in 0..1.

    Counted, not summed: exact, the same on any machine.
    """
    values = np.arange(256)
    mean, std = [], []
    for channel in range(images.shape[-3]):
        counts = np.zeros(256, dtype=np.int64)
        for start in range(0, len(images), CHUNK):
            counts += np.bincount(images[start : start + CHUNK, ..., channel, :, :].ravel(), minlength=256)
        n, total, squares = (int((counts * values**power).sum()) for power in (0, 1, 2))
        mean.append(total / n / 255)
        # a constant channel is centred, not divided by zero
        std.append(((n * squares - total * total) ** 0.5 / n or 1.0) / 255)
    return mean, std


def split_rows(digest: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    """Train and test rows of images in canonical order: of each class, every fifth *distinct* image is for the test.

    Copies of an image stay together, so none is trained on and tested on.
    """
    test = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        new = np.any(digest[rows[1:]] != digest[rows[:-1]], axis=1)  # copies are neighbours in this order
        rank = np.concatenate([[0], np.cumsum(new)])
        test[rows] = rank % TEST_EVERY == TEST_EVERY - 1
    return {"train": np.flatnonzero(~test), "test": np.flatnonzero(test)}


# ---- writing


def write(raw: Raw, directory: Path) -> None:
    """Put the images into canonical order and write them, and what is known about them, into an empty folder."""
    kept: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]] = {}  # split -> rows of the raw array, digests, labels
    for name, (images, labels) in raw.splits.items():
        digest = np.concatenate([digests(images[i : i + CHUNK]) for i in range(0, len(images), CHUNK)])
        labels = np.asarray(labels, dtype=np.int64)
        order = np.arange(len(labels)) if raw.ordered else canonical_order(digest, labels)
        digest, labels = digest[order], labels[order]
        parts = split_rows(digest, labels) if name == "all" else {name: np.arange(len(labels))}
        for part, rows in parts.items():
            kept[part] = (order[rows], digest[rows], labels[rows])
    for name in SPLITS:
        if not len(kept[name][2]):
            raise SpecError(
                f"{raw.origin} leaves no image to {name} with: give it more images "
                f"(of each class, every {TEST_EVERY}th one goes to the test split), or train/ and test/ folders"
            )

    for name in SPLITS:
        images, _ = raw.splits.get(name) or raw.splits["all"]
        rows, _, labels = kept[name]
        out = np.lib.format.open_memmap(
            directory / f"{name}_images.npy", mode="w+", dtype=np.uint8, shape=(len(rows), *images.shape[1:])
        )
        for start in range(0, len(rows), CHUNK):
            out[start : start + CHUNK] = images[rows[start : start + CHUNK]]
        if name == "train":
            mean, std = channel_statistics(out)
        out.flush()
        np.save(directory / f"{name}_labels.npy", labels)

    meta = {
        "format": FORMAT,
        "classes": list(raw.classes),
        "fingerprint": fingerprint(raw.classes, {name: kept[name][1:] for name in SPLITS}),
        "mean": mean,
        "std": std,
        "source": raw.origin,
        "versions": {name: importlib.metadata.version(name) for name in ("numpy", "pillow")},
        "files": {path.name: checksum(path) for path in sorted(directory.glob("*.npy"))},
    }
    (directory / "meta.json").write_text(json.dumps(meta, indent=1), encoding="utf-8")


def checksum(path: Path) -> dict[str, Any]:
    """Size in bytes and SHA-256 of a file."""
    with path.open("rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


# ---- reading


def damage(directory: Path) -> str | None:
    """What is wrong with an entry, in words; None if it is intact."""
    try:
        meta = json.loads((directory / "meta.json").read_text(encoding="utf-8"))
        files = meta["files"]
        if missing := {"format", "classes", "fingerprint", "mean", "std"} - meta.keys():
            return f"meta.json lacks {', '.join(sorted(missing))}"
        if files.keys() != {f"{split}_{kind}.npy" for split in SPLITS for kind in ("images", "labels")}:
            return "meta.json lists other files"
        for name, expected in files.items():
            if not (directory / name).is_file():
                return f"{name} is missing"
            if (directory / name).stat().st_size != expected["bytes"]:
                return f"{name} has another size"
            if checksum(directory / name) != expected:
                return f"{name} has another checksum"
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return f"meta.json cannot be read ({type(error).__name__})"
    return None


def read(directory: Path) -> Entry:
    """Memory-map an intact entry."""
    meta = json.loads((directory / "meta.json").read_text(encoding="utf-8"))
    return Entry(meta, {Path(name).stem: np.load(directory / name, mmap_mode="r") for name in meta["files"]})


def open_entry(cache_dir: Path, source: Source) -> Entry:
    """The source's entry of the cache, decoded and written first if it is not there whole.

    Raises SpecError if the source cannot be decoded or the cache cannot be written; nothing half-written is left.
    """
    room = cache_dir / "data"
    entry = room / source.name
    try:
        room.mkdir(parents=True, exist_ok=True)
        if not entry.exists() or damage(entry):
            with FileLock(room / f"{source.name}.lock"):
                _renew(entry, source)
        return read(entry)
    except OSError as error:
        raise SpecError(
            f"the image cache {str(room)!r} cannot be used ({error}); make it writable, free some space, or set "
            "the environment variable SNNLIB_CACHE to another folder"
        ) from error


def _renew(entry: Path, source: Source) -> None:
    """Under the lock: set a damaged entry aside, and write what is missing."""
    if entry.exists():
        if not (fault := damage(entry)):
            return  # another process wrote it while this one waited for the lock
        aside = entry.with_name(f"{entry.name}.damaged")
        shutil.rmtree(aside, ignore_errors=True)
        entry.rename(aside)
        log.warning("The image cache %s is damaged (%s): set aside as %s, decoded again.", entry, fault, aside.name)
    for left_over in entry.parent.glob(f"{entry.name}.tmp-*"):  # of a process that was killed, since the lock is ours
        shutil.rmtree(left_over, ignore_errors=True)
    temporary = entry.with_name(f"{entry.name}.tmp-{os.getpid()}")
    try:
        (temporary / "scratch").mkdir(parents=True)
        write(source.load(temporary / "scratch"), temporary)
        shutil.rmtree(temporary / "scratch")
        temporary.rename(entry)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def short_key(*parts: object) -> str:
    """12 hexadecimal digits that stand for the parts and for the format of the cache."""
    text = json.dumps([FORMAT, *parts], default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
