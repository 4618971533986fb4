"""The line under a figure: what it is drawn from, checked against the files of the store, and the command it gives."""

from __future__ import annotations

import hashlib
import re
import shlex
import shutil
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import xarray as xr

from snnlib import measurements, parameters
from snnlib.entries import seal
from snnlib.figures import command, figure
from snnlib.figures import page as page_room
from snnlib.figures.page import Page, provenance_line
from snnlib.figures.settings import settings
from snnlib.notebook import begin
from snnlib.run import Run
from snnlib.store import Store


class Text(HTMLParser):
    """The words of some HTML by the heading (dt) they stand under, and its tags; an unclosed tag is an error."""

    VOID = ()

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.said: dict[str, str] = {}
        self.heading = ""
        self.feed(html)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        self.tags.add(tag)
        if tag == "dt":
            self.heading = ""

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        if tag in ("td", "th", "summary"):
            self.handle_data(" ")

    def handle_data(self, data: str) -> None:
        if "dt" in self.open:
            self.heading += data
        else:
            self.said[self.heading] = self.said.get(self.heading, "") + data


def test_parameters_of_no_notebook_have_no_command() -> None:
    assert command(parameters.Parameters(T=2)) == ""


# ---- settings


def test_settings_are_those_in_effect() -> None:
    spatial = settings(parameters.SpatialParameters(preset="quick", T=3))
    assert (spatial["T"], spatial["width"], spatial["widths"]) == (3, 0.5, (0.25, 0.5, 1.0))
    assert settings(parameters.VggParameters(preset="quick"))["width"] == 0.25, "the preset's width of a VGG"
    simulated = settings(parameters.EventParameters(preset="quick"))
    assert "size" not in simulated, "simulated frames are as large as their images"
    assert settings(parameters.EventParameters(preset="paper"))["size"] == 48
    assert "epsilons" not in settings(parameters.AdversarialParameters(released=True))
    assert "attack_steps" not in settings(parameters.AdversarialParameters(method="fgsm"))
    assert settings(parameters.AdversarialParameters(preset="quick"))["attack_steps"] == 7


# ---- what a figure is drawn from


