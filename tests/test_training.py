"""Training against a plain loop written out here; resumption after a kill, bit for bit."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch.nn.functional import cross_entropy

from snnlib import training
from snnlib.data.batches import Augment, Batches
from snnlib.spec import ModelSpec, TrainSpec
from snnlib.training import pace


def spec_of(data, **changes):
    model = {"width": 0.25, "T": 2, **changes.pop("model", {})}
    return TrainSpec(**{"model": ModelSpec(**model), "data": data.spec, "epochs": 2, "batch_size": 32, **changes})


def weights(network):
    return {name: value.clone() for name, value in network.model.state_dict().items()}


def assert_same(one, other):
    assert one.keys() == other.keys()
    for name in one:
        assert torch.equal(one[name], other[name]), name


@pytest.mark.parametrize("spiking", [True, False])
def test_equals_a_plain_loop(few_digits, tmp_path, spiking):
    """Momentum without Nesterov, weight decay, warm-up and cosine, written out by hand on the same batches."""
    spec = spec_of(few_digits, lr=0.05, warmup_epochs=0.5, seed=3, model={"spiking": spiking})
    trained = training.train(spec, few_digits, tmp_path, progress=False)

    model = training.build(spec.model, spec.data, spec.seed)
    model.to(memory_format=torch.channels_last).train()
    velocity = {name: torch.zeros_like(p) for name, p in model.named_parameters()}
    batches = Batches(
        few_digits.train,
        32,
        mean=few_digits.mean,
        std=few_digits.std,
        shuffle_seed=3,
        augment=Augment(1, flip=False),
        drop_last=True,
    )
    total, warmup, step = 2 * 3, 1.5, 0
    for epoch in range(2):
        batches.set_epoch(epoch)
        for images, labels in batches:
            if step < warmup:
                lr = 0.05 * min(1, (step + 1) / warmup)
            else:
                lr = 0.05 * 0.5 * (1 + torch.cos(torch.tensor(torch.pi * (step - warmup) / (total - warmup))).item())
            loss = cross_entropy(model(images.to(memory_format=torch.channels_last)), labels)
            model.zero_grad()
            loss.backward()
            with torch.no_grad():
                for name, p in model.named_parameters():
                    velocity[name] = 0.9 * velocity[name] + p.grad + 1e-4 * p
                    p -= lr * velocity[name]
            step += 1
    for name, value in model.state_dict().items():
        torch.testing.assert_close(weights(trained)[name], value, rtol=1e-4, atol=1e-5, msg=name)


def test_learns_more_than_chance_and_reports_every_epoch(few_digits, tmp_path):
    spec = spec_of(few_digits, epochs=8, batch_size=20, model={"spiking": False})
    history = training.train(spec, few_digits, tmp_path, progress=False).history
    assert [epoch["epoch"] for epoch in history] == list(range(1, 9))
    assert history[-1]["train_loss"] < history[0]["train_loss"]
    assert history[-1]["test_accuracy"] > 0.3  # chance is 0.1
    assert history[-1]["lr"] < history[0]["lr"] == pytest.approx(spec.lr)
    assert not {"validation_accuracy"} & history[0].keys()


def test_a_validation_split_is_reported_and_not_trained_on(few_digits, tmp_path):
    spec = spec_of(few_digits, validation=40, epochs=1)
    history = training.train(spec, few_digits, tmp_path, progress=False).history
    assert 0 <= history[0]["validation_accuracy"] <= 1
    with_all = training.train(spec_of(few_digits, epochs=1), few_digits, tmp_path / "all", progress=False)
    rest = training.train(spec, few_digits, tmp_path / "again", progress=False)
    assert not torch.equal(weights(rest)["fc.weight"], weights(with_all)["fc.weight"])


def test_seeds_decide_everything(few_digits, tmp_path):
    same = [weights(training.train(spec_of(few_digits), few_digits, tmp_path / name, progress=False)) for name in "ab"]
    other = weights(training.train(spec_of(few_digits, seed=1), few_digits, tmp_path / "c", progress=False))
    assert_same(*same)
    assert not torch.equal(same[0]["fc.weight"], other["fc.weight"])


def test_building_leaves_the_global_random_state_alone(few_digits):
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    training.build(ModelSpec(width=0.25), few_digits.spec, seed=0)
    assert torch.equal(torch.rand(3), expected)


def test_divergence_is_an_error_that_names_the_learning_rate(few_digits, tmp_path):
    with pytest.raises(training.TrainingDiverged, match=r"epoch \d.*smaller lr than 1e\+30"):
        training.train(spec_of(few_digits, lr=1e30, epochs=3), few_digits, tmp_path, progress=False)


def test_untrained_is_the_initial_network(few_digits, tmp_path):
    spec = spec_of(few_digits, epochs=0)
    assert_same(
        weights(training.train(spec, few_digits, tmp_path)), training.build(spec.model, spec.data, 0).state_dict()
    )


def test_evaluate_against_a_count_by_hand(few_digits):
    model = training.build(ModelSpec(width=0.25, T=2), few_digits.spec, seed=0)
    model.train()
    batches = Batches(few_digits.test, 20, mean=few_digits.mean, std=few_digits.std)
    found = training.evaluate(model, batches)
    assert model.training, "the mode it had"
    model.eval()
    with torch.no_grad():
        logits = torch.cat([model(images) for images, _ in batches])
    labels = torch.from_numpy(few_digits.test.labels)
    assert found["accuracy"] == pytest.approx((logits.argmax(1) == labels).float().mean().item())
    assert found["loss"] == pytest.approx(-logits.log_softmax(1)[range(50), labels].mean().item(), rel=1e-5)


def test_networks_built_in_two_threads_start_as_each_would_alone(few_digits, tmp_path):
    specs = [spec_of(few_digits, seed=seed, epochs=0) for seed in range(8)]
    alone = [training.build(spec.model, spec.data, spec.seed).state_dict() for spec in specs]
    torch.manual_seed(7)
    together = threading.Barrier(2)

    def several(these):
        together.wait(60)
        return [training.train(spec, few_digits, tmp_path) for spec in these]

    with ThreadPoolExecutor(2) as pool:
        found = [network for networks in pool.map(several, (specs[::2], specs[1::2])) for network in networks]
    for network, expected in zip(found, alone[::2] + alone[1::2], strict=True):
        assert_same(weights(network), expected)
    assert torch.initial_seed() == 7


@pytest.mark.parametrize("native", [True, False])
def test_bfloat16_only_where_it_is_faster(few_digits, tmp_path, monkeypatch, native):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(pace, "_cpu_is_faster_in_bfloat16", lambda: native)
    assert pace.precision_here("bf16-mixed") == ("bf16-mixed" if native else "32-true")
    assert pace.precision_here("32-true") == "32-true"
    if not native:
        mixed, full = (
            training.train(
                spec_of(few_digits, epochs=1, precision=precision), few_digits, tmp_path / precision, progress=False
            )
            for precision in ("bf16-mixed", "32-true")
        )
        assert mixed.means == full.means == {**full.means, "precision": "32-true"}
        assert_same(weights(mixed), weights(full))


@pytest.mark.parametrize(
    ("amx", "avx512", "name", "faster"),
    [
        (True, True, "Intel(R) Xeon(R) Processor", True),
        (False, True, "Intel(R) Xeon(R) Processor", False),
        (False, True, "AMD EPYC", True),
        (False, False, "AMD EPYC", False),
    ],
)
def test_which_x86_processors_are_faster_in_bfloat16(monkeypatch, amx, avx512, name, faster):
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx, raising=False)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512, raising=False)
    monkeypatch.setattr(pace.provenance, "processor", lambda: name)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    assert pace._cpu_is_faster_in_bfloat16() is faster
