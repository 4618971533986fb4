"""Recorded event data that are fetched: what a fetch leaves when it fails, and what is said of missing files."""

from __future__ import annotations

import os
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from event_files import make_cifar10_dvs

from snnlib.data import cifar, download, open_images, recorded
from snnlib.spec import SpecError

pytestmark = pytest.mark.usefixtures("no_settings_of_the_user")


def test_missing_recordings_name_every_way_out(tmp_path):
    (tmp_path / "data").mkdir()
    with pytest.raises(cifar.MissingData, match=r"(?s)'cifar10-dvs' is not at hand.*CIFAR10DVS.*data_root"):
        open_images("cifar10-dvs", tmp_path / "data", frames=4, download=False)


@pytest.fixture
def fetched(tmp_path, monkeypatch):
    """Classes whose archives were fetched, in order, from a network that is cut when "deer" is asked for first."""
    made, asked = tmp_path / "made", []
    make_cifar10_dvs(made, recorded.CLASSES, [*range(20)], n=30)

    def fetch(url: str, path: Path, md5: str) -> None:
        assert url.startswith("https://api.figshare.com/v2/file/download/") and len(md5) == 32
        if path.stem == "deer" and "broken" not in asked:
            asked.append("broken")
            raise OSError("the line was cut")
        asked.append(path.stem)
        with zipfile.ZipFile(path, "w") as archive:
            for file in (made / path.stem).iterdir():
                archive.write(file, f"{path.stem}/{file.name}")

    monkeypatch.setattr(recorded, "_fetch", fetch)
    monkeypatch.setattr(download, "reach", lambda _: None)
    (tmp_path / "data").mkdir()
    return asked


def test_a_fetch_that_fails_half_way_goes_on_later(tmp_path, fetched):
    with pytest.raises(cifar.MissingData, match="the line was cut"):
        open_images("cifar10-dvs", tmp_path / "data", frames=2, size=16)
    killed = tmp_path / "data" / ".CIFAR10DVS-parts" / ".part-x"
    killed.mkdir()
    (killed / "deer.zip").write_bytes(b"half of it")
    data = open_images("cifar10-dvs", tmp_path / "data", frames=2, size=16)
    assert len(data.train) + len(data.test) == 10 * len([*range(20)])
    assert Counter(fetched) == {**dict.fromkeys(recorded.CLASSES, 1), "broken": 1}
    assert not killed.exists()


@pytest.mark.parametrize("beside", [False, True], ids=["alone", "beside a file of the user's"])
def test_fetched_archives_come_to_light_all_at_once(beside, tmp_path, fetched, monkeypatch):
    """Another process looks for them without a lock: after each change of a name it finds all of them or none."""
    fetched.append("broken")  # this time the line holds
    home = tmp_path / "data" / "CIFAR10DVS"
    if beside:
        home.mkdir()
        (home / "notes.txt").write_text("mine")
    counts, real = [], os.replace

    def watched(*paths: Path) -> None:
        real(*paths)
        counts.append(len(list(home.rglob("*.zip"))))

    monkeypatch.setattr(os, "replace", watched)
    data = open_images("cifar10-dvs", tmp_path / "data", frames=2, size=16)
    assert len(data.train) + len(data.test) == 10 * len([*range(20)])
    assert {10} <= set(counts) <= {0, 10}


def test_a_class_that_is_missing_and_a_damaged_file(tmp_path):
    home = tmp_path / "data" / "CIFAR10DVS"
    make_cifar10_dvs(home, recorded.CLASSES[1:], [0, 1])
    with pytest.raises(SpecError, match="'airplane' is missing"):
        open_images("cifar10-dvs", tmp_path / "data", frames=2)
    make_cifar10_dvs(home, recorded.CLASSES, [*range(20)], n=10)
    (home / "cat" / "cifar10_cat_3.aedat").write_bytes(b"no header at all")
    with pytest.raises(SpecError, match=r"cifar10_cat_3.aedat' is damaged or no recording"):
        open_images("cifar10-dvs", tmp_path / "data", frames=2)


def test_archives_in_another_format_say_so(tmp_path):
    home = tmp_path / "data" / "CIFAR10DVS"
    home.mkdir(parents=True)
    with zipfile.ZipFile(home / "CIFAR10DVS.zip", "w") as archive:
        archive.writestr("airplane/cifar10_airplane_0.aedat4", b"#!AER-DAT4.0\r\n")
    with pytest.raises(SpecError, match=r"hold no \.aedat files"):
        open_images("cifar10-dvs", tmp_path / "data", frames=2)
