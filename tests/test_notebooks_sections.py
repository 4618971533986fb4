"""The notebooks on residual connections and on time, as their users run them: small, and with other parameters."""

from __future__ import annotations

import re

import nbformat
import numpy as np
import pytest
from conftest import REPOSITORY
from test_notebooks import charts, text

from snnlib import tables
from snnlib.claims.residual import LEAST
from snnlib.parameters import Parameters, ResidualParameters, TemporalParameters
from snnlib.run import Run
from snnlib.spec import SpecError

RESIDUAL = REPOSITORY / "notebooks" / "03_residual.ipynb"
TEMPORAL = REPOSITORY / "notebooks" / "04_temporal.ipynb"
SMALL = {"preset": "quick", "epochs": 1, "n_images": 32, "width": 0.25, "T": 2}


def given(**parameters: object) -> list[object]:
    return [part for name, value in {**SMALL, **parameters}.items() for part in ("-p", name, value)]


@pytest.fixture
def stored(session_cache, monkeypatch):
    """The store that the notebooks of these tests fill."""
    monkeypatch.setenv("SNNLIB_CACHE", str(session_cache))

    def run(**parameters: object) -> Run:
        return Run.of(Parameters(**{**SMALL, **parameters}))

    return run


def charts_before_criteria(path) -> int:
    """How many cells with a chart stand before the last criterion."""
    cells = nbformat.read(path, as_version=4).cells
    last = max(i for i, cell in enumerate(cells) if cell.source.startswith("criterion("))
    return sum("text/html" in out.get("data", {}) for cell in cells[:last] for out in cell.get("outputs", ()))


def params(chart: dict) -> dict:
    return {param["name"]: param.get("value") for param in chart.get("params", ())}


@pytest.mark.slow
def test_residual_draws_what_the_store_holds(papermill, stored) -> None:
    done, out = papermill(RESIDUAL, *given(shortcuts="12"))
    assert done.returncode == 0, done.stderr[-3000:]
    said = text(out)
    for claim in ("C3", "C4"):
        criterion, verdict = said.index(f"**{claim}.**"), said.index(f"**{claim} is ")
        assert criterion < verdict, "the criterion stands before the result"
    assert charts_before_criteria(out) == 0
    assert f"at least {LEAST}" in said
    assert "SNN, shortcuts: stages 1 + 2, " in said

    run = stored()
    pairs = [(0, 1), (1, 0)]
    for residual, series in ((True, "shortcuts everywhere"), (False, "shortcuts nowhere")):
        cka = [
            tables.all_images(
                run.compare(
                    run.network(spiking=True, seed=i, residual=residual),
                    run.network(spiking=False, seed=j, residual=residual),
                )
            )
            for i, j in pairs
        ]
        found = {row["layer"]: row for chart in charts(out) for row in columns(chart, series)}
        assert len(found) == 1 + 9 * 7
        checked = 0
        for layer, row in found.items():
            values = [float(c.sel(layer_a=layer, layer_b=layer)) for c in cka]
            if np.isfinite(values).all():  # after one epoch some layers without shortcuts are silent
                shown = re.match(r"−?\d\.\d+", row["shown"])
                assert shown, layer
                assert abs(float(shown[0].replace("−", "-")) - np.mean(values)) < 0.00051, layer
                checked += 1
        assert checked == 64 if residual is True else checked > 5


def columns(chart: dict, series: str) -> list[dict]:
    """Rows under the pointer of a curve along layers that has this series."""
    for layer in chart.get("layer", ()):
        tips = layer.get("encoding", {}).get("tooltip", [])
        field = next((tip["field"] for tip in tips if tip["title"] == series), None)
        if field and any(tip["title"] == "layer" for tip in tips):
            data = layer["data"]
            rows = data["values"] if "values" in data else chart["datasets"][data["name"]]
            # a chart of several measures has a text for each, CKA's first
            texts = [row[field] if isinstance(row[field], str) else row[field][0] for row in rows]
            return [{"layer": row["layer"], "shown": shown} for row, shown in zip(rows, texts, strict=True)]
    return []


