"""ipywidgets on the built site, with no kernel and no network: they are shown, move by keyboard, and tell the truth."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from conftest import REPOSITORY, BuiltSite
from site_pages import SitePages

from snnlib import tables
from snnlib.parameters import TemporalParameters
from snnlib.run import Run
from snnlib.studies import temporal as study

if TYPE_CHECKING:
    from playwright.sync_api import Page

PAGE = "notebooks/04_temporal.html"
NUMBERS = """() => [...document.querySelectorAll('.explorer .numbers tr')].slice(1).map(
    row => [row.querySelector('th').textContent, [...row.querySelectorAll('td')].map(cell => cell.textContent)])"""

SET = """values => Object.entries(values).forEach(([name, value]) => {
    const field = document.querySelector(`.explorer [name=${name}]`);
    field.value = value;
    field.dispatchEvent(new Event('change', {bubbles: true}));
})"""  # all of them at once, as a script does that restores what an address says


@pytest.fixture
def page(site_pages: SitePages) -> Any:
    """The page with the widget shown; in the end nothing may have gone wrong on it."""
    page = site_pages.open(PAGE)
    page.wait_for_selector(".explorer figure svg")
    yield page
    page.close()
    assert not site_pages.problems, "\n".join(site_pages.problems)


@pytest.fixture
def stored(session_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The store that the site was built from."""
    monkeypatch.setenv("SNNLIB_CACHE", str(session_cache))
    return Run.of(TemporalParameters())


def caption(page: Page) -> str:
    return page.locator(".explorer figcaption").inner_text()


def wait_for(page: Page, beginning: str) -> None:
    page.wait_for_function(
        "text => document.querySelector('.explorer figcaption')?.textContent.startsWith(text)", arg=beginning
    )


def expected(run: Run, T: int, quantity: str) -> dict[str, list[float]]:
    """By spiking layer, the values at all steps of the first pair of networks, read from the store."""
    i, j = tables.seed_pairs(run.seeds)[0]
    snn = run.network(spiking=True, seed=i, T=T, tau=run.value("tau"), alpha=run.value("alpha"))
    assert run.store.find(snn), f"no network of T = {T} in the store"
    rates = run.rates(snn)
    layers = [str(layer) for layer in rates["layer"].values]
    if quantity == study.RATE:
        return dict(zip(layers, rates.values.tolist(), strict=True))
    other = snn if quantity == study.SETTLED else run.network(spiking=False, seed=j)
    cka = run.compare(snn, other, time="each")  # (layer_a, step_a, layer_b, step_b)
    return {layer: cka.sel(layer_a=layer, layer_b=layer).values[:, -1].tolist() for layer in layers}


@pytest.mark.book
@pytest.mark.browser
def test_the_slider_moves_by_keyboard_to_what_the_store_holds(page: Page, stored: Run) -> None:
    timesteps = sorted({stored.value("T"), *stored.value("timesteps")})
    handle = page.get_by_role("slider", name="T (time steps)")
    menu = page.get_by_label("shown")
    handle.focus()
    page.keyboard.press("Home")
    for quantity in (study.RATE, study.SETTLED, study.AS_ANN):
        menu.select_option(label=quantity.split(" (")[0])
        handle.focus()
        page.keyboard.press("Home")
        for T in timesteps:
            wait_for(page, f"T = {T}: {quantity}.")
            assert handle.get_attribute("aria-valuetext") == str(T)
            assert page.locator(".explorer figure").count() == 1
            found = {name: [_number(v) for v in values] for name, values in page.evaluate(NUMBERS)}
            wanted = expected(stored, T, quantity)
            assert found.keys() == wanted.keys()
            for layer, values in wanted.items():
                assert np.allclose(found[layer], values, atol=0.00051, equal_nan=True), (T, quantity, layer)
            page.keyboard.press("ArrowRight")


def _number(text: str) -> float:
    return float("nan") if text == "no value" else float(text.replace("−", "-"))


