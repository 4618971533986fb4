"""Sphinx extension: ipywidgets on a page with no kernel behind it and no network.

The models and views of ipywidgets come from `widgetsnbextension`, which every installation of ipywidgets brings along
in the version that belongs to it: their build for the classic notebook. That build looks for the notebook it was made
for, so it is served with a stand-in around it, and leaves what it exports as `jupyterWidgets`; `assets/widgets.js`,
which is ours, then puts the widgets of a page together from the state that the notebook was saved with. Only pages with
widgets load the two, and their style.
"""

from __future__ import annotations

from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

PACKAGE = "widgetsnbextension"
SCRIPT = "jupyter-widgets.js"
LICENCES = "jupyter-widgets.LICENSE.txt"
VIEW = "application/vnd.jupyter.widget-view+json"

# What the build asks of the classic notebook while it is loaded. It is handed on to none of its widgets.
BEFORE = """(() => {
const nothing = () => {};
const events = {on: nothing};
const notebook = {container: events, keyboard_manager: {actions: {register: nothing}}};
const Jupyter = {version: "7.0.0", notebook};
class OutputArea { register_mime_type() {} }
const modules = {
  "base/js/namespace": Jupyter,
  "base/js/events": events,
  "notebook/js/outputarea": {OutputArea},
};
const requirejs = (names, use) => use(...names.map((name) => modules[name]));
requirejs.config = nothing;
const define = (names, make) => {
  window.requirejs = requirejs;
  window.jupyterWidgets = make({uri: document.currentScript.src});
  window.jupyterWidgets.load_ipython_extension(); // the style sheets
  delete window.requirejs;
};
"""
AFTER = "\n})();\n"


def carrier() -> Distribution:
    """The installed package that the widgets' scripts come from."""
    try:
        return distribution(PACKAGE)
    except PackageNotFoundError as error:
        raise ExtensionError(f"{PACKAGE} is not installed: pip install '.[book]'") from error


def carried(name: str) -> str:
    """The text of a file among the package's scripts.

    Raises:
        ExtensionError: this version has no such file.
    """
    path = Path(str(carrier().locate_file(f"{PACKAGE}/static/{name}")))
    if not path.is_file():
        raise ExtensionError(
            f"{PACKAGE} {carrier().version} lacks {name} in {path.parent}: install a version that pyproject.toml allows"
        )
    return path.read_text(encoding="utf8")


def widgets_script() -> str:
    """The models and views of ipywidgets as one script that needs nothing else and defines `jupyterWidgets`."""
    build, _, _ = carried("extension.js").partition("//# sourceMappingURL")
    return BEFORE + build + AFTER


def third_party() -> str:
    """What `_static/third-party.txt` says of it."""
    return (
        f"Jupyter Widgets ({PACKAGE} {carrier().version})\n"
        f"  BSD-3-Clause, Copyright Project Jupyter Contributors; what it contains of others: {LICENCES}\n"
        "  https://github.com/jupyter-widgets/ipywidgets\n"
    )


def write_script(app: Sphinx) -> None:
    """Put the script into the output before any page is written: Sphinx adds its checksum to the links."""
    if app.builder.format != "html":
        return
    static = Path(app.outdir) / "_static"
    static.mkdir(parents=True, exist_ok=True)
    (static / SCRIPT).write_text(widgets_script(), encoding="utf8")
    (static / LICENCES).write_text(carried("extension.js.LICENSE.txt"), encoding="utf8")
    with (static / "third-party.txt").open("a", encoding="utf8") as file:
        file.write(third_party())


def add_widgets(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object) -> None:
    """Load the widgets on this page if it has any, in this order, once the page is parsed."""
    if VIEW in context.get("body", ""):
        app.add_js_file(SCRIPT, loading_method="defer")
        app.add_js_file("widgets.js", loading_method="defer")
        app.add_css_file("widgets.css")


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("builder-inited", write_script, priority=600)  # after offline.py has begun third-party.txt
    app.connect("html-page-context", add_widgets)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
