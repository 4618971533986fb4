"""Images as files in class folders, the layout of `torchvision.datasets.ImageFolder`.

    PATH/train/<class>/*.png    PATH/test/<class>/*.png          with a split of their own, or
    PATH/<class>/*.png                                            without: every fifth image of a class is for the test

All images get one square size, the most common one, in one channel if all of them are gray, else in three.
"""

from __future__ import annotations

import logging
import os
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps
from tqdm import tqdm

from snnlib.data.cache import SPLITS, Raw, Source, short_key
from snnlib.spec import SpecError

log = logging.getLogger(__name__)

EXTENSIONS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".pbm", ".pgm", ".ppm")
GRAY = frozenset(("1", "L", "LA", "La", "I;16", "I;16B", "I;16L", "I;16N"))
CHUNK = 64  # files decoded between two steps of the progress bar
# PIL decodes outside Python's lock, but smaller images than these spend their time inside it: measured on two cores,
# two threads decode 32 x 32 pixels 0.7 times as fast as one, 128 x 128 pixels 1.3 (JPEG) to 1.7 times (PNG).
THREADS_FROM_SIDE = 128
# ResNet and VGG halve the image twice, once by a strided convolution and once by pooling, which round a side
# differently unless it is a multiple of four.
SIDE_MULTIPLE = 4


@dataclass(frozen=True)
class Listing:
    """The image files of a folder: for each split its paths and labels, in the order of their names."""

    path: Path
    classes: tuple[str, ...]
    splits: dict[str, list[tuple[str, int]]]
    key: str  # of relative names, sizes and times of change: a changed folder has another key


def source(name: str, path: Path, classes: tuple[str, ...] | None = None, shape: tuple | None = None) -> Source:
    """A folder of class folders. For a data set with known classes and shape (C, H, W) nothing else is accepted."""
    try:
        listing = list_images(path)
    except OSError as error:
        raise SpecError(f"the folder {str(path)!r} cannot be read ({error}); check its name and permissions") from error
    if classes is not None and listing.classes != classes:
        odd = sorted(set(listing.classes) - set(classes)) or sorted(set(classes) - set(listing.classes))
        raise SpecError(
            f"the class folders in {str(path)!r} are not those of {name}: {', '.join(map(repr, odd[:3]))} "
            f"{'is unknown' if set(listing.classes) - set(classes) else 'is missing'}; "
            f"complete them, or use dataset = 'folder:{path}' for images of your own"
        )
    return Source(f"{name}-{listing.key}", lambda scratch: load(listing, scratch, shape))


# ---- listing


def list_images(path: Path) -> Listing:
    """List the images below a folder without opening any. Raises SpecError where the layout is not as above."""
    roots = {split: path / split for split in SPLITS if _has_folders(path / split)}
    if len(roots) == 1:
        (there,) = roots
        (lacking,) = set(SPLITS) - {there}
        raise SpecError(
            f"the folder {str(path)!r} has {there}/<class>/ but no {lacking}/<class>/; add it, or put the class "
            f"folders directly into {str(path)!r} to have them split"
        )
    facts: list[tuple] = []
    found = {split: dict(_classes(split, root, facts)) for split, root in (roots or {"all": path}).items()}
    for split in roots:
        if not found[split]:
            raise SpecError(
                f"{str(path / split)!r} has class folders and no image in them; add some, or put the class folders "
                f"directly into {str(path)!r} to have them split"
            )
    classes = tuple(sorted(found["train" if roots else "all"]))
    if len(classes) < 2:
        raise SpecError(
            f"the folder {str(path)!r} has {len(classes)} class folders with images and needs two at least: "
            "{train,test}/<class>/*.png or <class>/*.png (or jpg, webp, bmp, ...)"
        )
    if unknown := sorted(set(found.get("test", ())) - set(classes)):
        raise SpecError(f"{str(path / 'test')!r} has a class {unknown[0]!r} that is not in train/; add it there too")
    splits = {
        split: [(file, label) for label, name in enumerate(classes) for file in files.get(name, ())]
        for split, files in found.items()
    }
    return Listing(path, classes, splits, short_key(sorted(facts)))


def _has_folders(path: Path) -> bool:
    # a class may be called "train", as in CIFAR-100: only a folder of folders is a split
    return path.is_dir() and any(entry.is_dir() and not entry.name.startswith(".") for entry in os.scandir(path))


