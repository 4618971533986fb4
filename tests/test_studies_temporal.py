"""What the section on time draws and quotes, from made-up results with a known answer."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from chart_tables import layers
from claim_tables import band, blocks_of, grouped, steps_of

from snnlib import charts, tables
from snnlib.claims.temporal import c5
from snnlib.parameters import AdversarialParameters, ManyClassesParameters, QuickstartParameters, TemporalParameters
from snnlib.run import Run
from snnlib.similarity import MEASURES
from snnlib.spec import SpecError
from snnlib.studies import dynamics, each_step, more_steps, temporal

RNG = np.random.default_rng(1)
NAMES = [name for name, _, _ in layers()]
OUTPUTS = np.array([kind == "sum" for _, kind, _ in layers()])


def with_ann(by_step: list[float], steps_b: int = 1) -> xr.DataArray:
    """A network of T steps with another: block outputs have these values at the same step, everything else nonsense."""
    T = len(by_step)
    cka = steps_of({}, T=T)
    cka[:] = RNG.uniform(-1, 1, cka.shape)
    cka = cka.isel(step_b=range(steps_b)).copy()
    for i in np.flatnonzero(OUTPUTS):
        for t, value in enumerate(by_step):
            cka[i, t, i, min(t, steps_b - 1)] = value
    return grouped(cka, 0.01)


def measured(T: int) -> xr.Dataset:
    """All pairs of steps of corresponding layers by some measures: any numbers, symmetric in the steps."""
    values = RNG.uniform(0, 1, (2, 9, len(NAMES), T, T))
    values = (values + values.swapaxes(-1, -2)) / 2
    coords = {"measure": ["cka_without_top", "rsa_pearson"], "layer": NAMES}
    coords |= {name: ("layer", [layer[i] for layer in layers()]) for i, name in ((1, "kind"), (2, "stage"))}
    coords |= {"step_a": np.arange(1, T + 1), "step_b": np.arange(1, T + 1)}
    return xr.Dataset({"similarity": (("measure", "group", "layer", "step_a", "step_b"), values)}, coords)


@pytest.fixture(scope="module")
def steps() -> temporal.Temporal:
    flat = {T: [grouped(blocks_of(0.5 + T / 10, 0.2, noise=0), 0.01)] for T in (1, 2)}
    alone = with_ann([0.7])
    said = [("SNN", 1.0, 0.5), ("SNN", 2.0, 0.6), ("SNN", 2.0, 0.62), ("ANN", np.nan, 0.9), ("ANN", np.nan, 0.92)]
    rate = xr.DataArray(RNG.uniform(0, 0.2, (9, 5, 2)), dims=("group", "layer", "step"), attrs={"n_images": 96})
    return temporal.Temporal(
        T=2,
        within={1: [grouped(steps_of({}, T=1), 0.01)], 2: [grouped(steps_of({1: 0.1, 3: 0.6}, T=2), 0.01)]},
        across={1: [with_ann([0.3])], 2: [with_ann([0.2, 0.4]), with_ann([0.3, 0.5])]},
        concat=flat,
        rates={2: [rate, rate + 0.1]},
        untrained=grouped(steps_of({1: 0.3, 3: 0.3}, T=2), 0.01),
        step_controls={"ceiling": alone, "silent": with_ann([np.nan, 0.4])},
        controls={"ceiling": dict.fromkeys((1, 2), flat[2][0])},
        measures={s: [measured(2)] for s in ("T = 2", "untrained, T = 2", "SNN × ANN", "ceiling", "silent")},
        accuracy=pd.DataFrame(said, columns=["network", "T", "accuracy"]),
        networks=[],
        n_test=100,
    )


def test_a_step_is_compared_with_the_same_one_or_the_only_one() -> None:
    one, frames = (tables.all_images(with_ann([0.1, 0.2, 0.3], steps_b=b)) for b in (1, 3))
    for cka in (one, frames):
        found = temporal.same_step(cka, 3)
        assert found.dims == ("layer", "step")
        assert np.allclose(found.values[OUTPUTS], [0.1, 0.2, 0.3])
    other = NAMES.index("stage1.0.conv1")
    assert np.array_equal(temporal.same_step(one, 3).values[other], one.values[other, :, other, 0])
    assert np.array_equal(temporal.same_step(frames, 3).values[other], np.diag(frames.values[other, :, other]))


def test_steps_stand_beside_their_controls(steps: temporal.Temporal) -> None:
    table = each_step.step_by_step(steps).set_index(["network", "setting"])
    expected = {("SNN × ANN", 1): 0.25, ("SNN × ANN", 2): 0.45, ("ceiling", 1): 0.7, ("ceiling", 2): 0.7}
    for key, value in expected.items():
        assert table.loc[key, "value"] == pytest.approx(value)
        assert table.loc[key, "low"] < value < table.loc[key, "high"]
    assert np.isnan(table.loc[("silent", 1), "value"]), "a block output without CKA leaves no mean"
    assert table.loc[("silent", 2), "value"] == pytest.approx(0.4)


def test_dynamics_have_intervals_over_images(steps: temporal.Temporal) -> None:
    """Of a single network too, trained or not; a network of one step has no dynamics."""
    table = dynamics.dynamics_along_depth(steps)
    assert table["series"].unique().tolist() == ["T = 2", "untrained, T = 2"]
    assert table.groupby(["series", "measure"]).size().tolist() == [len(NAMES)] * 6
    charts.depth_curve(table)
    of = table.set_index(["measure", "series", "layer"])
    other = steps.measures["untrained, T = 2"][0]["similarity"].sel(measure="rsa_pearson", layer="stage2.1.conv1")
    row = of.loc["RSA (Pearson)", "untrained, T = 2", "stage2.1.conv1"]
    assert [row["value"], row["low"], row["high"]] == pytest.approx(band(1 - other.values[:, 0, 1]))
    table = table[table["measure"] == MEASURES["cka"].title]
    assert (table["low"] < table["value"]).all()
    assert (table["value"] < table["high"]).all()
    trained = table[table["series"] == "T = 2"].set_index("layer")
    assert trained.loc["stage3.1.conv2", "value"] == pytest.approx(0.6, abs=0.01)
    assert trained.loc["stage1.2", "value"] == pytest.approx(0.1, abs=0.01)
    found = dynamics.dynamics_of_stages(steps)
    assert list(found) == ["T = 2", "untrained, T = 2"]
    shallow, deep, more = found["T = 2"]
    assert (shallow.value, deep.value, more.value) == pytest.approx((0.1, 0.6, 0.5), abs=0.01)
    for of, judged in zip((more, shallow), c5(steps.within[2]).bounds, strict=True):
        assert (of.low, of.high) == (judged.effect.low, judged.effect.high), "the numbers that C5 is judged by"
    assert shallow.low < shallow.value < shallow.high


def test_steps_stand_along_depth_by_all_measures(steps: temporal.Temporal) -> None:
    table = each_step.steps_along_depth(steps)
    charts.depth_curve(table)
    assert table["series"].unique().tolist() == ["SNN × ANN, step 1", "SNN × ANN, step 2", "ceiling", "silent"]
    assert table["measure"].unique().tolist()[0] == MEASURES["cka"].title
    of = table.set_index(["measure", "series", "layer"])
    cka = of.loc[MEASURES["cka"].title]["value"]
    expected = {"SNN × ANN, step 1": 0.25, "SNN × ANN, step 2": 0.45, "ceiling": 0.7, "silent": 0.4}
    assert {series: cka[series, "stage1.0"] for series in expected} == pytest.approx(expected)
    for series, found, step in (("SNN × ANN, step 1", "SNN × ANN", 0), ("ceiling", "ceiling", 1)):
        values = steps.measures[found][0]["similarity"].sel(measure="cka_without_top", layer="fc").values[:, step, step]
        row = of.loc["CKA without the top norms", series, "fc"]
        assert [row["value"], row["low"], row["high"]] == pytest.approx(band(values))


def test_the_change_from_the_first_step_to_the_last_is_taken_pair_by_pair(steps: temporal.Temporal) -> None:
    one = with_ann([0.9]).isel(step_a=[0])
    found = each_step.step_changes(replace(steps, step_controls={**steps.step_controls, "two ANNs": one}))
    assert "two ANNs" not in found
    change = found["SNN × ANN"]
    assert (change.value, change.seeds) == (pytest.approx(0.2), 2)
    assert change.low == pytest.approx(change.high), "both pairs and all groups of images change by as much"
    assert not np.isfinite(found["silent"].value)


def test_more_steps_stand_beside_their_controls(steps: temporal.Temporal) -> None:
    table = more_steps.similarity(steps).set_index(["network", "setting"])
    expected = {("SNN × ANN", 1): 0.6, ("SNN × ANN", 2): 0.7, ("ceiling", 1): 0.7, ("ceiling", 2): 0.7}
    assert table["value"].to_dict() == pytest.approx(expected)
    assert (table["low"] < table["value"]).all()
    accuracy = more_steps.accuracies(steps).set_index(["network", "setting"])["value"]
    assert accuracy.to_dict() == pytest.approx(
        {("SNN", 1): 50, ("SNN", 2): 61, ("ANN", 1): 91, ("ANN", 2): 91}
    )  # the ANN has no T
    said = more_steps.in_words(steps, more_steps.similarity(steps), more_steps.accuracies(steps))
    assert re.search(r"is 0\.60 \(0\.\d\d to 0\.\d\d\) at T = 1, 0\.70 \(.*\) at T = 2 ", said)
    assert "Accuracy is 50.0 % at T = 1, 61.0 % at T = 2." in said
    own = [np.diag(cka.values[0])[(cka["kind_a"] == "sum").values].mean() for cka in steps.concat[2]]
    assert len(own) == 1
    assert "Each is of one pair of networks" in said
    two = replace(steps, concat={**steps.concat, 2: [*steps.concat[2], steps.concat[2][0] + 0.1]})
    said = more_steps.in_words(two, more_steps.similarity(two), more_steps.accuracies(two))
    assert f"there are 2 pairs of networks, these alone range from {own[0]:.2f} to {own[0] + 0.1:.2f}" in said


def test_event_data_are_shown_for_the_steps_that_they_were_cut_into(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("SNNLIB_CACHE", str(tmp_path))

    def cases(**given: object) -> list[int]:
        return list(temporal.seeds_of_pairs(Run.of(TemporalParameters(preset="quick", T=2, **given))))

    assert cases(dataset="moving-digits") == [2]
    assert cases(dataset="moving-digits", timesteps="2") == [2]
    assert cases(dataset="digits", timesteps="1,3") == [1, 2, 3]
    with pytest.raises(SpecError, match=r"timesteps = \[1, 2\], but .* has 2 frames.* cannot be shown for T = 1"):
        cases(dataset="moving-digits", timesteps="1,2")
    for schema in (QuickstartParameters, AdversarialParameters, ManyClassesParameters):
        with pytest.raises(SpecError, match=f"is event data, and {schema.title} is about still images"):
            Run.of(schema(dataset="moving-digits"))


def test_the_firing_rate_is_that_of_the_step(steps: temporal.Temporal) -> None:
    rates = steps.rates[2][0].values[0]  # (layer, step)
    for step in (1, 2):
        found = each_step.firing_rate(steps, step)
        assert found.value == pytest.approx(rates[:, step - 1].mean() + 0.05)
        assert (found.n_images, found.seeds) == (96, 2)


# ---- drift or alternation


def named(of_pair: np.ndarray, stage: int = 3) -> xr.DataArray:
    """A network with itself: the block outputs of a stage have these values (step, step), all other layers nonsense."""
    T = len(of_pair)
    cka = steps_of({}, T=T)
    cka[:] = RNG.uniform(-1, 1, cka.shape)
    for i in np.flatnonzero(OUTPUTS & np.array([s == stage for _, _, s in layers()])):
        cka[i, :, i, :] = of_pair
    return grouped(cka, 1e-4)


def by_distance(*values: float) -> np.ndarray:
    """(step, step): 1 on the diagonal, and these values next to it, two steps away, and so on."""
    known = np.array([1.0, *values])
    return known[np.abs(np.subtract.outer(np.arange(len(known)), np.arange(len(known))))]


def one_apart(T: int, which: int) -> np.ndarray:
    """(step, step) of a network in which one step is unlike all others."""
    others = np.arange(T) != which
    return np.where(np.eye(T, dtype=bool), 1, np.where(np.logical_and.outer(others, others), 0.9, 0.4))


@pytest.mark.parametrize(
    ("of_pair", "least", "largest"),
    [
        (by_distance(0.7, 0.9), 0.2, 0.2),
        (by_distance(0.7, 0.9, 0.65), 0.2, 0.2),
        (by_distance(0.9, 0.8, 0.7, 0.6), -0.1, -0.1),
        (by_distance(0.8, 0.8, 0.8), 0, 0),
        (one_apart(4, 0), -0.25, 0),
        (one_apart(4, 1), -0.25, 0.5),
        (one_apart(5, 2), -0.25, 0.5),
    ],
)
def test_drifts_alternations_and_single_steps_are_told_apart(
    steps: temporal.Temporal, of_pair: np.ndarray, least: float, largest: float
) -> None:
    T = len(of_pair)
    untrained = named(by_distance(*[0.5] * (T - 1)))
    found = replace(steps, T=T, within={**steps.within, T: [named(of_pair)]}, untrained=untrained)
    said = dynamics.alternation(found)
    assert list(said) == [f"T = {T}", f"untrained, T = {T}"], "two steps are no row of three"
    assert [of.value for of in said[f"T = {T}"]] == pytest.approx([least, largest])
    for of in said[f"T = {T}"]:
        assert [of.low, of.high] == pytest.approx([of.value] * 2), "what moves all steps alike is no alternation"
    assert [of.value for of in said[f"untrained, T = {T}"]] == pytest.approx([0, 0])


def test_an_alternation_has_an_interval_over_images(steps: temporal.Temporal) -> None:
    """The steps of every group of images move by themselves."""
    cka = named(by_distance(0.7, 0.9, 0.65))
    cka = cka + RNG.normal(0, 0.01, cka.shape) * (np.arange(9) > 0).reshape(-1, 1, 1, 1, 1)
    found = replace(
        steps, T=4, within={4: [cka.assign_attrs(n_images=96)]}, untrained=named(by_distance(0.5, 0.5, 0.5))
    )
    blocks = np.flatnonzero(OUTPUTS & np.array([s == 3 for _, _, s in layers()]))
    of = np.stack([cka.values[:, i, :, i, :] for i in blocks], 1)  # (group, block, step, step)
    rows = np.stack([of[..., t, t + 2] - (of[..., t, t + 1] + of[..., t + 1, t + 2]) / 2 for t in range(2)]).mean(2)
    for effect, expected in zip(dynamics.alternation(found)["T = 4"], (rows.min(0), rows.max(0)), strict=True):
        assert [effect.value, effect.low, effect.high] == pytest.approx(band(expected))
        assert effect.high - effect.low > 0.001


def test_steps_stand_by_how_far_apart_they_are(steps: temporal.Temporal) -> None:
    """The last stage's block outputs only, the mean over all pairs of a distance."""
    of_pair = RNG.uniform(0, 1, (4, 4))
    of_pair = (of_pair + of_pair.T) / 2
    networks = [named(of_pair), named(of_pair + 0.1)]
    found = replace(steps, T=4, within={4: networks}, untrained=named(by_distance(0.5, 0.4, 0.3)))
    table = dynamics.steps_apart(found)
    charts.sweep(table, setting_title="steps apart", value_title="CKA")
    assert (table["low"] < table["value"]).all()
    assert (table["value"] < table["high"]).all()
    of = table.set_index(["network", "setting"])["value"]
    pairs = {1: [(0, 1), (1, 2), (2, 3)], 2: [(0, 2), (1, 3)], 3: [(0, 3)]}
    for distance, of_distance in pairs.items():
        expected = np.mean([of_pair[pair] for pair in of_distance]) + 0.05
        assert of["T = 4", distance] == pytest.approx(expected)
    assert of["untrained, T = 4"].tolist() == pytest.approx([0.5, 0.4, 0.3])
