"""Tables along depth: which layers correspond, and the interval of their mean."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

from snnlib import tables

LAYERS = ["stem", "stage1.0.conv", "stage1.0", "fc"]


def cka(seed: int = 0, groups: int = 8) -> xr.DataArray:
    rng = np.random.default_rng(seed)
    coords = {
        "layer_a": LAYERS,
        "layer_b": LAYERS[::-1],
        "kind_a": ("layer_a", ["conv", "conv", "sum", "linear"]),
        "stage_a": ("layer_a", [-1, 1, 1, -1]),
    }
    array = xr.DataArray(rng.random((groups + 1, 4, 4)), dims=["group", "layer_a", "layer_b"], coords=coords)
    return array if groups else array[0]


def test_layers_correspond_by_name_and_not_by_place() -> None:
    array = cka(groups=0)
    table = tables.corresponding(array, "x")
    assert table["value"].tolist() == [array.sel(layer_a=name, layer_b=name).item() for name in LAYERS]
    assert table["layer"].tolist() == LAYERS
    assert table["position"].tolist() == [1, 2, 3, 4]
    assert tables.block_outputs(table)["layer"].tolist() == ["stage1.0"]
    assert list(tables.corresponding(array.isel(layer_b=[0, 1]), "x")["layer"]) == ["stage1.0", "fc"]
    with pytest.raises(ValueError, match="no layer of the same name"):
        tables.corresponding(array.assign_coords(layer_b=list("abcd")), "x")


def test_the_band_along_depth_is_over_images_and_seeds() -> None:
    arrays = [cka(seed) for seed in range(3)]
    table = tables.over_seeds([tables.corresponding(a, "x") for a in arrays])
    assert table["layer"].tolist() == LAYERS
    for row in table.itertuples():
        x = np.array([a.sel(layer_a=row.layer, layer_b=row.layer).values for a in arrays])
        seeds, left = x[:, 0].var(ddof=1) / 3, x[:, 1:].mean(0)
        images = 7 / 8 * ((left - left.mean()) ** 2).sum()
        nu = (seeds + images) ** 2 / (seeds**2 / 2 + images**2 / 7)
        errors = [(seeds + images, nu), (seeds, 2), (images, 7)]  # both, and never less than either alone
        assert row.value == pytest.approx(x[:, 0].mean())
        assert row.high - row.value == pytest.approx(max(stats.t.ppf(0.975, f) * np.sqrt(v) for v, f in errors))
        assert row.value - row.low == pytest.approx(row.high - row.value)


def test_a_band_of_what_there_is() -> None:
    one = tables.over_seeds([tables.corresponding(cka(groups=0), "x")])
    assert "low" not in one
    seeds = tables.over_seeds([tables.corresponding(cka(seed, groups=0), "x") for seed in range(2)])
    images = tables.over_seeds([tables.corresponding(cka(), "x")])
    assert (seeds["high"] > seeds["low"]).all()
    assert (images["high"] > images["low"]).all()


def test_tables_of_other_layouts_have_no_mean() -> None:
    table = tables.corresponding(cka(), "x")
    others = (table.iloc[::-1], table[table["group"] < 4], table.assign(layer="fc"))
    for other in others:
        with pytest.raises(ValueError, match="the same rows"):
            tables.over_seeds([table, other])
    with pytest.raises(ValueError, match="each once"):
        tables.over_seeds([table.assign(layer="fc", position=1, kind="linear", stage=1)])


def test_a_layer_without_a_value_has_none_and_spoils_no_other() -> None:
    array = cka()
    array[:, 1] = np.nan
    table = tables.over_seeds([tables.corresponding(array, "x")])
    assert table["value"].isna().tolist() == [False, True, False, False]
    assert table["low"].isna().tolist() == [False, True, False, False]


def test_measures_come_in_the_same_columns() -> None:
    coords = {"layer": LAYERS, "kind": ("layer", ["a"] * 4), "stage": ("layer", [1] * 4)}
    array = xr.DataArray(np.random.default_rng(0).random((9, 4)), dims=["group", "layer"], coords=coords)
    table = tables.by_measure(array, "x")
    assert set(table.columns) == set(tables.corresponding(cka(), "x").columns)
    pd.testing.assert_series_equal(
        table.loc[table["group"] == 3, "value"].reset_index(drop=True), pd.Series(array[3].values, name="value")
    )