@pytest.mark.slow
def test_temporal_sliders_hold_what_the_store_holds(papermill, stored) -> None:
    """All numbers behind the sliders, for a leak that is not the preset's: it has to reach the networks."""
    done, out = papermill(TEMPORAL, *given(timesteps="1,3", tau=0.9))
    assert done.returncode == 0, done.stderr[-3000:]
    said = text(out)
    assert said.index("**C5.**") < said.index("**C5 is ")
    assert charts_before_criteria(out) == 0
    assert "= 0.9," in said
    run = stored()
    ann = run.network(spiking=False, seed=1)
    sliding = [chart for chart in charts(out) if "table" in params(chart)]
    assert len(sliding) == 3
    for chart in sliding:
        assert params(chart)["timesteps"] == [1, 2, 3]
    heatmap, curve, rates = map(params, sliding)
    for T, *starts in zip((1, 2, 3), *(p["offsets"] for p in (heatmap, curve, rates)), strict=True):
        snn = run.network(spiking=True, seed=0, T=T, tau=0.9)
        assert run.store.find(snn), f"the notebook trained no network of T = {T} and this leak"
        within = tables.all_images(run.compare(snn, snn, time="each")).values
        across = tables.all_images(run.compare(snn, ann, time="each")).values
        upper = np.triu_indices(T)
        expected = (
            [within[i, :, i, :][upper] for i in range(len(within))],
            [across[i, :, i, 0] for i in range(len(across))],
            tables.all_images(run.rates(snn)).values,
        )
        for values, shown, start in zip(expected, (heatmap, curve, rates), starts, strict=True):
            flat = np.concatenate([np.ravel(row) for row in values])
            held = np.array(shown["table"][start : start + len(flat)], dtype=float) / 1000
            assert np.allclose(held, flat, atol=0.00051, equal_nan=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("notebook", "own", "single"),
    [(RESIDUAL, {"shortcuts": ""}, "pair of networks"), (TEMPORAL, {"timesteps": "1,3", "tau": 0.9}, "network")],
)
def test_one_seed_gives_no_verdict(papermill, notebook, own, single) -> None:
    done, out = papermill(notebook, *given(seeds=1, **own))
    assert done.returncode == 0, done.stderr[-3000:]
    found = re.findall(r"\*\*C\d is ([a-z ]+)\*\*", text(out))
    assert set(found) == {"undecided"}
    assert f"What comes from a single {single} says nothing of other seeds" in text(out)
    assert "ceiling, " not in str(charts(out)), "a ceiling needs a second seed"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("1,12", ((1,), (1, 2))),
        (1, ((1,),)),
        (12, ((1, 2),)),
        ("31", ((1, 3),)),
        ("", ()),
        ([[1], [2, 3]], ((1,), (2, 3))),
    ],
)
def test_shortcuts_are_given_by_the_digits_of_stages(given, kept) -> None:
    assert ResidualParameters(shortcuts=given).shortcuts == kept


@pytest.mark.parametrize(
    ("schema", "parameters", "says"),
    [
        (ResidualParameters, {"shortcuts": "123"}, "'123' does not name some of the stages (1, 2, 3)"),
        (ResidualParameters, {"shortcuts": "14"}, "'14' does not name"),
        (ResidualParameters, {"shortcuts": "11"}, "'11' does not name"),
        (ResidualParameters, {"shortcuts": 1.5}, "shortcuts = 1.5"),
        (ResidualParameters, {"plain_pairs": 0}, "plain_pairs = 0 cannot be used: it should be at least 1"),
        (ResidualParameters, {"plain_pairs": 4}, "plain_pairs = 4, but there are no more pairs of networks than seeds"),
        (ResidualParameters, {"plain_pairs": 2, "seeds": 1}, "no more pairs of networks than seeds, 1: lower it"),
        (TemporalParameters, {"T": 1}, "T = 1 cannot be used: it should be at least 2"),
        (TemporalParameters, {"timesteps": "1,0"}, "timesteps = 0 cannot be used: it should be at least 1"),
        (TemporalParameters, {"tau": 1.5}, "tau = 1.5 cannot be used: it should be at most 1"),
        (TemporalParameters, {"alpha": 0}, "alpha = 0 cannot be used: it should be greater than 0"),
    ],
)
def test_bad_parameters_are_named(schema, parameters, says) -> None:
    with pytest.raises(SpecError, match=re.escape(says)) as error:
        schema(**parameters)
    assert "\n" not in str(error.value)
