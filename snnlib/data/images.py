"""Named image data sets, ready to train on: `open_images("digits")`.

A data set is found (or fetched), decoded once into a memory-mapped cache (`cache.py`) and known from then on by the
fingerprint of its content: the same images from an archive or from a folder are the same data set.

    digits          scikit-learn's scans, embedded                                         `digits.py`
    digit-variants  the same turned and inverted, forty classes, embedded                  `digits.py`
    cifar10/100     image files or torchvision's archive below DATA_ROOT, or its download  `cifar.py`
    folder:PATH     {train,test}/<class>/* or <class>/*                                    `folders.py`
    moving-*        events simulated from digits or cifar10 under small eye movements      `simulate.py`
    cifar10-dvs, n-caltech101   recordings of an event camera, below DATA_ROOT or fetched  `recorded.py`

An event stream becomes `frames` bins of event counts, so that its "images" are (T, 2, H, W).
"""

from __future__ import annotations

import difflib
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import platformdirs

from snnlib.data import cifar, digits, folders, recorded, simulate
from snnlib.data.cache import Source, open_entry
from snnlib.spec import DataSpec, SpecError


@dataclass(frozen=True)
class Known:
    """What is known of a named data set before it is opened. A fingerprint of None: nobody has computed it yet."""

    title: str
    classes: tuple[str, ...]
    shape: tuple[int, int, int]  # (C, H, W)
    sizes: tuple[int, int] | None  # images to train and to test with
    fingerprint: str | None
    still: str | None = None  # of event data: the still images that were shown to the camera, where they are known here


KNOWN = {
    "digits": Known("Digits", digits.CLASSES, (1, 16, 16), (1_442, 355), "679e57bb18503521"),
    "cifar10": Known("CIFAR-10", cifar.CLASSES["cifar10"], cifar.SHAPE, (50_000, 10_000), "d3bb1f290e79da19"),
    "cifar100": Known("CIFAR-100", cifar.CLASSES["cifar100"], cifar.SHAPE, (50_000, 10_000), None),
    # the title says it wherever results of it are shown
    "digit-variants": Known(
        "Digit variants (a stand-in, not CIFAR-100)", digits.VARIANTS, (1, 16, 16), (2_884, 710), "1b03c7eaca4b26f8"
    ),
}
EMBEDDED = {"digits": digits.source, "digit-variants": digits.variants_source}
EVENTS = {  # shapes are those of one frame
    "moving-digits": Known(
        "moving digits (simulated events)", digits.CLASSES, (2, 16, 16), (1_442, 355), None, "digits"
    ),
    "moving-cifar10": Known(
        "moving CIFAR-10 (simulated events)", cifar.CLASSES["cifar10"], (2, 32, 32), (50_000, 10_000), None, "cifar10"
    ),
    "cifar10-dvs": Known(
        "CIFAR10-DVS", recorded.CLASSES, (2, recorded.SIZE, recorded.SIZE), recorded.SIZES, None, "cifar10"
    ),
    "n-caltech101": Known("N-Caltech101", (), (2, recorded.SIZE, recorded.SIZE), None, None),
}
KNOWN |= EVENTS


@dataclass(frozen=True)
class Split:
    """Images uint8 (N, C, H, W), or frames of events (N, T, C, H, W), usually a read-only memory map, and labels int64
    (N,), in canonical order."""

    images: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, n: int) -> Split:
        """The first n images, not copied: a pseudo-random subset, everywhere the same. SpecError if n is too large."""
        if not 0 < n <= len(self):
            raise SpecError(f"{n} images are asked for, but there are {len(self)}; ask for 1 to {len(self)}")
        return Split(self.images[:n], self.labels[:n])


