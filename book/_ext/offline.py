"""Sphinx extension: a built book asks nothing of other hosts.

Altair charts and mathematics load their JavaScript from a CDN by default. Here it is taken, at build time, from
packages the book is pinned to, and served with the site:

* Vega, Vega-Lite and Vega-Embed, bundled by `vl-convert-python`. Altair's output skips its own downloads when a global
  `VEGA_DEBUG` holds the versions it wants, so the script declares exactly Altair's. Only pages with charts load it.
* MathJax with its fonts, from the files that `sphinx-mathjax-offline` carries. Only pages with mathematics load it.

No code of others lies in this repository; `_static/third-party.txt` in the built site says what it serves.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import altair
import vl_convert
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.errors import ExtensionError

MATHJAX_PACKAGE = "sphinx-mathjax-offline"
MATHJAX_ENTRY = "tex-mml-chtml.js"
# What the entry script can ask for later: fonts, TeX extensions, and what its menu switches on. The other entry
# scripts that the package carries are left out (11 MB).
MATHJAX_PARTS = (MATHJAX_ENTRY, "output/chtml/fonts", "input/tex/extensions", "a11y", "sre")

VEGA_SCRIPT = "vega.js"
# Whoever cares for the controls of a chart (assets/address.js) is told once it is drawn and they have their values.
TELL_WHEN_DRAWN = """
const embed = window.vegaEmbed;
window.vegaEmbed = (place, ...rest) => embed(place, ...rest).then((drawn) => {
  const element = typeof place === "string" ? document.querySelector(place) : place;
  element?.dispatchEvent(new CustomEvent("controls", { bubbles: true }));
  return drawn;
});
"""


def vega_lite_version() -> str:
    """The Vega-Lite version of the installed Altair as vl-convert names it, such as "6.4" for Altair's "v6.4.1".

    Raises ExtensionError if vl-convert does not carry it: charts drawn by another version may look different.
    """
    wanted = ".".join(altair.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
    carried = vl_convert.get_vegalite_versions()
    if wanted not in carried:
        raise ExtensionError(
            f"Altair {altair.__version__} writes charts for Vega-Lite {wanted}, and the installed vl-convert-python "
            f"carries {', '.join(carried)}: install versions of altair and vl-convert-python that meet."
        )
    return wanted


def vega_script() -> str:
    """The Vega libraries as one script, with the versions Altair's output looks for.

    The bundle declares names with `const` at top level, which would collide with any other script of the page: a block
    keeps them to itself. It assigns `vega`, `vegaLite` and `vegaEmbed` to `window`.
    """
    versions = {
        "vega_version": altair.VEGA_VERSION,
        "vegalite_version": altair.VEGALITE_VERSION,
        "vegaembed_version": altair.VEGAEMBED_VERSION,
    }
    bundle = vl_convert.javascript_bundle(vl_version=vega_lite_version())
    return f"(() => {{\n{bundle}\n{TELL_WHEN_DRAWN}}})();\nvar VEGA_DEBUG = {json.dumps(versions)};\n"


def mathjax_folder() -> Path:
    """The folder of MathJax's files in the installed package that carries them."""
    try:
        carrier: Distribution = distribution(MATHJAX_PACKAGE)
    except PackageNotFoundError as error:
        raise ExtensionError(f"{MATHJAX_PACKAGE} is not installed: pip install '.[book]'") from error
    folder = Path(str(carrier.locate_file(f"{MATHJAX_PACKAGE}/static/mathjax")))
    missing = [part for part in MATHJAX_PARTS if not (folder / part).exists()]
    if missing:
        raise ExtensionError(f"{MATHJAX_PACKAGE} {carrier.version} lacks {', '.join(missing)} in {folder}")
    return folder


def third_party() -> str:
    """What the site serves that others wrote, with the licences."""
    vega = "BSD-3-Clause, Copyright University of Washington Interactive Data Lab and contributors"
    rows: Iterable[tuple[str, str, str, str]] = [
        ("MathJax", "3.2.2", "Apache-2.0, Copyright The MathJax Consortium", "https://github.com/mathjax/MathJax"),
        ("Vega", vl_convert.get_vega_version(), vega, "https://github.com/vega/vega"),
        ("Vega-Lite", altair.SCHEMA_VERSION.removeprefix("v"), vega, "https://github.com/vega/vega-lite"),
        ("Vega-Embed", vl_convert.get_vega_embed_version(), vega, "https://github.com/vega/vega-embed"),
    ]
    lines = [f"{name} {version}\n  {licence}\n  {address}" for name, version, licence, address in rows]
    return "\n".join(["Served with this site, beside Sphinx and its theme:\n", *lines, ""])


def set_mathjax_path(app: Sphinx, config: Config) -> None:
    config.mathjax_path = f"mathjax/{MATHJAX_ENTRY}"


def write_scripts(app: Sphinx) -> None:
    """Put the scripts into the output before any page is written: Sphinx adds their checksums to the links."""
    if app.builder.format != "html":
        return
    static = Path(app.outdir) / "_static"
    static.mkdir(parents=True, exist_ok=True)
    (static / VEGA_SCRIPT).write_text(vega_script(), encoding="utf8")
    (static / "third-party.txt").write_text(third_party(), encoding="utf8")
    source, target = mathjax_folder(), static / "mathjax"
    for part in MATHJAX_PARTS:
        (target / part).parent.mkdir(parents=True, exist_ok=True)
        if (source / part).is_dir():
            shutil.copytree(source / part, target / part, dirs_exist_ok=True)
        else:
            shutil.copyfile(source / part, target / part)


def add_vega(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object) -> None:
    """Load Vega on this page if it has charts. Not deferred: Altair's inline scripts run while the page is parsed."""
    if "VEGA_DEBUG" in context.get("body", ""):
        app.add_js_file(VEGA_SCRIPT)


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("config-inited", set_mathjax_path)
    app.connect("builder-inited", write_scripts)
    app.connect("html-page-context", add_vega)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
