"""The script that keeps settings in the address, on a page of plain controls: any that carry a name, and late ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from conftest import REPOSITORY

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

ADDRESS = "http://page.test/chapter.html"
PAGE = """<!DOCTYPE html><title>page</title><script src="/address.js"></script>
<input name="q" value="a search outside the cells">
<section id="first"><div class="cell_output"><form>
  <input type="range" name="step" min="1" max="8" value="3"><input type="checkbox" name="log">
  <input type="radio" name="kind" value="trained" checked><input type="radio" name="kind" value="untrained">
  <select name="measure"><option>CKA</option><option>RSA (distances)</option></select>
</form></div></section>
<section id="second"><div class="cell_output" id="late"></div></section>
<script>document.dispatchEvent(new CustomEvent("controls"));</script>"""


@pytest.fixture
def browse(site_browser: Browser) -> Any:
    page = site_browser.new_page()
    script = (REPOSITORY / "book/assets/address.js").read_text(encoding="utf8")
    page.route("**/*", lambda route: route.fulfill(body=PAGE, content_type="text/html; charset=utf-8"))
    page.route("**/address.js", lambda route: route.fulfill(body=script, content_type="text/javascript; charset=utf-8"))

    def at(query: str = "") -> Page:
        page.goto(f"{ADDRESS}{query}")
        return page

    yield at
    page.close()


def asked(page: Page) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(page.url).query))


def test_every_kind_of_control_is_written_and_opened(browse: Any) -> None:
    page = browse("?highlight=word#second")
    page.get_by_role("slider").press("ArrowRight")
    page.get_by_role("checkbox").check()
    page.locator("[value=untrained]").check()
    page.get_by_role("combobox").select_option("RSA (distances)")
    page.locator("[name=q]").fill("nobody's setting")
    page.wait_for_function("location.search.includes('measure')")
    written = {"step": "4", "log": "true", "kind": "untrained", "measure": "RSA (distances)"}
    assert asked(page) == {"highlight": "word", **{f"first.{name}": value for name, value in written.items()}}
    page = browse("?" + urlsplit(page.url).query)
    assert page.get_by_role("slider").input_value() == "4"
    assert page.get_by_role("checkbox").is_checked()
    assert page.locator("[value=untrained]").is_checked()
    assert page.get_by_role("combobox").input_value() == "RSA (distances)"


def test_what_a_control_cannot_take_changes_nothing(browse: Any) -> None:
    page = browse("?step=&kind=other&measure=none&log=perhaps")
    assert page.get_by_role("slider").input_value() == "3"
    assert page.locator("[value=trained]").is_checked()
    assert page.get_by_role("combobox").input_value() == "CKA"
    assert not page.get_by_role("checkbox").is_checked()


def test_controls_that_come_late_get_their_setting_and_are_told(browse: Any) -> None:
    page = browse("?second.T=4")
    page.get_by_role("slider").press("End")  # writes the address before the other control is there
    page.wait_for_function("location.search.includes('step')")
    page.evaluate(
        """() => {
            const place = document.getElementById("late");
            place.innerHTML = '<input type="number" name="T" value="1">';
            window.heard = [];
            place.addEventListener("change", ({target}) => window.heard.push(target.value));
            place.dispatchEvent(new CustomEvent("controls", {bubbles: true}));
        }"""
    )
    assert page.locator("[name=T]").input_value() == "4"
    assert page.evaluate("heard") == ["4"]
    assert asked(page) == {"first.step": "8", "second.T": "4"}
