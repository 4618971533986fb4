"""CIFAR-10 and CIFAR-100 (A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009).

Looked for below DATA_ROOT, in this order: image files in `cifar10/{train,test}/<class>/`; the archive that torchvision
reads and writes, unpacked (`cifar-10-batches-py/`) or not (`cifar-10-python.tar.gz`); torchvision's download. Archives
are held against torchvision's checksums.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from snnlib.data import folders
from snnlib.data.cache import Raw, Source, short_key
from snnlib.data.download import MissingData as MissingData  # as `images` knows it
from snnlib.data.download import fetch_once
from snnlib.spec import SpecError

SHAPE = (3, 32, 32)
CIFAR10 = "airplane automobile bird cat deer dog frog horse ship truck"
CIFAR100 = """
    apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can
    castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin
    elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster
    man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck
    pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk
    skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone television tiger
    tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm
"""
CLASSES = {"cifar10": tuple(CIFAR10.split()), "cifar100": tuple(CIFAR100.split())}
# Torchvision's names, unpacked and packed: known here, since importing it takes seconds.
ARCHIVES = {
    "cifar10": ("cifar-10-batches-py", "cifar-10-python.tar.gz"),
    "cifar100": ("cifar-100-python", "cifar-100-python.tar.gz"),
}


def source(name: str, root: Path, *, download: bool) -> Source:
    """Where the images of "cifar10" or "cifar100" come from; whether an archive is there shows when it is loaded."""
    if (root / name).is_dir():
        return folders.source(name, root / name, CLASSES[name], SHAPE)
    # An archive passes its checksums before it is decoded, so what was decoded from it holds without it, too.
    key = short_key("torchvision", name, root.resolve())
    return Source(f"{name}-{key}", lambda scratch: _load(name, root, scratch, download))


def _torchvision(name: str) -> Any:
    from torchvision.datasets import cifar as module  # only when an archive is to be read or fetched

    return {"cifar10": module.CIFAR10, "cifar100": module.CIFAR100}[name]


def _utils() -> ModuleType:
    from torchvision.datasets import utils

    return utils


def _load(name: str, root: Path, scratch: Path, download: bool) -> Raw:
    unpacked, packed = (root / archive for archive in ARCHIVES[name])
    if unpacked.is_dir():
        home, origin = root, unpacked
    elif packed.is_file():
        if not _utils().check_integrity(packed, _torchvision(name).tgz_md5):
            raise SpecError(f"{str(packed)!r} is incomplete or damaged (its checksum differs); delete or replace it")
        _utils().extract_archive(packed, scratch)
        home, origin = scratch, packed
    else:
        _download(name, root, allowed=download)
        home, origin = root, unpacked
    dataset = _torchvision(name)
    try:
        parts = {"train": dataset(home, train=True), "test": dataset(home, train=False)}
    except (OSError, RuntimeError) as error:
        raise SpecError(f"{str(origin)!r} is incomplete or damaged ({error}); delete or replace it") from error
    classes = tuple(parts["train"].classes)
    if classes != CLASSES[name]:
        raise SpecError(f"{str(origin)!r} has other classes than {name}; delete or replace it")
    splits = {
        split: (part.data.transpose(0, 3, 1, 2), np.array(part.targets))  # (N, H, W, C) -> (N, C, H, W)
        for split, part in parts.items()
    }
    return Raw(classes, splits, str(origin))


# ---- downloading


def _download(name: str, root: Path, *, allowed: bool) -> None:
    """Fetch torchvision's archive into the root, whole or not at all; MissingData names every way to get the images."""
    unpacked, packed = ARCHIVES[name]

    def fetch() -> None:
        with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=root) as part:
            _torchvision(name)(part, download=True)
            os.replace(Path(part, unpacked), root / unpacked)

    lacking = f"no {name}/{{train,test}}/<class>/ with image files, no {unpacked}/ and no {packed}"
    url = _torchvision(name).url if allowed else ""
    fetch_once(name, root, url, fetch, is_there=(root / unpacked).is_dir, allowed=allowed, lacking=lacking)