@dataclass(frozen=True)
class ImageData:
    """An opened data set. `mean` and `std` are those of the training split by channel, with pixels in 0..1."""

    name: str  # as in `KNOWN`, or "folder:" and the last part of its path
    title: str
    classes: tuple[str, ...]
    train: Split
    test: Split
    mean: tuple[float, ...]
    std: tuple[float, ...]
    fingerprint: str
    is_subset: bool = False

    @property
    def in_channels(self) -> int:
        return self.train.images.shape[-3]

    @property
    def image_size(self) -> int:
        return self.train.images.shape[-2]

    @property
    def frames(self) -> int | None:
        """Bins that an event stream was cut into; None for still images."""
        return self.train.images.shape[1] if self.train.images.ndim == 5 else None

    @property
    def num_classes(self) -> int:
        return len(self.classes)

    @property
    def spec(self) -> DataSpec:
        return DataSpec(
            dataset=self.name,
            fingerprint=self.fingerprint,
            in_channels=self.in_channels,
            num_classes=self.num_classes,
            image_size=self.image_size,
            frames=self.frames,
        )


def open_images(
    dataset: str,
    data_root: Path | str | None = None,
    *,
    cache_dir: Path | str | None = None,
    download: bool = True,
    frames: int | None = None,
    size: int | None = None,
) -> ImageData:
    """Open a data set by name, decoding it into the cache the first time.

    data_root: where image files and archives are looked for and downloads go; default: the environment variable
    SNNLIB_DATA, else a folder in the cache. cache_dir: default SNNLIB_CACHE, else the user's cache folder.
    frames: bins that an event stream is cut into; still images have none. size: side of the frames of recorded events;
    simulated ones have that of their images.
    Raises SpecError for an unknown name, for data that is missing and cannot be downloaded, and for unreadable data.
    """
    cache = Path(cache_dir).expanduser() if cache_dir else default_cache_dir()
    if dataset in EVENTS:
        source = _event_source(dataset, data_root, cache, download, frames, size)
    else:
        source = _source(dataset, root_folder(data_root, cache), data_root, download)
    entry = open_entry(cache, source)
    train, test = (Split(entry.arrays[f"{name}_images"], entry.arrays[f"{name}_labels"]) for name in ("train", "test"))
    sizes, classes = (len(train), len(test)), tuple(entry.meta["classes"])
    name, title, is_subset = _naming(dataset, entry.meta["fingerprint"], sizes, len(classes))
    return ImageData(
        name=name,
        title=title,
        classes=classes,
        train=train,
        test=test,
        mean=tuple(entry.meta["mean"]),
        std=tuple(entry.meta["std"]),
        fingerprint=entry.meta["fingerprint"],
        is_subset=is_subset,
    )


def describe(
    dataset: str,
    data_root: Path | str | None = None,
    *,
    cache_dir: Path | str | None = None,
    download: bool = True,
    require_data: bool = True,
    frames: int | None = None,
    size: int | None = None,
) -> DataSpec:
    """The DataSpec of a data set: what its results are stored under.

    With `require_data=False` nothing is downloaded, and a named set that is not at hand is described as the published
    one, so that published results of it can be read without its images. Raises SpecError as `open_images` does.
    """
    known = KNOWN.get(dataset)
    published = known and known.fingerprint and _published(dataset, known)
    if dataset in EMBEDDED and published:
        root_folder(data_root, default_cache_dir())  # a mistyped data_root is an error here, too
        return published
    try:
        fetch = download and require_data
        return open_images(dataset, data_root, cache_dir=cache_dir, download=fetch, frames=frames, size=size).spec
    except cifar.MissingData:
        if require_data or not published:
            raise
        return published


def holdout(split: Split, n: int, seed: int) -> tuple[Split, Split]:
    """Take n random images off a training split to validate on: (the rest, the n), both as copies in memory."""
    if not 0 < n < len(split):
        raise SpecError(f"{n} images to validate on cannot be taken from {len(split)}; take 1 to {len(split) - 1}")
    chosen = np.zeros(len(split), dtype=bool)
    chosen[np.random.default_rng(seed).permutation(len(split))[:n]] = True
    return tuple(Split(split.images[rows], split.labels[rows]) for rows in (~chosen, chosen))


def default_cache_dir() -> Path:
    """SNNLIB_CACHE if set, else the user's cache folder."""
    return Path(os.environ.get("SNNLIB_CACHE") or platformdirs.user_cache_dir("snnlib")).expanduser()


