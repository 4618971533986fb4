"""What the sections on space and blocks draw and quote, from made-up results with a known answer."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from chart_tables import layers
from claim_tables import band, blocks_of, grouped
from scipy import stats

from snnlib import charts, ledger
from snnlib.claims.residual import c4
from snnlib.evidence import Effect
from snnlib.parameters import ResidualParameters
from snnlib.run import Run
from snnlib.similarity import MEASURES
from snnlib.spec import MeasuresSpec, TrainSpec
from snnlib.studies import residual, residual_words, spatial
from snnlib.sweep.listing import listing

RNG = np.random.default_rng(1)
NAMES = [name for name, _, _ in layers()]
OUTPUTS = np.array([kind == "sum" for _, kind, _ in layers()])


def measures(groups: int = 8) -> xr.Dataset:
    """Corresponding layers by all measures: any numbers, all different."""
    values = RNG.uniform(0, 1, (len(MEASURES), 1 + groups, len(NAMES)))
    coords = {"measure": list(MEASURES), "layer": NAMES}
    coords |= {name: ("layer", [layer[i] for layer in layers()]) for i, name in ((1, "kind"), (2, "stage"))}
    return xr.Dataset({"similarity": (("measure", "group", "layer"), values)}, coords)


def test_a_sweep_stands_beside_networks_that_learned_nothing() -> None:
    def trained(spiking: bool, accuracy: float) -> SimpleNamespace:
        spec = SimpleNamespace(model=SimpleNamespace(spiking=spiking), seed=0)
        return SimpleNamespace(spec=spec, history=[{"test_accuracy": accuracy}])

    def setting(width: float, cka: float, pairs: int = 1) -> spatial.Setting:
        cross = [grouped(blocks_of(cka + 0.01 * k, 0.6), 0.01) for k in range(pairs)]
        untrained = [grouped(blocks_of(cka / 2, 0.6), 0.01)] * pairs
        return spatial.Setting(width, cross, untrained, [trained(True, cka), trained(False, 0.95)])

    cka, accuracy = spatial.swept([setting(1.0, 0.9, 2), setting(0.5, 0.8)], 200)
    assert cka["setting"].tolist() == [0.5, 0.5, 1.0, 1.0]
    values = cka.set_index(["network", "setting"])["value"]
    assert values["SNN × ANN"].tolist() == pytest.approx([0.8, 0.905], abs=5e-3)
    assert values["untrained"].tolist() == pytest.approx([0.4, 0.45], abs=5e-3)
    assert accuracy.set_index(["network", "setting"])["value"]["SNN"].to_dict() == pytest.approx({0.5: 80, 1.0: 90})


@pytest.fixture(scope="module")
def blocks() -> residual.Residual:
    cka = {
        "everywhere": [grouped(blocks_of(0.9, 0.6), 0.01) for _ in range(2)],
        "nowhere": [grouped(blocks_of(0.6, 0.6), 0.01) for _ in range(2)],
        "in stage 1": [grouped(blocks_of(0.8, 0.6, output=0.7), 0.01)],
    }
    said = [("everywhere", "SNN", 0.9), ("everywhere", "SNN", 0.94), ("in stage 1", "SNN", 0.5)]
    accuracy = pd.DataFrame(said, columns=["shortcuts", "network", "accuracy"])
    measured = {name: measures() for name in ("everywhere", "nowhere")}
    return residual.Residual(cka, {}, measured, {"untrained, nowhere": measures()}, accuracy, [], 100)


def test_other_measures_stand_at_the_places_of_the_blocks(blocks: residual.Residual) -> None:
    table = residual.with_and_without(blocks)
    assert table["measure"].unique().tolist()[0] == MEASURES["cka"].title
    assert set(table["measure"]) == {about.title for about in MEASURES.values()}
    for name, about in MEASURES.items():
        sides = {f"shortcuts {where}": found for where, found in blocks.measures.items()} | blocks.beside
        for series, found in sides.items():
            of = table[(table["measure"] == about.title) & (table["series"] == series)]
            assert len(of) == 1 + 9 * 7
            if name == "cka" and series not in blocks.beside:
                continue
            for row in of.itertuples():
                values = found["similarity"].sel(measure=name, layer=row.layer).values
                assert [row.value, row.low, row.high] == pytest.approx(band(values))
    charts.depth_curve(table)


def test_rises_of_stages_have_intervals(blocks: residual.Residual) -> None:
    table = residual.rises(blocks).set_index(["network", "setting"])
    assert len(table) == 3 * 3
    for series, rise in (("shortcuts everywhere", 0.3), ("shortcuts nowhere", 0.0), ("shortcuts in stage 1", 0.1)):
        for stage in (1, 2, 3):
            row = table.loc[series, stage]
            assert row["value"] == pytest.approx(rise, abs=0.01)
            assert row["low"] < row["value"] < row["high"]


def test_accuracies_know_their_images_and_networks(blocks: residual.Residual) -> None:
    table = residual.accuracies(blocks).set_index("setting")
    assert table["value"].to_dict() == pytest.approx({"everywhere": 92, "stage 1": 50})
    assert table["networks"].to_dict() == {"everywhere": 2, "stage 1": 1}
    of_one = stats.binomtest(50, 100).proportion_ci(method="wilson")
    assert table.loc["stage 1", "low"] == pytest.approx(100 * of_one.low, abs=0.2)
    assert table.loc["stage 1", "high"] == pytest.approx(100 * of_one.high, abs=0.2)


def test_sizes_in_words() -> None:
    two, one = (Effect("x", 0.5, 0.4, 0.6, 2048, k, pairs=False) for k in (2, 1))
    assert two.size() == "n = 2,048 images, 2 networks"
    assert one.size() == "n = 2,048 images, 1 network"


@pytest.mark.parametrize(("without", "known"), [("jagged", True), ("straight", False), ("silent", False)])
def test_jaggedness_is_compared_where_it_can_be(blocks: residual.Residual, without: str, known: bool) -> None:
    """Never a division by zero, nor a number made of what is missing."""
    nowhere = {"jagged": blocks_of(0.75, 0.6, noise=0), "straight": blocks_of(0.6, 0.6, noise=0)}
    nowhere["silent"] = nowhere["jagged"].copy()
    silent = NAMES.index("stage2.1.conv1")
    nowhere["silent"][silent, silent] = np.nan
    cka = {"everywhere": [blocks_of(0.9, 0.6, noise=0)] * 2, "nowhere": [nowhere[without]] * 2}
    with_, other, ratio = residual.jagged(replace(blocks, cka=cka))
    assert with_.value > 0
    assert np.isfinite(other.value) == (without != "silent")
    assert np.isfinite(ratio.value) == known
    if known:  # the same curve with twice the dips
        assert ratio.value == pytest.approx(2)


@pytest.mark.parametrize(
    ("dips", "answer"),
    [
        (((0.3, 0.1), (0.32, 0.1)), "the curve with shortcuts is the more jagged."),
        (((0.1, 0.3), (0.1, 0.32)), "the curve with shortcuts is the less jagged."),
        (((0.3, 0.1), (0.1, 0.3)), "which of the two is the more jagged is open."),
        (((0.3, 0.1),), "the curve with shortcuts is the more jagged (one pair of networks)."),
    ],
)
def test_the_answer_on_jaggedness_follows_the_interval(blocks: residual.Residual, dips, answer: str) -> None:
    """A ratio is never negative; ratios of 3 and 1/3 have the mean 1."""
    cka = {
        where: [grouped(blocks_of(0.6 + dip[side], 0.6, noise=0), 1e-4) for dip in dips]
        for side, where in enumerate(("everywhere", "nowhere"))
    }
    found = replace(blocks, cka=cka)
    *_, ratio = residual.jagged(found)
    assert ratio.value == pytest.approx(np.prod([a / b for a, b in dips]) ** (1 / len(dips)), rel=0.01)
    assert 0 < ratio.low <= ratio.value <= ratio.high
    assert residual_words.jagged_in_words(found).endswith(answer)


def test_nulls_and_ceilings_stand_beside_c4(blocks: residual.Residual) -> None:
    """Read from corresponding layers, as the claim reads them from whole comparisons."""
    assert residual.beside_c4(blocks) == {}, "of one side alone there is no difference"

    def diagonal(cka: xr.DataArray) -> xr.Dataset:
        found = measures()
        at = xr.DataArray(NAMES, dims="layer")
        found["similarity"].loc[{"measure": "cka"}] = cka.sel(layer_a=at, layer_b=at).values
        return found.assign_attrs(cka.attrs)

    with_, without = (grouped(blocks_of(ends, 0.6), 0.01) for ends in (0.9, 0.7))
    beside = {"untrained, everywhere": diagonal(with_), "untrained, nowhere": diagonal(without)}
    found = residual.beside_c4(replace(blocks, beside=beside))
    assert list(found) == ["untrained"]
    for seen, expected in zip(found["untrained"], effects_of_c4(with_, without), strict=True):
        numbers = seen.value, seen.low, seen.high
        assert numbers == pytest.approx((expected.value, expected.low, expected.high))
        assert (seen.n_images, seen.seeds) == (96, 1)


def effects_of_c4(with_: xr.DataArray, without: xr.DataArray) -> list[Effect]:
    return [bound.effect for bound in c4([with_], [without]).bounds]


def test_c4_compares_the_same_pairs_of_seeds(blocks: residual.Residual) -> None:
    """One pair without shortcuts is set against that pair with them, not against the mean of more."""
    nowhere = blocks.cka["nowhere"][:1]
    unlike = [grouped(blocks_of(ends, 0.6), 0.01) for ends in (0.9, 0.7, 0.65)]
    found = replace(blocks, cka={"everywhere": unlike, "nowhere": nowhere})
    assert [len(side) for side in residual.same_pairs(found.cka)] == [1, 1]
    assert c4(*residual.same_pairs(found.cka)).bounds[1].effect.value == pytest.approx(0.3, abs=0.01)
    of_one = residual.profile(residual.both(found)).set_index(["series", "place"])["value"]
    assert of_one["shortcuts everywhere", "output"] == pytest.approx(0.9, abs=0.01)
    assert residual.jagged(found)[2].seeds == 1
    by_stage = residual.rises(found).set_index(["network", "setting"])["value"]
    assert by_stage["shortcuts everywhere", 1] == pytest.approx(0.3, abs=0.02)


def test_more_pairs_without_shortcuts_leave_the_first_pair_first() -> None:
    """Ceilings, nulls and other measures are of the first pair, however many there are."""
    one, all_three = (listing("laptop", ["03_residual"], plain_pairs=count) for count in (1, 3))
    assert {s for s in one if isinstance(s, MeasuresSpec)} == {s for s in all_three if isinstance(s, MeasuresSpec)}


def test_the_front_page_judges_the_same_pairs(blocks: residual.Residual, monkeypatch: pytest.MonkeyPatch) -> None:
    more = {**blocks.cka, "everywhere": blocks.cka["everywhere"] * 2}
    monkeypatch.setattr(residual, "evidence", lambda run: more)
    monkeypatch.setattr(residual, "controls", lambda run: blocks.controls)
    c3, c4_of_two = ledger._residual(None)
    assert [verdict.bounds[-1].effect.seeds for verdict in (c3, c4_of_two)] == [4, 2]


@pytest.mark.parametrize(
    ("given", "plain", "said"),
    [
        ({"preset": "quick"}, 2, ""),
        ({"preset": "quick", "plain_pairs": 1}, 1, "1 pair of networks without shortcuts, beside 2 with them"),
        ({"preset": "laptop"}, 1, "1 pair of networks without shortcuts, beside 3 with them"),
        ({"preset": "laptop", "plain_pairs": 3}, 3, ""),
        ({"preset": "laptop", "seeds": 1}, 1, ""),
        ({"preset": "paper"}, 3, ""),
    ],
)
def test_some_pairs_may_have_no_networks_without_shortcuts(given: dict, plain: int, said: str) -> None:
    asked = listing(given["preset"], ["03_residual"], **{k: v for k, v in given.items() if k != "preset"})
    trained = [s for s in asked if isinstance(s, TrainSpec) and s.model.residual is False and s.epochs]
    assert sum(spec.model.spiking for spec in trained) == plain
    run = ResidualParameters(**given)
    words = residual_words.pairs_in_words(SimpleNamespace(seeds=run.value("seeds"), value=run.value))
    assert said in words
    assert bool(said) == bool(words)


@pytest.mark.parametrize(
    ("shortcuts", "lacking"),
    [("1", "; stages 2 and 3 have no network of their own."), ("1,3,12", "; stage 2 has no network of its own."),
     ("1,2,3", "in stage 3."), ("", "everywhere and nowhere only;")],
)  # fmt: skip
def test_a_run_says_which_stages_have_a_network(shortcuts: str, lacking: str) -> None:
    run = Run.of(ResidualParameters(preset="quick", shortcuts=shortcuts))
    said = residual_words.stages_in_words(run)
    assert lacking in said
    assert "`-p shortcuts 1,2,3`" in said
