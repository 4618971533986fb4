"""Image files and archives for the tests of the data room."""

from __future__ import annotations

import hashlib
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits
from torchvision.datasets import cifar as torchvision_cifar

from snnlib.data.cifar import CLASSES

PER_CLASS = 7
Splits = dict[str, tuple[np.ndarray, np.ndarray]]  # (N, C, H, W), (N,)


def save(pixels: np.ndarray, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(file)


def digit_scans(label: int) -> np.ndarray:
    """Seven scans of one digit, (7, 8, 8) uint8."""
    bunch = load_digits()
    return (bunch.images[bunch.target == label][:PER_CLASS] * 15).astype(np.uint8)


def make_scans(path: Path) -> Path:
    """Three classes of seven scans each, as PNG in class folders."""
    for label in (0, 1, 2):
        for i, scan in enumerate(digit_scans(label)):
            save(scan, path / f"digit-{label}" / f"{i}.png")
    return path


# ---- CIFAR


def random_splits() -> Splits:
    """Four training images and two test images of each class, as CIFAR-10 has them."""
    rng = np.random.default_rng(0)
    return {
        split: (rng.integers(0, 256, (10 * n, 3, 32, 32), dtype=np.uint8), np.arange(10 * n) % 10)
        for split, n in (("train", 4), ("test", 2))
    }


def make_folder(splits: Splits, root: Path) -> Path:
    for split, (pixels, labels) in splits.items():
        for i, (image, label) in enumerate(zip(pixels, labels, strict=True)):
            save(image.transpose(1, 2, 0), root / "cifar10" / split / CLASSES["cifar10"][label] / f"{i}.png")
    return root


def make_archive(splits: Splits, root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Torchvision's `cifar-10-batches-py/` of these images; its checksums are made the expected ones."""
    home = root / "cifar-10-batches-py"
    home.mkdir(parents=True)

    def write(name: str, content: dict) -> str:
        (home / name).write_bytes(pickle.dumps(content, protocol=2))
        return hashlib.md5((home / name).read_bytes()).hexdigest()

    def write_batch(name: str, pixels: np.ndarray, labels: np.ndarray) -> list[str]:
        content = {"data": pixels.reshape(len(pixels), -1), "labels": [int(label) for label in labels]}
        return [name, write(name, content)]

    fifths = np.array_split(np.random.default_rng(1).permutation(len(splits["train"][1])), 5)
    pixels, labels = splits["train"]
    train = [write_batch(f"data_batch_{i}", pixels[rows], labels[rows]) for i, rows in enumerate(fifths, 1)]
    meta = write("batches.meta", {"label_names": list(CLASSES["cifar10"])})
    dataset = torchvision_cifar.CIFAR10
    monkeypatch.setattr(dataset, "train_list", train)
    monkeypatch.setattr(dataset, "test_list", [write_batch("test_batch", *splits["test"])])
    monkeypatch.setattr(dataset, "meta", {**dataset.meta, "md5": meta})
    return home


def pack(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Pack the archive as it is published, and take the unpacked files away."""
    packed = home.parent / torchvision_cifar.CIFAR10.filename
    with tarfile.open(packed, "w:gz") as tar:
        tar.add(home, home.name)
    monkeypatch.setattr(torchvision_cifar.CIFAR10, "tgz_md5", hashlib.md5(packed.read_bytes()).hexdigest())
    for file in home.iterdir():
        file.unlink()
    home.rmdir()
    return packed
