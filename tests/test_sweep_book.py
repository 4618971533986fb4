"""The list of preset quick against the book as it was built: what its chapters really asked the store for."""

import pytest

from snnlib import sweep
from snnlib.spec import PRESETS, TrainSpec
from snnlib.store import Store
from snnlib.sweep import networks_of

pytestmark = pytest.mark.book


def test_the_list_is_what_the_built_book_asked_for(built_site, session_cache, monkeypatch):
    assert built_site.returncode == 0, built_site.log[-4000:]
    monkeypatch.setenv("SNNLIB_CACHE", str(session_cache))
    run = sweep.Sweep(sweep.read_plan(sweep.plan_file("quick")))
    items = run.items()
    assert [item.spec.name for item in items if not item.is_there] == [], "listed, but no chapter asks for it"

    epochs, listed = PRESETS["quick"].epochs, {item.spec for item in items}
    for entry in Store(cache=session_cache).entries():
        networks = [entry.spec] if isinstance(entry.spec, TrainSpec) else list(networks_of(entry.spec))
        # other tests of the session keep small networks there, of fewer epochs
        if entry.layer == "cache" and any(network.epochs == epochs for network in networks):
            assert entry.spec in listed, f"{entry.folder.name} is asked for, but not listed"
