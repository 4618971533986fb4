"""The section on event data: intervals over images and seeds on made-up results; what is asked of the store; texts."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from event_results import CKA, LAYERS, comparison
from image_files import save
from scipy import stats

from snnlib import tables
from snnlib.claims import events as claims
from snnlib.data import simulate
from snnlib.data.example import Example, example
from snnlib.parameters import EventParameters
from snnlib.publish import publish
from snnlib.run import Run
from snnlib.spec import Spec, SpecError, StreamSpec
from snnlib.store import Store
from snnlib.studies import events as study
from snnlib.studies import events_words as words


def jackknife(left_out: np.ndarray) -> float:
    """Half the 95 % interval over images, from the formula of the delete-a-group jackknife."""
    g = len(left_out)
    return stats.t.ppf(0.975, g - 1) * np.sqrt((g - 1) / g * ((left_out - left_out.mean()) ** 2).sum())


def test_curves_and_nulls_have_intervals_over_images_for_a_single_pair(scatter):
    one = comparison([0.6 + scatter], [1 + 0 * scatter], [1 + 0 * scatter])
    for name in ("cross", "untrained", "shuffled"):
        curves = one.curve(name, name).set_index("measure")
        for measure, part in ((CKA, 1), ("CKA without the top norms", 2), ("RSA (Pearson)", 3)):
            of = curves.loc[measure]
            assert of["value"].tolist() == pytest.approx([0.6 / part] * 3)
            halves = ((of["high"] - of["low"]) / 2).tolist()
            assert halves == pytest.approx([jackknife(scatter[1:, layer] / part) for layer in range(3)])


def test_the_shortfall_is_taken_group_by_group(scatter):
    """Images that move a comparison and its ceilings alike leave the shortfall where it is, and certain."""
    alike = comparison([0.6 + scatter], [0.8 + scatter], [0.9 + scatter]).shortfall("short")
    opposed = comparison([0.6 - scatter], [0.8 + scatter], [0.9 + scatter]).shortfall("short")
    for measure, part in ((CKA, 1), ("CKA without the top norms", 2), ("RSA (Pearson)", 3)):
        of = alike[alike["measure"] == measure]
        for column in ("value", "low", "high"):
            assert of[column].tolist() == pytest.approx([0.25 / part] * 3)
        of = opposed[opposed["measure"] == measure]
        for layer, half in enumerate((of["high"] - of["low"]) / 2):
            assert half == pytest.approx(2 * jackknife(scatter[1:, layer]) / part)


def test_curves_of_the_shortfall_allow_for_ceilings_that_pairs_share(scatter):
    """With two seeds both pairs are held to one ceiling of each kind; with three, each has its own."""
    for apart, stretch in ((0.0, np.sqrt(2)), (0.01, 1.0)):
        arrays = [[level + scatter, level + apart + scatter] for level in (0.8, 0.9)]
        curve = comparison([0.6 + scatter, 0.7 + scatter], *arrays).shortfall("short").query("measure == @CKA")
        half = stats.t.ppf(0.975, 1) * np.std([0.6, 0.7 - apart], ddof=1) / np.sqrt(2)
        assert ((curve["high"] - curve["low"]) / 2).tolist() == pytest.approx([stretch * half] * 3)


def test_the_change_is_drawn_layer_by_layer_with_the_errors_of_both_inputs(scatter):
    """Events take 0.1 from one pair and 0.3 from the other; images that move both inputs alike leave that certain."""
    ceilings = [0.9 + scatter] * 2
    on_events = comparison([0.7 + scatter, 0.5 + scatter], ceilings, ceilings)
    on_images = comparison([0.8 + scatter, 0.8 - scatter], ceilings, ceilings)
    drawn = study.EventStudy(on_events, on_images).change()
    assert drawn["layer"].tolist() == LAYERS
    assert drawn["value"].tolist() == pytest.approx([0.2] * 3)
    seeds = np.sqrt(2) * 0.1 * np.sqrt(2) / np.sqrt(2)  # both pairs share their ceilings; those of images agree
    assert (drawn["high"] - drawn["value"]).tolist() == pytest.approx([stats.t.ppf(0.975, 1) * seeds] * 3, rel=1e-3)
    assert (drawn["value"] - drawn["low"]).tolist() == pytest.approx((drawn["high"] - drawn["value"]).tolist())
    agreeing = study.EventStudy(replace(on_events, cross=on_events.cross[:1] * 2), on_images).change()
    halves = ((agreeing["high"] - agreeing["low"]) / 2).tolist()  # of images alone, which move one pair in two
    assert halves == pytest.approx([jackknife(scatter[1:, layer]) for layer in range(3)])


def test_the_mean_of_the_change_is_what_is_judged(scatter):
    ceilings = [0.9 + scatter] * 2
    on_events = comparison([0.7 + 2 * scatter + [0, 0.1, 0.3], 0.5 + scatter], ceilings, ceilings)
    found = study.EventStudy(on_events, comparison([0.8 + scatter, 0.8 - scatter], ceilings, ceilings))
    judged = claims.change(*claims.layered(*found.sides))
    assert found.change()["value"].mean() == pytest.approx(judged.value)


def test_comparisons_of_other_layers_are_not_subtracted_row_by_row(scatter):
    one = comparison([0.7 + scatter], [0.9 + scatter], [0.9 + scatter])
    renamed = ["stem.conv", "stage1.1", "fc"]
    other = one.cross[0].assign_coords(layer_a=renamed, layer_b=renamed)
    others = {"layer": [other, one.cross[0][:, ::-1]], "group": [one.cross[0][:-1]]}
    for dimension, ceilings in others.items():
        for ceiling in ceilings:
            with pytest.raises(ValueError, match=dimension):
                replace(one, snn=[ceiling]).shortfall("")
            with pytest.raises(ValueError, match=dimension):
                study.EventStudy(one, replace(one, cross=[ceiling], snn=[ceiling], ann=[ceiling])).change()


@pytest.mark.parametrize(("seeds", "independent"), [(2, [0]), (3, [0]), (4, [0, 2]), (5, [0, 2])])
def test_ceilings_that_share_a_network_are_drawn_once(scatter, seeds, independent):
    levels = [0.5 + 0.1 * k for k in range(seeds)]
    arrays = [level + scatter for level in levels]
    curves = comparison(arrays, arrays, arrays).curve("snn", "ceiling").set_index("measure")
    curve = curves.loc[CKA]
    assert (3 * curves.loc["RSA (Pearson)", "value"]).tolist() == pytest.approx(curve["value"].tolist())
    assert curve["value"].tolist() == pytest.approx([np.mean([levels[k] for k in independent])] * 3)
    networks = [set(tables.seed_pairs(range(seeds))[k]) for k in independent]
    assert len(set.union(*networks)) == 2 * len(independent)


# ---- through the store


@pytest.fixture
def events(tmp_path, monkeypatch):
    """A run of small networks on moving digits, with an empty store of its own."""
    monkeypatch.setenv("SNNLIB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("SNNLIB_PUBLISHED", str(tmp_path / "published"))
    return Run.of(EventParameters(preset="quick", T=1, width=0.1, epochs=1, n_images=32, seeds=1))


def test_the_study_keeps_the_groups_of_all_comparisons(events, computed):
    results = study.event_data(events)
    for one in (results.events, results.still):
        arrays = [*one.cross, *one.snn, *one.ann, one.untrained, one.shuffled]
        assert len(arrays) == 5
        assert len({array.sizes["group"] for array in arrays}) == 1 and arrays[0].sizes["group"] > 2
        assert "group" not in one.rates.dims
        drawn = one.depth_curves()
        assert drawn["series"].unique().tolist() == ["SNN × ANN", "untrained", "shuffled"]  # one seed: no ceilings
        assert drawn.groupby(["series", "measure"]).size().nunique() == 1
        assert {found.sizes["group"] for sets in one.measures.values() for found in sets} == {9}
        curve, short = (table[table["measure"] == CKA] for table in (one.curve("cross", ""), one.shortfall("")))
        known = curve["low"].notna() & curve["high"].notna()  # not where a layer fires for few images, or for none
        assert known.mean() > 0.5
        assert (curve["low"] < curve["high"])[known].all()
        # with one seed the ceiling is 1, and the shortfall mirrors the curve
        assert short.loc[known, "low"].tolist() == pytest.approx((1 - curve.loc[known, "high"]).tolist(), abs=1e-4)
        match = re.fullmatch(
            r"SNN, here ([\d.]+) % \(([\d.]+) to ([\d.]+) %\), ANN, here .* of n = (\d+) test images",
            one.accuracy_in_words("here"),
        )
        value, low, high = map(float, match.groups()[:3])
        assert value == pytest.approx(100 * one.networks[0].history[-1]["test_accuracy"], abs=0.051)
        assert low <= value <= high
        assert int(match[4]) == events.n_test
    assert results.chance == pytest.approx(0.1)
    assert sum(name.startswith(("moving-digits", "digits")) for name in computed) == 8  # four of them untrained
    assert sum(name.startswith("digit-variants") for name in computed) == 2
    ((cross, snn, ann),) = results.control.triples
    assert cross.sizes["group"] == snn.sizes["group"] == ann.sizes["group"] == 9
    assert "The task here is Digit variants (a stand-in, not CIFAR-100)." in words.control_in_words(results)
    made = len(computed)
    events_side, images_side, controls = study.evidence(events)
    assert len(computed) == made, "the front page asks for nothing else"
    for found, shown in ((events_side, results.events), (images_side, results.still)):
        assert all(one.equals(other) for one, other in zip(found[0], shown.triples[0], strict=True))
    (name,) = controls
    assert name == f"{results.control.title}, a task of more classes"


def test_the_picture_of_a_stream_comes_from_the_store(events, tmp_path, monkeypatch):
    """Where images are not at hand, it is what somebody kept who had them."""
    shown = study.stream_example(events, index=3)
    made = example("moving-digits", frames=1, index=3)
    assert np.array_equal(shown.stream, made.stream)
    assert shown.stream.dtype == made.stream.dtype
    for name in ("frames", "image", "path"):
        assert np.array_equal(getattr(shown, name), getattr(made, name)), name
    assert (shown.span, shown.label) == (made.span, made.label)
    published = Store(cache=tmp_path / "elsewhere")
    publish(events.store, study.stream_spec(events, index=3))
    monkeypatch.setattr(simulate, "stream", None)
    again = study.stream_example(replace(events, store=published), index=3)
    assert np.array_equal(again.stream, made.stream)
    assert np.array_equal(again.frames, made.frames)
    assert np.abs(again.image - made.image).max() <= made.image.max() / 60_000
    recording = replace(made, image=None, path=None)
    found = Example.from_dataset(recording.to_dataset())
    assert found.image is None and found.path is None
    assert np.array_equal(found.stream, made.stream)
    with pytest.raises(SpecError, match="digits holds images; only event data have streams"):
        StreamSpec(data=events.data.model_copy(update={"dataset": "digits", "frames": None}))


# ---- runs


@pytest.mark.parametrize(("given", "seeds"), [({}, (0, 1)), ({"seeds": 3}, (0, 1, 2))])
def test_the_images_behind_the_events_have_the_seeds_of_the_events(given: dict, seeds: tuple[int, ...]) -> None:
    run = Run.of(EventParameters(preset="quick", **given))
    assert run.seeds == study.still_run(run).seeds == seeds


def test_the_control_has_all_that_was_given_but_the_data(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("SNNLIB_CACHE", str(tmp_path / "cache"))
    run = Run.of(EventParameters(T=2, epochs=3, seeds=3, dataset="moving-digits", still="digits", size=16))
    control = study.control_run(run)
    assert (control.data.dataset, control.given.preset) == ("digit-variants", "quick")
    assert [control.value(name) for name in ("T", "epochs", "seeds")] == [2, 3, (0, 1, 2)]
    assert control.value("n_images") == run.value("n_images")
    assert study.control_run(Run.of(EventParameters(n_images=64))).value("n_images") == 64
    assert study.control_run(Run.of(EventParameters(control=False))) is None


def test_there_is_no_control_for_images_that_are_not_the_presets(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("SNNLIB_CACHE", str(tmp_path / "cache"))
    assert study.control_run(Run.of(EventParameters(still="digit-variants"))) is None


def test_a_control_that_cannot_be_had_is_said_to_be_one(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("SNNLIB_CACHE", str(tmp_path / "cache"))
    run, original = Run.of(EventParameters()), Run.of

    def of(given, renewed=None):
        if given.data_set() == "digit-variants":
            raise SpecError("They are nowhere.")
        return original(given, renewed)

    monkeypatch.setattr(Run, "of", of)
    with pytest.raises(SpecError, match=r"They are nowhere. It is the control of .*, which control = False leaves out"):
        study.control_run(run)


def test_a_number_of_images_that_nobody_gave_is_not_asked_of_a_small_folder(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("SNNLIB_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    for split, label in product(("train", "test"), ("a", "b")):
        for i in range(6):
            save(rng.integers(0, 256, (8, 8), dtype=np.uint8), tmp_path / "still" / split / label / f"{i}.png")
    still = f"folder:{tmp_path / 'still'}"
    events = Run.of(EventParameters(still=still, control=False))
    asked: list[Spec] = []
    monkeypatch.setattr(Store, "make_all", lambda _, specs: asked.extend(specs))
    both = study._trained(events)
    assert [one.value("n_images") for one in both] == [12, 12], "as many of both"
    assert len(asked) == 2 * 2 * len(events.seeds)
    assert events.value("n_images") > 12
    with pytest.raises(SpecError, match="n_images = 64, but still has 12 test images"):
        study.still_run(Run.of(EventParameters(still=still, n_images=64)))


def test_both_runs_make_anew_what_nobody_made_yet(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("SNNLIB_CACHE", str(tmp_path / "cache"))
    renewed: set[str] = set()
    still = study.still_run(Run.of(EventParameters(recompute=True), renewed))
    assert still.store.renewed is renewed
