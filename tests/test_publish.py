"""Publishing: half precision only where it changes nothing; what is published can be made again, or is caught."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import xarray as xr
import yaml
from image_files import make_folder, random_splits
from safetensors.torch import load_file, save_file

from snnlib import publish as publishing
from snnlib.data.download import MissingData
from snnlib.entries import Entry, changed_inputs, damage, seal
from snnlib.parameters import Parameters
from snnlib.run import Run
from snnlib.spec import CompareSpec, SpecError
from snnlib.store import Store


@pytest.fixture
def ann(run):
    spec = run.network(spiking=False)
    return spec, run.train(spec)


def test_weights_are_halved_where_no_layer_tells_the_difference(run, ann):
    spec, network = ann
    folder = publishing.publish(run.store, spec)
    card, weights = json.loads((folder / "card.json").read_text()), load_file(folder / "weights.safetensors")
    assert card["half"]["taken"]
    assert publishing.SAME < card["half"]["least_cka"] <= 1 + 1e-6
    assert {w.dtype for w in weights.values() if w.is_floating_point()} == {torch.float16}
    assert damage(folder) is None

    published = Store(cache=run.store.cache.parent / "other").get(spec).model
    images = torch.from_numpy(run.store.images(run.data).test.images[:64]).float() / 255
    for name, value in published.state_dict().items():
        assert value.dtype == network.model.state_dict()[name].dtype
    with torch.no_grad():
        torch.testing.assert_close(published(images), network.model(images), rtol=0.01, atol=0.01)


def test_a_result_of_weights_that_are_halved_now_is_not_made_again(run, ann, computed):
    spec, _ = ann
    run.compare(spec, spec)
    published = publishing.publish(run.store, spec)
    assert Store().find(spec).folder == published
    del computed[:]
    run.compare(spec, spec)
    assert not computed


def test_weights_stay_where_a_layer_tells(run, ann, monkeypatch):
    spec, network = ann
    monkeypatch.setattr(publishing, "halved", lambda weights: noisy(weights, 0.05))
    folder = publishing.publish(run.store, spec)
    card = json.loads((folder / "card.json").read_text())
    assert not card["half"]["taken"]
    assert card["half"]["least_cka"] < publishing.SAME
    for name, value in load_file(folder / "weights.safetensors").items():
        assert torch.equal(value, network.model.state_dict()[name]), name


def test_a_layer_without_cka_leaves_the_weights_as_they_are(run, ann, monkeypatch):
    spec, network = ann
    monkeypatch.setattr(publishing, "least_cka", lambda *_: float("nan"))  # one layer is silent in one network alone
    card = json.loads((publishing.publish(run.store, spec) / "card.json").read_text())
    assert (card["half"]["taken"], card["half"]["least_cka"]) == (False, None)
    assert torch.equal(run.store.get(spec).model.state_dict()["fc.weight"], network.model.state_dict()["fc.weight"])


def noisy(weights, size):
    generator = torch.Generator().manual_seed(0)
    return {
        name: w + size * torch.randn(w.shape, generator=generator) if name.endswith("conv1.weight") else w
        for name, w in weights.items()
    }


def test_what_is_published_comes_out_again_and_a_change_is_caught(run):
    snn, ann = run.network(spiking=True), run.network(spiking=False, seed=1)
    for spec in (snn, ann):
        run.train(spec)
        publishing.publish(run.store, spec)
    cka, rates = run.compare(snn, ann), run.rates(snn)
    assert (cka.attrs["n_images"], rates.attrs["n_images"]) == (32, 32)
    assert publishing.verifiable(run.store) == [], "results that are not published"
    results = [entry for entry in run.store.entries() if entry.kind in ("CompareSpec", "RatesSpec")]
    for entry in results:
        publishing.publish(run.store, entry.spec)
    published = publishing.verifiable(run.store)
    assert {entry.kind for entry in published} == {"CompareSpec", "RatesSpec"}
    assert all(check.passed for check in publishing.verify(run.store, published))
    for entry in published:
        full, small = (run.store.cache / "entries" / entry.folder.name), entry.folder
        assert (small / "result.nc").stat().st_size < (full / "result.nc").stat().st_size
        assert damage(small) is None

    folder = run.store.published / snn.name
    before = json.loads((folder / "card.json").read_text())
    save_file(noisy(load_file(folder / "weights.safetensors"), 0.3), folder / "weights.safetensors")
    seal(folder, before | {"made": "2020-01-01T00:00:00+00:00"})
    assert run.store.find(snn).layer == "cache", "the right weights, which are not those to verify"
    checks = publishing.verify(run.store, published)
    assert not any(check.passed for check in checks)
    assert all(check.difference > 0.01 for check in checks)


def test_results_of_other_images_than_those_at_hand_are_passed_over(run):
    cka = CompareSpec(a=run.network(spiking=True), b=run.network(spiking=False, seed=1), n_images=32)
    subset = run.data.model_copy(update={"fingerprint": "f" * 16})
    other = cka.model_copy(update={name: getattr(cka, name).model_copy(update={"data": subset}) for name in "ab"})
    entries = [
        Entry(Path(spec.name), "published", {"kind": "CompareSpec", "spec": spec.model_dump(mode="json")})
        for spec in (other, cka, other)
    ]
    there, missing = publishing.at_hand(run.store, entries)
    assert there == entries[1:2]
    assert list(missing) == [subset]
    assert "other images" in str(missing[subset])


def test_packed_numbers_are_within_half_a_step_and_everything_else_is_kept(tmp_path):
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(3, 40))
    numbers[0, :5] = np.nan
    found = xr.Dataset(
        {
            "cka": (("group", "layer"), numbers, {"long_name": "CKA"}),
            "none": ("layer", np.full(40, np.nan)),
            "open": ("group", [1.0, np.inf, 0.5]),
            "right": (("group", "layer"), rng.integers(0, 2, (3, 40), dtype=np.int8)),
        },
        coords={"layer": [f"layer {i}" for i in range(40)]},
        attrs={"n_images": 32},
    )
    found.to_netcdf(tmp_path / "result.nc", engine="h5netcdf")
    steps = publishing.packed(tmp_path / "result.nc")
    assert list(steps) == ["cka"]
    step = steps["cka"]
    again = xr.load_dataset(tmp_path / "result.nc", engine="h5netcdf")
    assert np.nanmax(np.abs(numbers)) / 2**15 <= step <= np.nanmax(np.abs(numbers)) / 2**14
    assert np.array_equal(np.isnan(again["cka"]), np.isnan(numbers))
    assert np.nanmax(np.abs(again["cka"] - numbers)) <= step * 0.5001
    for name in ("none", "open", "right", "layer"):
        xr.testing.assert_identical(again[name].variable, found[name].variable)
    assert again["cka"].dtype == np.float64
    assert (again.attrs, again["cka"].attrs) == (found.attrs, found["cka"].attrs)


def test_what_counts_as_different():
    one = xr.DataArray([[0.5, np.nan], [0.25, 1.0]], dims=("a", "b"))
    assert publishing.largest_difference(one, one) == 0
    assert publishing.largest_difference(one, one + np.array([[0.25, 0], [0, -0.125]])) == 0.25
    assert publishing.largest_difference(one, one.fillna(0.5)) == float("inf")
    assert publishing.largest_difference(one, one[:1]) == float("inf")
    both = xr.Dataset({"x": one, "label": ("a", [1, 2])})
    assert publishing.largest_difference(both, both.assign(x=one + 0.5)) == 0.5


def test_published_results_of_a_subset_need_no_images(tmp_path, monkeypatch):
    """What is known of the images stands on the cards: title, size, content."""
    monkeypatch.setenv("SNNLIB_PUBLISHED", str(tmp_path / "published"))
    monkeypatch.setenv("SNNLIB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SNNLIB_DATA", raising=False)
    small = {"dataset": "cifar10", "T": 2, "width": 0.25, "epochs": 1, "seeds": 1}
    run = Run.of(Parameters(data_root=make_folder(random_splits(), tmp_path), **small))
    for spiking in (True, False):
        spec = run.network(spiking=spiking)
        run.train(spec)
        publishing.publish(run.store, spec, full=True)

    monkeypatch.setenv("SNNLIB_CACHE", str(tmp_path / "elsewhere"))
    found = Run.of(Parameters(**small))
    assert (found.title, found.n_test, found.data) == ("CIFAR-10 (subset)", 20, run.data)
    assert found.value("n_images") == 20
    assert len(found.train_all([found.network(spiking=True), found.network(spiking=False)])) == 2
    with pytest.raises((MissingData, SpecError)):
        replace(found, store=Store(cache=tmp_path / "elsewhere")).store.images(found.data)


def test_publish_and_verify_on_the_command_line(snnlib):
    small = ("--epochs", 1, "--width", 0.25, "--T", 2)
    assert "nothing to verify" in snnlib("store", "verify", status=2)[1]
    snnlib("compare", "snn", "ann:1", "--n-images", 32, *small)
    names = [path.name for path in (snnlib.root / "cache" / "entries").iterdir()]
    out, _ = snnlib("store", "publish", *names)
    assert len(list((snnlib.root / "published").iterdir())) == len(names) == 3
    assert all(name in out for name in names)
    out, _ = snnlib("store", "verify", "--count", 3)
    assert out.startswith("same: cka-digits")


def test_halved_weights_count_as_those_that_they_were_halved_from():
    card = {"inputs": {"net": "whole"}}

    def changed(checksum, **half):
        return changed_inputs(card, {"net": SimpleNamespace(checksum=checksum, card={"half": half})}.get)

    assert not changed("whole", taken=False)
    assert changed("other", taken=False) == ["net"]
    assert not changed("in 16 bits", taken=True, of="whole")
    assert changed("in 16 bits", taken=True, of="another training") == ["net"]
    assert not changed("in 16 bits", taken=True), "a card that does not say decides nothing"
    assert not changed_inputs(card, {}.get)


def test_what_is_published_is_one_entry_though_another_process_replaces_it(run, ann, monkeypatch):
    """The card and the weights are looked up under the lock, which whoever replaces an entry has to wait for."""
    spec, _ = ann
    locked, find = [], Store.find

    def notes(store, asked):
        locked.append(asked.name in store._locks and store._locks[asked.name].is_locked)
        return find(store, asked)

    monkeypatch.setattr(Store, "find", notes)
    publishing.publish(run.store, spec, full=True)
    assert locked == [False, True]


def test_an_entry_that_does_not_count_says_why_it_is_not_published(run, ann):
    spec, _ = ann
    folder = run.store.find(spec).folder
    seal(folder, {**json.loads((folder / "card.json").read_text()), "code": "0" * 12})
    with pytest.raises(SpecError, match=r"in the cache was made by other code: compute it before"):
        publishing.publish(run.store, spec)


def test_a_list_publishes_networks_of_a_folder_wherever_the_command_is_given(snnlib, tmp_path):
    mine = f"folder:{make_folder(random_splits(), tmp_path) / 'cifar10'}"
    own = {"name": "own", "data": mine, "model": {"width": 0.25, "T": 2}, "epochs": 0, "batch_size": 64, "chapters": []}
    plan = {"preset": "quick", "data": {mine: {}}, "networks": [own], "results": []}
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(plan))
    snnlib("sweep", "--preset", tmp_path / "own.yaml")
    published, _ = snnlib("store", "publish", "--preset", tmp_path / "own.yaml")
    (folder,) = map(Path, published.split())
    assert "half" in json.loads((folder / "card.json").read_text())
