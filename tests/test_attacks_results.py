"""What attacks did, as results: evaluated, stored, tabled, judged."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch
import xarray as xr
from torch import nn

import snnlib
from snnlib import attacks
from snnlib.loaders import group_of
from snnlib.parameters import AdversarialParameters
from snnlib.spec import AttackSpec, SpecError
from snnlib.studies import adversarial as study

# ---- evaluated


def features_and_logits() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(27, 40), nn.ReLU(), nn.Linear(40, 5))


def batches(n: int = 3) -> list[tuple[torch.Tensor, torch.Tensor]]:
    generator = torch.Generator().manual_seed(0)
    return [
        (torch.rand(16, 3, 3, 3, generator=generator), torch.randint(0, 5, (16,), generator=generator))
        for _ in range(n)
    ]


def test_predictions_accuracy_and_cka_are_those_of_the_images_shown():
    """Against a plain forward pass and `snnlib.cka` of its features, one batch at a time."""
    model, other, data = features_and_logits(), features_and_logits(), batches(1)
    nn.init.normal_(other[3].weight)
    found = attacks.evaluate([model, other], data, lambda x, y, e: x + e * torch.sin(40 * x), [0.1, 0.6])
    assert dict(found.sizes) == {
        "target": 2, "epsilon": 3, "image": 16, "layer": 3, "example": 6, "channel": 3, "row": 3, "column": 3,
    }  # fmt: skip
    images, labels = data[0]
    for t, network in enumerate((model, other)):
        for k, epsilon in enumerate((0, 0.1, 0.6)):
            shown = images + epsilon * torch.sin(40 * images)
            predicted = network(shown).argmax(1)
            at = found.isel(target=t, epsilon=k)
            assert at["prediction"].values.tolist() == predicted.tolist()
            assert float(at["accuracy"]) == pytest.approx((predicted == labels).float().mean().item())
            hidden = snnlib.cka(network[:2](images), network[:2](shown))
            assert float(at["cka"].sel(layer="1")) == pytest.approx(hidden, abs=1e-4)
            torch.testing.assert_close(torch.from_numpy(at["images"].values), shown[:6])
    assert found["cka"].isel(epsilon=0).values == pytest.approx(1, abs=1e-5)
    assert (found["cka"].isel(epsilon=2) < 0.98).all()


def test_groups_are_left_out_of_accuracy_and_cka():
    """Group g of `evaluate` against a whole evaluation of the images that remain."""
    model, data = features_and_logits(), batches(1)

    def attack(images, labels, epsilon):
        return images + epsilon * torch.sin(40 * images)

    found = attacks.evaluate([model], data, attack, [0.6], groups=4)
    assert found.sizes["group"] == 5
    plain = attacks.evaluate([model], data, attack, [0.6])
    for name in ("accuracy", "cka", "prediction"):
        whole = found[name].isel(group=0) if name != "prediction" else found[name]
        np.testing.assert_allclose(whole, plain[name], atol=1e-6)
    images, labels = data[0]
    for g in range(4):
        remain = torch.from_numpy(group_of(16, 4) != g)
        without = attacks.evaluate([model], [(images[remain], labels[remain])], attack, [0.6])
        for name in ("accuracy", "cka"):
            np.testing.assert_allclose(found[name].isel(group=g + 1), without[name], atol=1e-4)


def test_images_are_attacked_once_for_all_targets_and_clean_ones_seen_once():
    calls, passes = [], []

    def attack(images, labels, epsilon):
        calls.append(epsilon)
        return images

    models = [features_and_logits(), features_and_logits()]
    models[0].register_forward_hook(lambda *_: passes.append(1))
    attacks.evaluate(models, batches(2), attack, [0.1, 0.2])
    assert calls == [0.1, 0.1, 0.2, 0.2]
    assert len(passes) == 2 * 3  # batches, times clean images and two sizes of change


def test_other_measures_stand_beside_cka():
    """RSA against its definition, from the features of the one hidden layer."""
    model, data = features_and_logits(), batches(1)
    options = {"groups": 4, "measures": ("rsa_pearson",)}
    found = attacks.evaluate([model], data, lambda x, y, e: x + e * torch.sin(40 * x), [0.6], **options)
    assert found["similarity"].dims == ("measure", "group", "target", "epsilon", "layer")
    images = data[0][0]
    for g in (0, 3):
        keep = torch.from_numpy(group_of(16, 4) != g - 1)
        x, y = (model[:3](z[keep]).detach().double() for z in (images, images + 0.6 * torch.sin(40 * images)))
        rsa = np.corrcoef(*(torch.nn.functional.pdist(z).numpy() for z in (x, y)))[0, 1]
        assert found["similarity"][0, g, 0, 1].sel(layer="2").item() == pytest.approx(rsa, abs=1e-4)


def test_evaluate_names_what_it_cannot_use():
    data = batches()
    with pytest.raises(SpecError, match="no batch"):
        attacks.evaluate([features_and_logits()], [], lambda x, y, e: x, [0.1])
    other = nn.Sequential(nn.Flatten(), nn.Linear(27, 5))
    with pytest.raises(SpecError, match="different layers"):
        attacks.evaluate([features_and_logits(), other], data, lambda x, y, e: x, [0.1])


# ---- stored


def specs(run, **changes):
    snn, ann = (run.network(spiking=kind) for kind in (True, False))
    usual = {"source": snn, "targets": (snn, ann), "epsilons": (0.1, 0.3), "steps": 2, "n_images": 32}
    return AttackSpec(**{**usual, **changes})


def test_the_store_keeps_what_an_attack_did(run, computed):
    spec = specs(run)
    found = run.store.get(spec)
    assert computed.count(spec.name) == 1
    count = len(computed)
    again = run.store.get(spec)
    assert run.store.find(spec).spec == spec  # as its card tells it
    assert len(computed) == count
    xr.testing.assert_identical(found, again)
    assert found["epsilon"].values.tolist() == [0, 0.1, 0.3]
    assert found.attrs["n_images"] == 32
    network = run.train(spec.source)
    data = run.store.images(run.data)
    pixels = torch.tensor(data.test.images[:32]).float() / 255
    assert found["label"].values.tolist() == data.test.labels[:32].tolist()
    seen = attacks.Normalised(network.model, data.mean, data.std)
    attacked = attacks.pgd(seen, pixels, torch.tensor(data.test.labels[:32]), epsilon=0.3, steps=2)
    same = seen(attacked).argmax(1).numpy() == found["prediction"].isel(target=0, epsilon=2).values
    assert same.mean() > 0.9  # near a tie the rounding of another batch size may decide
    moved = found["images"] - found["images"].isel(epsilon=0)
    assert float(abs(moved).isel(epsilon=1).max()) == pytest.approx(0.1, abs=1e-5)
    assert 0 <= float(found["images"].min()) <= float(found["images"].max()) <= 1


def test_noise_and_the_released_setting(run):
    noise = run.store.get(specs(run, source=None, steps=None, method="noise", start=0))
    assert float(abs(noise["images"] - noise["images"][0]).max()) == pytest.approx(0.3, abs=1e-5)
    released = {**study.RELEASED, "steps": 10}  # as many are not needed to see where it goes
    found = run.store.get(specs(run, **released))
    data = run.store.images(run.data)
    moved = abs(found["images"] - found["images"].isel(epsilon=0)).isel(epsilon=1)
    assert float(moved.max()) == pytest.approx(0.01 * max(data.std), abs=1e-5)
    assert float(found["images"].max()) > 1  # white on white: nothing keeps it to the range


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"source": None}, "method = 'pgd' needs source"),
        ({"steps": None}, "method = 'pgd' needs steps"),
        ({"method": "fgsm"}, "method = 'fgsm' takes no steps"),
        ({"method": "noise", "steps": None, "start": 0}, "method = 'noise' takes no source"),
        ({"step": 0.1}, "step = 0.1 of epsilon is too short: 2 steps need at least 0.5"),
        ({"epsilons": (0.3, 0.1)}, "must ascend"),
        ({"epsilons": (-0.3,)}, "epsilons = -0.3"),
        ({"n_images": 3}, "n_images = 3"),
        ({"targets": ()}, "targets"),
    ],
)
def test_an_impossible_attack_is_refused_before_any_work(run, computed, changes, sentence):
    with pytest.raises(SpecError, match=sentence):
        specs(run, **changes)
    assert not computed


def on_events(run):
    """The run, had it been on events; nothing is opened or simulated."""
    data = run.data.model_copy(update={"dataset": "moving-digits", "in_channels": 2, "frames": 2})
    return dataclasses.replace(run, data=data)


def test_event_streams_are_refused_before_any_work(run, computed):
    events = on_events(run)
    with pytest.raises(SpecError, match=r"moving-digits holds event streams.*take a data set of these"):
        specs(events)
    given = AdversarialParameters(**run.given.model_dump(exclude_none=True))
    with pytest.raises(SpecError, match="moving-digits holds event streams"):
        study.adversarial(dataclasses.replace(events, given=given))
    assert not computed


def test_the_usual_step_is_settled_by_its_value(run):
    """What is stored under a hash was made with the step that the hash knows, whatever is usual later."""
    spec = specs(run, steps=10)
    assert spec.step == 0.25
    assert json.loads(spec.canonical())["step"] == 0.25
    assert spec == specs(run, steps=10, step=0.25)
    assert spec.hash == specs(run, steps=10, step=0.25).hash != specs(run, steps=10, step=0.5).hash
    assert specs(run, steps=2).step == 1  # not beyond the ball
    assert specs(run, method="fgsm", steps=None).step is None
    with pytest.raises(SpecError, match=r"steps = 'x'"):
        specs(run, steps="x")


def test_the_work_of_an_attack_is_that_of_its_networks(run):
    snn, ann = (run.network(spiking=kind) for kind in (True, False))
    usual = specs(run, targets=(snn,))
    wide, deep = (
        snn.model_copy(update={"model": snn.model.model_copy(update=change)})
        for change in ({"width": 2 * snn.model.width}, {"arch": "resnet38"})
    )
    assert specs(run, source=wide, targets=(wide,)).work == 4 * usual.work
    assert specs(run, source=deep, targets=(deep,)).work == pytest.approx(38 / 20 * usual.work)
    assert specs(run, source=ann, targets=(ann,)).work == usual.work / snn.model.T
    assert specs(run, targets=(snn,), epsilons=(0.1,), n_images=16).work == usual.work / 4
    noise = specs(run, targets=(snn,), source=None, steps=None, method="noise", start=0)
    assert usual.work == (2 * usual.steps + 1) * noise.work  # a pass back counts as one forward
    assert snn.work == snn.epochs * snn.work_per_image


def test_what_bears_on_an_attack_is_in_its_hash(run):
    other = run.network(spiking=True, seed=7)
    changes = [
        {}, {"source": other}, {"targets": (other,)}, {"steps": 3}, {"step": 0.7}, {"start": 0}, {"start": 1},
        {"space": "normalised"}, {"epsilons": (0.1,)}, {"n_images": 16}, {"method": "fgsm", "steps": None},
        {"measures": ("rsa_pearson",)},
    ]  # fmt: skip
    assert len({specs(run, **change).hash for change in changes}) == len(changes)
