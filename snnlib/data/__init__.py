"""Image data sets by name, and deterministic batches of them; torch is loaded by the batches only."""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "batches",
        "cache",
        "cifar",
        "digits",
        "download",
        "events",
        "example",
        "folders",
        "images",
        "readers",
        "recorded",
        "samples",
        "simulate",
    ],
    submod_attrs={
        "batches": ["Augment", "Batches"],
        "images": ["ImageData", "Split", "default_cache_dir", "describe", "holdout", "open_images"],
    },
)
