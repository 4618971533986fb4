"""What the chapter on space says of its results, from made-up results with a known answer."""

from __future__ import annotations

import re
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from chart_tables import layers
from claim_tables import blocks_of, coordinates, grouped

from snnlib.series import ANNS, CROSS, SHUFFLED, SNNS, UNTRAINED
from snnlib.similarity import MEASURES
from snnlib.studies import spatial
from snnlib.studies import spatial_words as words

NAMES = [name for name, _, _ in layers()]
IN_BLOCKS = np.array([stage >= 0 for _, _, stage in layers()])
NUMBER = r"(−?\d+(?:\.\d+)?)"


def table(values: np.ndarray) -> xr.DataArray:
    return xr.DataArray(values, dims=("layer_a", "layer_b"), coords=coordinates(), attrs={"n_images": 96})


def trained(spiking: bool, accuracy: float) -> SimpleNamespace:
    spec = SimpleNamespace(model=SimpleNamespace(spiking=spiking), seed=0)
    return SimpleNamespace(spec=spec, history=[{"test_accuracy": accuracy}])


def results(pairs: int = 3, ceilings: int = 3, ann_ceiling: float = 0.94, **others: object) -> SimpleNamespace:
    """SNN × ANN at 0.8, untrained 0.4, shuffled 0, two SNNs 0.9 and two ANNs 0.94; so many different ceilings."""

    def several(level: float) -> list[xr.DataArray]:
        return [grouped(blocks_of(level + 0.01 * k, level), 0.001) for k in range(pairs)]

    of_kinds = list(zip(several(0.9), several(ann_ceiling), strict=True))[:ceilings]
    of_kinds = [of_kinds[k % ceilings] for k in range(pairs)] if ceilings else []
    found = {"cross": several(0.8), "untrained": several(0.4), "shuffled": several(0.0), "ceilings": of_kinds}
    return SimpleNamespace(**found | others)


def numbers(text: str, before: str) -> float:
    """The first number after some words."""
    return float(re.search(re.escape(before) + r"\W*" + NUMBER, text)[1].replace("−", "-"))


def test_the_most_similar_layer_is_looked_for_among_those_of_blocks() -> None:
    alike = np.where(np.eye(len(NAMES), dtype=bool), 0.9, 0.3)
    assert words.at_the_same_place(table(alike)) == 1
    stem = alike.copy()
    stem[:, 0] = 0.99  # most similar of all, and no layer of a block
    assert words.at_the_same_place(table(stem)) == 1
    half = np.flatnonzero(IN_BLOCKS)[::2]
    stem[half, half] = 0.1
    assert words.at_the_same_place(table(stem)) == pytest.approx(1 - len(half) / IN_BLOCKS.sum())


def test_layers_without_a_value_are_left_out() -> None:
    silent = np.where(np.eye(len(NAMES), dtype=bool), 0.9, 0.3)
    silent[np.flatnonzero(IN_BLOCKS)[:20]] = np.nan
    assert words.at_the_same_place(table(silent)) == 1
    silent[:] = np.nan
    assert np.isnan(words.at_the_same_place(table(silent)))
    found = results(2, cross=[grouped(table(silent), 0.0)] * 2)
    assert words.most_similar_in_words(found).startswith("Of the SNN's layers")


def test_layers_that_match_stand_beside_ceilings_nulls_and_chance() -> None:
    diagonal, nothing = (table(np.where(np.eye(len(NAMES), dtype=bool), end, 0.3)) for end in (0.9, 0.1))
    arrays = {"cross": diagonal, "untrained": nothing, "within": diagonal}
    of_pairs = {name: [grouped(one, 0.0)] * 2 for name, one in arrays.items()}
    found = SimpleNamespace(**of_pairs, ceilings=[(of_pairs["cross"][0],) * 2] * 2)
    text = words.most_similar_in_words(found)
    assert "is the one at the same place is 1.00 (1.00 to 1.00) (n = 96 images, 2 pairs of networks" in text
    assert "untrained 0.00 (0.00 to 0.00), SNN × SNN 1.00 (1.00 to 1.00), ANN × ANN 1.00 (1.00 to 1.00)" in text
    assert f"by chance {1 / IN_BLOCKS.sum():.2f}." in text


def distance(text: str) -> tuple[float, ...]:
    """The ceiling minus SNN × ANN with its interval."""
    found = re.search(rf"SNN × ANN is {NUMBER} \({NUMBER} to {NUMBER}\)", text).groups()
    return tuple(float(value.replace("−", "-")) for value in found)


def test_levels_are_those_of_block_outputs_and_the_distance_to_the_ceiling_has_an_interval() -> None:
    text = words.levels_in_words(results())
    for name, level in (("SNN × ANN", 0.81), ("untrained", 0.41), ("two ANNs,", 0.93)):
        assert numbers(text, name) == pytest.approx(level, abs=0.004)
    value, low, high = distance(text)
    assert value == pytest.approx(0.12, abs=0.004)
    assert low < value < high
    assert text.endswith("two of a kind are more alike.")
    alone = words.levels_in_words(results(1, 0))
    assert "ceiling" not in alone
    assert "1 pair of networks; 95 % interval over images alone" in alone


