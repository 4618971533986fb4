"""Training against a plain loop written out here; resumption after a kill, bit for bit."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file
from torch.nn.functional import cross_entropy

from snnlib import kernels, training
from snnlib.data.batches import Augment, Batches
from snnlib.data.images import open_images
from snnlib.spec import ModelSpec, TrainSpec
from snnlib.training import pace


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    digits = open_images("digits", cache_dir=tmp_path_factory.mktemp("cache"))
    return replace(digits, train=digits.train.take(100), test=digits.test.take(50))


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
def test_equals_a_plain_loop(data, tmp_path, spiking):
    """Momentum without Nesterov, weight decay, warm-up and cosine, written out by hand on the same batches."""
    spec = spec_of(data, lr=0.05, warmup_epochs=0.5, seed=3, model={"spiking": spiking})
    trained = training.train(spec, data, tmp_path, progress=False)

    model = training.build(spec.model, spec.data, spec.seed)
    model.to(memory_format=torch.channels_last).train()
    velocity = {name: torch.zeros_like(p) for name, p in model.named_parameters()}
    batches = Batches(
        data.train, 32, mean=data.mean, std=data.std, shuffle_seed=3, augment=Augment(1, flip=False), drop_last=True
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


def test_learns_more_than_chance_and_reports_every_epoch(data, tmp_path):
    spec = spec_of(data, epochs=8, batch_size=20, model={"spiking": False})
    history = training.train(spec, data, tmp_path, progress=False).history
    assert [epoch["epoch"] for epoch in history] == list(range(1, 9))
    assert history[-1]["train_loss"] < history[0]["train_loss"]
    assert history[-1]["test_accuracy"] > 0.3  # chance is 0.1
    assert history[-1]["lr"] < history[0]["lr"] == pytest.approx(spec.lr)
    assert not {"validation_accuracy"} & history[0].keys()


def test_a_validation_split_is_reported_and_not_trained_on(data, tmp_path):
    spec = spec_of(data, validation=40, epochs=1)
    history = training.train(spec, data, tmp_path, progress=False).history
    assert 0 <= history[0]["validation_accuracy"] <= 1
    with_all = training.train(spec_of(data, epochs=1), data, tmp_path / "all", progress=False)
    rest = training.train(spec, data, tmp_path / "again", progress=False)
    assert not torch.equal(weights(rest)["fc.weight"], weights(with_all)["fc.weight"])


def test_seeds_decide_everything(data, tmp_path):
    same = [weights(training.train(spec_of(data), data, tmp_path / name, progress=False)) for name in "ab"]
    other = weights(training.train(spec_of(data, seed=1), data, tmp_path / "c", progress=False))
    assert_same(*same)
    assert not torch.equal(same[0]["fc.weight"], other["fc.weight"])


def test_building_leaves_the_global_random_state_alone(data):
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    training.build(ModelSpec(width=0.25), data.spec, seed=0)
    assert torch.equal(torch.rand(3), expected)


class Killed(BaseException):
    pass


def test_goes_on_after_the_last_finished_epoch_bit_for_bit(data, tmp_path, monkeypatch):
    spec = spec_of(data, epochs=3)
    undisturbed = weights(training.train(spec, data, tmp_path / "whole", progress=False))

    original, calls = training.evaluate, []

    def stop_in_the_second_epoch(*arguments):
        calls.append(1)
        if len(calls) == 2:
            raise Killed
        return original(*arguments)

    monkeypatch.setattr(training.loop, "evaluate", stop_in_the_second_epoch)
    with pytest.raises(Killed):
        training.train(spec, data, tmp_path / "broken", progress=False)
    monkeypatch.setattr(training.loop, "evaluate", original)
    resumed = training.train(spec, data, tmp_path / "broken", progress=False)
    assert [epoch["epoch"] for epoch in resumed.history] == [1, 2, 3]
    assert_same(weights(resumed), undisturbed)


def test_a_checkpoint_of_another_spec_or_a_damaged_one_is_not_used(data, tmp_path, capsys):
    training.train(spec_of(data, epochs=1), data, tmp_path, progress=False)
    fresh = weights(training.train(spec_of(data, seed=5), data, tmp_path / "fresh", progress=False))
    assert_same(weights(training.train(spec_of(data, seed=5), data, tmp_path, progress=False)), fresh)
    assert "another spec" in capsys.readouterr().err
    (tmp_path / "checkpoint.pt").write_bytes(b"half a file")
    assert_same(weights(training.train(spec_of(data, seed=5), data, tmp_path, progress=False)), fresh)
    assert "cannot be read" in capsys.readouterr().err


def test_divergence_is_an_error_that_names_the_learning_rate(data, tmp_path):
    with pytest.raises(training.TrainingDiverged, match=r"epoch \d.*smaller lr than 1e\+30"):
        training.train(spec_of(data, lr=1e30, epochs=3), data, tmp_path, progress=False)


def test_untrained_is_the_initial_network(data, tmp_path):
    spec = spec_of(data, epochs=0)
    assert_same(weights(training.train(spec, data, tmp_path)), training.build(spec.model, spec.data, 0).state_dict())


def test_evaluate_against_a_count_by_hand(data):
    model = training.build(ModelSpec(width=0.25, T=2), data.spec, seed=0)
    model.train()
    batches = Batches(data.test, 20, mean=data.mean, std=data.std)
    found = training.evaluate(model, batches)
    assert model.training, "the mode it had"
    model.eval()
    with torch.no_grad():
        logits = torch.cat([model(images) for images, _ in batches])
    labels = torch.from_numpy(data.test.labels)
    assert found["accuracy"] == pytest.approx((logits.argmax(1) == labels).float().mean().item())
    assert found["loss"] == pytest.approx(-logits.log_softmax(1)[range(50), labels].mean().item(), rel=1e-5)


@pytest.fixture
def compiled_is_faster(monkeypatch):
    """The forecast finds compiled kernels faster, however busy the machine is."""
    original = pace._step_seconds

    def measured(*arguments):
        original(*arguments)
        return 0.5 if kernels.are_compiled() else 1.0

    monkeypatch.setattr(pace, "_step_seconds", measured)


def test_the_forecast_decides_on_compiled_kernels_and_they_change_no_weight(
    data, tmp_path, monkeypatch, compiled_is_faster
):
    plain = training.train(spec_of(data), data, tmp_path / "plain", progress=False)
    assert plain.means["compiled"] is False, "seconds, in which no compiler pays"
    monkeypatch.setattr(pace, "COMPILER_SECONDS", 0)
    compiled = training.train(spec_of(data), data, tmp_path / "compiled", progress=False)
    assert compiled.means == {**plain.means, "compiled": True}
    assert not kernels.are_compiled()
    assert weights(compiled).keys() == weights(plain).keys()
    for name, value in weights(plain).items():
        torch.testing.assert_close(weights(compiled)[name], value, rtol=1e-5, atol=1e-6, msg=name)
    ordinary = spec_of(data, epochs=1, model={"spiking": False})
    assert training.train(ordinary, data, tmp_path / "ann", progress=False).means["compiled"] is False


def test_more_siblings_are_worth_a_compiler(data, tmp_path, monkeypatch, compiled_is_faster):
    # 3 steps and 50 test images of 32, forward only, at 1 s a step: 3.5 s, of which 0.3 are saved
    monkeypatch.setattr(pace, "COMPILER_SECONDS", 2)
    spec = spec_of(data, epochs=1)
    alone, one_of_two = (
        training.train(spec, data, tmp_path / str(siblings), progress=False, siblings=siblings) for siblings in (1, 2)
    )
    assert (alone.means["compiled"], one_of_two.means["compiled"]) == (False, True)


def stopped_after_an_epoch(spec, data, folder, monkeypatch):
    stop, original = threading.Event(), training.loop.evaluate

    def evaluate_and_stop(*arguments):
        stop.set()
        return original(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(training.loop, "evaluate", evaluate_and_stop)
        with pytest.raises(training.Stopped, match="epoch 2"):
            training.train(spec, data, folder, progress=False, stop=stop)


@pytest.mark.parametrize("compiled", [True, False])
def test_a_resumed_training_keeps_to_its_choice(data, tmp_path, monkeypatch, compiled_is_faster, compiled):
    monkeypatch.setattr(pace, "COMPILER_SECONDS", 0 if compiled else 1e9)
    stopped_after_an_epoch(spec_of(data), data, tmp_path, monkeypatch)
    monkeypatch.setattr(pace, "COMPILER_SECONDS", 1e9 if compiled else 0)
    resumed = training.train(spec_of(data), data, tmp_path, progress=False)
    assert resumed.means["compiled"] is compiled
    assert len(resumed.history) == 2


def test_a_stopped_training_goes_on_to_the_same_weights(data, tmp_path, monkeypatch):
    spec = spec_of(data, epochs=3)
    undisturbed = training.train(spec, data, tmp_path / "whole", progress=False)
    stopped_after_an_epoch(spec, data, tmp_path / "stopped", monkeypatch)
    resumed = training.train(spec, data, tmp_path / "stopped", progress=False, stop=threading.Event())
    assert [epoch["epoch"] for epoch in resumed.history] == [1, 2, 3]
    assert_same(weights(resumed), weights(undisturbed))


def test_networks_built_in_two_threads_start_as_each_would_alone(data, tmp_path):
    specs = [spec_of(data, seed=seed, epochs=0) for seed in range(8)]
    alone = [training.build(spec.model, spec.data, spec.seed).state_dict() for spec in specs]
    torch.manual_seed(7)
    together = threading.Barrier(2)

    def several(these):
        together.wait(60)
        return [training.train(spec, data, tmp_path) for spec in these]

    with ThreadPoolExecutor(2) as pool:
        found = [network for networks in pool.map(several, (specs[::2], specs[1::2])) for network in networks]
    for network, expected in zip(found, alone[::2] + alone[1::2], strict=True):
        assert_same(weights(network), expected)
    assert torch.initial_seed() == 7


@pytest.mark.parametrize("native", [True, False])
def test_bfloat16_only_where_it_is_faster(data, tmp_path, monkeypatch, native):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(pace, "_cpu_is_faster_in_bfloat16", lambda: native)
    assert pace.precision_here("bf16-mixed") == ("bf16-mixed" if native else "32-true")
    assert pace.precision_here("32-true") == "32-true"
    if not native:
        mixed, full = (
            training.train(spec_of(data, epochs=1, precision=precision), data, tmp_path / precision, progress=False)
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


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs kill -9")
def test_kill_9_at_a_random_moment_then_the_same_command(tmp_path):
    command = [sys.executable, "-m", "snnlib", "train", "--epochs", "4", "--width", "0.25", "--T", "2"]

    def start(cache):
        environment = {**os.environ, "SNNLIB_CACHE": str(cache), "SNNLIB_PUBLISHED": str(tmp_path / "none")}
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    undisturbed = start(tmp_path / "whole")
    output, _ = undisturbed.communicate(timeout=600)
    assert undisturbed.returncode == 0, output

    process = start(tmp_path / "killed")
    epochs, deadline = random.randint(1, 2), time.monotonic() + 600  # so that a whole epoch is still to come
    written: set[int] = set()  # of each epoch, since each writes the file anew
    while len(written) < epochs and time.monotonic() < deadline:
        written |= {path.stat().st_mtime_ns for path in (tmp_path / "killed").glob("working/*/checkpoint.pt")}
        time.sleep(0.02)
        assert process.poll() is None, "it ended before it could be killed"
    time.sleep(random.uniform(0, 0.2))  # some way into the next epoch
    process.send_signal(signal.SIGKILL)
    process.wait()
    resumed = start(tmp_path / "killed")
    output, _ = resumed.communicate(timeout=600)
    assert resumed.returncode == 0, output
    assert "going on after epoch" in output, f"killed after epoch {epochs}"

    one, other = (next((tmp_path / name).glob("entries/*/weights.safetensors")) for name in ("whole", "killed"))
    assert_same(load_file(one), load_file(other))
    assert not list((tmp_path / "killed" / "working").iterdir())
