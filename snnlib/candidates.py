"""What a data set that is named can be: the images at hand, or those that networks of the store were trained on.

Results can be read without their images, so a name may stand for images that are not here: those of published networks,
or the whole data set as it is known everywhere. The chapters and the sweep ask here, so that what one makes is what the
others show.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple

from snnlib.data.download import MissingData
from snnlib.data.images import KNOWN, ImageData, describe, open_images
from snnlib.entries import damage, read_card
from snnlib.spec import DataSpec, TrainSpec
from snnlib.store import Store


class Candidate(NamedTuple):
    """Images that a name may stand for, as far as they can be known without them."""

    data: DataSpec
    title: str  # for people; a subset says so
    n_train: int
    n_test: int


def candidates(
    store: Store, dataset: str, how: Mapping[str, int | None], *, asked_for: bool, download: bool = False
) -> tuple[ImageData | None, list[Candidate]]:
    """The images at hand, if any, and what comes before them where the store has its networks.

    Args:
        store: whose published networks are looked at, and at whose `data_root` images are looked for.
        how: frames and size, for event data.
        asked_for: somebody has named these images or their place. Others start no training because they happen to lie
            where images are looked for, such as all those of a data set of which a subset is published.
        download: fetch images that are not at hand.

    Raises:
        SpecError: an unknown data set, or one that cannot be read.
    """
    try:
        images = open_images(dataset, store.data_root, cache_dir=store.cache, download=download, **how)
    except MissingData:
        images = None
    known = KNOWN.get(dataset)  # a folder of one's own is in nobody's list
    if images is not None and (asked_for or known is None or images.fingerprint == known.fingerprint):
        return images, []
    found = _published(store, dataset, **how)
    if images is None and known.fingerprint:
        data = describe(dataset, store.data_root, cache_dir=store.cache, require_data=False)
        found.setdefault(data, Candidate(data, known.title, *known.sizes))
    return images, list(found.values())


def _published(
    store: Store, dataset: str, frames: int | None = None, size: int | None = None
) -> dict[DataSpec, Candidate]:
    """What published networks of a data set were trained on: of a subset, or of simulated events, all that is known."""
    found: dict[DataSpec, Candidate] = {}
    for layer, folder in store.folders():
        if layer != "published":
            continue
        with suppress(OSError, ValueError, KeyError, TypeError):  # of a damaged card, which is passed over
            card = read_card(folder)
            if card["kind"] != TrainSpec.__name__ or card["spec"]["data"]["dataset"] != dataset or not card["images"]:
                continue
            data, images = DataSpec(**card["spec"]["data"]), card["images"]
            fits = data.frames == frames and size in (None, data.image_size)
            # one undamaged network is enough: to hold all weights against their checksums would take longer
            if fits and data not in found and damage(folder) is None:
                found[data] = Candidate(data, images["title"], images["train"], images["test"])
    return found
