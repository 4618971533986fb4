"""Sphinx extension: buttons that open the notebook at hand on Binder or Colab, and buttons that lead to its repository.

The buttons are the theme's, with the services that `launch_buttons` in _config.yml names. What they need is the address
of a repository on GitHub, and the sources name none: whoever publishes a copy of the book has another one. It is

1. `repository.url` in _config.yml, where that is set;
2. else, on GitHub Actions, the repository that runs the build;
3. else the remote `origin` of the checkout, if that is on github.com.

Where none is known the site has no such buttons and the build says so: an invented address could be somebody else's.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.errors import ExtensionError
from sphinx.util import logging

GITHUB = "https://github.com"
# The three ways in which git writes an address there; a user or a token before the @ is not taken over.
ADDRESS = re.compile(r"(?:https://(?:[^@/]+@)?|ssh://git@|git@)github\.com[:/]([\w.-]+)/([\w.-]+?)(?:\.git)?/?")

log = logging.getLogger(__name__)


def on_github(address: str) -> str:
    """`https://github.com/OWNER/NAME` for any way to write it; empty for an address elsewhere, or none."""
    found = ADDRESS.fullmatch(address.strip())
    return f"{GITHUB}/{found[1]}/{found[2]}" if found else ""


def repository_address(configured: str, environment: Mapping[str, str], origin: str) -> str:
    """Where the book's repository is, `https://github.com/OWNER/NAME`; empty if nothing says so.

    Args:
        configured: `repository.url` of _config.yml.
        environment: the environment's variables.
        origin: the address of the checkout's remote `origin`; empty if there is none.

    Raises:
        ExtensionError: `configured` is set, and is no repository on GitHub: Colab opens no others.
    """
    if configured:
        address = on_github(configured)
        if not address:
            raise ExtensionError(
                f"repository.url in _config.yml is {configured!r}: write {GITHUB}/OWNER/NAME, or leave it empty."
            )
        return address
    if name := environment.get("GITHUB_REPOSITORY"):
        return on_github(f"{environment.get('GITHUB_SERVER_URL', GITHUB)}/{name}")
    return on_github(origin)


def branch_name(configured: str, environment: Mapping[str, str], head: str) -> str:
    """The branch that holds the notebooks, fit for a part of an address: Binder takes a "/" in it only as "%2F".

    Args:
        configured: `repository.branch` of _config.yml.
        environment: the environment's variables.
        head: the branch of the checkout; empty or "HEAD" if it is on none.
    """
    checked_out = "" if head == "HEAD" else head
    return quote(configured or environment.get("GITHUB_REF_NAME") or checked_out or "main", safe="")


def ask_git(folder: Path, *arguments: str) -> str:
    """What git answers in a folder; empty where there is no git, no checkout, or no answer."""
    try:
        command = ["git", "-C", str(folder), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def set_buttons(app: Sphinx, config: Config) -> None:
    """Tell the theme where the repository is, or take from it what cannot work without one."""
    options = config.html_theme_options
    # book/ must be the checkout's own, not merely lie in some other one
    tracked = ask_git(Path(app.srcdir), "ls-files", "--error-unmatch", "--", "_ext/launch.py")
    origin, head = (
        (ask_git(Path(app.srcdir), *question) if tracked else "")
        for question in (("remote", "get-url", "origin"), ("rev-parse", "--abbrev-ref", "HEAD"))
    )
    address = repository_address(options.get("repository_url") or "", os.environ, origin)
    if not address:
        options.pop("launch_buttons", None)
        log.info("launch buttons: none, for no address on GitHub is known (repository.url in _config.yml sets one)")
        return
    branch = branch_name(options.get("repository_branch") or "", os.environ, head)
    options |= {
        "repository_url": address,
        "repository_branch": branch,
        "path_to_docs": "",  # notebooks/ lies at the top of the repository; in book/ there is a link to it
        "use_repository_button": True,
        "use_issues_button": True,
    }
    log.info(f"launch buttons: for {address}, branch {branch}")


def keep_to_notebooks(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object) -> None:
    """Take the launch buttons from pages written in Markdown: Colab opens no such file, even if it has cells."""
    if context.get("page_source_suffix") != ".ipynb":
        buttons = context.get("header_buttons", [])
        context["header_buttons"] = [button for button in buttons if button.get("label") != "launch-buttons"]


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("config-inited", set_buttons)
    app.connect("html-page-context", keep_to_notebooks, priority=502)  # the theme adds its buttons at 501
    return {"parallel_read_safe": True, "parallel_write_safe": True}
