"""The real images of CIFAR, where their archives lie beside the repository."""

from __future__ import annotations

import random
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from image_files import make_archive
from PIL import Image

from snnlib.data import ImageData, describe, images, open_images

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    archives = [SHARED / "cifar10.zip", SHARED / "cifar100-subset.zip"]
    if missing := [path.name for path in archives if not path.is_file()]:
        pytest.skip(f"the real images are not at hand: no ../shared/data/{missing[0]} beside the repository")
    root = tmp_path_factory.mktemp("real")
    for path in archives:
        with zipfile.ZipFile(path) as archive:
            archive.extractall(root)
    yield root
    shutil.rmtree(root)  # half a gigabyte


@pytest.fixture(scope="module")
def cifar10(unpacked: Path) -> ImageData:
    return open_images("cifar10", unpacked, cache_dir=unpacked / "cache")


def test_real_cifar10(cifar10, unpacked):
    assert (cifar10.title, cifar10.is_subset) == ("CIFAR-10", False)
    assert cifar10.spec == describe("cifar10", unpacked / "cache", cache_dir=unpacked / "none", require_data=False)
    assert np.bincount(cifar10.train.labels).tolist() == [5_000] * 10
    assert np.bincount(cifar10.test.labels).tolist() == [1_000] * 10
    # as printed in countless training scripts
    assert cifar10.mean == pytest.approx((0.4914, 0.4822, 0.4465), abs=1e-4)
    assert cifar10.std == pytest.approx((0.2470, 0.2435, 0.2616), abs=1e-4)
    where = {image.tobytes(): row for row, image in enumerate(cifar10.test.images)}
    for file in random.Random(0).sample(sorted((unpacked / "cifar10" / "test").glob("*/*")), 50):
        with Image.open(file) as image:
            pixels = np.asarray(image).transpose(2, 0, 1)
        assert cifar10.classes[cifar10.test.labels[where[pixels.tobytes()]]] == file.parent.name


def test_real_cifar10_as_torchvisions_archive(cifar10, unpacked, monkeypatch):
    splits = {name: (split.images[::-1], split.labels[::-1]) for name, split in _splits(cifar10).items()}
    make_archive(splits, unpacked / "archive", monkeypatch)
    data = open_images("cifar10", unpacked / "archive", cache_dir=unpacked / "cache", download=False)
    assert data.spec == cifar10.spec
    for name, split in _splits(cifar10).items():
        assert np.array_equal(_splits(data)[name].images, split.images)
        assert np.array_equal(_splits(data)[name].labels, split.labels)


def test_real_cifar100_subset(unpacked):
    data = open_images("cifar100", unpacked, cache_dir=unpacked / "cache")
    assert (data.title, data.is_subset, data.num_classes) == ("CIFAR-100 (subset)", True, 100)
    assert np.bincount(data.train.labels).tolist() == [120] * 100
    assert np.bincount(data.test.labels).tolist() == [20] * 100


def _splits(data: ImageData) -> dict[str, images.Split]:
    return {"train": data.train, "test": data.test}
