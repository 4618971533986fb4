"""The cache of decoded images: read when intact, made again when damaged or outdated, written once."""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import time
from pathlib import Path

import numpy as np
import pytest
from image_files import PER_CLASS, digit_scans, save

from snnlib.data import cache, open_images
from snnlib.spec import SpecError


def test_second_opening_reads_the_cache(opened, monkeypatch):
    first = opened("digits")
    monkeypatch.setattr(cache, "write", lambda *_: pytest.fail("decoded a second time"))
    second = opened("digits")
    assert isinstance(second.train.images, np.memmap)
    assert not second.train.images.flags.writeable
    np.testing.assert_array_equal(first.test.images, second.test.images)


@pytest.mark.parametrize("damage", ["missing", "longer", "one bit", "meta", "meta lacks", "meta is a list"])
def test_damaged_cache_is_set_aside_and_made_again(damage, opened, tmp_path, caplog):
    intact = opened("digits")
    (entry,) = [path for path in (tmp_path / "cache" / "data").iterdir() if path.is_dir()]
    victim, meta = entry / "test_images.npy", json.loads((entry / "meta.json").read_text())
    content = bytearray(victim.read_bytes())
    if damage == "missing":
        victim.unlink()
    elif damage == "longer":
        victim.write_bytes(content + b"\0")
    elif damage == "one bit":
        content[-1] ^= 1
        victim.write_bytes(content)
    elif damage == "meta lacks":
        (entry / "meta.json").write_text(json.dumps({key: meta[key] for key in meta if key != "mean"}))
    else:
        (entry / "meta.json").write_text('{"classes": [' if damage == "meta" else "[]")
    with caplog.at_level(logging.WARNING):
        again = opened("digits")
    assert again.fingerprint == intact.fingerprint
    np.testing.assert_array_equal(again.test.images, load := np.load(entry / "test_images.npy"))
    assert len(load) == len(again.test)
    assert "is damaged (" in caplog.text and str(entry) in caplog.text
    assert ("meta.json" if damage.startswith("meta") else "test_images.npy") in caplog.text
    assert entry.with_name(f"{entry.name}.damaged").is_dir()


def test_a_changed_folder_is_noticed(unsplit, opened):
    before = len(opened(f"folder:{unsplit}").train)
    (unsplit / "digit-0" / "0.png").unlink()
    after = opened(f"folder:{unsplit}")
    assert len(after.train) + len(after.test) == 3 * PER_CLASS - 1 and before == 18
    file = unsplit / "digit-0" / "1.bmp"  # not compressed: its size stays
    save(digit_scans(0)[0], file)
    before, status = opened(f"folder:{unsplit}"), file.stat()
    save(255 - digit_scans(0)[0], file)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert file.stat().st_size == status.st_size
    assert opened(f"folder:{unsplit}").fingerprint != before.fingerprint


def test_remains_of_a_killed_process_are_cleared(opened, tmp_path):
    opened("digits")
    room = tmp_path / "cache" / "data"
    (entry,) = [path for path in room.iterdir() if path.is_dir()]
    entry.rename(room / f"{entry.name}.tmp-12345")
    opened("digits")
    assert {path.name for path in room.iterdir()} == {entry.name, f"{entry.name}.lock"}


def test_unwritable_cache(tmp_path):
    (tmp_path / "file").write_text("where a folder should be")
    with pytest.raises(SpecError, match=r"image cache '.*file/data' cannot be used .* SNNLIB_CACHE"):
        open_images("digits", cache_dir=tmp_path / "file")


def _decode_with_others(folder: Path, cache_dir: Path, barrier, answers) -> None:
    decoded = []
    write = cache.write

    def slow_write(raw: cache.Raw, directory: Path) -> None:
        decoded.append(1)
        time.sleep(0.5)  # long enough for the other to come
        write(raw, directory)

    cache.write = slow_write
    barrier.wait()
    data = open_images(f"folder:{folder}", cache_dir=cache_dir)
    answers.put((len(decoded), data.fingerprint, int(data.train.images.sum())))


def test_processes_that_ask_at_once_decode_once(unsplit, tmp_path):
    context = multiprocessing.get_context("spawn")
    barrier, answers = context.Barrier(2), context.Queue()
    args = (unsplit, tmp_path / "cache", barrier, answers)
    processes = [context.Process(target=_decode_with_others, args=args) for _ in range(2)]
    for process in processes:
        process.start()
    results = [answers.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    assert sorted(decoded for decoded, *_ in results) == [0, 1]
    assert results[0][1:] == results[1][1:]
    assert len([path for path in (tmp_path / "cache" / "data").iterdir() if path.is_dir()]) == 1
