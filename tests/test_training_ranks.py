"""Several processes train the network that one trains: loss, weights, batch norm, and the checkpoint between them."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import distributed, multiprocessing, nn

from snnlib import training
from snnlib.data.images import open_images
from snnlib.spec import ModelSpec, SpecError, TrainSpec
from snnlib.training import ranks

SCRIPT = Path(__file__).parent / "ranks_train.py"


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return open_images("digits", cache_dir=tmp_path_factory.mktemp("cache")).spec


def spec_of(digits, **changes):
    return TrainSpec(
        **{"model": ModelSpec(width=0.25, T=2), "data": digits, "epochs": 2, "batch_size": 20, "lr": 0.05, **changes}
    )


def run(processes, folder, spec):
    folder.mkdir(exist_ok=True)
    command = [sys.executable, str(SCRIPT), str(processes), str(folder), spec.model_dump_json()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return torch.load(folder / "trained.pt", weights_only=True), done.stderr


def losses(found):
    return [epoch[name] for epoch in found["history"] for name in ("train_loss", "test_loss")]


def test_two_processes_train_to_the_same_loss_as_one(digits, tmp_path):
    spec = spec_of(digits)
    one, _ = run(1, tmp_path / "one", spec)
    two, said = run(2, tmp_path / "two", spec)
    assert losses(two) == pytest.approx(losses(one), abs=1e-6)
    assert [epoch["test_accuracy"] for epoch in two["history"]] == [e["test_accuracy"] for e in one["history"]]
    assert (one["means"]["processes"], two["means"]["processes"]) == (1, 2)
    assert said.count("training digits-resnet20") == 1, "the first process alone reports"

    other = torch.load(tmp_path / "two" / "trained-1.pt", weights_only=True)
    assert losses(other) == losses(two), "all ranks know the same"
    for name, value in two["weights"].items():
        assert torch.equal(other["weights"][name], value), name
        torch.testing.assert_close(value.double(), one["weights"][name].double(), rtol=1e-5, atol=1e-6, msg=name)


def test_what_two_processes_began_one_goes_on_with(digits, tmp_path):
    spec = spec_of(digits)
    two, _ = run(2, tmp_path, spec)
    (tmp_path / "trained.pt").unlink()
    found, said = run(1, tmp_path, spec)
    assert "going on after epoch 2" in said
    assert losses(found) == losses(two)
    assert found["means"]["processes"] == 2, "those it began with"
    for name, value in two["weights"].items():
        assert torch.equal(found["weights"][name].float(), value.float()), name


def normalise_a_share(rank, folder):
    """Forward and backward of one of two ranks; the loss is the mean over shares, as DDP makes it."""
    distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    x, target, norm = a_batch()
    norm = ranks.synchronised(nn.Sequential(norm), torch.device("cpu"))[0].train()
    share = x[rank::2].clone().requires_grad_()
    y = norm(share)
    ((y - target[rank::2]) ** 2).mean().backward()
    norm.eval()
    found = {"y": y.detach(), "grad": share.grad / 2, "weight": norm.weight.grad / 2, "bias": norm.bias.grad / 2}
    torch.save(found | {"state": norm.state_dict(), "evaluated": norm(share).detach()}, f"{folder}/{rank}.pt")
    distributed.destroy_process_group()


def a_batch():
    generator = torch.Generator().manual_seed(0)
    x, target = (torch.randn(6, 3, 4, 4, generator=generator, dtype=torch.float64) * 3 + 5 for _ in range(2))
    norm = nn.BatchNorm2d(3).double()
    nn.init.normal_(norm.weight, generator=generator)
    nn.init.normal_(norm.bias, generator=generator)
    return x, target, norm


def test_batch_norm_of_two_ranks_is_that_of_the_whole_batch(tmp_path):
    multiprocessing.spawn(normalise_a_share, args=(str(tmp_path),), nprocs=2)
    shares = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1)]

    x, target, norm = a_batch()
    x.requires_grad_()
    y = norm(x)
    ((y - target) ** 2).mean().backward()
    norm.eval()
    for rank, share in enumerate(shares):
        torch.testing.assert_close(share["y"], y.detach()[rank::2])
        torch.testing.assert_close(share["grad"], x.grad[rank::2])
        torch.testing.assert_close(share["evaluated"], norm(x).detach()[rank::2])
        assert share["state"].keys() == norm.state_dict().keys()
        for name, value in norm.state_dict().items():
            torch.testing.assert_close(share["state"][name], value)
    for name, parameter in (("weight", norm.weight), ("bias", norm.bias)):
        torch.testing.assert_close(shares[0][name] + shares[1][name], parameter.grad)


def test_the_command_line_trains_with_two_processes(tmp_path):
    """The leader keeps the network, the other follows it; asked again, the store has it, and nobody trains."""
    environment = {**os.environ, "SNNLIB_CACHE": str(tmp_path / "cache"), "SNNLIB_PUBLISHED": str(tmp_path / "none")}
    command = [
        sys.executable,
        "-m",
        "snnlib",
        "train",
        "--epochs",
        "1",
        "--width",
        "0.25",
        "--T",
        "2",
        "--devices",
        "2",
    ]
    said = []
    for _ in range(2):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        said.append(done)
    assert "about" in said[0].stderr
    assert "about" not in said[1].stderr
    assert said[0].stdout == said[1].stdout
    (card,) = tmp_path.glob("cache/entries/*/card.json")
    assert json.loads(card.read_text())["means"]["processes"] == 2


LIST = """
preset: quick
data: {digits: {}}
networks:
- {name: wild, data: digits, model: {spiking: false, width: 0.25}, epochs: 1, batch_size: 64, lr: 1.0e+30, chapters: []}
- {name: odd, data: digits, model: {spiking: false, width: 0.25}, epochs: 1, batch_size: 63, chapters: []}
- {name: good, data: digits, model: {spiking: false, width: 0.25}, epochs: 1, batch_size: 64, chapters: []}
results: []
"""


def test_networks_that_fail_in_all_processes_do_not_end_the_sweep(tmp_path):
    (tmp_path / "list.yaml").write_text(LIST)
    environment = {**os.environ, "SNNLIB_CACHE": str(tmp_path / "cache"), "SNNLIB_PUBLISHED": str(tmp_path / "none")}
    command = [sys.executable, "-m", "snnlib", "sweep", "--preset", str(tmp_path / "list.yaml"), "--devices", "2"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 1, done.stderr
    assert "1 of 3 items are there" in done.stdout
    assert done.stderr.count("failed: TrainingDiverged: ") == 1, "the first process alone reports"
    assert done.stderr.count("failed: SpecError: batch_size = 63 cannot be shared evenly") == 1
    (card,) = tmp_path.glob("cache/entries/*/card.json")
    assert json.loads(card.read_text())["spec"]["batch_size"] == 64
    assert json.loads(card.read_text())["means"]["processes"] == 2


@pytest.mark.parametrize(
    ("size", "sentence"), [(21, "cannot be shared evenly by 2 ranks"), (100, "takes all 100 training images at once")]
)
def test_a_batch_that_cannot_be_shared_is_an_error_that_names_it(tmp_path, size, sentence):
    data = open_images("digits", cache_dir=tmp_path)
    data = replace(data, train=data.train.take(100))
    two = SimpleNamespace(world_size=2, global_rank=0, launch=lambda: None)
    with pytest.raises(SpecError, match=f"batch_size = {size} {sentence}"):
        training.train(spec_of(data.spec, batch_size=size), data, tmp_path, devices=lambda precision: two)
