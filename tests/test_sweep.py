"""The list of the sweep: complete, in order, the same as its files; and making what it names."""

import json
import shlex
from pathlib import Path

import numpy as np
import pytest
import yaml
from conftest import REPOSITORY
from image_files import save
from sweep_costs import CIFAR, exact_costs
from test_commands import through_papermill

from snnlib import sweep
from snnlib.data.images import KNOWN
from snnlib.parameters import Parameters, ResidualParameters
from snnlib.run import Run
from snnlib.spec import PRESETS, CompareSpec, SpecError, StreamSpec, TrainSpec, networks_of
from snnlib.sweep.listing import described

FILES = {name: REPOSITORY / "workflow" / "presets" / f"{name}.yaml" for name in PRESETS}
SMALL = {"epochs": 1, "width": 0.25, "T": 2, "n_images": 32}


def small_plan(tmp_path: Path, *chapters: str) -> Path:
    """A list for small networks on the digits."""
    path = tmp_path / "small.yaml"
    path.write_text(sweep.plan_text("quick", sweep.listing("quick", chapters, **SMALL), SMALL))
    return path


@pytest.mark.parametrize("preset", PRESETS)
def test_the_files_are_what_the_studies_ask_for(preset):
    asked = sweep.listing(preset)
    assert FILES[preset].read_text() == sweep.plan_text(preset, asked), (
        f"run `snnlib sweep --preset {preset} --write {FILES[preset].relative_to(REPOSITORY)}`"
    )
    plan = sweep.read_plan(FILES[preset])
    data = {name: described(name, **how) for name, how in plan.data.items()}
    found = plan.specs(data, {name: KNOWN[name].sizes[1] for name in data})
    assert {spec: sorted(chapters) for spec, chapters in asked.items()} == {s: list(c) for s, c in found.items()}
    made: set[TrainSpec] = set()
    for spec in found:
        assert made.issuperset(networks_of(spec)), "networks come before what builds on them"
        made |= {spec} if isinstance(spec, TrainSpec) else set()


def test_the_base_networks_come_first():
    """The order of worth: both kinds at the preset's T, all seeds, before any other network."""
    preset = PRESETS["laptop"]
    plan = sweep.read_plan(FILES["laptop"])
    first = [entry["name"] for entry in plan.networks[: 2 * len(preset.seeds)]]
    kinds = (f"snn-T{preset.T}", "ann")
    expected = {f"cifar10-resnet20-{kind}-e{preset.epochs}-s{seed}" for kind in kinds for seed in preset.seeds}
    assert set(first) == expected


def test_every_notebook_that_asks_the_store_is_a_chapter_of_the_list():
    asking = {
        path.stem
        for path in (REPOSITORY / "notebooks").glob("*.ipynb")
        if any("begin(globals()" in "".join(cell["source"]) for cell in json.loads(path.read_text())["cells"])
    }
    assert asking == set(sweep.CHAPTERS)


def test_the_list_neither_opens_images_nor_trains(monkeypatch):
    monkeypatch.setattr(Run, "of", lambda *_: pytest.fail("a run that opens images"))
    assert len(sweep.listing("paper")) > 100


def test_a_study_that_is_really_run_asks_for_what_is_listed(run, computed):
    """Nothing is left out of the list, and nothing stands there in vain."""
    given = Parameters(**SMALL)
    _, study = sweep.CHAPTERS["01_training"]
    study(run)
    asked = sweep.listing("quick", ["01_training"], **SMALL)
    assert run.given.model_copy(update={"n_images": None}) == given.model_copy(update={"n_images": None})
    plan = sweep.Plan("quick", {}, {"digits": {}}, *_entries("quick", asked))
    assert {spec.name for spec in plan.specs({"digits": run.data}, {"digits": run.n_test})} == set(computed)


def _entries(preset, asked):
    content = yaml.safe_load(sweep.plan_text(preset, asked))
    return content["networks"], content["results"]


