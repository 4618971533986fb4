"""A training that was stopped or killed goes on to the same weights; and keeps to the choice of kernels."""

import os
import random
import signal
import subprocess
import sys
import threading
import time

import pytest
import torch
from safetensors.torch import load_file
from test_training import assert_same, spec_of, weights

from snnlib import kernels, training
from snnlib.training import pace


class Killed(BaseException):
    pass


def test_goes_on_after_the_last_finished_epoch_bit_for_bit(few_digits, tmp_path, monkeypatch):
    spec = spec_of(few_digits, epochs=3)
    undisturbed = weights(training.train(spec, few_digits, tmp_path / "whole", progress=False))

    original, calls = training.evaluate, []

    def stop_in_the_second_epoch(*arguments):
        calls.append(1)
        if len(calls) == 2:
            raise Killed
        return original(*arguments)

    monkeypatch.setattr(training.loop, "evaluate", stop_in_the_second_epoch)
    with pytest.raises(Killed):
        training.train(spec, few_digits, tmp_path / "broken", progress=False)
    monkeypatch.setattr(training.loop, "evaluate", original)
    resumed = training.train(spec, few_digits, tmp_path / "broken", progress=False)
    assert [epoch["epoch"] for epoch in resumed.history] == [1, 2, 3]
    assert_same(weights(resumed), undisturbed)


def test_a_checkpoint_of_another_spec_or_a_damaged_one_is_not_used(few_digits, tmp_path, capsys):
    training.train(spec_of(few_digits, epochs=1), few_digits, tmp_path, progress=False)
    fresh = weights(training.train(spec_of(few_digits, seed=5), few_digits, tmp_path / "fresh", progress=False))
    assert_same(weights(training.train(spec_of(few_digits, seed=5), few_digits, tmp_path, progress=False)), fresh)
    assert "another spec" in capsys.readouterr().err
    (tmp_path / "checkpoint.pt").write_bytes(b"half a file")
    assert_same(weights(training.train(spec_of(few_digits, seed=5), few_digits, tmp_path, progress=False)), fresh)
    assert "cannot be read" in capsys.readouterr().err


@pytest.fixture
def compiled_is_faster(monkeypatch):
    """The forecast finds compiled kernels faster, however busy the machine is."""
    original = pace._step_seconds

    def measured(*arguments):
        original(*arguments)
        return 0.5 if kernels.are_compiled() else 1.0

    monkeypatch.setattr(pace, "_step_seconds", measured)


def test_the_forecast_decides_on_compiled_kernels_and_they_change_no_weight(
    few_digits, tmp_path, monkeypatch, compiled_is_faster
):
    plain = training.train(spec_of(few_digits), few_digits, tmp_path / "plain", progress=False)
    assert plain.means["compiled"] is False, "seconds, in which no compiler pays"
    monkeypatch.setattr(pace, "COMPILER_SECONDS", 0)
    compiled = training.train(spec_of(few_digits), few_digits, tmp_path / "compiled", progress=False)
    assert compiled.means == {**plain.means, "compiled": True}
    assert not kernels.are_compiled()
    assert weights(compiled).keys() == weights(plain).keys()
    for name, value in weights(plain).items():
        torch.testing.assert_close(weights(compiled)[name], value, rtol=1e-5, atol=1e-6, msg=name)
    ordinary = spec_of(few_digits, epochs=1, model={"spiking": False})
    assert training.train(ordinary, few_digits, tmp_path / "ann", progress=False).means["compiled"] is False


def test_more_siblings_are_worth_a_compiler(few_digits, tmp_path, monkeypatch, compiled_is_faster):
    # 3 steps and 50 test images of 32, forward only, at 1 s a step: 3.5 s, of which 0.3 are saved
    monkeypatch.setattr(pace, "COMPILER_SECONDS", 2)
    spec = spec_of(few_digits, epochs=1)
    alone, one_of_two = (
        training.train(spec, few_digits, tmp_path / str(siblings), progress=False, siblings=siblings)
        for siblings in (1, 2)
    )
    assert (alone.means["compiled"], one_of_two.means["compiled"]) == (False, True)


def stopped_after_an_epoch(spec, few_digits, folder, monkeypatch):
    stop, original = threading.Event(), training.loop.evaluate

    def evaluate_and_stop(*arguments):
        stop.set()
        return original(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(training.loop, "evaluate", evaluate_and_stop)
        with pytest.raises(training.Stopped, match="epoch 2"):
            training.train(spec, few_digits, folder, progress=False, stop=stop)


@pytest.mark.parametrize("compiled", [True, False])
def test_a_resumed_training_keeps_to_its_choice(few_digits, tmp_path, monkeypatch, compiled_is_faster, compiled):
    monkeypatch.setattr(pace, "COMPILER_SECONDS", 0 if compiled else 1e9)
    stopped_after_an_epoch(spec_of(few_digits), few_digits, tmp_path, monkeypatch)
    monkeypatch.setattr(pace, "COMPILER_SECONDS", 1e9 if compiled else 0)
    resumed = training.train(spec_of(few_digits), few_digits, tmp_path, progress=False)
    assert resumed.means["compiled"] is compiled
    assert len(resumed.history) == 2


def test_a_stopped_training_goes_on_to_the_same_weights(few_digits, tmp_path, monkeypatch):
    spec = spec_of(few_digits, epochs=3)
    undisturbed = training.train(spec, few_digits, tmp_path / "whole", progress=False)
    stopped_after_an_epoch(spec, few_digits, tmp_path / "stopped", monkeypatch)
    resumed = training.train(spec, few_digits, tmp_path / "stopped", progress=False, stop=threading.Event())
    assert [epoch["epoch"] for epoch in resumed.history] == [1, 2, 3]
    assert_same(weights(resumed), weights(undisturbed))


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