# ---- from a name to its source


def root_folder(data_root: Path | str | None, cache: Path) -> Path:
    """Where image files, recordings and archives are looked for, see `open_images`."""
    if data_root is None and not os.environ.get("SNNLIB_DATA"):
        return cache / "downloads"
    root = Path(data_root if data_root is not None else os.environ["SNNLIB_DATA"]).expanduser()
    if not root.is_dir():
        label = "data_root" if data_root is not None else "SNNLIB_DATA"
        raise SpecError(f"{label} = {str(root)!r} is not a folder; create it, or correct its name")
    return root


def _event_source(
    dataset: str, data_root: Path | str | None, cache: Path, download: bool, frames: int | None, size: int | None
) -> Source:
    if frames is None or frames < 1:
        raise SpecError(f"dataset = {dataset!r} holds event streams: give frames, the bins to cut them into, such as 4")
    if not dataset.startswith("moving-"):
        return recorded.source(dataset, root_folder(data_root, cache), frames, size or recorded.SIZE, download=download)
    still = open_images(EVENTS[dataset].still, data_root, cache_dir=cache, download=download)
    if size not in (None, still.image_size):
        raise SpecError(
            f"size = {size} is not that of {still.title}, {still.image_size}: events of moving images "
            "keep it; leave size out"
        )
    splits = {split: (part.images, part.labels) for split, part in (("train", still.train), ("test", still.test))}
    return simulate.source(dataset, still.fingerprint, still.classes, splits, frames)


def _source(dataset: str, root: Path, data_root: Path | str | None, download: bool) -> Source:
    if dataset in EMBEDDED:
        return EMBEDDED[dataset]()
    if dataset in cifar.CLASSES:
        return cifar.source(dataset, root, download=download)
    if dataset.startswith("folder:"):
        return folders.source("folder", _folder(dataset, data_root and root))
    names = [*KNOWN, "folder:PATH"]
    close = difflib.get_close_matches(dataset.lower().replace("-", ""), names, n=1)
    hint = f"did you mean {close[0]!r}? Known are" if close else "use one of"
    raise SpecError(f"dataset = {dataset!r} is not known; {hint} {', '.join(names)}")


def _folder(dataset: str, root: Path | None) -> Path:
    """The path in folder:PATH; a relative one starts at the working directory, else at a data_root that was given."""
    text = dataset.removeprefix("folder:").strip()
    path = Path(text).expanduser()
    places = [path] if path.is_absolute() or root is None else [path, root / path]
    for place in places:
        if text and place.is_dir():
            return place.resolve()
    looked = " and ".join(repr(str(place.absolute())) for place in places)
    raise SpecError(
        f"dataset = {dataset!r} names no folder" + (f" (looked for {looked})" if text else "") + "; give the path of a "
        "folder with {train,test}/<class>/*.png or <class>/*.png (or jpg, webp, bmp, ...)"
    )


def _naming(dataset: str, fingerprint: str, sizes: tuple[int, int], num_classes: int) -> tuple[str, str, bool]:
    """(name, title, is it a subset) of an opened data set. Where nobody knows its size, the title says what is here."""
    if dataset not in KNOWN:  # results carry a folder's name, never where on somebody's disk it lies
        name = Path(dataset.removeprefix("folder:").strip()).expanduser().resolve().name
        return f"folder:{name}", name, False
    known = KNOWN[dataset]
    if fingerprint == known.fingerprint or (known.fingerprint is None and sizes == known.sizes):
        return dataset, known.title, False
    if known.sizes is None:
        return dataset, f"{known.title} ({sum(sizes):,} recordings of {num_classes} classes)", False
    is_subset = sizes != known.sizes and all(have <= full for have, full in zip(sizes, known.sizes, strict=True))
    return dataset, f"{known.title} ({'subset' if is_subset else 'modified'})", is_subset


def _published(dataset: str, known: Known) -> DataSpec:
    return DataSpec(
        dataset=dataset,
        fingerprint=known.fingerprint,
        in_channels=known.shape[0],
        num_classes=len(known.classes),
        image_size=known.shape[1],
    )
