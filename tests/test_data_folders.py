"""Folders of images as data sets, and what is said of unusable ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from image_files import digit_scans, save

from snnlib.data import cache, folders, open_images
from snnlib.spec import SpecError

pytestmark = pytest.mark.usefixtures("no_settings_of_the_user")


def test_names_and_times_of_files_do_not_matter(unsplit, opened):
    before = opened(f"folder:{unsplit}")
    for number, file in enumerate(sorted(unsplit.glob("*/*.png"), reverse=True)):
        file.rename(file.with_name(f"renamed-{number:03}.png"))
    after = opened(f"folder:{unsplit}")
    assert after.fingerprint == before.fingerprint
    np.testing.assert_array_equal(after.train.images, before.train.images)
    np.testing.assert_array_equal(after.train.labels, before.train.labels)


@pytest.mark.parametrize("change", ["pixel", "class name", "label"])
def test_fingerprint_notices(change, unsplit, opened):
    before = opened(f"folder:{unsplit}").fingerprint
    if change == "pixel":
        scan = digit_scans(0)[0].copy()
        scan[0, 0] ^= 1
        save(scan, unsplit / "digit-0" / "0.png")
    elif change == "class name":
        (unsplit / "digit-2").rename(unsplit / "digit-9")  # the same place among the classes
    else:
        (unsplit / "digit-0" / "0.png").rename(unsplit / "digit-1" / "moved.png")
    assert opened(f"folder:{unsplit}").fingerprint != before


def test_copies_of_an_image_stay_in_one_split():
    # ten distinct images, each three times
    digest = np.repeat(np.arange(10, dtype=np.uint8), 3)[:, None].repeat(32, axis=1)
    rows = cache.split_rows(digest, np.zeros(30, dtype=np.int64))
    assert set(digest[rows["test"], 0]) == {4, 9}
    assert len(rows["test"]) == 6
    assert not set(digest[rows["test"], 0]) & set(digest[rows["train"], 0])


def test_folder_with_splits(tmp_path, opened):
    for split, chosen in (("train", slice(0, 5)), ("test", slice(5, 7))):
        for label in (0, 1):
            for i, scan in enumerate(digit_scans(label)[chosen]):
                save(scan, tmp_path / "mine" / split / f"digit-{label}" / f"{i}.png")
    (tmp_path / "mine" / "train" / "digit-0" / "notes.txt").write_text("not an image")
    save(digit_scans(5)[0], tmp_path / "mine" / "train" / "digit-0" / "._0.png")  # hidden, as macOS makes them
    data = opened(f"folder:{tmp_path / 'mine'}")
    assert (data.name, data.title, data.classes) == ("folder:mine", "mine", ("digit-0", "digit-1"))
    assert (data.in_channels, data.image_size, data.spec.num_classes) == (1, 8, 2)
    assert data.train.images.dtype == np.uint8 and data.train.labels.dtype == np.int64
    assert (len(data.train), len(data.test)) == (10, 4)
    for split, chosen in ((data.train, slice(0, 5)), (data.test, slice(5, 7))):
        expected = {scan.tobytes(): label for label in (0, 1) for scan in digit_scans(label)[chosen]}
        have = {image.tobytes(): label for image, label in zip(split.images, split.labels, strict=True)}
        assert have == expected


def test_folder_without_splits_gives_a_fifth_to_the_test(unsplit, opened):
    data = opened(f"folder:{unsplit}")
    assert np.bincount(data.train.labels).tolist() == [6, 6, 6]
    assert np.bincount(data.test.labels).tolist() == [1, 1, 1]


def test_relative_folders_start_at_the_working_directory_then_at_data_root(unsplit, opened, monkeypatch):
    absolute = opened(f"folder:{unsplit}")
    monkeypatch.chdir(unsplit.parent)
    assert opened("folder:scans").spec == absolute.spec
    (unsplit / "scans").mkdir()  # without images: taken below data_root only, it would be an error
    assert opened("folder:scans", unsplit).spec == absolute.spec
    monkeypatch.chdir("/")
    assert opened("folder:scans", unsplit.parent).spec == absolute.spec


def test_one_colour_image_makes_a_folder_three_channels(unsplit, opened):
    coloured = np.zeros((8, 8, 3), dtype=np.uint8)
    coloured[..., 1] = 200
    save(coloured, unsplit / "digit-0" / "green.png")
    data = opened(f"folder:{unsplit}")
    assert data.in_channels == 3
    everything = np.concatenate([data.train.images, data.test.images])
    assert any(np.array_equal(image, coloured.transpose(2, 0, 1)) for image in everything)


def test_other_sizes_are_scaled_and_cropped_with_a_notice(unsplit, opened, caplog):
    scan = np.kron(digit_scans(3)[0], np.ones((2, 2), dtype=np.uint8))  # 16 x 16
    save(np.pad(scan, ((0, 0), (8, 8))), unsplit / "digit-0" / "wide.png")  # 32 wide: a margin on either side
    data = opened(f"folder:{unsplit}")
    assert data.image_size == 8
    assert "1 of 22 images are scaled and cropped to 8 x 8 pixels" in caplog.text
    fitted = folders.decode(str(unsplit / "digit-0" / "wide.png"), 1, 8)[0].astype(int)
    assert np.abs(fitted - digit_scans(3)[0]).mean() < 25  # the margin is gone, the digit is back at its size


def test_sides_are_multiples_of_four(tmp_path, opened):
    rng = np.random.default_rng(0)
    for i in range(12):
        save(rng.integers(0, 256, (30, 35, 3), dtype=np.uint8), tmp_path / "odd" / "ab"[i % 2] / f"{i}.png")
    assert opened(f"folder:{tmp_path / 'odd'}").image_size == 28


def test_sixteen_bit_gray_keeps_its_range(tmp_path):
    save(np.array([[0, 255, 256, 65535]] * 4, dtype=np.uint16), tmp_path / "deep.png")
    assert folders.decode(str(tmp_path / "deep.png"), 1, 4)[0, 0].tolist() == [0, 0, 1, 255]


def test_large_images_decode_in_threads_to_the_same_pixels(tmp_path, opened, monkeypatch):
    rng = np.random.default_rng(0)
    for i in range(70):
        save(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8), tmp_path / "many" / "ab"[i % 2] / f"{i}.png")
    one = opened(f"folder:{tmp_path / 'many'}").fingerprint
    monkeypatch.setattr(folders, "THREADS_FROM_SIDE", 1)
    monkeypatch.setattr(folders, "CHUNK", 8)
    assert open_images(f"folder:{tmp_path / 'many'}", cache_dir=tmp_path / "other").fingerprint == one


def _empty(path: Path) -> None:
    for file in path.glob("*/*"):
        file.unlink()


def _only_train(path: Path) -> None:
    save(digit_scans(0)[0], path / "train" / "digit-0" / "0.png")


def _new_class_in_test(path: Path) -> None:
    for split, name in (("train", "a"), ("train", "b"), ("test", "a"), ("test", "c")):
        save(digit_scans(0)[0], path / split / name / "0.png")


def _images_in(*names: str) -> Callable[[Path], None]:
    """Splits of two classes each, of which only these folders have an image."""

    def spoil(path: Path) -> None:
        for name in ("train/a", "train/b", "test/a", "test/b"):
            (path / name).mkdir(parents=True)
        for name in names:
            save(digit_scans(0)[0], path / name / "0.png")

    return spoil


def _truncated(path: Path) -> None:
    file = path / "digit-1" / "3.png"
    file.write_bytes(file.read_bytes()[:60])


def _few(path: Path) -> None:
    for file in [*path.glob("*/[4-6].png")]:
        file.unlink()


def _tiny(path: Path) -> None:
    for file in path.glob("*/*.png"):
        save(np.zeros((3, 3), dtype=np.uint8), file)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_empty, r"has 0 class folders with images and needs two"),
        (_only_train, r"has train/<class>/ but no test/<class>/; add it"),
        (_new_class_in_test, r"test' has a class 'c' that is not in train/"),
        (_images_in("train/a", "train/b"), r"test' has class folders and no image in them; add some"),
        (_images_in("test/a", "test/b"), r"train' has class folders and no image in them; add some"),
        (_truncated, r"digit-1/3\.png' cannot be decoded \(.+\); replace it or take it away"),
        (_few, r"leaves no image to test with: give it more images"),
        (_tiny, r"have 3 x 3 pixels; use larger ones"),
    ],
)
def test_unusable_folders(spoil, message, unsplit, tmp_path):
    spoil(unsplit)
    with pytest.raises(SpecError, match=message):
        open_images(f"folder:{unsplit}", cache_dir=tmp_path / "cache")
    room = tmp_path / "cache" / "data"
    assert not room.exists() or [path.suffix for path in room.iterdir()] in ([], [".lock"])  # nothing half-written


def test_a_class_may_be_called_train(unsplit, opened):
    (unsplit / "digit-0").rename(unsplit / "train")
    assert opened(f"folder:{unsplit}").classes == ("digit-1", "digit-2", "train")