def test_a_ceiling_that_pairs_share_widens_the_distance_to_it() -> None:
    shared = results(2, 1)
    text = words.levels_in_words(shared)
    plain = words.levels_in_words(SimpleNamespace(**vars(shared) | {"ceilings": several_of(shared.ceilings)}))
    (value, low, high), (_, inner, outer) = distance(text), distance(plain)
    assert (high - low) / (outer - inner) == pytest.approx(np.sqrt(2), rel=0.1)
    assert low < value < high


def several_of(ceilings: list) -> list:
    """The same ceilings, told apart by a trifle."""
    return [tuple(one + 1e-9 * k for one in kinds) for k, kinds in enumerate(ceilings)]


def test_a_ceiling_below_says_nothing_of_two_of_a_kind() -> None:
    text = words.levels_in_words(results(ann_ceiling=0.5))
    assert distance(text)[0] < 0
    assert "more alike" not in text


def measured(level: float, silent: int = 0) -> xr.Dataset:
    """Two measures: one with this level at block outputs and another level elsewhere, the other with 1 minus it."""
    outputs = np.array([kind == "sum" for _, kind, _ in layers()])
    one = np.where(outputs, level, 0.33)
    one[np.flatnonzero(outputs)[:silent]] = np.nan
    coords = {"measure": ["cka", "procrustes"], "layer": NAMES, "kind": ("layer", [kind for _, kind, _ in layers()])}
    values = np.stack([one, 1 - one])[:, None]
    return xr.Dataset({"similarity": (("measure", "group", "layer"), values), "agreement": ("group", [level])}, coords)


LEVELS = {CROSS: 0.65, UNTRAINED: 0.2, SHUFFLED: 0.0, SNNS: 0.7, ANNS: 0.9}


def test_the_way_to_the_ceiling_is_counted_by_every_measure() -> None:
    measures = {name: [measured(level), measured(0.99)] for name, level in LEVELS.items()}  # of the first pair alone
    text = words.by_measures_in_words(results(measures=measures))
    # where the ceiling is below untrained networks, as in the second, there is no way
    assert re.findall(r"^\| (.+) \| (.+) \|$", text, re.M)[1:] == [
        (MEASURES["cka"].title, "75 %"),
        (MEASURES["procrustes"].title, "no value"),
    ]
    assert "By 1 of 2 measures" in text
    measures[CROSS] = [measured(0.65, silent=3)]
    measures[UNTRAINED] = [measured(0.2, silent=5)]
    assert "| 75 % |" in words.by_measures_in_words(results(measures=measures))
    del measures[SNNS], measures[ANNS]
    assert words.by_measures_in_words(results(measures=measures)) == ""


def test_agreement_says_of_how_many_images_and_pairs_it_is() -> None:
    measures = {CROSS: [measured(0.5), measured(0.6)], SNNS: [measured(0.75)], UNTRAINED: [measured(0.1)]}
    text = words.agreement_in_words(results(measures=measures))
    assert re.search(
        r"SNN × ANN 0\.550 \([\d.]+ to [\d.]+\), 2 pairs; SNN × SNN 0\.750 \([\d.]+ to [\d.]+\), 1 pair ", text
    )
    assert "n = 96 images" in text
    assert "untrained" not in text


def setting(value: float, cka: float, null: float, snn: float) -> spatial.Setting:
    """A pair at one width or depth; the ANN has an accuracy of 0.9. A second pair says something else."""
    cross, untrained = ([grouped(blocks_of(level, 0.5), 0.001)] * 2 for level in (cka, null))
    networks = [trained(True, snn), trained(False, 0.9), trained(True, 0.1), trained(False, 0.1)]
    return spatial.Setting(value, cross, untrained, networks)


def test_a_sweep_is_told_from_its_smallest_to_its_largest_setting_in_the_first_pair() -> None:
    widths = [setting(1, 0.8, 0.6, 0.95), setting(0.5, 0.85, 0.5, 0.8), setting(0.25, 0.7, 0.3, 0.7)]
    depth = [setting(38, 0.8, 0.6, 0.9)]
    text = words.sweeps_in_words(results(widths=widths, depths=depth, n_test=500))
    assert "From width 0.25 to 1 " in text
    assert numbers(text, "goes from") == pytest.approx(0.7, abs=0.003)
    assert numbers(text, "untrained networks from") == pytest.approx(0.4, abs=0.003)
    assert "At the beginning its ANN is the more accurate by 20.0 points, " in text
    assert "at the end its SNN is the more accurate by 5.0 points. " in text
    assert "Only one depth was asked for, 38." in text
    assert "all 500 test images" in text
    alone = words.sweeps_in_words(results(widths=widths[:1], depths=depth, n_test=500))
    assert alone == "Only one width was asked for, 1. Only one depth was asked for, 38."
