"""The chapters on published results: on a machine without data, store and network they show them, and compute none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import REPOSITORY
from image_files import save
from test_notebooks import NO_NETWORK, text

from snnlib import sweep
from snnlib.candidates import candidates
from snnlib.data.cifar import CLASSES
from snnlib.data.images import KNOWN
from snnlib.entries import seal
from snnlib.parameters import ManyClassesParameters, TrainingParameters
from snnlib.run import Run
from snnlib.spec import SpecError

QUICKSTART = "00_quickstart"  # always under `quick`; the others train too much for anybody who only wants to read
ON_PUBLISHED = [
    name for name, (parameters, _) in sweep.CHAPTERS.items() if name == QUICKSTART or parameters().preset != "quick"
]


@pytest.mark.slow
@pytest.mark.parametrize("chapter", ON_PUBLISHED)
def test_a_chapter_needs_neither_data_nor_work(papermill, tmp_path, chapter: str) -> None:
    cache, data = tmp_path / "cache", tmp_path / "data"
    data.mkdir()
    notebook = REPOSITORY / "notebooks" / f"{chapter}.ipynb"
    done, out = papermill(notebook, cache=cache, SNNLIB_DATA=str(data), **NO_NETWORK)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "**Protocol:**" in text(out)
    made = [folder.name for folder in (cache / "entries").glob("*")]
    assert not made, "not published"


@pytest.mark.parametrize("chapter", [name for name in ON_PUBLISHED if name != QUICKSTART])
def test_the_list_shows_what_is_published_without_the_data(chapter: str, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("SNNLIB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SNNLIB_DATA", raising=False)
    items = sweep.Sweep(sweep.read_plan(sweep.plan_file("laptop")), tmp_path).items()
    assert {item.state for item in items if chapter in item.chapters} == {"published"}


def test_a_list_is_of_the_images_that_the_chapter_shows(tmp_path, monkeypatch) -> None:
    """Also where all of CIFAR-100 lies beside the program, of which a subset is published."""
    monkeypatch.setenv("SNNLIB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SNNLIB_DATA", raising=False)
    whole_cifar100(tmp_path / "cache" / "downloads")
    listed = sweep.Sweep(sweep.read_plan(sweep.plan_file("laptop")))
    assert listed.data["cifar100"] == Run.of(ManyClassesParameters()).data
    assert {item.state for item in listed.items() if item.chapters == ("a2_cifar100",)} == {"published"}
    # with a seed more than is published, both are about the images at hand
    networks = listed.plan.networks
    more = [{**one, "name": f"{one['name']}-more", "seed": 3} for one in networks if one["data"] == "cifar100"]
    longer = sweep.Sweep(replace(listed.plan, networks=[*networks, *more]))
    assert longer.data["cifar100"] == Run.of(ManyClassesParameters(seeds=4)).data != listed.data["cifar100"]
    # under a preset whose networks nobody has published, both are about the images at hand
    longer = sweep.Sweep(sweep.read_plan(sweep.plan_file("paper")))
    assert longer.data["cifar100"] == Run.of(ManyClassesParameters(preset="paper")).data != listed.data["cifar100"]


def test_a_list_whose_networks_nobody_has_is_of_the_whole_data_set(tmp_path, monkeypatch) -> None:
    """Which a chapter would fetch: not of the subset that is published."""
    monkeypatch.setenv("SNNLIB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SNNLIB_DATA", raising=False)
    longer = sweep.Sweep(sweep.read_plan(sweep.plan_file("paper")), tmp_path)
    assert longer.sizes[longer.data["cifar100"]] == KNOWN["cifar100"].sizes
    assert {item.state for item in longer.items() if item.chapters == ("a2_cifar100",)} == {"no data"}
    # nor is one that asks for more images than the subset has to test with
    laptop = sweep.read_plan(sweep.plan_file("laptop"))
    longer = sweep.Sweep(replace(laptop, parameters={"n_images": 3000}, results=[]), tmp_path)
    assert longer.sizes[longer.data["cifar100"]] == KNOWN["cifar100"].sizes


def test_more_images_than_there_are_is_an_error_without_them_too(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("SNNLIB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SNNLIB_DATA", raising=False)
    with pytest.raises(SpecError, match=r"n_images = 10001, but CIFAR-10 has 10000 test images"):
        Run.of(TrainingParameters(n_images=10_001))


def test_a_data_set_that_a_list_names_is_the_one_at_hand(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("SNNLIB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SNNLIB_DATA", raising=False)
    whole_cifar100(tmp_path / "cache" / "downloads")
    plan = replace(sweep.read_plan(sweep.plan_file("laptop")), parameters={"dataset": "cifar100"})
    assert sweep.Sweep(plan).data["cifar100"] == Run.of(ManyClassesParameters(dataset="cifar100")).data


def test_events_of_another_size_are_other_data(run) -> None:
    """Two published networks that differ in the side of their frames; who asks for one is not shown the other."""
    for size in (16, 32):
        data = run.data.model_copy(update={"dataset": "cifar10-dvs", "frames": 2, "image_size": size, "in_channels": 2})
        spec = run.network(spiking=True).model_copy(update={"data": data})
        folder = run.store.published / spec.name
        folder.mkdir(parents=True)
        (folder / "weights.safetensors").write_bytes(b"weights")
        images = {"title": f"of {size}", "train": 9, "test": 3}
        seal(folder, {"kind": "TrainSpec", "spec": spec.model_dump(mode="json"), "images": images})
    for size, expected in ((16, ["of 16"]), (32, ["of 32"]), (48, []), (None, ["of 16", "of 32"])):
        _, found = candidates(run.store, "cifar10-dvs", {"frames": 2, "size": size}, asked_for=False)
        assert sorted(one.title for one in found) == expected
    assert candidates(run.store, "cifar10-dvs", {"frames": 3, "size": 16}, asked_for=False) == (None, [])


def whole_cifar100(root: Path) -> None:
    """An image of each class and split, which are other images than those of the published networks."""
    rng = np.random.default_rng(0)
    for split in ("train", "test"):
        for name in CLASSES["cifar100"]:
            save(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8), root / "cifar100" / split / name / "0.png")


def test_other_images_start_a_training_only_where_they_are_asked_for(tmp_path, monkeypatch) -> None:
    """Published are networks of a subset of CIFAR-100: who has others of its images wants to see the page, too."""
    monkeypatch.setenv("SNNLIB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("SNNLIB_DATA", str(tmp_path))
    whole_cifar100(tmp_path)
    shown = Run.of(ManyClassesParameters())
    assert shown.is_stored()
    assert "subset" in shown.title
    for asked in ({"dataset": "cifar100"}, {"data_root": tmp_path}):
        own = Run.of(ManyClassesParameters(**asked))
        assert own.data != shown.data
        assert not own.is_stored()
