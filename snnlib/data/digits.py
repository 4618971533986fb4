"""The digits of scikit-learn: 1,797 real scans of handwritten digits, embedded in the package.

They are the test set of the UCI "Optical Recognition of Handwritten Digits" (E. Alpaydin, C. Kaynak, 1998): 8 x 8
pixels, each the count of dark points (0 to 16) in a 4 x 4 patch of the scan. Scaled up to 16 x 16 they keep a side of
4 in the third stage of a ResNet.

*Digit variants* are the same scans, each once upright and once turned by a quarter, one of the two light on dark, the
other dark on light. Digit and form together are the class, forty in all: a task with many classes for where CIFAR-100
cannot be had, and that has nothing else of CIFAR-100.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from snnlib.data.cache import Raw, Source, canonical_order, digests, short_key, split_rows

CLASSES = tuple("0123456789")
FORMS = ("upright-light", "turned-light", "upright-dark", "turned-dark")  # place in it: 2 * dark + turned
VARIANTS = tuple(f"{digit}-{form}" for digit in CLASSES for form in FORMS)


def source() -> Source:
    """The digits; they come without a split of their own."""
    return Source(f"digits-{short_key('digits')}", _load)


def _load(scratch: Path) -> Raw:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return Raw(CLASSES, {"all": (upsample(bunch.images), bunch.target)}, "scikit-learn's load_digits")


def upsample(counts: np.ndarray) -> np.ndarray:
    """Bilinear scaling by two of counts in 0..16, (N, H, W) -> uint8 (N, 1, 2H, 2W) in 0..255.

    Pixel centres at half integers, edges repeated, as `torch.nn.functional.interpolate(align_corners=False)`: a new
    pixel lies a quarter from its nearest old one and takes 3/4 of it and 1/4 of the next, along each axis. In
    integers, so that every machine gets the same bytes.
    """
    scaled = counts.astype(np.int64)
    for axis in (1, 2):
        before = np.concatenate([scaled.take([0], axis), scaled], axis).take(range(scaled.shape[axis]), axis)
        after = np.concatenate([scaled, scaled.take([-1], axis)], axis).take(range(1, scaled.shape[axis] + 1), axis)
        pair = np.stack([3 * scaled + before, 3 * scaled + after], axis + 1)  # two new pixels for each old one
        scaled = pair.reshape(*scaled.shape[:axis], 2 * scaled.shape[axis], *scaled.shape[axis + 1 :])
    # 16 (largest count) x 4 x 4 (weights) = 256 becomes 255, rounded to the nearest
    return ((scaled * 255 + 128) // 256).astype(np.uint8)[:, None]


def variants_source() -> Source:
    """The digits in four forms, split as the digits are: a scan that they keep for the test is in the test split."""
    return Source(f"digit-variants-{short_key('digit-variants')}", _load_variants)


def _load_variants(scratch: Path) -> Raw:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = upsample(bunch.images)
    digest = digests(images)
    order = canonical_order(digest, bunch.target)
    images, digits = images[order], bunch.target[order]
    rows = split_rows(digest[order], digits)
    splits = {name: in_forms(images[part], digits[part]) for name, part in rows.items()}
    return Raw(VARIANTS, splits, "scikit-learn's load_digits, turned and inverted")


def in_forms(images: np.ndarray, digits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Digits in two forms each: images uint8 (N, 1, H, H), digits (N,) -> (2N, 1, H, H), labels of digit and form.

    Of each digit the first image is turned or dark, not both, the second is both or neither, and so on.
    """
    place = np.zeros(len(digits), dtype=np.int64)  # of each image among those of its digit
    for digit in np.unique(digits):
        (rows,) = np.nonzero(digits == digit)
        place[rows] = np.arange(len(rows))
    turned = np.concatenate([np.zeros_like(place), np.ones_like(place)])
    dark = (turned + np.tile(place, 2) + 1) % 2
    images = np.concatenate([images, np.rot90(images, axes=(2, 3))])
    images = np.where(dark.astype(bool)[:, None, None, None], 255 - images, images)
    return images, len(FORMS) * np.tile(digits, 2) + 2 * dark + turned
