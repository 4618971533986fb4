"""Image data sets by name, and deterministic batches of them."""

from __future__ import annotations

from snnlib.data.batches import Augment, Batches
from snnlib.data.images import ImageData, Split, default_cache_dir, describe, holdout, open_images

__all__ = [
    "Augment",
    "Batches",
    "ImageData",
    "Split",
    "default_cache_dir",
    "describe",
    "holdout",
    "open_images",
]