@pytest.mark.book
@pytest.mark.browser
def test_the_picture_has_the_colours_of_its_numbers(page: Page, stored: Run) -> None:
    """As many cells as the table has numbers, brighter where they are higher."""
    handle = page.get_by_role("slider", name="T (time steps)")
    handle.focus()
    page.keyboard.press("End")
    wait_for(page, f"T = {max(stored.value('timesteps'))}: ")
    numbers = np.array([[_number(v) for v in values] for _, values in page.evaluate(NUMBERS)]).ravel()
    fills = re.findall(r'fill="rgb\((\d+), (\d+), (\d+)\)"', page.locator(".explorer figure svg").inner_html())
    assert len(fills) == np.isfinite(numbers).sum() > 100
    luminance = np.array(fills, dtype=float) @ [0.2126, 0.7152, 0.0722]
    climbing = luminance[np.argsort(numbers[np.isfinite(numbers)], kind="stable")]
    assert (np.diff(climbing) > -3).all(), "numbers are rounded, so neighbours may change places"


@pytest.mark.book
@pytest.mark.browser
def test_a_change_is_said_and_unfolded_numbers_stay_so(page: Page) -> None:
    status = page.locator(".static-widgets + [role=status]")
    assert status.text_content() == "", "nothing has changed yet"
    page.get_by_text("The numbers", exact=True).click()
    before = caption(page)
    handle = page.get_by_role("slider", name="T (time steps)")
    handle.focus()
    page.keyboard.press("ArrowLeft")
    page.wait_for_function("text => document.querySelector('.explorer figcaption')?.innerText !== text", arg=before)
    assert status.text_content() == caption(page)
    assert page.locator(".explorer details").get_attribute("open") is not None


@pytest.mark.book
@pytest.mark.browser
def test_other_scripts_find_the_settings_as_fields_with_names(page: Page, stored: Run) -> None:
    """What keeps the settings of a page in its address reads and sets them so."""
    fields = "[...document.querySelectorAll('.explorer :is(input, select)[name]')].map(f => [f.name, f.value])"
    assert page.evaluate(fields) == [["T", str(stored.value("T"))], ["shown", "firing rate"]]
    page.evaluate(SET, {"T": "1", "shown": study.SETTLED})
    wait_for(page, f"T = 1: {study.SETTLED}.")
    assert page.get_by_role("slider", name="T (time steps)").get_attribute("aria-valuetext") == "1"
    page.evaluate(SET, {"T": "99"})
    page.wait_for_timeout(200)
    assert caption(page).startswith("T = 1: "), "there is no such T"


@pytest.mark.book
@pytest.mark.browser
def test_what_needs_a_kernel_is_not_offered_and_the_focus_is_seen(page: Page) -> None:
    assert page.locator(".explorer").is_visible()
    assert page.locator(".explorer .live-only").count() == 1
    assert not page.locator(".explorer .live-only").is_visible()
    assert page.locator(".explorer [contenteditable=true]").count() == 0
    page.get_by_role("slider", name="T (time steps)").focus()
    page.keyboard.press("ArrowLeft")
    outline = (
        "getComputedStyle(document.activeElement).outlineStyle + getComputedStyle(document.activeElement).outlineWidth"
    )
    assert page.evaluate(outline) == "solid3px"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.tagName") == "SELECT"
    assert page.evaluate(outline) == "solid3px"


# ---- what is served


@pytest.mark.book
def test_the_widgets_are_loaded_only_where_they_are(built_site: BuiltSite) -> None:
    with_widgets = []
    for path in built_site.html.rglob("*.html"):
        html = path.read_text(encoding="utf8")
        has = 'type="application/vnd.jupyter.widget-view+json"' in html
        assert ("_static/jupyter-widgets.js" in html) == ("_static/widgets.js" in html) == has, path
        with_widgets += [path.name] * has
    assert "04_temporal.html" in with_widgets


@pytest.mark.book
def test_the_site_says_whose_widgets_it_serves(built_site: BuiltSite) -> None:
    static = built_site.html / "_static"
    text = (static / "third-party.txt").read_text(encoding="utf8")
    assert re.search(r"^Jupyter Widgets \(widgetsnbextension 4\.\d", text, flags=re.MULTILINE)
    assert "Vega" in text, "the others are still there"
    assert "MIT" in (static / "jupyter-widgets.LICENSE.txt").read_text(encoding="utf8")


def extension() -> Any:
    spec = spec_from_file_location("widgets_extension", REPOSITORY / "book/_ext/widgets.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_missing_package_or_file_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    widgets = extension()
    with pytest.raises(Exception, match=r"lacks no\.js in .*install a version that pyproject\.toml allows"):
        widgets.carried("no.js")

    def missing(name: str) -> Any:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(widgets, "distribution", missing)
    with pytest.raises(Exception, match=r"widgetsnbextension is not installed: pip install"):
        widgets.widgets_script()
