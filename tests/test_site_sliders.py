"""The sliders of the built site: moved by keys, a chart shows what the store holds; the address keeps a setting.

What is drawn is read from Vega's marks, from the tooltips that they carry. What it should be is read from the store
that the site was built from, by the specs of the chapters, and not by the code that makes their charts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from conftest import BuiltSite
from site_pages import SitePages

from snnlib import experiments
from snnlib.parameters import SpatialParameters, TemporalParameters
from snnlib.run import Run

if TYPE_CHECKING:
    from playwright.sync_api import Locator

pytestmark = [pytest.mark.book, pytest.mark.browser]

SPACE, TIME = "notebooks/02_spatial_cka.html", "notebooks/04_temporal.html"
VALUE = "CKA (debiased)"
CLOSE = 0.00056  # three decimals are shown, of rates that were rounded to four before

# The tooltips of a chart's marks that have a certain column, in the order they are drawn.
TIPS = """(chart, column) => [...chart.querySelectorAll('svg .role-mark > *')]
    .map(mark => mark.__data__?.tooltip).filter(tip => tip && column in tip)"""


@pytest.fixture(scope="module")
def runs(built_site: BuiltSite, session_cache: Path) -> Iterator[tuple[Run, Run]]:
    """The runs of the chapters on space and on time, over the store that the site was built from."""

    def refuse(spec: Any, context: Any) -> None:
        raise AssertionError(f"{spec.name} is on a page and not in the store")

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SNNLIB_CACHE", str(session_cache))
        patch.setattr(experiments, "compute", refuse)
        yield Run.of(SpatialParameters()), Run.of(TemporalParameters())


def first_pair(run: Run, **setting: Any) -> tuple[Any, Any]:
    """The SNN of the first seed and the ANN of the second."""
    T = {"T": setting.pop("T")} if "T" in setting else {}
    seeds = run.seeds[0], run.seeds[1 % len(run.seeds)]
    return run.network(spiking=True, seed=seeds[0], **setting, **T), run.network(
        spiking=False, seed=seeds[1], **setting
    )


def press(slider: Locator, *keys: str) -> None:
    """Keys, on a slider that has the focus."""
    slider.focus()
    for key in keys:
        slider.press(key)


def tips(chart: Locator, column: str) -> list[dict[str, str]]:
    """The tooltips that have this column."""
    return chart.evaluate(TIPS, column)


def number(text: str) -> float:
    return np.nan if text == "no value" else float(text.replace("−", "-").removesuffix(" (outside the colours)"))


def wait_for(chart: Locator, text: str) -> None:
    """Until a title of the chart says so."""
    chart.locator(".role-title", has_text=text).first.wait_for(state="attached")


def same(shown: list[str], stored: Any) -> None:
    """Numbers as texts are those of the store, in order, and missing where they are missing there."""
    values = np.asarray(stored, dtype=float).ravel()
    assert len(shown) == len(values)
    np.testing.assert_allclose([number(text) for text in shown], values, atol=CLOSE, rtol=0)


# ---- the chapter on time


def test_all_sliders_of_the_chapter_on_time_are_tested_here(site_pages: SitePages) -> None:
    page = site_pages.open(TIME)
    names = page.evaluate(
        """() => [...document.querySelectorAll('.vega-embed')].map(
            chart => [...chart.querySelectorAll('input[type=range]')].map(slider => slider.name)
        ).filter(names => names.length)"""
    )
    page.close()
    assert names == [["T_at", "layer_at"], ["T_at", "step_at"], ["T_at", "step_at"]]


def test_a_layer_at_all_pairs_of_steps_is_the_stores(site_pages: SitePages, runs: tuple[Run, Run]) -> None:
    run = runs[1]
    page = site_pages.open(TIME)
    chart = page.locator(".vega-embed", has=page.locator("input[name=layer_at]"))
    T_at, layer_at = chart.locator("input[name=T_at]"), chart.locator("input[name=layer_at]")
    press(T_at, "Home")
    for k, T in enumerate(run.value("timesteps")):
        if k:
            press(T_at, "ArrowRight")
        snn, _ = first_pair(run, T=T)
        stored = run.compare(snn, snn, time="each")
        layers = stored["layer_a"].values.tolist()
        for keys, layer in ((["Home"], 0), (["ArrowRight"] * 3, 3), (["End"], -1), (["ArrowLeft"] * 2, -3)):
            press(layer_at, *keys)
            wait_for(chart, f"T = {T}, all pairs of time steps{layers[layer]}")
            assert T_at.get_attribute("aria-valuetext") == str(T)
            assert T_at.locator("xpath=..").inner_text().split() == ["T:", str(T)]
            shown = {(int(tip["step t"]), int(tip["step t′"])): tip[VALUE] for tip in tips(chart, "step t′")}
            pairs = [(t, u) for t in range(1, T + 1) for u in range(1, T + 1)]
            assert sorted(shown) == pairs
            of_layer = stored.sel(layer_a=layers[layer], layer_b=layers[layer])
            same([shown[pair] for pair in pairs], of_layer.transpose("step_a", "step_b"))
    page.close()
    assert not site_pages.problems


def test_what_the_sliders_show_can_be_saved_as_numbers(
    site_pages: SitePages, runs: tuple[Run, Run], tmp_path: Path
) -> None:
    page = site_pages.open(TIME)
    chart = page.locator(".vega-embed", has=page.locator("input[name=layer_at]"))
    T = runs[1].value("timesteps")[-1]
    press(chart.locator("input[name=T_at]"), "End")
    press(chart.locator("input[name=layer_at]"), "Home")
    wait_for(chart, f"T = {T}, all pairs of time stepsstem.conv")
    chart.locator("details > summary").click()
    with page.expect_download() as download:
        chart.get_by_role("link", name="Save the numbers (CSV)").click()
    download.value.save_as(tmp_path / "numbers.csv")
    assert re.match(rf"04_temporal-.*-T-=-{T}-.*stem\.conv-.*\.csv", download.value.suggested_filename)
    saved = pd.read_csv(tmp_path / "numbers.csv").sort_values(["step t", "step t′"])
    snn, _ = first_pair(runs[1], T=T)
    stored = runs[1].compare(snn, snn, time="each").sel(layer_a="stem.conv", layer_b="stem.conv")
    assert len(saved) == T * T
    same(saved[VALUE].astype(str), stored.transpose("step_a", "step_b"))
    page.close()
    assert not site_pages.problems


def steps_with_ann(run: Run, T: int) -> xr.DataArray:
    """CKA of corresponding layers, each step with the ANN, which says the same at every step: (layer, step)."""
    stored = run.compare(*first_pair(run, T=T), time="each")
    layers = xr.DataArray(stored["layer_a"].values, dims="layer")
    found = stored.sel(layer_a=layers, layer_b=layers).isel(step_b=0).transpose("layer", "step_a")
    return found.assign_coords(layer=layers.values)


def rates(run: Run, T: int) -> xr.DataArray:
    return run.rates(first_pair(run, T=T)[0]).transpose("layer", "step")


@pytest.mark.parametrize(
    ("place", "column", "of_store"), [(0, "CKA with the ANN (debiased)", steps_with_ann), (1, "firing rate", rates)]
)
def test_a_step_along_depth_is_the_stores(
    site_pages: SitePages, runs: tuple[Run, Run], place: int, column: str, of_store: Any
) -> None:
    run = runs[1]
    page = site_pages.open(TIME)
    chart = page.locator(".vega-embed", has=page.locator("input[name=step_at]")).nth(place)
    T_at, step_at = chart.locator("input[name=T_at]"), chart.locator("input[name=step_at]")
    press(T_at, "Home")
    for k, T in enumerate(run.value("timesteps")):
        if k:
            press(T_at, "ArrowRight")
        stored = of_store(run, T)
        press(step_at, "Home")
        for t in range(T):
            if t:
                press(step_at, "ArrowRight")
            wait_for(chart, f"T = {T}, time step {t + 1}")
            shown = tips(chart, "T, step")
            assert [tip["layer"].split(" · ")[0] for tip in shown] == stored["layer"].values.tolist()
            assert {tip["T, step"] for tip in shown} == {f"{T}, {t + 1}"}
            (name,) = [name for name in shown[0] if name.startswith(column)]
            same([tip[name] for tip in shown], stored[:, t])
    page.close()
    assert not site_pages.problems


# ---- the chapter on space


def cell_of(chart: Locator, k: int) -> Locator:
    """The k-th cell of the heatmap, which draws most rectangles."""
    return chart.locator("svg g.mark-rect.role-mark").first.locator("path").nth(k)


@dataclass(frozen=True)
class Stored:
    """What the store holds of the first pair of networks."""

    flat: xr.DataArray  # (layer_a, layer_b)
    each: xr.DataArray  # (layer_a, step_a, layer_b, step_b)
    rates: xr.DataArray  # (layer, step)

    @classmethod
    def of(cls, run: Run) -> Stored:
        snn, ann = first_pair(run)
        return cls(run.compare(snn, ann), run.compare(snn, ann, time="each"), run.rates(snn))


def check_pair(chart: Locator, stored: Stored, a: int, b: int) -> None:
    """A pair of layers is picked, and all its numbers are those of the store."""
    flat, each, spikes = stored.flat, stored.each, stored.rates
    names = flat["layer_a"].values[a], flat["layer_b"].values[b]
    wait_for(chart, f"SNN: {names[0]} · ")
    wait_for(chart, f"ANN: {names[1]} · ")
    titles = chart.locator(".role-title").all_text_contents()
    (heading,) = [title for title in titles if title.startswith("SNN: ")]
    same([heading.rpartition(": ")[2]], flat.values[a, b])
    sliders = [chart.locator(f"input[name=layer_{side}]") for side in ("snn", "ann")]
    assert [slider.input_value() for slider in sliders] == [str(a + 1), str(b + 1)]
    of_pair = each.sel(layer_a=names[0], layer_b=names[1]).isel(step_b=0)  # the ANN says the same at every step
    same([tip["CKA"] for tip in tips(chart, "CKA")], of_pair)
    spiking = spikes["layer"].values.tolist()
    nearest = next((name for name in flat["layer_a"].values[a:] if name in spiking), spiking[-1])
    same([tip["firing rate"] for tip in tips(chart, "firing rate")], spikes.sel(layer=nearest))
    (said,) = [title for title in titles if re.match("Firing rate|No spikes", title)]
    assert said.startswith("Firing rate of the SNN layer" if nearest == names[0] else "No spikes: ")
    assert said.endswith(nearest)


@pytest.mark.parametrize("width", [1400, 360])
def test_a_click_on_a_cell_shows_what_the_store_holds_for_this_pair(
    site_pages: SitePages, runs: tuple[Run, Run], width: int
) -> None:
    stored = Stored.of(runs[0])
    layers = stored.flat["layer_a"].values.tolist()
    page = site_pages.open(SPACE, width=width)
    chart = page.locator(".vega-embed", has=page.locator("input[name=layer_snn]"))
    tops = [chart.locator(part).first.bounding_box()["y"] for part in ("form", "svg.marks")]
    assert (tops[0] < tops[1]) == (width < 600), "on a phone the sliders stand above what they move"
    for a, b in ((layers.index("stage1.1.act1"), 3), (layers.index("stage2.0.conv1"), 70), (len(layers) - 1, 0)):
        cell_of(chart, a * len(layers) + b).click(force=True)
        check_pair(chart, stored, a, b)
    press(chart.locator("input[name=layer_snn]"), "Home", "ArrowRight", "ArrowRight")
    press(chart.locator("input[name=layer_ann]"), "End", "ArrowLeft")
    check_pair(chart, stored, 2, len(layers) - 2)
    page.close()
    assert not site_pages.problems


def test_the_heatmap_of_each_setting_is_the_stores(site_pages: SitePages, runs: tuple[Run, Run]) -> None:
    run = runs[0]
    page = site_pages.open(SPACE)
    for name in ("width", "depth"):
        chart = page.locator(".vega-embed", has=page.locator(f"input[name={name}_at]"))
        slider = chart.locator("input[type=range]")
        press(slider, "Home")
        for k, value in enumerate(run.value(f"{name}s")):
            if k:
                press(slider, "ArrowRight")
            wait_for(chart, f"SNN × ANN, {name} {value:g}")
            stored = run.compare(*first_pair(run, **{name: value}))
            shown = tips(chart, VALUE)
            same([tip[VALUE] for tip in shown], stored)
            rows, columns = stored["layer_a"].values.tolist(), stored["layer_b"].values.tolist()
            named = [(tip["SNN layer"].split(" · ")[0], tip["ANN layer"].split(" · ")[0]) for tip in shown]
            assert named == [(a, b) for a in rows for b in columns]
    page.close()
    assert not site_pages.problems
