"""What the ledger says of how its verdicts were obtained, and what the workflow gives to the page that shows it."""

from __future__ import annotations

import importlib.util
import shutil
from dataclasses import replace

from conftest import REPOSITORY

from snnlib.claims import CLAIMS, Verdict
from snnlib.ledger import Line, protocol
from snnlib.run import Run
from snnlib.spec import PRESETS
from snnlib.sweep import Plan


def line(number: int, run: Run) -> Line:
    return Line(Verdict(CLAIMS[number - 1], (), "undecided"), (run,))


def test_verdicts_under_one_preset_have_one_protocol(run) -> None:
    said = protocol([line(1, run), line(2, run)]).data
    assert said.count("**Protocol") == 1
    assert "**Protocol:** preset `quick`" in said
    assert "(the paper: 300)" in said


def test_verdicts_under_several_presets_have_one_each_that_names_its_claims(run) -> None:
    other = replace(run, given=run.given.model_copy(update={"preset": "laptop"}), preset=PRESETS["laptop"])
    said = protocol([line(1, run), line(2, run), line(3, other)]).data
    assert "**Protocol of C1, C2:** preset `quick`" in said
    assert "**Protocol of C3:** preset `laptop`" in said
    assert said.count("The verdicts hold") == 1


def test_the_workflow_gives_its_parameters_to_the_front_page(tmp_path) -> None:
    spec = importlib.util.spec_from_file_location("build_book", REPOSITORY / "workflow" / "build_book.py")
    build_book = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build_book)
    executed = tmp_path / "executed"
    executed.mkdir()
    shutil.copy2(REPOSITORY / "notebooks" / "04_temporal.ipynb", executed)
    build_book.copy_of_sources(tmp_path / "copy", executed, Plan("paper", {"seeds": [0, 1]}, {}, [], []))
    page = (tmp_path / "copy" / "book" / "intro.md").read_text(encoding="utf8")
    assert "\ngiven = {'preset': 'paper', 'seeds': [0, 1]}" in page
    assert page.count("given = {") == 1
    assert "begin(given, TemporalParameters)" in page
    assert "ledger(**given)" in page
