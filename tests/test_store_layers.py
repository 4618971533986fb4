"""The two layers of the store, published and cached: which comes first, damage, entries that other code made."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from test_store import untrained

from snnlib.entries import DamagedEntry, OtherCode, damage, seal
from snnlib.spec import CompareSpec, SpecError
from snnlib.store import Store


@pytest.mark.parametrize("what", ["flipped", "shorter", "missing", "card", "sums"])
def test_damage_is_named_set_aside_and_made_again(run, computed, what):
    spec = untrained(run)
    expected = run.store.get(spec).model.state_dict()
    folder = run.store.find(spec).folder
    weights = folder / "weights.safetensors"
    content = bytearray(weights.read_bytes())
    if what == "flipped":
        content[-1] ^= 1
        weights.write_bytes(content)
    elif what == "shorter":
        weights.write_bytes(content[:-100])
    elif what == "missing":
        weights.unlink()
    elif what == "card":
        (folder / "card.json").write_text("{}")
    else:
        (folder / "SHA256SUMS").write_text("nonsense")
    named = {"card": "card.json", "sums": "SHA256SUMS"}.get(what, "weights.safetensors")
    with pytest.warns(DamagedEntry, match=named):
        again = Store().get(spec)
    assert computed == [spec.name] * 2
    for name, value in expected.items():
        assert torch.equal(again.model.state_dict()[name], value)
    assert list((run.store.cache / "damaged").glob(f"*/{spec.name}"))
    assert damage(folder) is None


def test_published_comes_first_and_is_never_written_to(run, computed, tmp_path):
    spec = untrained(run)
    run.store.get(spec)
    folder = run.store.publish(spec)
    assert folder == tmp_path / "published" / spec.name
    other = Store(cache=tmp_path / "other")
    other.get(spec)
    assert computed == [spec.name]
    assert other.find(spec).layer == "published"

    (folder / "weights.safetensors").write_bytes(b"broken")
    with pytest.warns(DamagedEntry, match="passed over"):
        other.get(spec)
    assert computed == [spec.name] * 2
    assert (folder / "weights.safetensors").read_bytes() == b"broken"


def test_damage_of_the_published_layer_holds_nobody_up(run, tmp_path):
    """Neither those who look for an entry, who wait for no lock, nor those who name one that the cache has, too."""
    spec = untrained(run)
    run.store.get(spec)
    (run.store.publish(spec) / "card.json").write_text("no card")
    with pytest.warns(DamagedEntry, match="passed over"):
        assert Store(cache=tmp_path / "other").find(spec) is None
    assert not (tmp_path / "other").exists()
    with pytest.warns(DamagedEntry, match="passed over"):
        assert Store().named(spec.name) == Store().find(spec)
    assert Store().named("gone") is None


def test_publishing_what_is_not_there_is_an_error(run):
    with pytest.raises(SpecError, match="not in the store"):
        run.store.publish(untrained(run))


def test_stores_that_share_it_make_anew_once(run, computed):
    spec = run.network(spiking=False)
    Store().get(spec)
    del computed[:]
    renewed = set()
    for _ in range(2):
        Store(recompute=True, renewed=renewed).get(spec)
    assert computed == [spec.name]


def test_recompute_makes_anew_once(run, computed):
    spec = untrained(run)
    run.store.get(spec)
    anew = Store(recompute=True)
    anew.get(CompareSpec(a=spec, b=spec, n_images=8, batch_size=8))
    anew.get(spec)
    assert computed.count(spec.name) == 2
    assert damage(run.store.find(spec).folder) is None


def made_by_other_code(folder):
    card = json.loads((folder / "card.json").read_text())
    seal(folder, {**card, "code": "0" * 12})


def test_a_cached_entry_made_by_other_code_is_made_again(run, computed, capsys):
    spec = untrained(run)
    run.store.get(spec)
    made_by_other_code(run.store.find(spec).folder)
    Store().get(spec)
    assert computed == [spec.name] * 2
    assert "made by other code" in capsys.readouterr().err
    Store().get(spec)
    assert len(computed) == 2


def test_a_published_entry_made_by_other_code_is_used_with_a_warning(run, computed, tmp_path):
    spec = untrained(run)
    run.store.get(spec)
    made_by_other_code(run.store.publish(spec))
    with pytest.warns(OtherCode, match="recompute=True"):
        Store(cache=tmp_path / "other").get(spec)
    assert len(computed) == 1


def test_a_result_of_networks_that_have_other_weights_now_is_made_again(run, computed, capsys):
    network = untrained(run)
    spec = CompareSpec(a=network, b=untrained(run, 1), n_images=8, batch_size=8)
    first = run.store.get(spec)
    folder = run.store.find(network).folder
    shutil.rmtree(folder)
    assert Store().find(spec), "of a network that is not there nothing is known"
    Store().get(network)
    Store().get(spec)
    assert computed.count(spec.name) == 1, "it has the same weights again"

    weights = {name: value.flip(0) for name, value in load_file(folder / "weights.safetensors").items()}
    save_file({name: value.contiguous() for name, value in weights.items()}, folder / "weights.safetensors")
    seal(folder, json.loads((folder / "card.json").read_text()))
    capsys.readouterr()
    for _ in range(2):
        assert not np.allclose(Store().get(spec), first, equal_nan=True)
    assert computed.count(spec.name) == 2
    said = [line for line in capsys.readouterr().err.splitlines() if "it is made again" in line]
    assert len(said) == 1
    assert f"other weights than there are now of {network.name}:" in said[0]


def test_what_was_made_anew_takes_the_place_of_the_published(run, computed, tmp_path):
    spec = untrained(run)
    run.store.get(spec)
    published = run.store.publish(spec)
    card = json.loads((published / "card.json").read_text())
    seal(published, {**card, "made": "2020-01-01T00:00:00+00:00"})
    anew = Store(cache=tmp_path / "other", recompute=True)
    anew.get(spec)
    assert len(computed) == 2
    assert Store(cache=tmp_path / "other").find(spec).layer == "cache"
    assert Store(cache=tmp_path / "other").publish(spec) == published
    assert json.loads((published / "card.json").read_text())["made"] > "2020-01-02"


def test_reading_published_networks_recomputes_nothing(run, computed):
    spec = untrained(run)
    run.store.get(spec)
    run.store.publish(spec)
    assert len(replace(run, store=Store(recompute=True)).published_networks()) == 1
    assert len(computed) == 1
