"""The study of attacks: its parameters, what it asks the store for, and its tables."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from snnlib.claims.adversarial import c7
from snnlib.parameters import AdversarialParameters
from snnlib.spec import SpecError
from snnlib.studies import adversarial as study
from snnlib.studies import adversarial_tables as tabled


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
    for alone, both in zip(study.evidence(run), results.white_box, strict=True):
        for one, other in zip(alone, both, strict=True):
            xr.testing.assert_identical(one, other)
    table = tabled.accuracy(results, {("SNN", "SNN"): "white box", ("ANN", "SNN"): "transfer"})
    assert table["setting"].tolist() == [0, 0, 0.1, 0.1, 0.4, 0.4]
    at = table[(table["setting"] == 0.4) & (table["network"] == "white box")].iloc[0]
    shares = [float(found["accuracy"].sel(epsilon=0.4)[0]) for found in results.found["SNN", "SNN"]]
    assert at["value"] == pytest.approx(100 * np.mean(shares))
    layers = tabled.drift_by_layer(results, {("SNN", "SNN"): "SNN"}, 0.4)
    assert layers["measure"].unique().tolist() == ["CKA (debiased)", "CKA without the top norms", "RSA (Pearson)"]
    assert layers["series"].unique().tolist() == ["SNN", "another SNN, clean images", "another ANN, clean images"]
    drawn = layers.set_index(["series", "measure", "layer"])["value"]
    for name, title in (("cka_without_top", "CKA without the top norms"), ("rsa_pearson", "RSA (Pearson)")):
        found = [one["similarity"].sel(measure=name, epsilon=0.4, layer="fc")[0] for one in results.found["SNN", "SNN"]]
        assert drawn["SNN", title, "fc"] == pytest.approx(1 - np.mean(found))
    both = [run.network(spiking=False, seed=seed) for seed in (0, 1)]
    seeds = run.compare(*both).sel(layer_a="fc", layer_b="fc")
    assert drawn["another ANN, clean images", "CKA (debiased)", "fc"] == pytest.approx(1 - float(seeds), abs=1e-5)
    of = drawn.loc["SNN", "CKA (debiased)"]
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
