"""The lists of the presets against the book as it was built: what its chapters really asked the store for."""

import os

import pytest

from snnlib import sweep
from snnlib.spec import PRESETS, TrainSpec, networks_of
from snnlib.store import Store
from snnlib.sweep import CHAPTERS

pytestmark = pytest.mark.book

SHOWN = {chapter: parameters().preset for chapter, (parameters, _) in CHAPTERS.items()}  # preset of each chapter


def test_the_lists_are_what_the_built_book_asked_for(built_site, session_cache, monkeypatch):
    assert built_site.returncode == 0, built_site.log[-4000:]
    kept = "SNNLIB_CACHE" in os.environ  # such a store may hold what a chapter needed under another preset
    monkeypatch.setenv("SNNLIB_CACHE", str(session_cache))
    listed, missing = set(), []
    for preset in set(SHOWN.values()):
        for item in sweep.Sweep(sweep.read_plan(sweep.plan_file(preset))).items():
            shown = any(SHOWN[chapter] == preset for chapter in item.chapters)
            if shown or kept:
                listed.add(item.spec)
            if shown:
                missing += [] if item.is_there else [item.spec.name]
    assert not missing, "listed, but no chapter asks for it"

    epochs = {PRESETS[preset].epochs for preset in SHOWN.values()}
    for entry in Store(cache=session_cache).entries():
        networks = [entry.spec] if isinstance(entry.spec, TrainSpec) else list(networks_of(entry.spec))
        # other tests of the session keep small networks there, of fewer epochs
        if entry.layer == "cache" and any(network.epochs in epochs for network in networks):
            assert entry.spec in listed, f"{entry.folder.name} is asked for, but not listed"