def test_of_fewer_test_images_all_are_taken():
    entry = {"name": "a", "model": {}, "data": "digits", "epochs": 1, "batch_size": 8, "chapters": []}
    compared = {"kind": "CompareSpec", "a": "a", "b": "a", "n_images": 2048, "chapters": ["x"]}
    plan = sweep.Plan("quick", {}, {"digits": {}}, [entry], [compared])
    result = list(plan.specs({"digits": described("digits")}, {"digits": 355}))[-1]
    assert isinstance(result, CompareSpec)
    assert result.n_images == 355
    result = list(plan.specs({"digits": described("digits")}, {"digits": 0}))[-1]  # of unknown size: as it is asked for
    assert result.n_images == 2048


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a\n- b", "holds no list"),
        ("preset: quick", "holds no list"),
        ("preset: [", "holds no list"),
    ],
)
def test_a_file_that_is_no_list_is_an_error(tmp_path, text, message):
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(SpecError, match=message):
        sweep.read_plan(sweep.plan_file(str(tmp_path / "x.yaml")))


def test_errors_name_what_is_not_there(tmp_path):
    with pytest.raises(SpecError, match=r"preset = 'fast' has no list .* there are laptop, paper, quick"):
        sweep.plan_file("fast")
    compared = {"kind": "CompareSpec", "a": "x", "b": "x", "n_images": 8, "chapters": []}
    with pytest.raises(SpecError, match="'x' is compared in the list, but not among its networks"):
        sweep.Plan("quick", {}, {}, [], [compared]).specs({}, {})
    stream = {"kind": "StreamSpec", "data": "moving-cifar", "chapters": []}
    with pytest.raises(SpecError, match="'moving-cifar' is asked for in the list, but its data are cifar10"):
        sweep.Plan("quick", {}, {}, [], [stream]).specs({"cifar10": CIFAR}, {})
    with pytest.raises(SpecError, match="lacks 'data'"):
        sweep.Plan("quick", {}, {}, [{"name": "x", "chapters": []}], []).specs({}, {})


# ---- a list of one's own

OWN = """
preset: quick
data: {digits: {}}
networks:
- {name: mine, data: digits, model: {spiking: false, width: 0.25}, epochs: 0, batch_size: 8, chapters: []}
- {name: other, data: digits, model: {width: 0.25}, epochs: 0, batch_size: 8, chapters: []}
results:
- {kind: CompareSpec, a: mine, b: other, n_images: 32, chapters: []}
"""