def _classes(split: str, root: Path, facts: list[tuple]) -> Iterator[tuple[str, list[str]]]:
    """(class name, its image files); notes down what tells one state of the folder from another."""
    for folder in sorted(os.scandir(root), key=lambda entry: entry.name):
        if not folder.is_dir() or folder.name.startswith("."):
            continue
        files = []
        for entry in os.scandir(folder):
            if entry.name.startswith(".") or not entry.name.lower().endswith(EXTENSIONS):
                continue
            status = entry.stat()
            facts.append((split, folder.name, entry.name, status.st_size, status.st_mtime_ns))
            files.append(entry.path)
        if files:
            yield unicodedata.normalize("NFC", folder.name), sorted(files)  # macOS hands out decomposed names


# ---- decoding


def load(listing: Listing, scratch: Path, shape: tuple[int, int, int] | None = None) -> Raw:
    """Decode all images of a listing into memory-mapped arrays in the scratch folder.

    `shape` (C, H, W): images of any other size are an error; without it, the shape is found and others are resized.
    """
    files = [file for file, _ in chain.from_iterable(listing.splits.values())]
    channels, side = (shape[0], shape[1]) if shape else _common_shape(files, listing.path)
    splits = {}
    with tqdm(total=len(files), desc=f"decoding {listing.path.name}", unit="image", delay=2, leave=False) as bar:
        for split, items in listing.splits.items():
            images = np.lib.format.open_memmap(
                scratch / f"{split}.npy", mode="w+", dtype=np.uint8, shape=(len(items), channels, side, side)
            )

            def fill(chunk: tuple[int, list[str]], images: np.ndarray = images) -> int:
                start, paths = chunk
                for row, file in enumerate(paths, start):
                    images[row] = decode(file, channels, side, exact=shape is not None)
                return len(paths)

            names = [file for file, _ in items]
            chunks = [(start, names[start : start + CHUNK]) for start in range(0, len(names), CHUNK)]
            for done in _each(fill, chunks, threads=side >= THREADS_FROM_SIDE):
                bar.update(done)
            splits[split] = (images, np.array([label for _, label in items], dtype=np.int64))
    return Raw(listing.classes, splits, f"the folder {str(listing.path)!r}")


def decode(file: str, channels: int, side: int, *, exact: bool = False) -> np.ndarray:
    """One image as uint8 (C, side, side); another size is scaled and cropped about its centre, or fails if `exact`."""
    image = _opened(file, lambda image: _eight_bits(image).convert("L" if channels == 1 else "RGB"))
    if image.size != (side, side):
        if exact:
            raise SpecError(f"{file!r} has {image.width} x {image.height} pixels, not {side} x {side}; replace it")
        image = ImageOps.fit(image, (side, side), Image.Resampling.BILINEAR)
    return np.asarray(image).reshape(side, side, channels).transpose(2, 0, 1)


def _eight_bits(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):  # PIL's own conversion clips at 255
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise ValueError(f"its pixels have 32 bits, mode {image.mode}")
    return image


def _common_shape(files: list[str], path: Path) -> tuple[int, int]:
    """(channels, side) for a folder, from the headers of its images."""
    headers = [_opened(file, lambda image: (image.mode, image.size)) for file in files]
    # the larger of two sizes that are equally common
    (width, height), _ = max(Counter(size for _, size in headers).items(), key=lambda item: (item[1], item[0]))
    side = min(width, height) // SIDE_MULTIPLE * SIDE_MULTIPLE
    if not side:
        raise SpecError(
            f"most images in {str(path)!r} have {width} x {height} pixels; use larger ones, of 4 x 4 at least"
        )
    if other := sum(size != (side, side) for _, size in headers):
        log.warning(
            "%s: %d of %d images are scaled and cropped to %d x %d pixels.", path, other, len(headers), side, side
        )
    return (1 if all(mode in GRAY for mode, _ in headers) else 3), side


def _opened(file: str, use: Callable[[Image.Image], Any]) -> Any:
    try:
        with Image.open(file) as image:
            return use(image)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:  # what PIL raises on bad files
        raise SpecError(f"{file!r} cannot be decoded ({error}); replace it or take it away") from error


def _each(work: Callable[[Any], Any], items: list[Any], *, threads: bool) -> Iterator[Any]:
    """`map`, in threads or not; results in order."""
    if not threads:
        yield from map(work, items)
        return
    with ThreadPoolExecutor(min(os.cpu_count() or 1, 8)) as pool:
        yield from pool.map(work, items)
