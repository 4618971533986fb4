"""CIFAR10-DVS and N-Caltech101: files in their real formats through tonic's parsers to frames; the split; errors."""

from __future__ import annotations

import hashlib
import sys
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from event_files import make_cifar10_dvs, random_events, write_aedat, write_bin

from snnlib.data import open_images, recorded
from snnlib.data.events import EVENT, frames
from snnlib.data.example import example
from snnlib.data.readers import read_cifar10_dvs, read_n_caltech101
from snnlib.spec import SpecError

tonic = pytest.importorskip("tonic")
NUMBERS = [*range(20)]


pytestmark = pytest.mark.usefixtures("no_settings_of_the_user", "no_fetch")


@pytest.fixture
def no_fetch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorded, "_fetch", lambda *_: pytest.fail("the network was asked"))


def counted(events: np.ndarray, bins: int, side: int, size: int) -> np.ndarray:
    """Frames, one event at a time, in Python's whole numbers: (T, 2, size, size)."""
    out = np.zeros((bins, 2, size, size), dtype=int)
    first, last = int(events[:, 0].min()), int(events[:, 0].max())
    for t, x, y, p in events.tolist():
        out[(t - first) * bins // (last - first + 1), p, y * size // side, x * size // side] += 1
    return out


# ---- files to events


def test_an_aedat_file_gives_the_events_written_into_it(tmp_path):
    events = random_events(500, 128, 128)
    read, field = read_cifar10_dvs(write_aedat(tmp_path / "cifar10_dog_7.aedat", events))
    assert field == (128, 128)
    assert np.array_equal(read["t"], events[:, 0] + 5_000_000)
    for column, name in enumerate("xyp", start=1):
        assert np.array_equal(read[name], events[:, column]), name


def test_a_bin_file_gives_the_events_written_into_it(tmp_path):
    events = random_events(400, 170, 220)
    read, field = read_n_caltech101(write_bin(tmp_path / "image_0001.bin", events))
    assert field == (170, 220)
    for column, name in enumerate("txyp"):
        assert np.array_equal(read[name], events[:, column]), name


def test_a_bin_file_whose_clock_overflows(tmp_path):
    events = np.array([[10, 0, 0, 1], [0, 0, 240, 0], [20, 3, 2, 0], [0, 0, 240, 0], [30, 1, 1, 1]])
    read, field = read_n_caltech101(write_bin(tmp_path / "image_0002.bin", events))
    assert read["t"].tolist() == [10, 20 + 8192, 30 + 2 * 8192]
    assert field == (3, 4)


# ---- events to frames


@pytest.mark.parametrize(("bins", "size"), [(1, 128), (4, 128), (10, 48), (3, 32)])
def test_frames_count_every_event_once(bins, size):
    events = random_events(3000, 128, 128, seed=bins)
    structured = np.array([tuple(e) for e in events.tolist()], dtype=EVENT)
    have = frames(structured, bins, sensor=(128, 128), size=size)
    assert (have.dtype, have.shape) == (np.uint8, (bins, 2, size, size))
    assert np.array_equal(have, counted(events, bins, 128, size))
    shuffled = np.random.default_rng(0).permutation(structured)
    assert np.array_equal(frames(shuffled, bins, sensor=(128, 128), size=size), have)


def test_frames_are_those_of_tonic():
    events = random_events(2000, 128, 128, duration=40_001)
    structured = np.array([tuple(e) for e in events.tolist()], dtype=EVENT)
    expected = tonic.transforms.ToFrame(sensor_size=(128, 128, 2), n_time_bins=4)(structured.copy())
    # tonic's bins last 10,000 us each, and the event at the end of the last one, at 40,000 us, is lost to it
    have = frames(structured[structured["t"] < 40_000], 4, sensor=(128, 128), span=(0, 40_000))
    assert np.array_equal(have, expected)
    assert frames(structured, 4, sensor=(128, 128)).sum() == len(structured) > expected.sum()


def test_a_field_that_is_no_square_is_centred():
    events = np.array([(0, 0, 0, 1), (1, 7, 3, 0)], dtype=EVENT)
    have = frames(events, 1, sensor=(4, 8))
    assert have.shape == (1, 2, 8, 8)
    assert have[0, 1, 2, 0] == have[0, 0, 5, 7] == 1
    assert have.sum() == 2


def test_counts_end_where_uint8_does():
    have = frames(np.array([(0, 1, 1, 1)] * 300, dtype=EVENT), 1, sensor=(4, 4))
    assert have[0, 1, 1, 1] == 255


def test_no_events_give_empty_frames_and_odd_ones_an_error():
    assert frames(np.empty(0, dtype=EVENT), 4, sensor=(8, 8)).sum() == 0
    with pytest.raises(SpecError, match="an event has x = 8, outside of 0 to 7"):
        frames(np.array([(0, 8, 0, 1)], dtype=EVENT), 1, sensor=(8, 8))
    with pytest.raises(SpecError, match="frames = 0"):
        frames(np.array([(0, 0, 0, 1)], dtype=EVENT), 0, sensor=(8, 8))


# ---- whole data sets


def test_cifar10_dvs_from_its_files(tmp_path):
    made = make_cifar10_dvs(tmp_path / "data" / "CIFAR10DVS", recorded.CLASSES, NUMBERS)
    data = open_images("cifar10-dvs", tmp_path / "data", frames=4, size=32, download=False)
    assert (data.spec.frames, data.in_channels, data.image_size, data.classes) == (4, 2, 32, recorded.CLASSES)
    assert data.is_subset
    have = Counter(
        (image.tobytes(), int(y)) for s in (data.train, data.test) for image, y in zip(s.images, s.labels, strict=True)
    )
    expected = Counter()
    tests = set()
    for stem, events in made.items():
        label = recorded.CLASSES.index(stem.split("_")[1])
        image = counted(events, 4, 128, 32).astype(np.uint8).tobytes()
        expected[image, label] += 1
        if int(hashlib.sha256(f"cifar10-dvs/{stem.split('_')[1]}/{stem}".encode()).hexdigest(), 16) % 10 == 0:
            tests.add(image)
    assert have == expected
    assert {image.tobytes() for image in data.test.images} == tests
    assert 5 <= len(data.test) <= 40
    assert data.train.images.sum() + data.test.images.sum() == sum(map(len, made.values()))


def test_archives_are_read_as_they_come(tmp_path, monkeypatch):
    make_cifar10_dvs(tmp_path / "loose" / "CIFAR10DVS", recorded.CLASSES, NUMBERS, n=30)
    packed = tmp_path / "packed" / "CIFAR10DVS"
    packed.mkdir(parents=True)
    for label in recorded.CLASSES:
        with zipfile.ZipFile(packed / f"{label}.zip", "w") as archive:
            for file in (tmp_path / "loose" / "CIFAR10DVS" / label).iterdir():
                archive.write(file, f"{label}/{file.name}")
    opened, real = [], zipfile.ZipFile

    def counting(path: Path) -> zipfile.ZipFile:
        opened.append(path)
        return real(path)

    monkeypatch.setattr(zipfile, "ZipFile", counting)
    one, other = (open_images("cifar10-dvs", tmp_path / name, frames=2, size=16) for name in ("loose", "packed"))
    # to open one takes as long as it has members: once to list them, then once for each split
    assert 2 <= max(Counter(opened).values()) <= 3
    assert one.fingerprint == other.fingerprint
    assert np.array_equal(one.test.images, other.test.images)


def test_n_caltech101_from_its_nested_archive(tmp_path):
    events = {}
    home = tmp_path / "data" / "NCALTECH101"
    home.mkdir(parents=True)
    with zipfile.ZipFile(tmp_path / "Caltech101.zip", "w") as inner:
        for label, field in (("accordion", (180, 240)), ("wrench", (120, 90))):
            for i in range(1, 31):
                made = random_events(100 + i, *field, seed=i)
                inner.write(write_bin(tmp_path / f"{label}{i}.bin", made), f"Caltech101/{label}/image_{i:04}.bin")
                events[label, i] = made
        inner.writestr("Caltech101/accordion/annotation_0001.bin", b"no recording")
    with zipfile.ZipFile(home / "N-Caltech101-archive.zip", "w") as archive:
        archive.write(tmp_path / "Caltech101.zip", "N-Caltech101/Caltech101.zip")
    data = open_images("n-caltech101", tmp_path / "data", frames=5, download=False)
    assert data.classes == ("accordion", "wrench")
    assert data.title == "N-Caltech101 (60 recordings of 2 classes)", "a part does not pass for the whole"
    assert data.train.images.shape[1:] == (5, 2, 48, 48)
    assert len(data.train) + len(data.test) == 60
    by_class = [sum(int(s.images[s.labels == k].sum()) for s in (data.train, data.test)) for k in (0, 1)]
    assert by_class == [sum(len(e) for (label, _), e in events.items() if label == name) for name in data.classes]


def test_events_beyond_the_end_of_counts_are_told(tmp_path, caplog):
    """300 events of each recording fall into one pixel of the frames, which counts 255; and another 30 elsewhere."""
    one_place = np.array([[k, 5, 5, 1] for k in range(300)])
    elsewhere = np.array([[300 + k, 100, 20, 0] for k in range(30)])
    for label in recorded.CLASSES:
        for i in NUMBERS:
            events = np.concatenate([one_place, elsewhere])
            write_aedat(tmp_path / "CIFAR10DVS" / label / f"cifar10_{label}_{i}.aedat", events)
    data = open_images("cifar10-dvs", tmp_path, frames=1, size=16)
    assert max(int(split.images.max()) for split in (data.train, data.test)) == 255
    n = len(recorded.CLASSES) * len(NUMBERS)
    said = f"{45 * n:,} of {330 * n:,} events are beyond the 255"
    assert said in caplog.text and "take more frames or a larger size" in caplog.text
    (meta,) = (tmp_path / "default-cache" / "data").glob("cifar10-dvs-*/meta.json")
    assert said in meta.read_text(encoding="utf8")
    caplog.clear()
    open_images("cifar10-dvs", tmp_path, frames=4, size=128)
    assert "beyond" not in caplog.text, "75 events a frame are counted in full"


def test_another_number_of_frames_is_another_data_set(tmp_path):
    make_cifar10_dvs(tmp_path / "data" / "cifar10-dvs", recorded.CLASSES, NUMBERS, n=30)
    four = open_images("cifar10-dvs", tmp_path / "data", frames=4, size=16)
    two = open_images("cifar10-dvs", tmp_path / "data", frames=2, size=16)
    again = open_images("cifar10-dvs", tmp_path / "data", frames=4, size=16, cache_dir=tmp_path / "other")
    assert four.fingerprint == again.fingerprint != two.fingerprint
    # the split is by name: each recording is in the same half
    assert sorted(four.test.images.sum((1, 2, 3, 4))) == sorted(two.test.images.sum((1, 2, 3, 4)))


def test_an_example_is_the_first_recording_that_has_events(tmp_path):
    """By class and name, of the test split."""
    made = {}
    for label in ("accordion", "wrench"):
        for i in range(1, 31):
            name = f"image_{i:04}"
            digest = hashlib.sha256(f"n-caltech101/{label}/{name}".encode()).hexdigest()
            events = random_events(50 + i, 30, 20, seed=i)
            if digest_mod_10(digest) == 0:
                events = events if made else events[:0]  # the first of all is empty
                made[label, i] = events
            write_bin(tmp_path / "NCALTECH101" / "Caltech101" / label / f"{name}.bin", events)
    (_, *others), (empty, *_) = made.items(), made.values()
    assert len(empty) == 0 < len(others)
    for index, ((label, _), events) in enumerate(others):
        found = example("n-caltech101", tmp_path, frames=3, size=16, index=index)
        assert found.label == label
        assert np.array_equal(found.stream["t"], events[:, 0])
        assert found.frames.sum() == len(events)
    with pytest.raises(SpecError, match=f"index = {len(others)}: .* no such recording with events"):
        example("n-caltech101", tmp_path, frames=3, index=len(others))


# ---- the split


def test_the_split_of_cifar10_dvs_is_the_published_one():
    lines = []
    for label in ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"):
        for i in range(1000):
            digest = hashlib.sha256(f"cifar10-dvs/{label}/cifar10_{label}_{i}".encode()).hexdigest()
            split = "test" if digest_mod_10(digest) == 0 else "train"
            lines.append(f"{split} {label}/cifar10_{label}_{i}\n")
    assert hashlib.sha256("".join(sorted(lines)).encode()).hexdigest() == recorded.CIFAR10_DVS_SPLIT
    assert Counter(line.split()[0] for line in lines) == dict(zip(("train", "test"), recorded.SIZES, strict=True))
    assert recorded.split_hash("cifar10-dvs", recorded.cifar10_dvs_names()) == recorded.CIFAR10_DVS_SPLIT


def digest_mod_10(digest: str) -> int:
    """A number of 64 hexadecimal digits modulo 10, digit by digit."""
    rest = 0
    for digit in digest:
        rest = (rest * 16 + int(digit, 16)) % 10
    return rest


def test_the_split_hash_knows_no_order_and_notices_a_name():
    names = recorded.cifar10_dvs_names()
    assert recorded.split_hash("cifar10-dvs", names[::-1]) == recorded.CIFAR10_DVS_SPLIT
    assert recorded.split_hash("cifar10-dvs", names[1:]) != recorded.CIFAR10_DVS_SPLIT


# ---- errors


def test_without_tonic_the_error_names_the_way_out(tmp_path, monkeypatch):
    make_cifar10_dvs(tmp_path / "data" / "CIFAR10DVS", recorded.CLASSES, [0])
    monkeypatch.setitem(sys.modules, "tonic", None)
    with pytest.raises(SpecError, match=r"pip install -e '\.\[events\]' in this project's clone"):
        open_images("cifar10-dvs", tmp_path / "data", frames=2)


@pytest.mark.parametrize(("options", "message"), [({}, "give frames"), ({"frames": 2, "size": 50}, "size = 50")])
def test_unusable_options(options, message, tmp_path):
    with pytest.raises(SpecError, match=message):
        open_images("cifar10-dvs", tmp_path, download=False, **options)
