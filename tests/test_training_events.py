"""Frames of events through batches, training, recording and comparison, for both kinds of network."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

import snnlib
from snnlib import experiments, training
from snnlib.data import Augment, Batches, Split, open_images
from snnlib.data.images import EVENTS
from snnlib.parameters import EventParameters
from snnlib.recording import firing_rates
from snnlib.run import Run
from snnlib.spec import CompareSpec, DataSpec, ModelSpec, SpecError, TrainSpec
from snnlib.store import Store
from snnlib.studies.events import still_run

T = 3


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    digits = open_images("moving-digits", cache_dir=tmp_path_factory.mktemp("cache"), frames=T)
    return replace(digits, train=digits.train.take(96), test=digits.test.take(40))


def spec_of(data, **changes):
    model = {"width": 0.25, "T": T, **changes.pop("model", {})}
    return TrainSpec(**{"model": ModelSpec(**model), "data": data.spec, "epochs": 1, "batch_size": 32, **changes})


# ---- batches


def test_batches_of_frames_are_time_first_and_normalised(data):
    loader = Batches(data.train, 32, mean=data.mean, std=data.std)
    for (frames, labels), start in zip(loader, (0, 32, 64), strict=True):
        assert frames.shape == (T, 32, 2, 16, 16)
        rows = slice(start, start + 32)
        assert labels.tolist() == data.train.labels[rows].tolist()
        raw = torch.from_numpy(data.train.images[rows].astype(np.float32)) / 255  # (B, T, C, H, W)
        for polarity in (0, 1):
            expected = (raw[:, :, polarity] - data.mean[polarity]) / data.std[polarity]
            torch.testing.assert_close(frames[:, :, polarity], expected.transpose(0, 1), rtol=1e-4, atol=1e-4)


def test_all_frames_of_a_stream_are_cropped_and_flipped_alike():
    pixels = np.random.default_rng(0).integers(0, 256, (24, 1, 2, 8, 8), dtype=np.uint8).repeat(T, axis=1)
    augment = Augment(crop_padding=2)
    corners, flips = augment.draw(np.random.default_rng(1), 24)
    assert 0 < flips.sum() < 24
    out = augment.apply(pixels, corners, flips)
    assert out.shape == pixels.shape
    for t in range(T):  # each frame as the image that it is
        assert np.array_equal(out[:, t], augment.apply(pixels[:, t], corners, flips))
        assert np.array_equal(out[:, t], out[:, 0])


def test_events_are_augmented_as_their_images():
    assert Augment.preset("moving-digits", 16) == Augment.preset("digits", 16) == Augment(1, flip=False)
    assert Augment.preset("moving-cifar10", 32) == Augment.preset("cifar10", 32)
    assert Augment.preset("cifar10-dvs", 48) == Augment.preset("n-caltech101", 48) == Augment(6, flip=True)


# ---- training


@pytest.mark.parametrize("spiking", [True, False])
def test_training_equals_a_plain_loop(data, tmp_path, spiking):
    spec = spec_of(data, lr=0.05, model={"spiking": spiking})
    trained = training.train(spec, data, tmp_path, progress=False)

    model = training.build(spec.model, spec.data, spec.seed).to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)
    augment = Augment(1, flip=False)
    batches = Batches(data.train, 32, mean=data.mean, std=data.std, shuffle_seed=0, augment=augment, drop_last=True)
    for step, (frames, labels) in enumerate(batches):
        for group in optimizer.param_groups:
            group["lr"] = 0.05 * 0.5 * (1 + np.cos(np.pi * step / 3))
        optimizer.zero_grad()
        cross_entropy(model(frames), labels).backward()
        optimizer.step()
    for (name, have), expected in zip(trained.model.state_dict().items(), model.state_dict().values(), strict=True):
        torch.testing.assert_close(have, expected, rtol=1e-4, atol=1e-5, msg=name)
    assert 0 <= trained.history[0]["test_accuracy"] <= 1


def test_an_ordinary_network_sees_each_frame_and_averages_its_logits(data):
    model = training.build(ModelSpec(spiking=False, width=0.25), data.spec, 0).eval()
    (frames, _), *_ = Batches(data.test, 16, mean=data.mean, std=data.std)
    with torch.no_grad():
        torch.testing.assert_close(model(frames), torch.stack([model(frame) for frame in frames]).mean(0))


def test_a_training_on_frames_goes_on_where_it_was_cut_off(data, tmp_path, monkeypatch):
    spec = spec_of(data, epochs=2)
    whole = training.train(spec, data, tmp_path / "whole", progress=False).model.state_dict()
    save = training.Checkpoint.save

    def save_and_die(self, state):
        save(self, state)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(training.Checkpoint, "save", save_and_die)
        with pytest.raises(KeyboardInterrupt):
            training.train(spec, data, tmp_path / "cut", progress=False)
    resumed = training.train(spec, data, tmp_path / "cut", progress=False)
    assert len(resumed.history) == 2
    for name, tensor in resumed.model.state_dict().items():
        assert torch.equal(tensor, whole[name]), name


# ---- recording and comparison


def test_cka_on_frames_is_that_of_features_flattened_over_time(data):
    snn, ann = (
        training.build(ModelSpec(spiking=kind, width=0.25, T=T), data.spec, seed).eval()
        for kind, seed in ((True, 0), (False, 1))
    )
    loader = experiments.test_batches(data, 40, 40)
    experiments.estimate_batch_norm(snn, loader)
    experiments.estimate_batch_norm(ann, loader)
    table = snnlib.compare(snn, ann, loader)
    ((frames, _),) = loader
    kept = {}
    for name, model in (("snn", snn), ("ann", ann)):
        hook = model.fc.register_forward_hook(lambda _m, _a, out, name=name: kept.update({name: out}))
        with torch.no_grad():
            model(frames)
        hook.remove()
    # (T*B, 10) -> (B, T*10)
    features = [kept[name].unflatten(0, (T, -1)).transpose(0, 1).flatten(1) for name in ("snn", "ann")]
    expected = snnlib.cka(*features)
    assert float(table.sel(layer_a="fc", layer_b="fc")) == pytest.approx(expected, abs=1e-4)
    assert table.attrs["n_images"] == 40
    each = snnlib.compare(snn, ann, loader, time="each", layers_a=["fc"], layers_b=["fc"])
    assert each.shape == (1, T, 1, T)
    rates = firing_rates(snn, loader)
    assert rates.sizes["step"] == T
    assert 0 < float(rates.max()) <= 1


def test_the_null_shuffles_images_and_not_time():
    images = np.zeros((6, T, 1, 4, 4), dtype=np.uint8) + np.arange(6, dtype=np.uint8)[:, None, None, None, None] * 10
    images = images + np.arange(T, dtype=np.uint8)[None, :, None, None, None]  # pixel = 10 * image + frame
    loader = Batches(Split(images, np.arange(6)), 6, mean=[0.0], std=[1 / 255])
    (shuffled,) = experiments.Shuffled(loader)
    values = shuffled[..., 0, 0, 0].round().int()  # (T, B)
    assert (values % 10).tolist() == [[t] * 6 for t in range(T)]
    order = (values // 10)[0].tolist()
    assert sorted(order) == list(range(6)) and order != list(range(6))
    assert (values // 10).tolist() == [order] * T


def test_through_the_store(tmp_path, monkeypatch):
    """As a notebook asks for it: parameters to specs, untrained networks, a comparison on frames, kept and found."""
    monkeypatch.setenv("SNNLIB_CACHE", str(tmp_path / "cache"))
    run = Run.of(EventParameters(preset="quick", T=2, width=0.25, n_images=32))
    assert (run.data.dataset, run.data.frames, run.data.in_channels) == ("moving-digits", 2, 2)
    a, b = (run.network(spiking=kind, epochs=0) for kind in (True, False))
    table = run.compare(a, b)
    assert table.attrs["n_images"] == 32
    again = Store(cache=run.store.cache).find(CompareSpec(a=a, b=b, n_images=32))
    assert again is not None and again.card["spec"]["a"]["data"]["frames"] == 2
    assert again.spec.a.data == run.data


# ---- specs and runs


STILL = {"dataset": "digits", "fingerprint": "0" * 16, "in_channels": 1, "num_classes": 10, "image_size": 16}


def test_still_images_keep_their_hashes():
    """The published networks were hashed before there were frames."""
    card = next(Path(__file__).parents[1].glob("published/cifar10-resnet20-snn-*/card.json"))
    spec = TrainSpec(**json.loads(card.read_text(encoding="utf8"))["spec"])
    assert spec.name == card.parent.name
    assert "frames" not in DataSpec(**STILL).canonical()
    assert len({DataSpec(**STILL, frames=frames).hash for frames in (None, 1, 4)}) == 3


def test_a_spiking_network_takes_one_frame_a_step():
    data = DataSpec(**STILL, frames=4)
    with pytest.raises(SpecError, match="T = 8, but digits was cut into 4 frames"):
        TrainSpec(model=ModelSpec(T=8), data=data, epochs=1, batch_size=4)
    ann = TrainSpec(model=ModelSpec(T=8, spiking=False), data=data, epochs=1, batch_size=4)
    assert ann.work == 4 * TrainSpec(model=ann.model, data=DataSpec(**STILL), epochs=1, batch_size=4).work


def test_the_still_images_of_a_run(tmp_path, monkeypatch):
    monkeypatch.setenv("SNNLIB_CACHE", str(tmp_path))
    run = Run.of(EventParameters(preset="quick", T=2))
    still = still_run(run)
    assert (still.data.dataset, still.data.frames, still.value("T")) == ("digits", None, 2)
    with pytest.raises(SpecError, match="dataset = 'digits' holds still images; choose one of moving-digits"):
        still_run(still)
    unknown = replace(run, data=run.data.model_copy(update={"dataset": "n-caltech101"}))
    with pytest.raises(SpecError, match="name them, as in still = 'folder:PATH'"):
        still_run(unknown)
    for name in EVENTS:
        moving = replace(run, given=run.given.model_copy(update={"still": name}))
        with pytest.raises(SpecError, match=f"still = '{name}' is event data") as refused:
            still_run(moving)
        named = str(refused.value).rpartition(": ")[2]
        assert named == "digits, cifar10, cifar100, digit-variants or folder:PATH"
