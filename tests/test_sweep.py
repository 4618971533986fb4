"""The list of the sweep: complete, in order, the same as its files; and what it forecasts."""

import json
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from conftest import REPOSITORY
from image_files import save
from test_figures import through_papermill

from snnlib import sweep
from snnlib.data.images import KNOWN
from snnlib.entries import Entry
from snnlib.parameters import Parameters, ResidualParameters
from snnlib.provenance import hardware
from snnlib.run import Run
from snnlib.spec import PRESETS, AttackSpec, CompareSpec, ModelSpec, SpecError, StreamSpec, TrainSpec, networks_of
from snnlib.store import Store
from snnlib.sweep import costs
from snnlib.sweep.costs import Costs, Rate, footprint
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


def test_a_list_may_name_networks_as_it_likes_and_a_folder_of_images(tmp_path, monkeypatch, known):
    for number, pixels in enumerate(np.random.default_rng(0).integers(0, 256, (40, 8, 8), dtype=np.uint8)):
        save(pixels, tmp_path / "my images" / f"class-{number % 2}" / f"{number}.png")
    folder = f"folder:{tmp_path / 'my images'}"
    of_folder = [("data: digits", f"data: '{folder}'")] * 2
    run = own_sweep(tmp_path, monkeypatch, ("digits: {}", f"'{folder}': {{}}"), *of_folder)
    (item,) = run.items(["other"])
    assert (item.spec.name, item.spec.data.dataset) == (run.items()[1].spec.name, "folder:my images")
    run.costs = known[0]
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


# ---- forecasts

CIFAR = described("cifar10")


def multiply_adds(widths, size, classes=10):
    """Of ResNet-20 on an image of three channels, by hand; the stem, and all else."""
    side, stem, rest, last = size, 9 * 3 * widths[0] * size**2, 0, widths[0]
    for stage, channels in enumerate(widths):
        for block in range(3):
            if stage and block == 0:
                side //= 2
                rest += last * channels * side**2  # shortcut
            rest += 9 * last * channels * side**2 + 9 * channels**2 * side**2
            last = channels
    return stem, rest + last * classes


@pytest.mark.parametrize("width", [0.25, 1.0, 4.0])
def test_operations_are_those_counted_by_hand(width):
    stem, rest = multiply_adds([round(c * width) for c in (16, 32, 64)], 32)
    assert footprint(ModelSpec(spiking=False, width=width), CIFAR).operations == stem + rest
    assert footprint(ModelSpec(spiking=True, T=4, width=width), CIFAR).operations == stem + 4 * rest
    frames = described("moving-cifar10", frames=4)
    assert footprint(ModelSpec(spiking=False, width=width), frames).operations == 4 * (stem * 2 / 3 + rest)


