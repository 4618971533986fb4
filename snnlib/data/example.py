"""One event stream in all its forms, for a picture: image and path (where known), events, frames."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import xarray as xr

from snnlib.data import events, recorded, simulate
from snnlib.data.images import EVENTS, default_cache_dir, open_images, root_folder
from snnlib.spec import SpecError


@dataclass(frozen=True)
class Example:
    """`stream`: events of dtype `events.EVENT`; `span`: microseconds; `frames`: (T, 2, H, W).

    `image`: (H, W), 0 to 255, and `path`: (S + 1, 2), down and right in pixels; None for a recording.
    """

    stream: np.ndarray
    span: tuple[int, int]
    frames: np.ndarray
    label: str
    image: np.ndarray | None = None
    path: np.ndarray | None = None

    def to_dataset(self) -> xr.Dataset:
        """As the store keeps it."""
        found = {name: ("event", self.stream[name]) for name in events.EVENT.names}
        found["frames"] = (("step", "polarity", "row", "column"), self.frames)
        if self.image is not None:
            found["image"] = (("row", "column"), self.image)
        if self.path is not None:
            found["path"] = (("point", "axis"), self.path)
        return xr.Dataset(found, attrs={"label": self.label, "span": list(self.span)})

    @classmethod
    def from_dataset(cls, found: xr.Dataset) -> Example:
        """The inverse of `to_dataset`."""
        stream = np.empty(found.sizes["event"], dtype=events.EVENT)
        for name in events.EVENT.names:
            stream[name] = found[name]
        begin, end = (int(t) for t in found.attrs["span"])
        shown = {name: found[name].values for name in ("image", "path") if name in found}
        return cls(stream, (begin, end), found["frames"].values, found.attrs["label"], **shown)


def example(
    dataset: str,
    data_root: Path | str | None = None,
    *,
    frames: int,
    size: int | None = None,
    index: int = 0,
    cache_dir: Path | None = None,
) -> Example:
    """The `index`-th event stream of the test split.

    Simulated ones count in the order of the split, in which networks see them; recordings by class and name, those
    without any event left out, since their place in the split is known only once all of them are read.

    Raises:
        SpecError: no event data, or fewer streams; and as `open_images`.
    """
    if dataset not in EVENTS:
        raise SpecError(f"dataset = {dataset!r} holds no event streams; choose one of {', '.join(EVENTS)}")
    if dataset.startswith("moving-"):
        still = open_images(EVENTS[dataset].still, data_root, cache_dir=cache_dir)
        image = still.test.take(index + 1).images[index]
        stream, span = simulate.stream(image, frames)
        counted = events.frames(stream, frames, sensor=image.shape[-2:], span=span)
        label = still.classes[still.test.labels[index]]
        path = simulate.path(still.image_size, frames) / simulate.FINE
        return Example(stream, span, counted, label, simulate.luminance(image[None])[0], path)
    root = root_folder(data_root, cache_dir or default_cache_dir())
    with_events = (found for found in recorded.examples(dataset, root) if len(found[0]))
    for stream, field, label in islice(with_events, index, None):
        span = (int(stream["t"].min()), int(stream["t"].max()) + 1)
        counted = events.frames(stream, frames, sensor=field, size=size or recorded.SIZE, span=span)
        return Example(stream, span, counted, label)
    raise SpecError(f"index = {index}: {str(root)!r} has no such recording with events of {dataset} in its test split")
