"""The page on cost: forecasts against what trainings took, and sums that can be done by hand."""

from pathlib import Path

import pytest
from sweep_costs import CIFAR, multiply_adds
from test_sweep import FILES

from snnlib import provenance, sweep
from snnlib.entries import Entry
from snnlib.provenance import hardware
from snnlib.spec import AttackSpec, CompareSpec, ModelSpec, SamplesSpec, TrainSpec
from snnlib.sweep import report
from snnlib.sweep.costs import rate_of
from snnlib.sweep.footprints import footprint

P, Q = 2e-11, 3e-9  # seconds a multiply-add, and a byte


def trained(width, factor=1.0, threads=None, processes=1, **model):
    """The entry of a network that took `factor` times what the equation says, shared by the processes."""
    spec = TrainSpec(model=ModelSpec(width=width, **model), data=CIFAR, epochs=10, batch_size=128)
    found = footprint(spec.model, CIFAR)
    seconds = factor * (P * found.operations + Q * found.kept) / processes
    card = {
        "kind": "TrainSpec",
        "spec": spec.model_dump(mode="json"),
        "hardware": hardware(),
        "means": {"threads": threads or hardware()["threads"], "processes": processes},
        "images": {"title": "CIFAR-10", "train": 50_000, "test": 10_000},
        "history": [epoch(seconds * (1 + busy)) for busy in (3, 0.5, 0, *[0.1] * 7)],
        "duration": 10 * seconds * (50_000 + 10_000 / 3),
    }
    return Entry(Path(spec.name), "published", card)


def epoch(seconds):
    """Of which each image in a training step takes so many, and a third of it where it is only looked at."""
    return {"images_per_second": 1 / seconds, "seconds": seconds * (50_000 + 10_000 / 3)}


def test_networks_are_forecast_from_the_others_by_their_undisturbed_epochs():
    entries = [trained(width) for width in (0.25, 0.5, 1.0)] + [trained(2.0, factor=2.0)]
    found = sweep.checks(entries).set_index("network")
    assert len(found) == 4
    wide = found.loc["cifar10-resnet20-snn-T4-w2-e10-s0"]
    assert wide["off by"] == pytest.approx(-0.5, abs=1e-6), "twice what the others say"
    counted = footprint(ModelSpec(width=2.0), CIFAR)
    seconds = 10 * (50_000 + 10_000 / 3) * (P * counted.operations + Q * counted.kept)
    assert wide["forecast (s)"] == pytest.approx(seconds)
    assert wide["at the fastest epoch's pace (s)"] == pytest.approx(2 * seconds)
    assert sweep.checks(entries[:3])["off by"].tolist() == pytest.approx([0, 0, 0], abs=1e-6)


def test_devices_that_train_together_are_forecast_by_what_each_of_them_does():
    one, four = trained(1.0), trained(1.0, processes=4)
    assert rate_of(four).seconds == pytest.approx(rate_of(one).seconds)
    found = sweep.checks([trained(0.25), trained(0.5), four]).set_index("network")
    assert found["off by"].tolist() == pytest.approx([0, 0, 0], abs=1e-6)
    alone = sweep.checks([trained(0.25), trained(0.5), one]).set_index("network")
    name = four.spec.slug
    assert found.loc[name, "forecast (s)"] == pytest.approx(alone.loc[name, "forecast (s)"] / 4)


def test_throughput_is_that_of_the_fastest_epoch_of_the_fastest_seed():
    alike = [trained(1.0, factor=2.0), trained(1.0), trained(1.0, factor=3.0)]
    more_threads = trained(1.0, factor=0.5, threads=64)
    elsewhere = trained(1.0, factor=4.0)
    elsewhere.card["hardware"]["processor"] = "another"
    others = [trained(1.0, T=8), more_threads, elsewhere]
    found = sweep.throughput([*alike, *others])
    name, other_name = "cifar10-resnet20-snn-T4", "cifar10-resnet20-snn-T8"
    assert sorted(found["network"]) == [name, name, name, other_name]
    here = found["machine"] != provenance.machine(elsewhere.card["hardware"])
    found = found[here & (found["threads"] != 64)].set_index("network")
    assert found.index.tolist() == [name, other_name]
    counted = footprint(ModelSpec(), CIFAR)
    images = 1 / (P * counted.operations + Q * counted.kept)
    reached = found.loc["cifar10-resnet20-snn-T4"]
    assert reached["images a second"] == pytest.approx(images)
    once = 4 * sum(multiply_adds((16, 32, 64), 32)[1:]) + multiply_adds((16, 32, 64), 32)[0]
    assert reached["10⁹ multiply-adds a second"] == pytest.approx(images * 3 * once / 1e9)
    assert list(sweep.throughput([]).columns) == list(report.REACHED)


def test_what_cannot_be_forecast_is_left_out():
    assert sweep.checks([]).empty
    assert sweep.checks([trained(1.0), trained(1.0, spiking=False), trained(0.5)]).empty


def test_the_work_of_a_preset_is_that_of_its_list():
    (row,) = sweep.work_of_presets(["quick"]).to_dict("records")
    plan = sweep.read_plan(FILES["quick"])
    assert row["networks"] == sum(entry["epochs"] > 0 for entry in plan.networks)
    assert row["results"] == len(plan.results)
    spec = TrainSpec(model=ModelSpec(spiking=False), data=CIFAR, epochs=300, batch_size=128)
    once = sum(multiply_adds((16, 32, 64), 32))
    assert report.of_training(spec) == 300 * once * (3 * 50_000 + 10_000)


def test_the_work_of_a_result_is_that_of_the_passes_of_its_networks():
    once = sum(multiply_adds((16, 32, 64), 32))
    a, b = (TrainSpec(model=ModelSpec(spiking=False), data=CIFAR, epochs=9, batch_size=128, seed=s) for s in (0, 1))
    assert report.of_result(CompareSpec(a=a, b=b, n_images=64)) == 64 * 2 * once
    attack = AttackSpec(source=a, targets=(a, b), epsilons=(0.1, 0.2), steps=5, n_images=64)
    assert report.of_result(attack) == 64 * once * (2 * 5 * 3 + 3 * 2), (
        "steps forward and back, then clean and attacked"
    )
    assert report.of_result(SamplesSpec(data=CIFAR)) == 0


def test_hours_are_work_by_speed():
    work = sweep.work_of_presets([]).assign()
    work.loc[0] = ["paper", 1, 1, 3.5e18, 1e17]
    found = sweep.hours_at(work, teraops=(1, 10), gpus=(1, 4))
    assert found.iloc[:, 2:].to_numpy().tolist() == [[1000, 250], [100, 25]]