def test_bytes_kept_grow_with_width_and_steps_and_are_those_of_a_real_network():
    small, wide = (footprint(ModelSpec(spiking=False, width=width), CIFAR).kept for width in (1.0, 2.0))
    assert wide / small == pytest.approx(2, rel=0.05)
    one, four = (footprint(ModelSpec(T=T), CIFAR).kept for T in (1, 4))
    assert 3.5 < four / one < 4.5

    model = ModelSpec(spiking=False)
    network = sweep.costs.build(model, CIFAR, 0).train()
    held = {}

    def pack(tensor):
        held[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    parameters = {p.untyped_storage().data_ptr() for p in (*network.parameters(), *network.buffers())}
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
        network(torch.randn(4, 3, 32, 32))
    total = sum(t.untyped_storage().nbytes() for address, t in held.items() if address not in parameters)
    assert footprint(model, CIFAR).kept == pytest.approx(total / 4, rel=0.02)


@pytest.fixture
def known(monkeypatch, tmp_path):
    """A machine whose speed follows the equation exactly, and its forecasts."""
    p, q = 2e-11, 3e-9

    def seconds(model, data):
        found = footprint(model, data)
        return p * found.operations + q * found.kept

    rates = {kind: [ModelSpec(spiking=kind, width=width) for width in (0.25, 1.0)] for kind in (True, False)}
    monkeypatch.setattr(costs, "measured", lambda kind: [Rate(m, CIFAR, seconds(m, CIFAR)) for m in rates[kind]])
    return Costs([], tmp_path / "speeds"), seconds


def test_forecasts_follow_the_measured_speed(known):
    found, seconds = known
    for model in (ModelSpec(width=0.5, arch="resnet38"), ModelSpec(spiking=False, arch="vgg11"), ModelSpec(T=8)):
        spec = TrainSpec(model=model, data=CIFAR, epochs=10, batch_size=128)
        cost = found.of(spec, 50_000, 10_000)
        assert cost.seconds == pytest.approx(10 * seconds(model, CIFAR) * (50_000 + 10_000 / 3), rel=1e-6)
        assert cost.memory > 128 * footprint(model, CIFAR).kept
    untrained = found.of(spec.model_copy(update={"epochs": 0, "batch_size": 8}), 50_000, 10_000)
    assert untrained.seconds == pytest.approx(50_000 / 3 * seconds(model, CIFAR), rel=1e-6)
    weights, layer = 4 * footprint(model, CIFAR).parameters, 4 * 16 * 32 * 32 * 8  # bytes; of T = 8 steps
    assert untrained.memory == costs.BASE + weights + 256 * 4 * layer, "no gradients: two layers before, two after"
    twice = CompareSpec(a=spec, b=spec.model_copy(update={"seed": 1}), n_images=64)
    assert found.of(twice, 1, 1).seconds > 0


def test_an_attack_costs_its_steps_its_passes_and_its_measures(known, tmp_path):
    found, seconds = known
    a, b = (TrainSpec(model=ModelSpec(T=T), data=CIFAR, epochs=10, batch_size=128) for T in (4, 8))
    step, target = seconds(a.model, CIFAR), seconds(b.model, CIFAR)
    attack = AttackSpec(source=a, targets=(b,), epsilons=(0.1, 0.2), steps=5, n_images=64, measures=("procrustes",))
    compared = 1 + costs.COMPARING
    assert found.of(attack, 1, 1).seconds == pytest.approx(64 * (2 * 5 * step + 3 * target / 3 * compared))
    noise = AttackSpec(method="noise", targets=(b,), epsilons=(0.1, 0.2), start=0, n_images=64)
    assert found.of(noise, 1, 1).seconds == pytest.approx(64 * target * compared)

    took = 64 * (2 * 5 * step + 3 * target / 3 * 10)
    card = {"kind": "AttackSpec", "spec": attack.model_dump(mode="json"), "duration": took, "hardware": hardware()}
    again = Costs([Entry(Path("x"), "cache", card)], tmp_path / "speeds")
    assert again.of(attack, 1, 1).seconds == pytest.approx(took)


def test_a_network_that_was_trained_here_is_forecast_by_its_own_rate(run, tmp_path):
    spec = run.network(spiking=False)
    run.train(spec)
    (entry,) = [entry for entry in Store().entries() if entry.kind == "TrainSpec"]
    own = entry.card["history"][0]["images_per_second"]
    rates = [Rate(ModelSpec(spiking=kind, width=w), CIFAR, 1.0) for kind in (True, False) for w in (1.0, 2.0)]
    speeds = tmp_path / "speeds"
    name = costs.machine_name(costs.hardware())
    speeds.mkdir()
    rows = [{"model": r.model.model_dump(), "data": r.data.model_dump(), "seconds": r.seconds} for r in rates]
    (speeds / f"{name}.json").write_text(json.dumps(rows))
    found = Costs([entry], speeds)
    again = spec.model_copy(update={"seed": 7, "epochs": 3})
    assert found.of(again, 1000, 300).seconds == pytest.approx(3 * 1100 / own)
    assert found.of(run.network(spiking=True), 1000, 300).seconds > 10, "no rate of its own: that of a slow machine"
    with pytest.raises(SpecError, match=f"machine = 'elsewhere' was not measured.*{name}"):
        Costs([entry], speeds, "elsewhere")


def test_the_list_neither_opens_images_nor_trains(monkeypatch):
    monkeypatch.setattr(Run, "of", lambda *_: pytest.fail("a run that opens images"))
    assert len(sweep.listing("paper")) > 100
