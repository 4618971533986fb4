"""The store: found, made once, shared by processes, whole or not there, damage noticed."""

import json
import os
import subprocess
import sys
import time
import warnings
from importlib.metadata import version

import numpy as np
import pytest
import torch
import xarray as xr
from PIL import Image

from snnlib import entries as entries_room
from snnlib import experiments, provenance
from snnlib.parameters import Parameters
from snnlib.run import Run
from snnlib.spec import CompareSpec, RatesSpec, SpecError
from snnlib.store import Store


def untrained(run, seed=0, spiking=True):
    return run.network(spiking=spiking, seed=seed, epochs=0)


def test_made_once_then_read(run, computed):
    spec = run.network(spiking=True)
    first, second = run.store.get(spec), Store().get(spec)
    assert computed == [spec.name]
    assert first.history == second.history
    for name, value in first.model.state_dict().items():
        assert torch.equal(second.model.state_dict()[name], value)
    assert not second.model.training


def test_the_card_says_where_a_network_comes_from(run):
    spec = run.network(spiking=True)
    run.store.get(spec)
    card = json.loads((run.store.find(spec).folder / "card.json").read_text())
    assert card["spec"]["model"]["T"] == 2
    assert card["hash"] == spec.hash
    assert card["metrics"]["test_accuracy"] == card["history"][-1]["test_accuracy"]
    assert card["versions"]["torch"] == version("torch")
    assert card["hardware"]["threads"] == torch.get_num_threads()
    assert card["duration"] == sum(epoch["seconds"] for epoch in card["history"]) > 0
    assert {"commit", "made", "code", "parameters"} <= card.keys()


def test_a_card_has_the_code_and_the_commit_that_computed(run, monkeypatch):
    """Hours may pass meanwhile, in which somebody mends the code, commits it, and reads what is there."""
    spec, compute, commits = untrained(run), experiments.compute, ["before"]
    monkeypatch.setattr(provenance, "git_commit", lambda: commits[-1])
    provenance.code_fingerprint.cache_clear()

    def slowly(*arguments):
        commits.append("after")
        monkeypatch.setattr(provenance, "code_without_words", lambda _: "mended")
        return compute(*arguments)

    monkeypatch.setattr(experiments, "compute", slowly)
    run.store.get(spec)
    card = run.store.find(spec).card
    assert card["commit"] == "before"
    monkeypatch.undo()
    provenance.code_fingerprint.cache_clear()
    assert card["code"] == provenance.code_fingerprint(experiments.rooms(spec))


def test_a_comparison_brings_its_networks_and_comes_back_as_it_was(run, computed):
    a, b = untrained(run, 0), untrained(run, 1, spiking=False)
    spec = CompareSpec(a=a, b=b, n_images=32, batch_size=16)
    first = run.store.get(spec)
    assert set(computed) == {spec.name, a.name, b.name}
    xr.testing.assert_identical(Store().get(spec), first)
    assert first.attrs["n_images"] == 32
    assert {"stage_a", "kind_b", "block_a"} <= set(first.coords)


def test_shuffled_images_have_nothing_in_common(run):
    a = untrained(run)
    same, shuffled = (run.compare(a, a, pairing=pairing) for pairing in ("same", "shuffled"))
    assert float(same.sel(layer_a="stem.conv", layer_b="stem.conv")) == pytest.approx(1, abs=1e-6)
    assert abs(float(shuffled.sel(layer_a="stem.conv", layer_b="stem.conv"))) < 0.3


def test_rates(run):
    rates = run.store.get(RatesSpec(network=untrained(run), n_images=32))
    assert rates.sizes == {"group": 9, "layer": 19, "step": 2}
    assert bool(((rates >= 0) & (rates <= 1)).all())


def test_an_entry_that_lost_its_place_to_a_kill_is_found_again(run, computed):
    """Killed between the two renames that replace an entry: both lie under temporary names."""
    spec = untrained(run)
    run.store.get(spec)
    folder = run.store.find(spec).folder
    lost = run.store.cache / f".{spec.name}-old-x"
    lost.mkdir()
    folder.rename(lost / "entry")
    (run.store.cache / f".{spec.name}-y").mkdir()
    Store().get(spec)
    assert computed == [spec.name]
    assert not list(run.store.cache.glob(f".{spec.name}*"))


@pytest.mark.parametrize("reads", ["damage", "read_card"])
def test_an_entry_that_is_being_replaced_is_not_taken_for_damaged(run, computed, monkeypatch, reads):
    """The reader sees old checksums with new files, or no card; under the lock it looks again, and all is well."""
    spec = untrained(run)
    run.store.get(spec)
    seen, original = [], getattr(entries_room, reads)

    def first_time_unlucky(folder):
        seen.append(folder)
        return original(folder if len(seen) > 1 else folder / "gone")

    monkeypatch.setattr(entries_room, reads, first_time_unlucky)
    Store().get(spec)
    assert len(seen) > 1
    assert computed == [spec.name]
    assert not (run.store.cache / "damaged").exists()


