"""What the guides and notebooks say of themselves, held against the code: parameters, claims, presets, lengths."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
import torch
from conftest import REPOSITORY
from test_repository import NOTEBOOKS, parameters_of
from torch import nn

from snnlib import parameters
from snnlib.claims import CLAIMS
from snnlib.spec import PRESETS
from snnlib.sweep import CHAPTERS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_parameters_cell_is_what_is_validated(path: Path) -> None:
    """Its names are those of the schema, and what it assigns are the schema's defaults."""
    sources = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    named = re.search(r"\b(?:begin|validated)\(globals\(\)(?:, (\w+))?\)", "\n".join(sources))
    assert named, "no cell validates the parameters"
    schema = getattr(parameters, named[1] or "Parameters")
    assigned: dict[str, Any] = {}
    exec(next(source for source in sources if source.startswith("# Parameters")), assigned)
    del assigned["__builtins__"]
    assert assigned == {name: field.default for name, field in schema.model_fields.items()}


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_is_called_by_its_heading(chapter: str) -> None:
    schema, _ = CHAPTERS[chapter]
    heading = nbformat.read(REPOSITORY / "notebooks" / f"{chapter}.ipynb", as_version=4).cells[0].source.splitlines()[0]
    assert schema.title
    assert re.match(rf"# {re.escape(schema.title)}\b", heading)


def rows_under(heading: str, text: str) -> list[list[str]]:
    """Cells of the table whose head begins with these words, a row each, without the head."""
    table = re.search(rf"^\| {re.escape(heading)}.*\n\|[-|]+\|\n((?:\|.*\n)+)", text, flags=re.MULTILINE)
    assert table, heading
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table[1].splitlines()]


def test_the_guide_lists_every_chapter_with_its_claims_and_parameters() -> None:
    guide = (REPOSITORY / "book/reproduce.md").read_text(encoding="utf8")
    common = {name.strip("`") for name, _ in rows_under("parameter | meaning", guide)}
    assert common == set(parameters.Parameters.model_fields)
    listed = {}
    for _, name, judged, own in rows_under("chapter | notebook", guide):
        listed[name.strip("`")] = set(re.findall(r"C\d", judged)), set(re.findall(r"`(\w+)`", own))
    judges = {path.stem: {claim.id for claim in CLAIMS if path.stem in claim.pages} for path in NOTEBOOKS}
    assert listed == {path.stem: (judges[path.stem], parameters_of(path) - common) for path in NOTEBOOKS}


def test_the_guide_names_what_each_preset_takes() -> None:
    guide = (REPOSITORY / "book/reproduce.md").read_text(encoding="utf8")
    listed = {row[0].strip("`"): [cell.strip("`") for cell in row[1:]] for row in rows_under("preset | most", guide)}
    takes = [parameters.Parameters, parameters.EventParameters, parameters.ManyClassesParameters]
    assert listed == {name: [each(preset=name).data_set() for each in takes] for name in PRESETS}


def test_readme_links_every_chapter() -> None:
    linked = re.findall(r"\]\(notebooks/(\w+)\.ipynb\)", (REPOSITORY / "README.md").read_text(encoding="utf8"))
    assert set(linked) == {path.stem for path in NOTEBOOKS}


OWN = REPOSITORY / "notebooks/b1_bring_your_own.ipynb"


@pytest.mark.parametrize("library", ["snntorch", "spikingjelly", "torchvision"])
def test_networks_of_ones_own_are_defined_in_under_20_lines(library: str) -> None:
    """Of their whole cell, imports and comparison included: that is what the page promises."""
    cells = [cell.source for cell in nbformat.read(OWN, as_version=4).cells if cell.cell_type == "code"]
    (source,) = [s for s in cells if re.search(rf"^(?:import|from) {library}\b", s, flags=re.MULTILINE)]
    lines = [line for line in source.splitlines() if line.strip() and not line.strip().startswith("#")]
    assert 0 < len(lines) < 20


def test_the_guide_s_python_runs_as_it_stands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With the published networks alone, and a network of one's own."""
    monkeypatch.setenv("SNNLIB_CACHE", str(tmp_path))
    guide = (REPOSITORY / "book/reproduce.md").read_text(encoding="utf8")
    (code,) = re.findall(r"```python\n(.*?)```", guide, flags=re.DOTALL)
    monkeypatch.setattr("snnlib.training.train", lambda *_, **__: pytest.fail("nothing is to be trained"))
    own = nn.Sequential(nn.Flatten(), nn.Linear(256, 8), nn.ReLU())
    names: dict[str, Any] = {"my_network": own}
    exec(code, names)
    assert names["cka"].sizes == {"layer_a": 74, "layer_b": 2}
    hits = [(names["snn"].model(x).argmax(1) == y).float() for x, y in names["loader"]]
    assert torch.cat(hits).mean() > 0.9, "the images are normalised as the network was trained"
