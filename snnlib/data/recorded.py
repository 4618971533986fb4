"""Event streams that a camera recorded of still images: CIFAR10-DVS and N-Caltech101, read by tonic's parsers.

    cifar10-dvs    DATA_ROOT/CIFAR10DVS/<class>/cifar10_<class>_<i>.aedat or <class>.zip     Li et al. 2017
    n-caltech101   DATA_ROOT/NCALTECH101/Caltech101/<class>/image_<i>.bin or their archive   Orchard et al. 2015

What lies there is used, archives without unpacking them; else it is fetched into that folder. tonic's own address of
CIFAR10-DVS answers programs with an empty page; figshare's programming interface gives the files (tonic's issue 329).

**Split.** Neither set comes with one. Here a recording belongs to the test split if the SHA-256 of
`<dataset>/<class>/<file name without its ending>`, read as a whole number, is a multiple of 10: about a tenth,
whichever other files are there. The names of CIFAR10-DVS are known, so that the split is, too: `CIFAR10_DVS_SPLIT` is
`split_hash` of it. Those of N-Caltech101 are not known here; the split of the files that were found is in the card
of the cached data.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from tqdm import tqdm

from snnlib.data import cifar
from snnlib.data.cache import SPLITS, Raw, Source, short_key
from snnlib.data.download import fetch_once
from snnlib.data.events import MOST, POLARITIES, frames
from snnlib.data.folders import SIDE_MULTIPLE
from snnlib.data.readers import Reader, tonic_io
from snnlib.spec import SpecError

log = logging.getLogger(__name__)

SIZE = 48  # usual side of CIFAR10-DVS frames
TEST_EVERY = 10
CLASSES = cifar.CLASSES["cifar10"]
SIZES = (8_997, 1_003)  # recordings of CIFAR10-DVS to train and to test with
CIFAR10_DVS_SPLIT = "5e7849c4a1137aa3f017ddc86e8a4cd10dc7b59dd56bd1dd59468fb3a660ab3e"
PART = ".part-"  # begins the name of a folder into which an archive is being fetched
FIGSHARE = "https://api.figshare.com/v2/file/download/"

# name and MD5 of each archive, from the data set's page on figshare
CIFAR10_DVS = {
    "airplane": ("7712788", "0afd5c4bf9ae06af762a77b180354fdd"),
    "automobile": ("7712791", "8438dfeba3bc970c94962d995b1b9bdd"),
    "bird": ("7712794", "a9c207c91c55b9dc2002dc21c684d785"),
    "cat": ("7712812", "52c63c677c2b15fa5146a8daf4d56687"),
    "deer": ("7712815", "b6bf21f6c04d21ba4e23fc3e36c8a4a3"),
    "dog": ("7712818", "f379ebdf6703d16e0a690782e62639c3"),
    "frog": ("7712842", "cad6ed91214b1c7388a5f6ee56d08803"),
    "horse": ("7712851", "e7cbbf77bec584ffbf913f00e682782a"),
    "ship": ("7712836", "41c7bd7d6b251be82557c6cce9a7d5c9"),
    "truck": ("7712839", "89f3922fd147d9aeff89e76a2b0b70a7"),
}


@dataclass(frozen=True, order=True)
class Recording:
    """One recording: its class, its name without ending, the file it lies in, and where in it if that is an archive."""

    label: str
    stem: str
    path: Path
    member: str | None = None


@dataclass(frozen=True)
class Home:
    """Where a data set lies below DATA_ROOT (as tonic has it, or under its name here) and how its files are called.

    N-Caltech101 comes with annotations whose files end alike.
    """

    folders: tuple[str, ...]
    prefix: str
    ending: str

    def has(self, file: str) -> bool:
        """Whether a file of this name is a recording."""
        return file.startswith(self.prefix) and file.endswith(self.ending)


HOMES = {
    "cifar10-dvs": Home(("CIFAR10DVS", "cifar10-dvs"), "cifar10_", ".aedat"),
    "n-caltech101": Home(("NCALTECH101", "n-caltech101"), "image_", ".bin"),
}


def source(name: str, root: Path, bins: int, size: int, *, download: bool) -> Source:
    """The frames of "cifar10-dvs" or "n-caltech101"; fetched into the root if they are not there.

    Raises SpecError for an unusable size and for files that are none of the data set's, MissingData for none at all.
    """
    if size < SIDE_MULTIPLE or size % SIDE_MULTIPLE:
        raise SpecError(f"size = {size} cannot be used: the side of frames must be a multiple of {SIDE_MULTIPLE}")
    home = _home(name, root) or _download(name, root, allowed=download)
    facts = sorted(
        (path.relative_to(home).as_posix(), path.stat().st_size, path.stat().st_mtime_ns) for path in _files(name, home)
    )
    key = short_key("recorded", name, facts, bins, size)
    return Source(f"{name}-{key}", lambda scratch: _load(name, home, scratch, bins, size))


# ---- the split


def is_test(dataset: str, label: str, stem: str) -> bool:
    """The module's rule."""
    return int.from_bytes(hashlib.sha256(f"{dataset}/{label}/{stem}".encode()).digest()) % TEST_EVERY == 0


