"""Files of event cameras, read by tonic's parsers: AEDAT 2.0 (CIFAR10-DVS) and the .bin of N-Caltech101."""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Self

import numpy as np

from snnlib.data.events import EVENT
from snnlib.spec import SpecError

DVS128 = 128  # side of the camera of CIFAR10-DVS


def read_cifar10_dvs(path: Path) -> tuple[np.ndarray, tuple[int, int]]:
    """Events of an .aedat file (AEDAT 2.0) of the camera DVS128, and the height and width of its field.

    An address holds x in bits 1 to 7, y in bits 8 to 14, and 1 in bit 0 where it became darker. The camera lay on its
    side, so that the image stands upright with 127 - y to the right and 127 - x downwards.
    """
    io = tonic_io()
    version, start = io.read_aedat_header_from_file(str(path))[:2]
    raw = io.get_aer_events_from_file(str(path), version, start)
    address = raw["address"].astype(np.int64)
    events = np.zeros(len(raw), dtype=EVENT)
    events["t"] = raw["timeStamp"]
    events["x"], events["y"] = DVS128 - 1 - (address >> 8 & 0x7F), DVS128 - 1 - (address >> 1 & 0x7F)
    events["p"] = 1 - (address & 1)
    return events, (DVS128, DVS128)


def read_n_caltech101(path: Path) -> tuple[np.ndarray, tuple[int, int]]:
    """Events of a .bin file (five bytes an event), and the height and width that they take up: images differ in it."""
    io = tonic_io()
    raw = io.read_mnist_file(str(path), dtype=np.dtype([("x", int), ("y", int), ("t", int), ("p", int)]))
    events = np.zeros(len(raw), dtype=EVENT)
    for name in "txyp":
        events[name] = raw[name]
    if not len(raw):
        return events, (1, 1)
    for name in "xy":
        events[name] -= events[name].min()
    return events, (int(events["y"].max()) + 1, int(events["x"].max()) + 1)


READERS = {"cifar10-dvs": read_cifar10_dvs, "n-caltech101": read_n_caltech101}


def tonic_io() -> ModuleType:
    try:
        from tonic import io
    except ImportError as error:
        raise SpecError(
            f"recorded event data are read by the package tonic, which cannot be imported ({error}); install it with "
            "pip install -e '.[events]' in this project's clone, or take dataset = 'moving-digits', which needs none"
        ) from error
    return io


class Reader:
    """Reads recordings of a data set one after the other, from files or from archives: `with Reader(...) as read`.

    The archive that was read from last stays open: to open it takes as long as it has members. tonic reads files only,
    so a member is written into the folder `scratch` and removed when it has been read.
    """

    def __init__(self, name: str, scratch: Path) -> None:
        self.name, self.scratch = name, scratch
        self.path: Path | None = None
        self.archive: zipfile.ZipFile | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.archive is not None:
            self.archive.close()
        self.path = self.archive = None

    def __call__(self, path: Path, member: str | None = None) -> tuple[np.ndarray, tuple[int, int]]:
        """Events of a file, or of a member of an archive, and the height and width of their field.

        Raises SpecError for a damaged file, and where tonic is missing.
        """
        reader = READERS[self.name]
        try:
            if member is None:
                return reader(path)
            with tempfile.TemporaryDirectory(dir=self.scratch) as folder:
                return reader(Path(self._opened(path).extract(member, folder)))
        except SpecError:
            raise
        except Exception as error:  # tonic's parsers raise whatever they stumble over
            inside = f" ({member})" if member else ""
            raise SpecError(
                f"{str(path)!r}{inside} is damaged or no recording of {self.name} ({error!r}); delete or replace it"
            ) from error

    def _opened(self, path: Path) -> zipfile.ZipFile:
        if self.archive is None or self.path != path:
            self.__exit__()
            self.path, self.archive = path, zipfile.ZipFile(path)
        return self.archive