def own_sweep(tmp_path, monkeypatch, *changes):
    text = OWN
    for before, after in changes:
        assert before in text
        text = text.replace(before, after, 1)
    monkeypatch.setenv("SNNLIB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("SNNLIB_PUBLISHED", str(tmp_path / "none"))
    (tmp_path / "own.yaml").write_text(text)
    return sweep.Sweep(sweep.read_plan(sweep.plan_file(str(tmp_path / "own.yaml"))))


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        (
            "kind: CompareSpec",
            "kind: Compare",
            r"result 1 \('Compare'\) .*'Compare' is not one of AttackSpec, CompareSpec",
        ),
        (
            "n_images: 32",
            "n_images: abc",
            r"result 1 \('CompareSpec'\) .*n_images = 'abc' cannot be used.* whole number",
        ),
        ("a: mine", "a: [3]", "result 1 .* 3 is compared in the list, but not among its networks"),
        ("{name: other, data", "{name: mine, data", r"network 2 \('mine'\) .*network 1 has this name, too"),
        ("name: mine", "name: [mine]", r"network 1 .*name = \['mine'\] should be a name"),
        (" batch_size: 8,", "", r"network 1 \('mine'\) .*batch_size is missing from TrainSpec; preset quick has"),
        (
            "spiking: false",
            "T: 0",
            r"network 1 \('mine'\) .*: in model, T = 0 cannot .* at least 1; preset quick has T = 4.$",
        ),
        ("data: digits", "data: cifar10", r"network 1 \('mine'\) .*'cifar10' .* its data are digits$"),
        ("chapters: []", "chapters: 01_training", r"network 1 .*chapters = '01_training' should be a list of names"),
        ("chapters: []", "1: 2", "own.yaml: network 1 is .* and should be fields with their values"),
        ("results:", "- text\nresults:", "own.yaml: network 3 is 'text' and should be fields with their values"),
        ("results:\n- ", "results: 3\nodd: ", "own.yaml: odd is no part of a list"),
        ("results:\n- ", "results:\n  ", "own.yaml: results = .* should be a list"),
        ("preset: quick", "preset: quik", "own.yaml: preset = 'quik' is not one of .*did you mean quick"),
        ("digits: {}", "digits: 4", "own.yaml: digits in data is 4"),
        ("digits: {}", "digits: {frame: 4}", "own.yaml: digits in data takes no frame"),
        ("digits: {}", "moving-digits: {frames: four}", "own.yaml: moving-digits in data has frames = 'four'"),
        ("digits: {}", "folder:/a: {}, folder:/b: {}", "own.yaml: data has folder:/a and folder:/b"),
        ("digits: {}", "folder:a: {}", "own.yaml: folder:a in data is looked for .*write its whole path"),
    ],
)
def test_a_mistake_in_a_list_is_one_sentence_that_says_where(tmp_path, monkeypatch, before, after, sentence):
    with pytest.raises(SpecError, match=sentence) as caught:
        own_sweep(tmp_path, monkeypatch, (before, after))
    assert ".." not in str(caught.value)
    assert ".;" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_list_may_name_networks_as_it_likes_and_a_folder_of_images(tmp_path, monkeypatch):
    for number, pixels in enumerate(np.random.default_rng(0).integers(0, 256, (40, 8, 8), dtype=np.uint8)):
        save(pixels, tmp_path / "my images" / f"class-{number % 2}" / f"{number}.png")
    folder = f"folder:{tmp_path / 'my images'}"
    of_folder = [("data: digits", f"data: '{folder}'")] * 2
    run = own_sweep(tmp_path, monkeypatch, ("digits: {}", f"'{folder}': {{}}"), *of_folder)
    (item,) = run.items(["other"])
    assert (item.spec.name, item.spec.data.dataset) == (run.items()[1].spec.name, "folder:my images")
    run.costs, _ = exact_costs(tmp_path, monkeypatch)
    assert run.cost(item.spec).seconds > 0
    assert run.items()[2].spec.n_images == run.sizes[item.spec.data][1] < 32
    assert run.make(run.items()) == []
    assert {item.state for item in run.items()} == {"cached"}


def test_two_names_of_one_network_are_one_item(tmp_path, monkeypatch):
    same = "model: {spiking: false, width: 0.25}, epochs: 0, batch_size: 8, chapters: "
    changes = [("model: {width: 0.25}, epochs: 0, batch_size: 8, chapters: []", same + "[01_training]")]
    run = own_sweep(tmp_path, monkeypatch, *changes)
    network, _ = run.items()
    assert run.items(["mine"]) == run.items(["other"]) == [network]
    assert network.chapters == ("01_training",)


# ---- making it


