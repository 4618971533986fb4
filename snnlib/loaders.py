"""Batches of images as recording takes them: from any loader, or from two that show the same images in two forms."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import zip_longest
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from snnlib.spec import MIN_IMAGES, SpecError


class Batch(NamedTuple):
    """`n` images, in whatever layout the network takes, and their labels, or None."""

    images: Tensor
    labels: np.ndarray | None
    n: int


def batches(loader: Iterable[Any]) -> Iterator[Batch]:
    """Batches from `(images, labels)` pairs or from images alone.

    The number of images is that of the labels. Without labels it is the first size of the images; the second of
    5-dimensional frames, which are time first, (T, B, C, H, W). Other layouts, such as spike trains (T, B, p), need
    labels.

    Raises:
        SpecError: a batch without images, or with labels that do not fit them.
    """
    for number, item in enumerate(loader, start=1):
        images, labels = (*item, None, None)[:2] if isinstance(item, tuple | list) else (item, None)
        if not isinstance(images, Tensor) or images.numel() == 0:
            found = f"shape {tuple(images.shape)}" if isinstance(images, Tensor) else f"a {type(images).__name__}"
            raise SpecError(
                f"batch {number} has {found} where its images should be: a loader should give (images, labels) or"
                " images, with the images as one tensor that is not empty."
            )
        if labels is None:
            yield Batch(images, None, images.shape[1 if images.dim() == 5 else 0])
            continue
        labels = np.asarray(labels.detach().cpu() if isinstance(labels, Tensor) else labels)
        if labels.ndim == 0 or len(labels) not in images.shape[:2]:
            raise SpecError(
                f"batch {number} has labels of shape {labels.shape} for images of shape {tuple(images.shape)}: give one"
                " label an image."
            )
        yield Batch(images, labels, len(labels))


def group_of(n: int, groups: int) -> np.ndarray:
    """(n,) the group, from 0, of each of n images: drawn at random, always the same, of sizes as equal as can be.

    At random, since data sets come in all kinds of order, by class for example.
    """
    return np.random.default_rng(0).permutation(n) % groups


def paired(loader: Iterable[Any], loader_b: Iterable[Any] | None, least: int) -> Iterator[tuple[Batch, Batch]]:
    """Batches of the same images from both loaders, or the same batch twice where there is one loader.

    Raises:
        SpecError: loaders that differ in length, batch sizes or labels; a batch of fewer images than `least`.
    """
    one = loader_b is None
    pairs = ((batch, batch) for batch in batches(loader)) if one else zip_longest(batches(loader), batches(loader_b))
    for number, (a, b) in enumerate(pairs, start=1):
        if a is None or b is None:
            short, long = ("loader", "loader_b") if a is None else ("loader_b", "loader")
            raise SpecError(f"{short} ends before batch {number} of {long}: both must give the same images.")
        if a.n != b.n:
            raise SpecError(f"batch {number} holds {a.n} images in loader and {b.n} in loader_b: use one batch size.")
        if a.labels is not None and b.labels is not None and not np.array_equal(a.labels, b.labels):
            raise SpecError(
                f"batch {number} has other labels in loader than in loader_b: both must give the same images in the"
                " same order, so shuffle neither."
            )
        if a.n < least:
            raise SpecError(_too_small(number, a.n, least))
        yield a, b


def check_loaders(loader: Iterable[Any], loader_b: Iterable[Any] | None, least: int) -> None:
    """What `paired` would find only in the end, as far as it can be known: lengths, and a `DataLoader`'s last batch."""
    if loader_b is not None:
        n_a, n_b = length(loader), length(loader_b)
        if None not in (n_a, n_b) and n_a != n_b:
            raise SpecError(f"loader gives {n_a} batches and loader_b {n_b}: both must give the same images.")
    for each in (loader, loader_b):
        size, n_images = getattr(each, "batch_size", None), length(getattr(each, "sampler", None))
        if not isinstance(size, int) or n_images is None:
            continue
        full, rest = divmod(n_images, size)
        if 0 < rest < least and not getattr(each, "drop_last", False):
            raise SpecError(_too_small(full + 1, rest, least))


def length(sized: Any) -> int | None:
    """Its length, or None where it has none: an iterator, a loader of an iterable data set."""
    try:
        return len(sized)
    except TypeError:
        return None


def _too_small(number: int, n: int, least: int) -> str:
    left_out = " of which a group is left out" if least > MIN_IMAGES else ""
    return (
        f"batch {number} holds n = {n} image{'s' * (n != 1)}, and debiased CKA needs at least {least}{left_out}: drop"
        " the last batch (drop_last=True) or choose another batch size."
    )
