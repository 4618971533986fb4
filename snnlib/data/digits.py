"""The digits of scikit-learn: 1,797 real scans of handwritten digits, embedded in the package.

They are the test set of the UCI "Optical Recognition of Handwritten Digits" (E. Alpaydin, C. Kaynak, 1998): 8 x 8
pixels, each the count of dark points (0 to 16) in a 4 x 4 patch of the scan. Scaled up to 16 x 16 they keep a side of
4 in the third stage of a ResNet.

*Digit pairs* are made of the same scans: two of them side by side, at their own size, in the middle of 16 x 16 pixels.
They show the numbers 00 to 99, a hundred classes: a task with as many classes as CIFAR-100 for where there is no
download, and nothing else of CIFAR-100. The scans that the digits keep for the test are in test images only.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from snnlib.data.cache import Raw, Source, canonical_order, digests, short_key, split_rows

CLASSES = tuple("0123456789")
PAIRS = tuple(f"{number:02}" for number in range(100))
PAIRS_EACH = {"train": 20, "test": 6}  # images of a class


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


def pairs_source() -> Source:
    """Two-digit numbers, with a split of their own."""
    return Source(f"digit-pairs-{short_key('digit-pairs', PAIRS_EACH)}", _load_pairs)


def _load_pairs(scratch: Path) -> Raw:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    digest = digests(upsample(bunch.images))
    order = canonical_order(digest, bunch.target)
    rows = split_rows(digest[order], bunch.target[order])  # the split of the digits
    splits = {
        split: pair_up(bunch.images[order[rows[split]]], bunch.target[order[rows[split]]], each)
        for split, each in PAIRS_EACH.items()
    }
    return Raw(PAIRS, splits, "pairs of scikit-learn's load_digits")


def pair_up(counts: np.ndarray, digits: np.ndarray, each: int) -> tuple[np.ndarray, np.ndarray]:
    """Images of two-digit numbers, `each` of a number, and their labels.

    Counts (N, 8, 8) in 0..16, digits (N,) -> uint8 (100 * each, 1, 16, 16) in 0..255, (100 * each,). The images of a
    number take the scans of its digits in turn: every scan comes up on both sides, next to others each time.
    """
    scans = [((counts[digits == digit] * 255 + 8) // 16).astype(np.uint8) for digit in range(10)]
    images = np.zeros((100 * each, 1, 16, 16), dtype=np.uint8)
    labels = np.repeat(np.arange(100), each)
    for row, number in enumerate(labels):
        tens, ones = divmod(int(number), 10)
        turn = 10 * (row % each)
        images[row, 0, 4:12, :8] = scans[tens][(turn + ones) % len(scans[tens])]
        images[row, 0, 4:12, 8:] = scans[ones][(turn + tens) % len(scans[ones])]
    return images, labels