@dataclass(frozen=True)
class Study:
    """As studies return them."""

    cross: list[xr.DataArray]
    table: pd.DataFrame
    n: int = 3


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A page, two untrained networks of it, and their comparison, in a store that no test here writes to."""
    given = parameters.TemporalParameters(preset="quick", T=2, width=0.25, epochs=1, n_images=32)
    folder = tmp_path_factory.mktemp("figures")
    run = replace(Run.of(given), store=Store(cache=folder / "cache", published=folder / "published"))
    specs = [run.network(spiking=kind, seed=seed, epochs=0) for kind, seed in ((True, 0), (False, 1))]
    networks = run.train_all(specs)
    result = run.compare(*specs, groups=True)
    return SimpleNamespace(page=Page(given, run), run=run, specs=specs, networks=networks, result=result)


def payload_sum(run, name: str) -> str:
    (payload,) = (p for p in (run.store.cache / "entries" / name).iterdir() if p.suffix in (".nc", ".safetensors"))
    return hashlib.sha256(payload.read_bytes()).hexdigest()


def names(text: Text, heading: str) -> list[str]:
    return re.findall(r"[\w.-]+-[0-9a-f]{12}(?![0-9a-f])", text.said.get(heading, ""))


def test_results_bring_their_networks_with_the_checksums_of_their_files(small) -> None:
    text = Text(provenance_line(small.page, small.result))
    networks = [spec.name for spec in small.specs]
    name = small.result.attrs["entry"]
    for one in networks:
        assert f"{one} {payload_sum(small.run, one)[:12]} " in text.said["Networks"]
    assert f"{name} {payload_sum(small.run, name)[:12]} " in text.said["Results"]
    listed = (small.run.store.cache / "entries" / networks[0] / "SHA256SUMS").read_text()
    assert payload_sum(small.run, networks[0]) in listed
    assert text.said["Seeds of the networks"] == "0, 1"
    assert text.said["Test images compared on"] == "32"
    card = small.run.store.named(name).card
    assert card["inputs"] == {one: payload_sum(small.run, one) for one in networks}
    assert card["code"] in text.said["Made at"]
    assert card["versions"]["torch"] in text.said["Versions"]
    again = text.said["Make it again"]
    assert again.startswith("papermill notebooks/04_temporal.ipynb out.ipynb ")
    assert "-p T 2 -p width 0.25" in again
    assert "2 networks, 1 result, n = 32" in text.said[""]


def test_every_kind_of_source(small) -> None:
    both, name = {spec.name for spec in small.specs}, small.result.attrs["entry"]
    first = {small.specs[0].name}
    sources = {
        "an array, sliced": ([small.result.isel(group=0)], both, {name}),
        "networks": (small.networks[:1], first, set()),
        "their specs": (small.specs[:1], first, set()),
        "a mapping of lists": ([{"a": [small.result], "b": (small.networks[0],)}], both, {name}),
        "a dataclass": ([Study([small.result], pd.DataFrame({"x": [1]}))], both, {name}),
        "the run": ([small.run], both, {name}),
        "nothing": ([], both, {name}),
        "data": ([small.run.data], set(), set()),
    }
    for case, (given, networks, results) in sources.items():
        text = Text(provenance_line(small.page, *given))
        assert set(names(text, "Networks")) == networks, case
        assert set(names(text, "Results")) == results, case
        assert small.run.data.fingerprint in text.said["Data of the page"], case


def test_sources_that_do_not_say_whence_are_refused(small) -> None:
    with pytest.raises(ValueError, match="those that the study returned"):
        provenance_line(small.page, small.result.drop_attrs())
    with pytest.raises(ValueError, match="a DataFrame does not say"):
        provenance_line(small.page, small.result, pd.DataFrame())
    with pytest.raises(ValueError, match="no entry gone"):
        provenance_line(small.page, small.result.assign_attrs(entry="gone"))


def test_weights_that_changed_since_are_named(small, tmp_path: Path) -> None:
    assert "Beware" not in Text(provenance_line(small.page, small.result)).said
    shutil.copytree(small.run.store.cache, tmp_path / "cache")
    run = replace(small.run, store=Store(cache=tmp_path / "cache"))
    entry = run.store.find(small.specs[0])
    (entry.folder / "weights.safetensors").write_bytes(b"other weights")
    seal(entry.folder, entry.card)
    text = Text(provenance_line(Page(small.page.given, run), small.result))
    assert small.result.attrs["entry"] in text.said["Beware"]
    seal(entry.folder, entry.card | {"half": {"taken": True}})
    text = Text(provenance_line(Page(small.page.given, run), small.result))
    assert "Beware" not in text.said
    assert text.said["Networks"].count("(16-bit)") == 1


def test_what_the_store_has_no_longer_is_said(small, tmp_path, monkeypatch) -> None:
    page = replace(small.page, run=replace(small.run, store=Store(cache=tmp_path / "empty")))
    text = Text(provenance_line(page, small.networks))
    assert "not in the store" in text.said["Networks"]
    assert "commit" in text.said["Made at"]


def test_pages_without_a_run_say_what_they_can() -> None:
    page = Page(parameters.EstimatorParameters(seed=3))
    text = Text(provenance_line(page))
    assert "sizes = 32,128,512" in text.said["Settings of the page"]
    assert text.said["Make it again"] == "papermill notebooks/a4_estimator.ipynb out.ipynb -p seed 3"
    assert "torch" in text.said["Versions"]
    assert text.said.keys() == {"", "Settings of the page", "Made at", "Made on", "Versions", "Make it again"}


def test_measurements_say_where_they_were_made() -> None:
    measured = measurements.measured()[0]
    text = Text(provenance_line(Page(parameters.SpeedParameters()), measured))
    assert f"{measured.about['minutes']:.0f} min of measuring" in text.said["Run time"]
    assert measured.about["hardware"]["processor"] in text.said["Made on"]
    assert measured.about["versions"]["torch_cka"] in text.said["Versions"]


def test_text_is_escaped(small) -> None:
    run = replace(small.run, title="<script>alert('data')</script>")
    given = parameters.TemporalParameters(dataset="folder:<img src=x>&amp;", data_root=Path("<i>"))
    html = provenance_line(Page(given, run), small.result)
    text = Text(html)
    assert not text.tags & {"script", "img", "i"}
    assert "<script>alert('data')</script>" in text.said["Data of the page"]
    assert shlex.split(text.said["Make it again"])[5] == "folder:<img src=x>&amp;"


# ---- shown


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list:
    """What a page displays, in order; it has been opened by `begin`."""
    found: list = []
    monkeypatch.setattr(page_room, "display", found.append)
    begin({"n_images": None, "T": 2}, parameters.QuickstartParameters)
    return found


def test_a_figure_is_the_chart_and_then_the_line(shown) -> None:
    assert figure("a chart") is None
    chart, line = shown
    assert chart == "a chart"
    assert line.data.startswith('<details class="provenance"><summary>How this figure was made')


def test_the_parameters_of_a_page_are_those_that_were_given(shown) -> None:
    """Not those that a run filled in."""
    figure("a chart")
    text = Text(shown[1].data)
    assert text.said["Make it again"] == "papermill notebooks/00_quickstart.ipynb out.ipynb -p T 2"
    assert "n_images = 352" in text.said["Settings of the page"]


def test_a_page_without_parameters_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_room, "_pages", [])
    with pytest.raises(ValueError, match=r"call begin\(globals\(\)\)"):
        figure("a chart")
