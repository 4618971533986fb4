"""What the chapter on space says of its results, from made-up results with a known answer."""

from __future__ import annotations

import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from chart_tables import layers
from claim_tables import blocks_of, coordinates, grouped

from snnlib.series import ANNS, CROSS, SHUFFLED, SNNS, UNTRAINED
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


def results(pairs: int = 3, ceilings: bool = True, **others: object) -> SimpleNamespace:
    """SNN × ANN at 0.8, untrained 0.4, shuffled 0, two SNNs 0.9 and two ANNs 0.94."""

    def several(level: float) -> list[xr.DataArray]:
        return [grouped(blocks_of(level + 0.001 * k, level), 0.001) for k in range(pairs)]

    of_kinds = list(zip(several(0.9), several(0.94), strict=True)) if ceilings else []
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


def test_levels_are_those_of_block_outputs_and_the_distance_to_the_ceiling_has_an_interval() -> None:
    text = words.levels_in_words(results())
    for name, level in (("SNN × ANN", 0.801), ("untrained", 0.401), ("two ANNs,", 0.921), ("below it by", 0.12)):
        assert numbers(text, name) == pytest.approx(level, abs=0.004)
    low, high = map(float, re.search(rf"below it by {NUMBER} \({NUMBER} to {NUMBER}\)", text).groups()[1:])
    assert low < 0.12 < high
    alone = words.levels_in_words(results(1, ceilings=False))
    assert "ceiling" not in alone
    assert "1 pair of networks; 95 % interval over images alone" in alone


def curves(**ways: float) -> pd.DataFrame:
    """Block outputs from 0.2 (untrained) to ceilings of 0.7 and 0.9, SNN × ANN this share of the way between."""
    rows = []
    for measure, way in ways.items():
        levels = {CROSS: 0.2 + way * 0.6, UNTRAINED: 0.2, SHUFFLED: 0.0, SNNS: 0.7, ANNS: 0.9}
        rows += [
            {"measure": measure, "series": series, "layer": f"stage1.{i}", "kind": kind, "value": level}
            for series, level in levels.items()
            for i, kind in enumerate(("sum", "sum", "conv"))
        ]
    return pd.DataFrame(rows)


def test_the_way_to_the_ceiling_is_counted_by_every_measure() -> None:
    text = words.by_measures_in_words(results(), curves(one=0.75, other=0.4, third=1.1))
    assert re.findall(r"^\| (\w+) \| (\d+) % \|$", text, re.M) == [("one", "75"), ("other", "40"), ("third", "110")]
    assert "By 2 of 3 measures" in text
    without = curves(one=0.75).query("series not in @ceilings", local_dict={"ceilings": [SNNS, ANNS]})
    assert words.by_measures_in_words(results(ceilings=False), without) == ""


def test_a_sweep_is_told_from_its_smallest_to_its_largest_setting_in_the_first_pair() -> None:
    def setting(value: float, cka: float, null: float, snn: float) -> spatial.Setting:
        cross, untrained = ([grouped(blocks_of(level, 0.5), 0.001)] for level in (cka, null))
        networks = [trained(True, snn), trained(False, 0.9), trained(True, 0.1), trained(False, 0.1)]
        return spatial.Setting(value, cross, untrained, networks)

    text = words.ends_in_words(
        [setting(1, 0.8, 0.6, 0.85), setting(0.5, 0.85, 0.5, 0.8), setting(0.25, 0.7, 0.3, 0.7)], "width"
    )
    assert "From width 0.25 to 1 " in text
    assert numbers(text, "goes from") == pytest.approx(0.7, abs=0.003)
    assert numbers(text, "untrained networks from") == pytest.approx(0.4, abs=0.003)
    assert "20.0 points apart at the beginning and 5.0 at the end" in text
    assert words.ends_in_words([setting(38, 0.8, 0.6, 0.85)], "depth") == "Only one depth was asked for, 38."