def test_a_failure_stops_nothing_else(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SNNLIB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("SNNLIB_PUBLISHED", str(tmp_path / "none"))
    run = sweep.Sweep(sweep.read_plan(small_plan(tmp_path, "00_quickstart", "01_training")))
    items = run.items()
    assert {item.state for item in items} == {"missing"}
    broken = items[0].spec
    original = run.store.get
    monkeypatch.setattr(run.store, "get", lambda spec: 1 / 0 if spec == broken else original(spec))
    failed = run.make(items)
    depending = [item.spec.name for item in items if broken in networks_of(item.spec)]
    assert failed == [broken.name, *depending]
    assert depending, "the firing rates of the base network"
    assert "ZeroDivisionError" in capsys.readouterr().err
    assert {item.state for item in run.items() if item.spec.name not in failed} == {"cached"}

    monkeypatch.setattr(run.store, "team", object())  # whose other processes may be in the middle of a step
    with pytest.raises(ZeroDivisionError):
        run.make(items)

    groups, stamps = run.groups(), tmp_path / "made"
    run.stamp(groups, stamps)
    there = {path.name for path in stamps.iterdir()}
    cached = {item.spec for item in run.items() if item.is_there}
    assert there == {name for name, specs in groups.items() if cached.issuperset(specs)}
    age = {path.name: path.stat().st_mtime for path in stamps.iterdir()}
    run.stamp(groups, stamps)
    assert {path.name: path.stat().st_mtime for path in stamps.iterdir()} == age
    lost = sorted(there)[0]
    for path in (run.store.cache / "entries" / lost).iterdir():
        path.unlink()
    with pytest.warns(UserWarning, match="made again"):
        run.stamp(groups, stamps)
    assert {path.name for path in stamps.iterdir()} == there - {lost}


def test_an_item_is_named_with_or_without_its_hash(tmp_path, monkeypatch):
    monkeypatch.setenv("SNNLIB_CACHE", str(tmp_path / "cache"))
    run = sweep.Sweep(sweep.read_plan(small_plan(tmp_path, "01_training")))
    specs = [item.spec for item in run.items()]
    assert [item.spec for item in run.items(spec.name for spec in specs)] == specs
    network = specs[0]
    (found,) = run.items(["digits-resnet20-snn-T2-w0.25-e1-s0"])
    assert found.spec == network
    assert found.spec.seed == 0
    with pytest.raises(SpecError, match="'nobody' is not in the list; --dry-run"):
        run.items(["nobody"])
    monkeypatch.setattr(run, "specs", {network: (), network.model_copy(update={"batch_size": 7}): ()})
    stream = StreamSpec(data=network.data.model_copy(update={"frames": 2}))
    with monkeypatch.context() as patch:  # a result that is of no network is a comparison's job, not a training's
        patch.setattr(run, "specs", {network: (), stream: ()})
        assert list(run.groups()) == [network.name, f"compare-{stream.hash}"]
    with pytest.raises(SpecError, match=rf"could be each of {network.name}, digits-\S+: name one"):
        run.items(["digits-resnet20-snn-T2-w0.25-e1-s0"])


def test_papermill_is_told_all_that_the_list_says(tmp_path):
    plan = sweep.read_plan(small_plan(tmp_path, "01_training"))
    given = sweep.papermill_options(plan, "01_training", Path("some where"))
    assert given == "-p preset quick -p epochs 1 -p width 0.25 -p T 2 -p n_images 32 -p data_root 'some where'"
    assert sweep.papermill_options(plan, "a4_estimator") == "-p preset quick"
    laptop = sweep.Plan("laptop", {"seeds": [0, 1]}, {}, [], [])
    assert sweep.papermill_options(laptop, "01_training") == "-p preset laptop -p seeds 0,1"
    assert sweep.papermill_options(laptop, "a4_estimator") == "-p preset laptop"


@pytest.mark.parametrize(
    "said",
    ["seeds: [3]", "seeds: 3", "shortcuts: [[1], [1, 2]]", "shortcuts: [[1, 2]]", "T: null", "dataset: '1e3'"],
)
def test_a_notebook_is_given_what_the_list_says(tmp_path, monkeypatch, said):
    (tmp_path / "own.yaml").write_text(
        f"preset: quick\nparameters: {{{said}}}\ndata: {{}}\nnetworks: []\nresults: []\n"
    )
    plan = sweep.read_plan(tmp_path / "own.yaml")
    words = shlex.split(sweep.papermill_options(plan, "03_residual"))
    _, read = through_papermill(["03_residual.ipynb", "out.ipynb", *words], monkeypatch)
    assert ResidualParameters(**read) == ResidualParameters(preset="quick", **yaml.safe_load(said))
