"""The digits of scikit-learn: 1,797 real scans of handwritten digits, embedded in the package.

They are the test set of the UCI "Optical Recognition of Handwritten Digits" (E. Alpaydin, C. Kaynak, 1998): 8 x 8
pixels, each the count of dark points (0 to 16) in a 4 x 4 patch of the scan. Scaled up to 16 x 16 they keep a side of
4 in the third stage of a ResNet.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from snnlib.data.cache import Raw, Source, short_key

CLASSES = tuple("0123456789")


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
