"""Several values asked of the store at once: in order, each made once, kept whatever becomes of the others."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
import xarray as xr

from snnlib import experiments
from snnlib.entries import damage
from snnlib.spec import CompareSpec, RatesSpec
from snnlib.store import Store
from snnlib.training import Stopped, TrainingDiverged


def networks(run, count=3):
    return [run.network(spiking=True, seed=seed) for seed in range(count)]


def assert_same(one, other):
    assert one.spec == other.spec
    assert one.history == other.history
    for name, value in one.model.state_dict().items():
        assert torch.equal(value, other.model.state_dict()[name]), name


def test_values_come_in_the_order_asked_each_made_once(run, computed):
    first, second, third = networks(run)
    asked = [second, third, second, first]
    run.store.get(third)
    threads = torch.get_num_threads()
    found = run.store.get_all(asked)
    assert torch.get_num_threads() == threads
    assert sorted(computed) == sorted(spec.name for spec in (first, second, third))
    assert [network.spec for network in found] == asked
    for spec, network in zip(asked, found, strict=True):
        assert_same(network, Store().get(spec))
    assert run.store.get_all([]) == []
    assert len(computed) == 3


def test_what_is_there_need_not_be_read(run, computed, monkeypatch):
    first, second, third = networks(run)
    run.store.get(third)
    seen, original = [], experiments.read
    monkeypatch.setattr(experiments, "read", lambda spec, *rest: seen.append(spec) or original(spec, *rest))
    run.store.make_all([])
    run.store.make_all([third, first])  # a single one is missing
    run.store.make_all([first, second, third, second])
    assert sorted(computed) == sorted(spec.name for spec in (first, second, third))
    assert third not in seen
    anew = Store(recompute=True)
    anew.make_all([first, third])
    anew.make_all([first])
    assert sorted(computed) == sorted(spec.name for spec in (first, second, third, first, third))


def test_the_card_says_by_what_means_a_network_was_trained(run):
    spec = networks(run, 1)[0]
    (network,) = run.store.get_all([spec])
    card = json.loads((run.store.find(spec).folder / "card.json").read_text())
    assert card["means"] == network.means == Store().get(spec).means
    assert network.means.keys() == {"precision", "compiled", "threads", "device", "processes"}
    assert network.means["threads"] == torch.get_num_threads()


def test_recompute_makes_each_anew_once(run, computed):
    specs = [run.network(spiking=True, seed=seed, epochs=0) for seed in range(2)]
    run.store.get_all(specs)
    anew = Store(recompute=True)
    anew.get_all([specs[0], specs[1], specs[0]])
    anew.get_all(specs)
    assert sorted(computed) == sorted(spec.name for spec in 2 * specs)
    assert all(damage(run.store.find(spec).folder) is None for spec in specs)


def test_results_that_build_on_one_network_make_it_once(run, computed):
    network = run.network(spiking=True, epochs=0)
    specs = [RatesSpec(network=network, n_images=n) for n in (16, 32)]
    for spec, rates in zip(specs, run.store.get_all(specs), strict=True):
        xr.testing.assert_identical(rates, Store().get(spec))
        assert rates.attrs["n_images"] == spec.n_images
    assert sorted(computed) == sorted([network.name, *(spec.name for spec in specs)])


def test_finished_networks_are_kept_when_another_diverges(run, monkeypatch):
    good, other = networks(run, 2)
    bad = other.model_copy(update={"lr": 1e30})
    original = experiments.compute

    def compute(spec, context):
        deadline = time.monotonic() + 120
        while spec == bad and Store().find(good) is None and time.monotonic() < deadline:
            time.sleep(0.05)
        return original(spec, context)

    monkeypatch.setattr(experiments, "compute", compute)
    with pytest.raises(TrainingDiverged, match="smaller lr"):
        run.store.get_all([good, bad])
    assert Store().find(good) is not None
    assert Store().find(bad) is None
    assert Store().get(good).history


def test_what_is_not_wanted_any_more_is_not_begun(run, computed):
    network, stop = run.network(spiking=True, epochs=0), threading.Event()
    spec = CompareSpec(a=network, b=network, n_images=16)
    stop.set()
    with pytest.raises(Stopped):
        run.store.get(spec, stop=stop)
    assert computed == [spec.name], "not its network"
    assert run.store.find(spec) is None


def test_who_waits_for_another_process_can_be_stopped(run, computed):
    spec, stop = run.network(spiking=True, epochs=0), threading.Event()
    with ThreadPoolExecutor(1) as pool, Store().lock(spec.name):
        waiting = pool.submit(run.store.get, spec, stop=stop)
        stop.set()
        with pytest.raises(Stopped, match="another process"):
            waiting.result(timeout=60)
    assert not computed