def split_hash(dataset: str, names: Iterable[tuple[str, str]]) -> str:
    """SHA-256 of sorted lines `<train or test> <class>/<stem>`, each with its line feed, of (class, stem) pairs."""
    lines = sorted(f"{SPLITS[is_test(dataset, *name)]} {'/'.join(name)}\n" for name in names)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def cifar10_dvs_names() -> list[tuple[str, str]]:
    """Class and stem of the 10,000 recordings of CIFAR10-DVS."""
    return [(label, f"cifar10_{label}_{i}") for label in CLASSES for i in range(1000)]


# ---- finding


def _home(name: str, root: Path) -> Path | None:
    return next((root / folder for folder in HOMES[name].folders if any(_files(name, root / folder))), None)


def _files(name: str, home: Path) -> list[Path]:
    """The recordings below a folder, or else the archives in it."""
    if not home.is_dir():
        return []
    place = HOMES[name]
    return sorted(home.rglob(f"{place.prefix}*{place.ending}")) or sorted(home.rglob("*.zip"))


def _recordings(name: str, home: Path, scratch: Path) -> list[Recording]:
    place = HOMES[name]
    found: list[Recording] = []
    for path in _files(name, home):
        if place.has(path.name):
            found.append(Recording(path.parent.name, path.stem, path))
        else:
            found += _in_archive(path, place, scratch)
    if not found:
        raise SpecError(
            f"the archives in {str(home)!r} hold no {place.ending} files of {name} (tonic's own copy of CIFAR10-DVS "
            "was converted to .aedat4, another format); put the original files there, or take these away to have them "
            "fetched"
        )
    return sorted(found)


def _in_archive(path: Path, place: Home, scratch: Path) -> Iterator[Recording]:
    """Recordings in an archive; one that lies in it, as in N-Caltech101's, is taken out first."""
    try:
        with zipfile.ZipFile(path) as archive:
            for member in map(PurePosixPath, archive.namelist()):
                if member.name.startswith(".") or member.parts[0] == "__MACOSX":
                    continue
                if place.has(member.name):
                    yield Recording(member.parent.name, member.stem, path, str(member))
                elif member.suffix == ".zip":
                    yield from _in_archive(Path(archive.extract(str(member), scratch)), place, scratch)
    except (OSError, zipfile.BadZipFile) as error:
        raise SpecError(f"{str(path)!r} is incomplete or damaged ({error}); delete or replace it") from error


# ---- loading


def examples(name: str, root: Path) -> Iterator[tuple[np.ndarray, tuple[int, int], str]]:
    """Events, field and class of the recordings of the test split, one at a time, by class and name."""
    home = _home(name, root)
    with tempfile.TemporaryDirectory() as scratch, Reader(name, Path(scratch)) as read:
        for recording in _recordings(name, home, Path(scratch)) if home else ():
            if is_test(name, recording.label, recording.stem):
                yield *read(recording.path, recording.member), recording.label


