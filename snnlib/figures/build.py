"""With what a site is built: machine, commit, date, and the versions of all packages."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from IPython.display import HTML

from snnlib import provenance
from snnlib.figures.html import each, table, terms


def build_table() -> HTML:
    """What builds the page that this is called from."""
    now = provenance.provenance(())
    said = [
        ("Built", f"{escape(now['made'][:16].replace('T', ' '))} (UTC)"),
        ("From commit", each([provenance.short(now["commit"])])),
        ("On", f"{escape(provenance.machine(now['hardware']))}, {escape(now['hardware']['system'])}"),
    ]
    packages = {"Python": now["versions"]["python"], "snnlib": now["versions"]["snnlib"], **provenance.built_with()}
    installed = provenance.installed()
    more = f"<summary>All {len(installed)} packages of its environment</summary>{_versions(installed)}"
    return HTML(f'<div class="provenance">{terms(said)}{_versions(packages)}<details>{more}</details></div>')


def _versions(packages: Mapping[str, str]) -> str:
    return table(("package", "version"), ((escape(name), escape(version)) for name, version in packages.items()))
