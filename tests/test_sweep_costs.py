"""What the sweep forecasts: operations and bytes counted by hand, seconds from speeds that follow the equation."""

import json
from pathlib import Path

import pytest
import torch
from sweep_costs import CIFAR, exact_costs, multiply_adds

from snnlib import sweep
from snnlib.entries import Entry
from snnlib.provenance import hardware
from snnlib.spec import AttackSpec, CompareSpec, ModelSpec, SpecError, TrainSpec
from snnlib.store import Store
from snnlib.sweep import costs
from snnlib.sweep.costs import Costs, Rate
from snnlib.sweep.footprints import footprint
from snnlib.sweep.listing import described


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


def test_forecasts_follow_the_measured_speed(tmp_path, monkeypatch):
    found, seconds = exact_costs(tmp_path, monkeypatch)
    for model in (ModelSpec(width=0.5, arch="resnet38"), ModelSpec(spiking=False, arch="vgg11"), ModelSpec(T=8)):
        spec = TrainSpec(model=model, data=CIFAR, epochs=10, batch_size=128)
        cost = found.of(spec, 50_000, 10_000)
        assert cost.seconds == pytest.approx(10 * seconds(model, CIFAR) * (50_000 + 10_000 / 3), rel=1e-6)
        assert cost.memory > 128 * footprint(model, CIFAR).kept
    untrained = found.of(spec.model_copy(update={"epochs": 0, "batch_size": 8}), 50_000, 10_000)
    assert untrained.seconds == pytest.approx(50_000 / 3 * seconds(model, CIFAR), rel=1e-6)
    weights, layer = 4 * footprint(model, CIFAR).parameters, 4 * 16 * 32 * 32 * 8  # bytes; of T = 8 steps
    assert cost.each == costs.BASE + 3 * 4 * footprint(ModelSpec(T=8), CIFAR).parameters, "with gradients and momenta"
    assert untrained.memory == costs.BASE + weights + 256 * 4 * layer, "no gradients: two layers before, two after"
    twice = CompareSpec(a=spec, b=spec.model_copy(update={"seed": 1}), n_images=64)
    assert found.of(twice, 1, 1).seconds > 0


def test_an_attack_costs_its_steps_its_passes_and_its_measures(tmp_path, monkeypatch):
    found, seconds = exact_costs(tmp_path, monkeypatch)
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