def _load(name: str, home: Path, scratch: Path, bins: int, size: int) -> Raw:
    tonic_io()  # an error now, not after the listing
    found = _recordings(name, home, scratch)
    have = sorted({recording.label for recording in found})
    classes = CLASSES if name == "cifar10-dvs" else tuple(have)
    if odd := sorted(set(classes) ^ set(have)):
        raise SpecError(
            f"the class folders in {str(home)!r} are not those of {name}: {', '.join(map(repr, odd[:3]))} "
            f"{'is missing' if odd[0] in classes else 'is unknown'}; complete them, or take them away"
        )
    if len(classes) < 2:
        raise SpecError(f"{str(home)!r} has recordings of one class only, {classes[0]!r}; put more of {name} there")
    tests = np.array([is_test(name, recording.label, recording.stem) for recording in found])
    number = {label: i for i, label in enumerate(classes)}
    splits, total, lost = {}, 0, 0
    bar = tqdm(total=len(found), desc=f"frames of {name}", unit=" recordings", delay=2)
    for split, wanted in zip(SPLITS, (False, True), strict=True):
        part = [recording for recording, test in zip(found, tests, strict=True) if test == wanted]
        shape = (len(part), bins, POLARITIES, size, size)
        if not part:
            raise SpecError(f"{str(home)!r} leaves no recording to {split} with: put more of {name} there")
        out = np.lib.format.open_memmap(scratch / f"{split}.npy", mode="w+", dtype=np.uint8, shape=shape)
        with Reader(name, scratch) as read:
            for i, recording in enumerate(part):
                events, field = read(recording.path, recording.member)
                out[i] = frames(events, bins, sensor=field, size=size)
                total, lost = total + len(events), lost + len(events) - int(out[i].sum())
                bar.update()
        splits[split] = (out, np.array([number[recording.label] for recording in part]))
    bar.close()
    listed = split_hash(name, [(recording.label, recording.stem) for recording in found])
    return Raw(classes, splits, f"{home} (split {listed}; {_lost_in_words(name, lost, total, bins, size)})")


def _lost_in_words(name: str, lost: int, total: int, bins: int, size: int) -> str:
    """How many events are in no frame, because counts end; a warning, too, where there are any."""
    said = f"{lost:,} of {total:,} events are beyond the {MOST} that a pixel of a frame can count"
    if lost:
        log.warning(
            "%s, %d frames of %d × %d pixels: %s; take more frames or a larger size.", name, bins, size, size, said
        )
    return said


# ---- fetching


def _archives(name: str) -> list[tuple[str, str, str]]:
    """(file name, address, MD5) of what is to be fetched."""
    if name == "cifar10-dvs":
        return [(f"{label}.zip", FIGSHARE + number, md5) for label, (number, md5) in CIFAR10_DVS.items()]
    tonic_io()
    from tonic.datasets import NCALTECH101

    return [(NCALTECH101.filename, NCALTECH101.url, NCALTECH101.file_md5)]


def _download(name: str, root: Path, *, allowed: bool) -> Path:
    """Fetch the archives, all or none; MissingData names every way to get the recordings."""
    places = HOMES[name]
    home = root / places.folders[0]
    archives = _archives(name) if allowed else []
    fetch_once(
        name,
        root,
        archives[0][1] if archives else "",
        lambda: _fetch_all(archives, root / f".{home.name}-parts", home),
        is_there=lambda: _home(name, root) is not None,
        allowed=allowed,
        lacking=f"no {' or '.join(places.folders)} with <class>/*{places.ending} or their archives",
    )
    return _home(name, root) or home


def _fetch_all(archives: list[tuple[str, str, str]], parts: Path, home: Path) -> None:
    """Into the hidden folder `parts`, where a later call goes on; then, by one name change, where all look for them."""
    parts.mkdir(exist_ok=True)
    for left_over in parts.glob(f"{PART}*"):  # of a process that was killed, since the lock is ours
        shutil.rmtree(left_over)
    for file, url, md5 in archives:
        if not (parts / file).exists():
            _fetch(url, parts / file, md5)
    os.replace(parts, home / "archives" if home.exists() else home)  # beside what else a user keeps there


def _fetch(url: str, path: Path, md5: str) -> None:
    """Through tonic, which checks the MD5, into a name that the file takes only when it is whole."""
    tonic_io()
    from tonic.download_utils import download_url

    with tempfile.TemporaryDirectory(prefix=PART, dir=path.parent) as part:
        download_url(url, part, path.name, md5)
        os.replace(Path(part, path.name), path)
