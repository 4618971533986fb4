"""Batches: what is in them, that they follow from (seed, epoch) alone, and the augmentation against torchvision's."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import numpy as np
import pytest
import torch
from torchvision.transforms import functional

from snnlib.data import Augment, Batches, Split, holdout
from snnlib.spec import SpecError

MEAN, STD = (0.5, 0.25, 0.75), (0.2, 0.3, 0.4)


def make_split(n: int = 50, side: int = 8) -> Split:
    """Images of random pixels, labelled by their number, so that a batch tells which images it has."""
    pixels = np.random.default_rng(0).integers(0, 256, (n, 3, side, side), dtype=np.uint8)
    return Split(pixels, np.arange(n, dtype=np.int64))


def batches(split: Split, batch_size: int = 16, **options) -> Batches:
    return Batches(split, batch_size, **{"mean": MEAN, "std": STD, **options})


def labels(loader: Batches) -> list[int]:
    return [int(label) for _, y in loader for label in y]


def normalised(pixels: np.ndarray) -> torch.Tensor:
    return functional.normalize(torch.from_numpy(pixels).float() / 255, MEAN, STD)


def digest(loader: Batches) -> str:
    return hashlib.sha256(b"".join(x.numpy().tobytes() + y.numpy().tobytes() for x, y in loader)).hexdigest()


# ---- content and length


def test_unshuffled_batches_are_the_split_normalised():
    split = make_split()
    loader = batches(split)
    for _ in range(2):  # re-iterable
        shown = list(loader)
        assert [tuple(x.shape) for x, _ in shown] == [(16, 3, 8, 8)] * 3 + [(2, 3, 8, 8)]
        x, y = (torch.cat(part) for part in zip(*shown, strict=True))
        assert (x.dtype, y.dtype) == (torch.float32, torch.int64)
        torch.testing.assert_close(x, normalised(split.images), rtol=1e-5, atol=1e-5)
        assert y.tolist() == list(range(50))
    assert (loader.dataset, loader.batch_size, loader.drop_last) == (split, 16, False)


@pytest.mark.parametrize(("n", "drop_last", "expected"), [(50, False, 4), (50, True, 3), (48, False, 3), (48, True, 3)])
def test_length(n, drop_last, expected):
    loader = batches(make_split(n), drop_last=drop_last)
    assert len(loader) == len(list(loader)) == expected


def test_batches_can_be_changed_without_changing_the_split():
    split = make_split()
    before = split.images.copy(), split.labels.copy()
    for x, y in batches(split, batch_size=50):
        x.zero_()
        y.zero_()
    np.testing.assert_array_equal(split.images, before[0])
    np.testing.assert_array_equal(split.labels, before[1])


# ---- parts of a split


def test_take_and_holdout():
    train = make_split()
    assert np.array_equal(train.take(5).images, train.images[:5]) and train.take(5).labels.tolist() == [0, 1, 2, 3, 4]
    rest, validation = holdout(train, 10, seed=3)
    assert (len(rest), len(validation)) == (40, 10)
    assert sorted([*rest.labels, *validation.labels]) == list(range(50))
    for part in (rest, validation):
        assert np.array_equal(part.images, train.images[part.labels])  # the labels are the images' numbers
    assert np.array_equal(holdout(train, 10, seed=3)[1].labels, validation.labels)
    assert not np.array_equal(holdout(train, 10, seed=4)[1].labels, validation.labels)
    for n in (0, 51):
        with pytest.raises(SpecError, match=f"{n} images are asked for, but there are 50; ask for 1 to 50"):
            train.take(n)
    with pytest.raises(SpecError, match="50 images to validate on cannot be taken from 50; take 1 to 49"):
        holdout(train, 50, seed=0)


# ---- determinism


def test_every_epoch_shows_each_image_once_in_an_order_of_its_own():
    loader = batches(make_split(), shuffle_seed=5)
    orders = []
    for epoch in range(3):
        loader.set_epoch(epoch)
        orders.append(labels(loader))
        assert labels(loader) == orders[-1]
        assert sorted(orders[-1]) == list(range(50))
    assert len({tuple(order) for order in [*orders, list(range(50))]}) == 4
    assert labels(batches(make_split(), shuffle_seed=6)) != orders[0]


def test_an_epoch_does_not_depend_on_those_before_it():
    options = {"shuffle_seed": 1, "augment": Augment()}
    straight, resumed = batches(make_split(), **options), batches(make_split(), **options)
    for epoch in range(3):
        straight.set_epoch(epoch)
        last = digest(straight)
    torch.manual_seed(123)
    np.random.seed(7)
    next(iter(resumed))  # an epoch that was cut off
    resumed.set_epoch(2)
    assert digest(resumed) == last


def test_another_process_sees_the_same_batches():
    code = (
        f"import sys; sys.path[:0] = {sys.path!r}; import test_data_batches as t;"
        "b = t.batches(t.make_split(), shuffle_seed=9, augment=t.Augment()); b.set_epoch(4); print(t.digest(b))"
    )
    there = subprocess.run([sys.executable, "-c", code], check=True, text=True, capture_output=True).stdout.strip()
    here = batches(make_split(), shuffle_seed=9, augment=Augment())
    here.set_epoch(4)
    assert there == digest(here)


# ---- ranks


@pytest.mark.parametrize("augment", [None, Augment()])
def test_ranks_share_each_batch(augment):
    options = {"shuffle_seed": 2, "augment": augment, "batch_size": 12}
    whole = list(batches(make_split(), **options))
    parts = [list(batches(make_split(), rank=rank, world_size=3, **options)) for rank in range(3)]
    assert all(len(part) == len(whole) for part in parts)
    for b, (x, y) in enumerate(whole):
        for rank in range(3):
            assert torch.equal(parts[rank][b][0], x[rank::3])
            assert torch.equal(parts[rank][b][1], y[rank::3])


# ---- augmentation


def test_augmentation_is_that_of_torchvision_image_by_image():
    split, augment = make_split(64), Augment(crop_padding=3)
    corners, flips = augment.draw(np.random.default_rng(0), 64)
    out = augment.apply(split.images, corners, flips)
    for image, result, (top, left), flipped in zip(split.images, out, corners, flips, strict=True):
        padded = functional.pad(torch.from_numpy(image), [3, 3, 3, 3], fill=0)
        expected = functional.crop(padded, int(top), int(left), 8, 8)
        if flipped:
            expected = functional.hflip(expected)
        assert np.array_equal(result, expected.numpy())


def test_crops_and_flips_are_drawn_evenly_and_independently():
    augment = Augment(crop_padding=2)
    corners, flips = augment.draw(np.random.default_rng(0), 50_000)
    cells = np.zeros((5, 5, 2))
    np.add.at(cells, (corners[:, 0], corners[:, 1], flips.astype(int)), 1)
    assert np.abs(cells - 1000).max() < 5 * 1000**0.5  # every combination within five standard deviations


def test_augmented_batches_have_black_margins_and_change_with_the_epoch():
    white = Split(np.full((64, 3, 8, 8), 255, dtype=np.uint8), np.arange(64, dtype=np.int64))
    loader = batches(white, 64, shuffle_seed=0, augment=Augment(crop_padding=4, flip=False))
    ((first, _),) = loader
    black, bright = (normalised(np.full((1, 3, 1, 1), value, dtype=np.uint8)) for value in (0, 255))
    is_black = torch.isclose(first, black, atol=1e-5)
    assert torch.all(is_black | torch.isclose(first, bright, atol=1e-5))
    assert 0.3 < is_black.float().mean() < 0.6  # a shift by 0 to 4 of 8 either way: 1 - (1 - 20/72)^2 = 0.478
    assert len({tuple(image.flatten().tolist()) for image in is_black}) > 30  # each image has a crop of its own
    loader.set_epoch(1)
    ((second, _),) = loader
    assert not torch.equal(first, second)


def test_no_padding_and_no_flip_change_nothing():
    split = make_split()
    plain = Augment(crop_padding=0, flip=False)
    assert np.array_equal(plain.apply(split.images, *plain.draw(np.random.default_rng(0), 50)), split.images)


def test_presets():
    assert Augment.preset("cifar10", 32) == Augment.preset("cifar100", 32) == Augment(crop_padding=4, flip=True)
    assert Augment.preset("digits", 16) == Augment(crop_padding=1, flip=False)
    assert Augment.preset("digit-variants", 16) == Augment(crop_padding=1, flip=False)
    assert Augment.preset("folder:mine", 64) == Augment(crop_padding=8, flip=True)


# ---- errors


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size = 0 is not positive"),
        ({"batch_size": 10, "world_size": 4}, "batch_size = 10 cannot be shared evenly by 4 ranks"),
        ({"rank": 1}, "rank = 1 is not below world_size = 1"),
        ({"augment": Augment()}, "augmentation needs a shuffle_seed"),
    ],
)
def test_unusable_options(options, message):
    with pytest.raises(SpecError, match=message):
        batches(make_split(), **options)


def test_negative_padding():
    with pytest.raises(SpecError, match="crop_padding = -1 is negative"):
        Augment(crop_padding=-1)
