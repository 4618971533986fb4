"""Stamps: what a workflow engine, which knows files and their ages, sees of the store."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from snnlib.entries import SUMS
from snnlib.sweep import Sweep, note

LONG_AGO, LATER = 1_000_000_000, 1_000_000_500


@pytest.fixture
def stamp(tmp_path: Path) -> Callable[[str], Path]:
    """The stamp of one group, once it stands for an entry of this name; of none for ""."""
    for number, name in enumerate(("first", "second")):
        (tmp_path / name).mkdir()
        (tmp_path / name / SUMS).write_text(f"{number}  card.json\n")
        os.utime(tmp_path / name / SUMS, (LATER - 500 * number,) * 2)  # the second is older

    def run(name: str) -> Path:
        entry = SimpleNamespace(folder=tmp_path / name) if name else None
        sweep = SimpleNamespace(store=SimpleNamespace(find=lambda _: entry))
        Sweep.stamp(sweep, {"group": ["a spec"]}, tmp_path / "made")  # type: ignore[arg-type]
        return tmp_path / "made" / "group"

    return run


def test_a_stamp_is_as_old_as_what_it_stands_for(stamp: Callable[[str], Path]) -> None:
    for _ in range(2):
        assert stamp("first").stat().st_mtime == LATER
    assert not stamp("").exists()
    assert stamp("second").stat().st_mtime == LONG_AGO


def test_what_takes_the_place_of_another_is_new_however_old_it_is(stamp: Callable[[str], Path]) -> None:
    stamp("first")
    since = stamp("second").stat().st_mtime
    assert since > LATER
    assert stamp("second").stat().st_mtime == since, "still so when the engine is asked again"


def test_the_stamp_of_a_job_that_is_done_gets_the_age_of_what_it_made(stamp: Callable[[str], Path]) -> None:
    stamp("first").write_text("")  # as the engine leaves it
    assert stamp("second").stat().st_mtime == LONG_AGO


def test_a_note_that_says_the_same_stays_as_old_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "given"
    note(path, "-p T 4")
    os.utime(path, (LONG_AGO,) * 2)
    note(path, "-p T 4")
    assert path.stat().st_mtime == LONG_AGO
    note(path, "-p T 8")
    assert path.stat().st_mtime > LONG_AGO
    assert path.read_text() == "-p T 8"