def test_duration_leaves_out_what_has_a_card_of_its_own(run):
    a = run.network(spiking=True)
    spec = CompareSpec(a=a, b=a, n_images=16, batch_size=16)
    began = time.perf_counter()
    run.store.get(spec)
    whole = time.perf_counter() - began
    cards = [run.store.find(each).card["duration"] for each in (a, spec)]
    assert cards[0] > 0
    assert sum(cards) < whole


def test_untrained_networks_fire(run):
    """They have the batch-norm statistics of the images: without, deep layers would be silent."""
    rates = run.rates(untrained(run))
    assert float(rates.mean("step").min()) > 0.001


def own_images(root, tests):
    """Parameters of a run on a folder with images of two classes."""
    rng = np.random.default_rng(0)
    for split, count in (("train", 12), ("test", tests)):
        for label in "ab":
            folder = root / "own" / split / label
            folder.mkdir(parents=True)
            for i in range(count):
                Image.fromarray(rng.integers(0, 255, (16, 16, 3), dtype=np.uint8)).save(folder / f"{i}.png")
    return Parameters(dataset=f"folder:{root / 'own'}", T=2, width=0.25, epochs=1, seeds=1)


def test_too_few_test_images_are_enough_to_train_but_not_to_compare(run, tmp_path):
    own = Run.of(own_images(tmp_path, tests=1))
    network = untrained(own)
    assert own.train(network).spec == network
    with pytest.raises(SpecError, match=r"own.* has 2 test images, and a comparison needs at least 4"):
        own.compare(network, network)


def test_the_same_small_folder_twice(run, tmp_path, monkeypatch):
    parameters = own_images(tmp_path, tests=6)
    for _ in range(2):
        own = Run.of(parameters)
        assert own.value("n_images") == 12
        assert own.compare(own.network(spiking=True), own.network(spiking=False)).attrs["n_images"] == 12
    with pytest.raises(SpecError, match=r"n_images = 13.* 12 test images"):
        Run.of(parameters.model_copy(update={"n_images": 13}))


@pytest.mark.parametrize(("n", "largest", "sizes"), [(352, 256, {176}), (10, 8, {5}), (9, 8, {5, 4}), (20, 256, {20})])
def test_batches_are_as_equal_as_can_be(run, n, largest, sizes):
    batches = experiments.test_batches(run.store.images(run.data), n, largest)
    assert {len(labels) for _, labels in batches} == sizes


def test_batches_too_small_for_the_estimator_are_refused(run):
    with pytest.raises(SpecError, match="n_images = 10 cannot be split"):
        experiments.test_batches(run.store.images(run.data), 10, 4)


def test_the_same_code_is_no_cause_for_a_warning(run):
    spec = untrained(run)
    run.store.get(spec)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Store().get(spec)


def test_nothing_is_left_half_written(run, monkeypatch):
    spec = untrained(run)

    def fails_after_the_weights(value, folder):
        (folder / "weights.safetensors").write_bytes(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr(experiments, "write", fails_after_the_weights)
    with pytest.raises(OSError, match="no space"):
        run.store.get(spec)
    assert run.store.find(spec) is None
    left = [p for p in run.store.cache.rglob("*") if p.is_file() and "data" not in p.parts and p.suffix != ".lock"]
    assert not left


def test_a_file_is_whole_or_as_it_was(tmp_path):
    file, link = tmp_path / "list.yaml", tmp_path / "link.yaml"
    file.write_text("old")
    link.symlink_to(file)
    with pytest.raises(OSError, match="no space"), entries_room.whole_file(file) as unfinished:
        unfinished.write_text("half")
        raise OSError("no space left on device")
    assert file.read_text() == "old"
    with entries_room.whole_file(link) as new:
        new.write_text("new")
        assert file.read_text() == "old"
    assert (file.read_text(), link.is_symlink()) == ("new", True)
    assert sorted(tmp_path.iterdir()) == [link, file]


def test_other_images_than_the_spec_names_are_refused(run):
    spec = untrained(run)
    wrong = spec.data.model_copy(update={"fingerprint": "f" * 16})
    with pytest.raises(SpecError, match="other images"):
        run.store.images(wrong)


PROCESS = """
import sys
from snnlib.parameters import Parameters
from snnlib.run import Run
run = Run.of(Parameters(T=2, width=0.25, epochs=2))
network = run.train(run.network(spiking=True))
print("HASH", sum(p.double().sum().item() for p in network.model.parameters()))
"""


def test_of_two_processes_one_works_and_the_other_waits(tmp_path):
    environment = {**os.environ, "SNNLIB_CACHE": str(tmp_path), "SNNLIB_PUBLISHED": str(tmp_path / "none")}
    # the data first: that has its own lock and its own test
    subprocess.run(
        [sys.executable, "-c", "from snnlib.data.images import open_images; open_images('digits')"],
        check=True, env=environment,
    )  # fmt: skip
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": environment}
    processes = [subprocess.Popen([sys.executable, "-c", PROCESS], **pipes) for _ in range(2)]
    outputs = [process.communicate(timeout=600) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    assert outputs[0][0] == outputs[1][0], "both got the same weights"
    assert "HASH" in outputs[0][0]
    said = sorted(("waiting for it" in err, "about" in err) for _, err in outputs)
    assert said == [(False, True), (True, False)], outputs
    assert len(list((tmp_path / "entries").iterdir())) == 1
