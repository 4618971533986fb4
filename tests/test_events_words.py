"""What the section on event data says of its input, and of made-up results."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from event_results import comparison, networks

from snnlib.claims import events as claims
from snnlib.data import recorded, simulate
from snnlib.parameters import EventParameters
from snnlib.run import Run
from snnlib.studies import events as study
from snnlib.studies import events_words as words


def test_the_levels_are_of_the_layers_that_all_comparisons_have(scatter):
    silent = np.full(3, 0.9)
    silent[2] = np.nan  # a layer that fires in no image in one of the ceilings
    flat = 0 * scatter
    on_events = comparison([0.6 + flat + [0, 0.1, 0.5]] * 2, [silent + scatter] * 2, [0.8 + flat] * 2)
    on_images = comparison([0.7 + flat + [0, 0.1, 0.9]] * 2, [0.9 + flat] * 2, [0.8 + flat] * 2)
    said = words.levels_in_words(study.EventStudy(on_events, on_images))
    assert said.startswith("Mean CKA over the 2 layers that have a value")
    assert "on events SNN × ANN **0.650 (0.650 to 0.650)**, its ceilings SNN × SNN 0.900 and ANN × ANN 0.800;" in said
    assert "on images SNN × ANN **0.750 (0.750 to 0.750)**" in said
    assert said.endswith("(n = 99 images, 2 pairs of networks; 95 % interval).")


def test_other_yardsticks_stand_beside_the_judged_one(scatter):
    """On events all similarities are 0.6 of those on images: the shortfall is another, the share of the ceiling not."""
    ceilings = [0.9 + scatter] * 2
    on_images = comparison([0.8 + scatter] * 2, ceilings, ceilings)
    lower = [0.6 * 0.9 + scatter] * 2
    on_events = comparison([0.6 * 0.8 + scatter] * 2, lower, lower)
    results = study.EventStudy(on_events, on_images)
    found = words.yardsticks(results)
    judged = found["CKA, all layers (judged)"]
    assert judged[:2] == pytest.approx((0.06, 0.1)) and judged[2].value == pytest.approx(-0.04)
    assert judged[2] == claims.change(*claims.layered(*results.sides))
    assert found["CKA, as a share of the ceiling"][2].value == pytest.approx(0, abs=1e-3)
    assert found["CKA without the top norms, all layers"][2].value == pytest.approx(-0.02)
    assert found["RSA (Pearson), all layers"][2].value == pytest.approx(-0.04 / 3)
    assert found["share of images classified alike"][2].value == pytest.approx(-0.04)
    table = words.yardsticks_in_words(results)
    assert "| CKA, all layers (judged) | 0.060 | 0.100 | −0.040 (" in table
    assert "Of the 5 ways that are not judged, " in table


def test_what_another_task_does_stands_beside_what_events_do(scatter):
    ceilings = [0.9 + scatter] * 2
    on_events = comparison([0.7 + scatter, 0.7 + scatter], ceilings, ceilings)
    on_images = replace(comparison([0.8 + scatter, 0.8 + scatter], ceilings, ceilings), networks=networks(0.8, 0.9))
    assert "left out by `control = False`" in words.control_in_words(study.EventStudy(on_events, on_images))
    cases = {0.7: ("not told apart from zero", "supported"), 0.8: ("otherwise than this task", "not supported")}
    for level, (so, word) in cases.items():
        triples = comparison([level + scatter] * 2, ceilings, ceilings).triples
        control = study.Control("Many classes", networks(0.2, 0.3), 50, triples)
        said = words.control_in_words(study.EventStudy(on_events, on_images, control))
        assert f"the shortfall changes by {0.8 - level:.3f} (" in said
        assert f"changes the comparison is {word}." in said
        assert so in said and "The task here is Many classes. Test accuracy: SNN 20.0 % (" in said
        assert "over 3 layers" in said and "no harder" not in said
    easy = study.Control("Easy ones", networks(0.85, 0.3), 50, triples)
    assert "for SNN it is no harder" in words.control_in_words(study.EventStudy(on_events, on_images, easy))


def test_of_one_pair_nothing_is_said_to_be_sure(scatter):
    own = [1 + 0 * scatter]  # with one seed networks are compared with themselves
    on_events = comparison([0.7 + scatter], own, own)
    on_images = replace(comparison([0.8 + scatter], own, own), networks=networks(0.8, 0.9))
    results = study.EventStudy(on_events, on_images, study.Control("Many", networks(0.2, 0.3), 50, on_events.triples))
    assert "ceilings" not in words.levels_in_words(results)
    assert "none give the change a sign that is sure (" in words.yardsticks_in_words(results)
    assert "a single pair of networks says nothing of other seeds" in words.control_in_words(results)


# ---- of the input


def test_the_origin_of_the_streams_is_told_with_the_constants_in_use(tmp_path, monkeypatch):
    monkeypatch.setenv("SNNLIB_CACHE", str(tmp_path / "cache"))
    events = Run.of(EventParameters())
    monkeypatch.setattr(simulate, "REACH", 5)
    told = words.origin_in_words(events)
    assert "images of `digits`" in told and "1/5 of its side" in told
    sensor = simulate.Sensor()
    assert f"Thresholds are {sensor.threshold:g}" in told and f"a scatter of {100 * sensor.noise:g} %" in told
    object.__setattr__(events, "data", events.data.model_copy(update={"dataset": "n-caltech101"}))
    told = words.origin_in_words(events)
    assert "such recordings" in told and "digits`" not in told and "moves" not in told
    assert "first test recording, by class and name, that has events" in told


def test_a_split_that_is_not_the_published_one_is_named(monkeypatch):
    assert words.split_in_words().endswith("`, which is the published one.")
    names = recorded.cifar10_dvs_names()
    monkeypatch.setattr(recorded, "cifar10_dvs_names", lambda: names[1:])
    assert words.split_in_words().endswith("`, **which differs from the published one**.")
