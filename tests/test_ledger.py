"""What the ledger says of how its verdicts were obtained."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from snnlib import ledger, tables
from snnlib.claims import C5, CLAIMS, Verdict
from snnlib.ledger import Line, answers, protocol
from snnlib.parameters import EventParameters
from snnlib.run import Run
from snnlib.spec import PRESETS, Spec, TrainSpec
from snnlib.studies import adversarial, appendix, events, residual, spatial, temporal
from snnlib.sweep.listing import CHAPTERS, asked


def line(number: int, *runs: Run) -> Line:
    return Line(Verdict(CLAIMS[number - 1], (), "undecided"), runs)


def test_verdicts_under_one_preset_have_one_protocol(run) -> None:
    said = protocol([line(1, run), line(2, run)]).data
    assert said.count("**Protocol") == 1
    assert "**Protocol:** preset `quick`" in said
    assert " 1 epoch (the paper: 300) · seeds 0, 1 · " in said
    long = replace(run, given=run.given.model_copy(update={"epochs": 2, "seeds": (0,)}))
    assert " 2 epochs (the paper: 300) · seed 0 · " in protocol([line(1, long)]).data


def test_verdicts_under_several_presets_have_one_each_that_names_its_claims(run) -> None:
    other = replace(run, given=run.given.model_copy(update={"preset": "laptop"}), preset=PRESETS["laptop"])
    said = protocol([line(1, run), line(2, run), line(3, other)]).data
    assert "**Protocol of C1, C2:** preset `quick`" in said
    assert "**Protocol of C3:** preset `laptop`" in said
    assert said.count("The verdicts hold") == 1


def test_a_verdict_on_events_names_the_images_that_they_are_compared_with(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("SNNLIB_CACHE", str(tmp_path))
    verdict = Verdict(CLAIMS[5], (), "undecided")
    monkeypatch.setattr(ledger, "SECTIONS", (((EventParameters,), lambda run: [verdict]),))
    (found,) = ledger.ledger(preset="quick", T=3)
    assert found.verdict is verdict
    assert [run.data.dataset for run in found.runs] == ["moving-digits", "digits"]
    assert found.data == f"{found.runs[0].title}, Digits"


def test_each_question_is_answered_by_its_claims_and_their_words(run) -> None:
    words = ["supported", "undecided", "not supported", "undecided", "supported", "undecided", "undecided", "supported"]
    lines = [Line(Verdict(claim, (), word), (run,)) for claim, word in zip(CLAIMS, words, strict=True)]
    one, two = answers(lines).data.split("- **Question ")[1:]
    said = [line.strip() for line in one.splitlines()[1:]]
    assert [re.findall(r"\((C\d)\)", line) for line in said] == [["C1", "C8"], ["C3"], ["C2", "C4", "C6", "C7"]]
    assert [line.partition(":")[0] for line in said] == ["- **supported**", "- **not supported**", "- **undecided**"]
    assert two.splitlines()[1:] == [f"  - **supported**: {C5.short} (C5)"]


def test_the_protocol_has_the_accuracies_of_the_networks(run) -> None:
    assert "range over seeds, on Digits, ResNet-20: not known" in protocol([line(1, run)]).data
    shares = {"SNN": [], "ANN": []}
    for kind, accuracies in shares.items():
        for seed in run.seeds:
            network = run.train(run.network(spiking=kind == "SNN", seed=seed))
            accuracies.append(network.history[-1]["test_accuracy"])
    said = ", ".join(f"{kind} {tables.percent(accuracies)}" for kind, accuracies in shares.items())
    assert f"range over seeds, on Digits, ResNet-20: {said} · trained on " in protocol([line(1, run)]).data


def test_a_verdict_on_chapters_of_two_presets_names_both(run) -> None:
    other = replace(run, given=run.given.model_copy(update={"preset": "laptop"}), preset=PRESETS["laptop"])
    said = protocol([line(1, run), line(8, run, other)]).data
    assert "**Protocol of C1:** preset `quick`" in said
    (of_c8,) = [part for part in said.split("\n\n") if "of C8" in part]
    assert "`quick` (" in of_c8
    assert " or `laptop` (" in of_c8


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize(
    ("chapter", "part"),
    [
        ("02_spatial_cka", spatial.evidence),
        ("03_residual", residual.evidence),
        ("04_temporal", temporal.evidence),
        ("04_temporal", temporal.flattened),
        ("05_event_data", events.evidence),
        ("06_adversarial", adversarial.evidence),
        ("a1_vgg", appendix.evidence),
        ("a2_cifar100", appendix.evidence),
    ],
)
def test_the_front_page_asks_for_a_part_of_what_its_chapters_do(
    preset: str, chapter: str, part: Callable[[Run], object]
) -> None:
    """So it trains and compares nothing of its own; networks are asked for before what is computed from them."""
    schema, study = CHAPTERS[chapter]
    found, every = (list(asked(schema(preset=preset), of)) for of in (part, study))
    assert set(found) < set(every)

    def trained(spec: Spec) -> bool:
        return isinstance(spec, TrainSpec) and spec.epochs > 0

    last = max(i for i, spec in enumerate(found) if trained(spec))
    assert all(isinstance(spec, TrainSpec) for spec in found[: last + 1])
    assert not all(isinstance(spec, TrainSpec) for spec in found)
