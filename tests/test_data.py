"""Named data sets and their canonical order: the digits, folders of images, and what is said of unusable ones."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from snnlib.data import cache, describe, images, open_images
from snnlib.data.digits import upsample
from snnlib.spec import SpecError

pytestmark = pytest.mark.usefixtures("no_settings_of_the_user")


# ---- digits


def test_digits_are_the_scans_of_scikit_learn_scaled_up(opened):
    data = opened("digits")
    bunch = load_digits()
    exact = torch.nn.functional.interpolate(
        torch.tensor(bunch.images)[:, None] * 255 / 16, scale_factor=2, mode="bilinear", align_corners=False
    )
    scaled = upsample(bunch.images)
    assert np.abs(scaled - exact.numpy()).max() <= 0.5  # rounded to the nearest
    # every scan is in exactly one split, with its label
    expected = sorted((image.tobytes(), int(label)) for image, label in zip(scaled, bunch.target, strict=True))
    have = [(i.tobytes(), int(y)) for s in (data.train, data.test) for i, y in zip(s.images, s.labels, strict=True)]
    assert sorted(have) == expected
    assert (len(data.train), len(data.test)) == images.KNOWN["digits"].sizes
    assert np.bincount(data.test.labels).min() >= 34  # a fifth of each class


def test_digits_have_their_published_fingerprint(opened):
    data = opened("digits")
    assert data.fingerprint == images.KNOWN["digits"].fingerprint
    assert data.spec == describe("digits")
    assert (data.name, data.title, data.is_subset) == ("digits", "Digits", False)
    assert (data.in_channels, data.num_classes, data.image_size) == (1, 10, 16)


def test_mean_and_std_are_those_of_the_training_pixels(opened):
    data = opened("digits")
    pixels = data.train.images / 255
    assert data.mean == pytest.approx(pixels.mean(axis=(0, 2, 3)), abs=1e-12)
    assert data.std == pytest.approx(pixels.std(axis=(0, 2, 3)), abs=1e-12)


# ---- variants of the digits


def test_variants_are_the_scans_upright_and_turned_light_and_dark(opened):
    digits, variants = opened("digits"), opened("digit-variants")
    for plain, split in ((digits.train, variants.train), (digits.test, variants.test)):
        known = {image.tobytes(): int(label) for image, label in zip(plain.images, plain.labels, strict=True)}
        seen: dict[bytes, list[str]] = {}
        for image, label in zip(split.images, split.labels, strict=True):
            digit, turn, shade = variants.classes[label].split("-")
            scan = image[0] if shade == "light" else 255 - image[0]
            scan = np.ascontiguousarray(scan if turn == "upright" else np.rot90(scan, -1))  # turned back
            assert known[scan.tobytes()] == int(digit)
            seen.setdefault(scan.tobytes(), []).append(f"{turn}-{shade}")
        assert seen.keys() == known.keys()
        copies = len(plain) - len(known)  # scans that are there twice
        assert sum(map(len, seen.values())) == 2 * len(plain)
        both = [set(forms) for forms in seen.values()]
        assert (
            sum(forms in ({"upright-light", "turned-dark"}, {"upright-dark", "turned-light"}) for forms in both)
            >= len(both) - copies
        )
        counts = np.bincount(split.labels, minlength=40)
        assert counts.max() - counts.min() <= 0.1 * len(split) / 40 + 1


def test_variants_say_that_they_are_not_cifar100(opened):
    data = opened("digit-variants")
    assert "not CIFAR-100" in data.title
    assert data.fingerprint == images.KNOWN["digit-variants"].fingerprint
    assert data.spec == describe("digit-variants")
    assert (data.name, data.is_subset, data.num_classes) == ("digit-variants", False, 40)


# ---- order and fingerprint


def test_order_is_by_the_hash_of_the_pixels(opened):
    for split in (opened("digits").train, opened("digits").test):
        keys = [hashlib.sha256(b"1x16x16:" + image.tobytes()).digest() for image in split.images]
        assert keys == sorted(keys)


def test_equal_images_are_ordered_by_label():
    digest = np.zeros((4, 32), dtype=np.uint8)
    digest[3, 31] = digest[2, 0] = 1
    assert cache.canonical_order(digest, np.array([5, 3, 0, 0])).tolist() == [1, 0, 3, 2]


# ---- errors


@pytest.mark.parametrize(
    ("dataset", "data_root", "message"),
    [
        (
            "nosuch",
            None,
            r"dataset = 'nosuch' is not known; use one of digits, cifar10, cifar100, .*, folder:PATH",
        ),
        ("CIFAR-10", None, r"dataset = 'CIFAR-10' is not known; did you mean 'cifar10'\?"),
        ("digits", "nowhere", r"data_root = 'nowhere' is not a folder; create it"),
        ("cifar10", "nowhere", r"data_root = 'nowhere' is not a folder; create it"),
        ("folder:", None, r"dataset = 'folder:' names no folder; give the path"),
        ("folder:nowhere", None, r"dataset = 'folder:nowhere' names no folder \(looked for '.*nowhere'\)"),
    ],
)
@pytest.mark.parametrize("ask", [open_images, describe])
def test_unusable_names(dataset, data_root, message, ask, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SpecError, match=message):
        ask(dataset, data_root)
    assert not list(tmp_path.rglob("*.npy"))


def test_data_root_from_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("SNNLIB_DATA", str(tmp_path / "gone"))
    with pytest.raises(SpecError, match=r"SNNLIB_DATA = '.*gone' is not a folder"):
        open_images("digits")


def test_describing_a_data_set_does_not_load_torch():
    # so that a mistyped name is reported at once
    code = (
        "import sys, snnlib.data as data; data.describe('digits'); data.open_images('digits');"
        "assert 'torch' not in sys.modules; assert data.Batches; assert 'torch' in sys.modules"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
