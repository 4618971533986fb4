"""What tests of the built site look for on a page that is open: violations of accessibility rules, bad layout.

The rules are those of axe-core, which the package axe-playwright-python carries. It is put into the page from its file,
so a page without a network has it too.
"""

from __future__ import annotations

import functools
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Page

MOST_LETTERS = 100  # in a line of text; typographers ask for 45 to 75, WCAG 1.4.8 for 80 at most
GRAVE = ("serious", "critical")


@functools.cache
def axe_script() -> str:
    return (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf8")


# What a page has by the thousand would take axe half a minute, and one of each kind tells as much: cells and points of
# charts, which no reader is told of, step aside meanwhile; of the words of code the first of every colour is looked at.
RUN_AXE = """async options => {
    const silent = document.querySelectorAll('svg g.role-mark[aria-hidden=true]:not(.mark-text)');
    const aside = [...silent].map(group => [group, [...group.children]]);
    const kinds = new Set();
    for (const word of document.querySelectorAll('.highlight pre span')) {
        const kind = word.className + ' in ' + word.closest('.cell_input, .cell_output, .highlight').className;
        kinds.has(kind) ? word.setAttribute('data-alike', '') : kinds.add(kind);
    }
    aside.forEach(([group]) => group.replaceChildren());
    const found = await axe.run({exclude: [['[data-alike]']]}, options);
    aside.forEach(([group, children]) => group.replaceChildren(...children));
    return found;
}"""


def violations(page: Page, rules: list[str] | None = None) -> list[str]:
    """Serious and critical violations of axe-core's rules (of all, or of those named), one line each."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(axe_script())
    options: dict[str, Any] = {"resultTypes": ["violations"], "preload": False}  # it would ask for style sheets
    if rules:
        options["runOnly"] = rules
    found = page.evaluate(RUN_AXE, options)["violations"]
    return [
        f"{rule['id']} ({rule['impact']}): {node['target']}: {' '.join(node['failureSummary'].split())}"
        for rule in found
        if rule["impact"] in GRAVE
        for node in rule["nodes"]
    ]


@functools.cache
def layout_script() -> str:
    source = (Path(__file__).parent / "site_layout.js").read_text(encoding="utf8")
    return source.replace("MOST_LETTERS", str(MOST_LETTERS))


def misplaced(page: Page) -> list[str]:
    """What is cut off, covered or hard to read on the page as it stands, one line each."""
    return page.evaluate(layout_script())


SETTLED = """() => new Promise(resolve => {
    let last = '', same = 0;
    const look = () => {
        const watched = [...document.querySelectorAll('.vega-embed svg, .bd-article')];
        const boxes = watched.map(element => element.getBoundingClientRect());
        const now = boxes.map(({x, width, height}) => [x, width, height].join()).join(';');
        same = now === last ? same + 1 : 0;
        last = now;
        same < 5 ? setTimeout(look, 100) : resolve();
    };
    look();
})"""


def resize(page: Page, width: int, height: int = 900) -> None:
    """Give the window another size, and wait until the charts have taken theirs."""
    page.set_viewport_size({"width": width, "height": height})
    page.evaluate(SETTLED)
