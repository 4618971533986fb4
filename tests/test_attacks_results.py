"""What attacks did, as results: evaluated, stored, tabled, judged."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch
import xarray as xr
from scipy.stats import binomtest
from torch import nn

import snnlib
from snnlib import attacks
from snnlib.claims.adversarial import LEAST, at_loss, c7, drift, of_blocks
from snnlib.loaders import group_of
from snnlib.parameters import AdversarialParameters
from snnlib.spec import AttackSpec, SpecError
from snnlib.studies import adversarial as study
from snnlib.studies import adversarial_tables as tabled

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


def test_images_are_attacked_once_for_all_targets():
    calls = []

    def attack(images, labels, epsilon):
        calls.append(epsilon)
        return images

    attacks.evaluate([features_and_logits(), features_and_logits()], batches(2), attack, [0.1, 0.2])
    assert calls == [0.1, 0.1, 0.2, 0.2]


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
    ]  # fmt: skip
    assert len({specs(run, **change).hash for change in changes}) == len(changes)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"method": "cw"}, "'cw' is not one of pgd, fgsm"),
        ({"epsilons": "0.2,0.1"}, "must ascend"),
        ({"epsilons": 0}, "epsilons = 0"),
        ({"released": True, "epsilons": 0.1}, "leave out epsilons"),
        ({"method": "fgsm", "attack_steps": 3}, "leave out attack_steps"),
    ],
)
def test_parameters_name_the_value(given, sentence):
    with pytest.raises(SpecError, match=sentence):
        AdversarialParameters(**given)


# ---- judged, on made-up results


def made_up(drifts, accuracies, epsilons=(0.0, 0.1, 0.2), kinds=("conv", "sum", "sum")) -> xr.Dataset:
    """One target: the same drift in all blocks at each epsilon; in other layers something else."""
    values = np.array([[1 - d if kind == "sum" else 0.123 for kind in kinds] for d in drifts])
    return xr.Dataset(
        {"cka": (("epsilon", "layer"), values), "accuracy": ("epsilon", list(accuracies))},
        coords={
            "epsilon": list(epsilons),
            "layer": [f"l{i}" for i in range(len(kinds))],
            "kind": ("layer", list(kinds)),
            "stage": ("layer", [1] * len(kinds)),
        },
        attrs={"n_images": 100},
    )


def pair(snn, ann, shift=0.0):
    """(drifts, accuracies) of an SNN and an ANN, with a little scatter between pairs."""
    return tuple(made_up([0, *(d + shift for d in drifts[1:])], accuracies) for drifts, accuracies in (snn, ann))


SAME = [0.9, 0.6, 0.3]


def test_drift_is_averaged_over_blocks_alone():
    found = made_up([0, 0.2, 0.6], SAME)
    assert of_blocks(drift(found)).values == pytest.approx([0, 0.2, 0.6])
    with pytest.raises(ValueError, match="no block outputs"):
        of_blocks(drift(made_up([0, 0, 0], SAME, kinds=("conv", "bn"))))


def test_equal_loss_lies_between_two_epsilons():
    found = made_up([0, 0.2, 0.6], [0.8, 0.5, 0.1])  # half of 0.8 is a quarter of the way from 0.5 to 0.1
    there = at_loss(found)
    assert float(there["epsilon"]) == pytest.approx(0.125)
    assert float(of_blocks(there)) == pytest.approx(0.3)
    assert float(of_blocks(at_loss(found, lost=1 - 0.5 / 0.8))) == pytest.approx(0.2)
    never = at_loss(made_up([0, 0.2, 0.6], [0.8, 0.7, 0.6]))
    assert np.isnan(never).all()
    assert np.isnan(never["epsilon"])


def test_supported_where_one_kind_drifts_further_both_ways():
    more, less = ([0, 0.4, 0.8], SAME), ([0, 0.1, 0.3], SAME)
    for snn, ann, first in ((less, more, "ANN − SNN"), (more, less, "SNN − ANN")):
        verdict = c7([pair(snn, ann, shift) for shift in (0.0, 0.01, -0.01)])
        assert verdict.word == "supported"
        equal, lost = (bound.effect for bound in verdict.bounds)
        assert first in equal.what
        assert equal.value == pytest.approx(0.4)  # mean of 0.3 and 0.5
        # half of 0.9 is half way from 0.6 to 0.3
        assert lost.value == pytest.approx(0.4)
        assert (equal.n_images, equal.seeds) == (100, 3)


def test_not_supported_where_both_drift_alike():
    alike = ([0, 0.4, 0.8], SAME), ([0, 0.41, 0.8], SAME)
    assert c7([pair(*alike, shift) for shift in (0.0, 0.01, -0.01)]).word == "not supported"


def test_not_supported_where_only_the_attack_on_one_kind_is_stronger():
    """At equal epsilon the ANN drifts further, but only since its attack does more harm: at equal loss they agree."""
    weak, strong = ([0, 0.2, 0.4], [0.8, 0.6, 0.4]), ([0, 0.4, 0.8], [0.8, 0.4, 0.0])
    verdict = c7([pair(weak, strong, shift) for shift in (0.0, 0.001, -0.001)])
    assert [bound.word for bound in verdict.bounds] == ["supported", "not supported"]
    assert verdict.word == "not supported"


def test_not_supported_where_the_two_ways_disagree_in_direction():
    """The ANN drifts further at equal epsilon, the SNN at equal loss."""
    snn, ann = ([0, 0.3, 0.5], [0.8, 0.8, 0.0]), ([0, 0.5, 0.7], [0.8, 0.0, 0.0])
    verdict = c7([pair(snn, ann, shift) for shift in (0.0, 0.001, -0.001)])
    assert verdict.bounds[0].effect.value == pytest.approx(0.2)
    assert verdict.bounds[1].effect.value == pytest.approx(-0.15)
    assert verdict.word == "not supported"


def test_undecided_where_seeds_scatter_or_the_sweep_ends_too_soon_or_one_pair_is_all():
    more, less = ([0, 0.4, 0.8], SAME), ([0, 0.1, 0.3], SAME)
    assert c7([pair(less, more), pair(more, less), pair(less, more)]).word == "undecided"
    assert c7([pair(less, more)]).word == "undecided"
    robust = [0.9, 0.8, 0.7]
    early = [pair((less[0], robust), (more[0], robust), shift) for shift in (0.0, 0.01)]
    assert [bound.word for bound in c7(early).bounds] == ["supported", "undecided"]


def test_a_loss_that_the_sweep_does_not_reach_is_said_to_be_out_of_reach():
    reached, robust = ([0, 0.4, 0.8], SAME), ([0, 0.4, 0.8], [0.9, 0.8, 0.7])

    def told(*pairs):
        return c7(list(pairs)).bounds[1].effect.what

    assert "reach" not in told(pair(reached, reached), pair(reached, reached))
    assert told(pair(reached, robust), pair(reached, reached)).endswith(
        "(the sweep does not reach this loss in the ANN)"
    )
    assert told(pair(robust, robust)).endswith("(the sweep does not reach this loss in the SNN and the ANN)")
    known = pair(reached, reached)
    barely = xr.concat([known[0], pair(robust, reached)[0]], "group", combine_attrs="override")
    assert told((barely, known[1])).endswith(
        "(the sweep does not reach this loss in the SNN, without some of the images)"
    )


def test_texts_tell_what_was_lost_and_what_was_not():
    reached, robust = ([0, 0.2, 0.6], [0.8, 0.5, 0.1]), ([0, 0.2, 0.6], [0.8, 0.7, 0.6])
    found = {("SNN", "SNN"): [], ("ANN", "ANN"): []}
    for ann in (robust, reached):
        for kind, one in zip(("SNN", "ANN"), pair(reached, ann), strict=True):
            found[kind, kind].append(one)
    told = tabled.loss_in_words(study.Adversarial({key: tuple(pairs) for key, pairs in found.items()}, ""))
    assert "The SNN has lost 50 % of its clean accuracy at ε = 0.125 (0.125 to 0.125)" in told
    assert "drifted by 0.30 (0.30 to 0.30) on average" in told
    assert "the ANN does not lose 50 % of its clean accuracy within the sweep in 1 of 2 pairs of networks" in told
    assert told.endswith("n = 100 images, 2 pairs of networks.")


def test_groups_of_images_widen_the_interval():
    """The same pairs; with results that also tell what each group of images does to them."""
    more, less = ([0, 0.4, 0.8], SAME), ([0, 0.1, 0.3], SAME)
    pairs = [pair(less, more, shift) for shift in (0.0, 0.01)]
    rng = np.random.default_rng(0)

    def grouped(found: xr.Dataset) -> xr.Dataset:
        parts = [found, *(found.assign(cka=found["cka"] + rng.normal(0, 0.05)) for _ in range(8))]
        return xr.concat(parts, "group", combine_attrs="override")

    plain = c7(pairs).bounds[0].effect
    wide = c7([(grouped(snn), grouped(ann)) for snn, ann in pairs]).bounds[0].effect
    assert wide.value == pytest.approx(plain.value)
    assert wide.high - wide.low > plain.high - plain.low
    assert plain.low > LEAST


# ---- the section as a whole


def test_a_study_asks_for_every_attack_once_and_tables_it(run, computed):
    given = AdversarialParameters(
        **{**run.given.model_dump(exclude_none=True), "seeds": (0, 1), "epsilons": (0.1, 0.4), "attack_steps": 2}
    )
    run = type(run)(given, run.preset, run.data, run.title, run.store)
    results = study.adversarial(run)
    kinds = [name.split("-")[0] for name in computed]
    assert (kinds.count("pgd"), kinds.count("noise"), kinds.count("digits")) == (4, 2, 4)
    white, transfer = results.found["SNN", "SNN"][0], results.found["SNN", "ANN"][0]
    xr.testing.assert_equal(white["images"], transfer["images"])
    assert results.white_box[1][1] is results.found["ANN", "ANN"][1]
    table = tabled.accuracy(results, {("SNN", "SNN"): "white box", ("ANN", "SNN"): "transfer"})
    assert table["setting"].tolist() == [0, 0, 0.1, 0.1, 0.4, 0.4]
    at = table[(table["setting"] == 0.4) & (table["network"] == "white box")].iloc[0]
    shares = [float(found["accuracy"].sel(epsilon=0.4)[0]) for found in results.found["SNN", "SNN"]]
    assert at["value"] == pytest.approx(100 * np.mean(shares))
    layers = tabled.drift_by_layer(results, {("SNN", "SNN"): "SNN"}, 0.4)
    of = layers.set_index("layer")["value"]
    alone = [found["cka"].sel(epsilon=0.4, layer="fc")[0] for found in results.found["SNN", "SNN"]]
    expected = 1 - np.mean(alone)
    assert of["fc"] == pytest.approx(expected)
    means = tabled.mean_drift(results, {("SNN", "SNN"): "SNN"})
    assert means["value"].iloc[0] == pytest.approx(0, abs=1e-4)
    # what the verdict rests on, from the results themselves
    equal, lost = c7(results.white_box).bounds
    pairs = [[found.isel(group=0) for found in pair] for pair in results.white_box]
    drifts = [[1 - found["cka"][:, found["kind"].values == "sum"] for found in pair] for pair in pairs]
    differences = [(ann - snn).sel(epsilon=[0.1, 0.4]).mean() for snn, ann in drifts]
    assert equal.effect.value == pytest.approx(abs(np.mean(differences)), abs=1e-6)
    assert (equal.effect.seeds, lost.effect.seeds) == (2, 2)
    accuracies = [found["accuracy"] for pair in pairs for found in pair]
    halved = [float(a.min()) <= float(a.sel(epsilon=0)) / 2 for a in accuracies]
    assert np.isfinite(lost.effect.value) == all(halved)


def test_accuracies_are_tabled_with_their_interval():
    """Two networks of the same accuracy are as sure as Wilson's interval of their images; else less so."""

    def table(*accuracies):
        found = tuple(
            made_up([0, 0, 0], [0.9, at, 0.1]).assign(label=("image", np.zeros(100, int))) for at in accuracies
        )
        results = study.Adversarial({("SNN", "SNN"): found}, "share")
        return tabled.accuracy(results, {("SNN", "SNN"): "SNN"}).set_index("setting").loc[0.1]

    alike, apart = table(0.6, 0.6), table(0.5, 0.7)
    wilson = binomtest(60, 100).proportion_ci(method="wilson")
    assert alike["value"] == pytest.approx(60)
    assert (alike["low"], alike["high"]) == pytest.approx((100 * wilson.low, 100 * wilson.high), abs=0.2)
    assert apart["value"] == pytest.approx(60)
    assert apart["low"] < alike["low"] - 5
    assert apart["high"] > alike["high"] + 5
