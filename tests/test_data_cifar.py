"""CIFAR from image files, from torchvision's archive and from its download.

The small archives here have the true format. Their checksums and their address take the place of the published ones.
"""

from __future__ import annotations

import functools
import http.server
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import REPOSITORY
from image_files import Splits, make_archive, make_folder, pack, random_splits, save
from torchvision.datasets import cifar as torchvision_cifar

from snnlib.data import ImageData, cifar, describe, download, images, open_images
from snnlib.spec import SpecError

CLASSES = cifar.CLASSES["cifar10"]


pytestmark = pytest.mark.usefixtures("no_settings_of_the_user")


@pytest.fixture
def small() -> Splits:
    return random_splits()


def assert_holds(data: ImageData, splits: Splits) -> None:
    for name, (pixels, labels) in splits.items():
        split = getattr(data, name)
        expected = {image.tobytes(): label for image, label in zip(pixels, labels, strict=True)}
        assert {image.tobytes(): label for image, label in zip(split.images, split.labels, strict=True)} == expected


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A web server on this machine that takes the place of the published address; the folder that it serves."""
    served = tmp_path / "served"
    served.mkdir()
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(served))
    monkeypatch.setattr(http.server.SimpleHTTPRequestHandler, "log_message", lambda *_: None)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{running.server_port}/{torchvision_cifar.CIFAR10.filename}"
        monkeypatch.setattr(torchvision_cifar.CIFAR10, "url", address)
        yield served
        running.shutdown()


# ---- image files and archives


def test_folder_archive_and_packed_archive_are_one_data_set(small, tmp_path, monkeypatch):
    folder = open_images("cifar10", make_folder(small, tmp_path / "a"))
    home = make_archive(small, tmp_path / "b", monkeypatch)
    archive = open_images("cifar10", tmp_path / "b", download=False)
    (tmp_path / "c").mkdir()
    home.rename(tmp_path / "c" / home.name)
    pack(tmp_path / "c" / home.name, monkeypatch)
    packed = open_images("cifar10", tmp_path / "c", download=False)
    for data in (folder, archive, packed):
        assert_holds(data, small)
        assert (data.classes, data.mean, data.std) == (CLASSES, folder.mean, folder.std)
        assert data.spec == folder.spec
        assert np.array_equal(data.train.images, folder.train.images)
        assert (data.name, data.title, data.is_subset) == ("cifar10", "CIFAR-10 (subset)", True)
    assert (
        open_images("cifar10", tmp_path / "b").fingerprint == folder.fingerprint
    )  # its archive is gone: from the cache


def test_image_files_come_before_the_archive(small, tmp_path, monkeypatch):
    make_archive(small, tmp_path, monkeypatch)
    fewer = {split: (pixels[:10], labels[:10]) for split, (pixels, labels) in small.items()}
    assert_holds(open_images("cifar10", make_folder(fewer, tmp_path)), fewer)


@pytest.mark.parametrize("packed", [False, True])
def test_damaged_archive(packed, small, tmp_path, monkeypatch):
    home = make_archive(small, tmp_path, monkeypatch)
    victim = pack(home, monkeypatch) if packed else home / "data_batch_3"
    victim.write_bytes(victim.read_bytes()[:-1])
    with pytest.raises(SpecError, match=r"cifar-10-.*' is incomplete or damaged \(.*\); delete or replace it"):
        open_images("cifar10", tmp_path)


def test_foreign_class_folders(small, tmp_path):
    root = make_folder(small, tmp_path)
    for split in ("train", "test"):
        (root / "cifar10" / split / "frog").rename(root / "cifar10" / split / "toad")
    with pytest.raises(SpecError, match=r"cifar10' are not those of cifar10: 'toad' .*or use dataset = 'folder:"):
        open_images("cifar10", root)


def test_images_of_another_size(small, tmp_path):
    root = make_folder(small, tmp_path)
    save(np.zeros((32, 31, 3), dtype=np.uint8), root / "cifar10" / "train" / "cat" / "narrow.png")
    with pytest.raises(SpecError, match=r"narrow\.png' has 31 x 32 pixels, not 32 x 32; replace it"):
        open_images("cifar10", root)


def test_changed_pixels_of_the_full_set_show_in_the_title(small, tmp_path, monkeypatch):
    sizes = tuple(len(labels) for _, labels in small.values())
    known = images.KNOWN["cifar10"]
    monkeypatch.setitem(images.KNOWN, "cifar10", images.Known(known.title, CLASSES, cifar.SHAPE, sizes, "0" * 16))
    data = open_images("cifar10", make_folder(small, tmp_path))
    assert (data.title, data.is_subset) == ("CIFAR-10 (modified)", False)


# ---- downloading


def test_download(small, tmp_path, monkeypatch, server):
    pack(make_archive(small, tmp_path / "made", monkeypatch), monkeypatch).rename(
        server / torchvision_cifar.CIFAR10.filename
    )
    before = socket.getdefaulttimeout()
    (tmp_path / "root").mkdir()
    assert_holds(open_images("cifar10", tmp_path / "root"), small)
    assert socket.getdefaulttimeout() == before
    assert {path.name for path in (tmp_path / "root").iterdir()} == {"cifar-10-batches-py", ".cifar10.lock"}
    assert_holds(open_images("cifar10"), small)  # without a data_root, into the cache's own folder
    assert (tmp_path / "default-cache" / "downloads" / "cifar-10-batches-py").is_dir()


def test_incomplete_download_leaves_nothing(small, tmp_path, monkeypatch, server):
    packed = pack(make_archive(small, tmp_path / "made", monkeypatch), monkeypatch)
    (server / packed.name).write_bytes(packed.read_bytes()[:-100])
    (tmp_path / "root").mkdir()
    with pytest.raises(SpecError, match="cannot be fetched"):
        open_images("cifar10", tmp_path / "root")
    assert [path.name for path in (tmp_path / "root").iterdir()] == [".cifar10.lock"]
    assert not [path for path in (tmp_path / "default-cache" / "data").iterdir() if path.suffix != ".lock"]


def test_what_another_process_fetched_meanwhile_is_taken(small, tmp_path, monkeypatch, server):
    """The server has no archive: a second fetch would fail."""
    monkeypatch.setattr(download, "reach", lambda _: make_archive(small, tmp_path / "root", monkeypatch))
    (tmp_path / "root").mkdir()
    assert_holds(open_images("cifar10", tmp_path / "root"), small)


def test_missing_without_network_names_every_way(tmp_path, monkeypatch):
    with socket.socket() as unused:  # bound but not listening: connections are refused
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setattr(torchvision_cifar.CIFAR10, "url", f"http://127.0.0.1:{unused.getsockname()[1]}/c.tar.gz")
        with pytest.raises(SpecError) as caught:
            open_images("cifar10", tmp_path)
    for words in ("dataset = 'cifar10'", str(tmp_path), "cifar10/{train,test}/<class>/", "cifar-10-batches-py/"):
        assert words in str(caught.value)
    for words in ("cifar-10-python.tar.gz", "refused", "Connect to the network", "data_root", "SNNLIB_DATA"):
        assert words in str(caught.value)


def test_a_server_that_never_answers_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(download, "REACH_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr(torchvision_cifar.CIFAR10, "url", f"http://127.0.0.1:{silent.getsockname()[1]}/c.tar.gz")
        with pytest.raises(SpecError, match=r"cannot be fetched \((no answer within 0\.3 seconds|timed out)"):
            open_images("cifar10", tmp_path)
    assert not (tmp_path / ".cifar10.lock").exists(), "no download was begun"
    assert socket.getdefaulttimeout() is None


def test_slow_name_look_up_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(download, "REACH_SECONDS", 0.3)
    given_up, ended = threading.Event(), threading.Event()

    def look_up(*_: object, **__: object) -> None:  # no time-out applies to it
        given_up.wait(60)
        ended.set()
        raise OSError

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with pytest.raises(SpecError, match=r"no answer within 0\.3 seconds"):
        open_images("cifar10", tmp_path)
    assert not ended.is_set(), "the look-up was not waited for"
    given_up.set()


def test_download_switched_off(tmp_path):
    with pytest.raises(SpecError, match=r"downloading is switched off\. Allow the download, put one"):
        open_images("cifar100", tmp_path, download=False)


def test_describe_without_the_images(small, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "reach", lambda _: pytest.fail("the network was asked"))
    published = describe("cifar10", tmp_path, require_data=False)
    assert published.fingerprint == images.KNOWN["cifar10"].fingerprint
    assert (published.in_channels, published.num_classes, published.image_size) == (3, 10, 32)
    with pytest.raises(SpecError, match="dataset = 'cifar100' is not at hand"):
        describe("cifar100", tmp_path, require_data=False)  # nobody knows its fingerprint yet
    with pytest.raises(SpecError, match="dataset = 'cifar10' is not at hand"):
        describe("cifar10", tmp_path, download=False)
    make_folder(small, tmp_path)  # images that are at hand are described, published or not
    assert describe("cifar10", tmp_path, require_data=False) == open_images("cifar10", tmp_path).spec != published


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_archives_have_the_names_torchvision_gives_them(name):
    theirs = getattr(torchvision_cifar, name.upper())
    assert cifar.ARCHIVES[name] == (theirs.base_folder, theirs.filename)


def test_missing_images_are_found_missing_without_torchvision(tmp_path):
    look = f"from snnlib.data import open_images; open_images('cifar10', {str(tmp_path)!r}, download=False)"
    code = f"try:\n    {look}\nfinally:\n    import sys; print('torchvision' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True)
    assert "MissingData" in done.stderr
    assert done.stdout.split() == ["False"]
