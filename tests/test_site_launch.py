"""Buttons that open the notebook at hand elsewhere: right where the repository's address is known, else absent."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import nbformat
import pytest
from conftest import REPOSITORY, BuiltSite
from site_pages import SitePages
from sphinx.errors import ExtensionError
from test_book import all_pages, body, load_extension, notebooks

KNOWN = "https://github.com/OWNER/NAME"
ELSEWHERE = ["https://gitlab.com/OWNER/NAME", "https://github.com.example.org/OWNER/NAME", "/srv/git/NAME.git"]
WRITTEN = [
    "https://github.com/OWNER/NAME",
    "https://github.com/OWNER/NAME.git",
    "https://github.com/OWNER/NAME/",
    "https://someone:secret@github.com/OWNER/NAME.git",
    "git@github.com:OWNER/NAME.git",
    "ssh://git@github.com/OWNER/NAME.git",
]


@pytest.fixture(scope="module")
def launch() -> ModuleType:
    return load_extension("launch")


# ---- the address


@pytest.mark.parametrize("origin", WRITTEN)
def test_an_origin_on_github_is_known_however_it_is_written(launch: ModuleType, origin: str) -> None:
    assert launch.repository_address("", {}, origin) == KNOWN


@pytest.mark.parametrize("origin", ["", *ELSEWHERE])
def test_no_address_is_invented(launch: ModuleType, origin: str) -> None:
    assert launch.repository_address("", {}, origin) == ""


def test_configuration_comes_before_actions_and_actions_before_the_origin(launch: ModuleType) -> None:
    actions = {"GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "lab/copy"}
    origin = "git@github.com:someone/fork.git"
    assert launch.repository_address(KNOWN, actions, origin) == KNOWN
    assert launch.repository_address("", actions, origin) == "https://github.com/lab/copy"
    assert launch.repository_address("", {}, origin) == "https://github.com/someone/fork"


def test_a_server_of_ones_own_is_not_taken_for_github(launch: ModuleType) -> None:
    actions = {"GITHUB_SERVER_URL": "https://github.example.org", "GITHUB_REPOSITORY": "lab/copy"}
    assert launch.repository_address("", actions, "") == ""


@pytest.mark.parametrize("address", ["OWNER/NAME", *ELSEWHERE])
def test_a_wrong_address_in_the_configuration_stops_the_build(launch: ModuleType, address: str) -> None:
    with pytest.raises(ExtensionError, match=rf"{re.escape(address)}.*write https://github\.com/OWNER/NAME"):
        launch.repository_address(address, {}, "")


@pytest.mark.parametrize(
    ("configured", "environment", "head", "branch"),
    [
        ("", {}, "", "main"),
        ("", {}, "HEAD", "main"),  # a commit is checked out, not a branch
        ("", {}, "trial", "trial"),
        ("", {"GITHUB_REF_NAME": "release"}, "HEAD", "release"),
        ("stable", {"GITHUB_REF_NAME": "release"}, "trial", "stable"),
        ("", {}, "paper/revision", "paper%2Frevision"),
    ],
)
def test_branch(launch: ModuleType, configured: str, environment: dict[str, str], head: str, branch: str) -> None:
    assert launch.branch_name(configured, environment, head) == branch


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone on branch trial, with the extension in it, outside of GitHub Actions."""
    for name in [name for name in os.environ if name.startswith(("GITHUB_", "GIT_"))]:
        monkeypatch.delenv(name)
    (tmp_path / "book/_ext").mkdir(parents=True)
    (tmp_path / "book/_ext/launch.py").touch()
    git(tmp_path, "init", "--quiet", "--initial-branch", "trial")
    git(tmp_path, "add", ".")
    git(tmp_path, *IDENTITY, "commit", "--quiet", "--message", "Begin")
    return tmp_path


IDENTITY = ("-c", "user.name=nobody", "-c", "user.email=nobody@example.org")


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True)


def theme_options(launch: ModuleType, checkout: Path, **given: Any) -> dict[str, Any]:
    """What the extension makes of the theme's options in a checkout."""
    options: dict[str, Any] = {"launch_buttons": {"colab_url": "https://colab.example.org"}, **given}
    launch.set_buttons(SimpleNamespace(srcdir=checkout / "book"), SimpleNamespace(html_theme_options=options))
    return options


def test_the_origin_of_a_checkout_is_asked_for(launch: ModuleType, checkout: Path) -> None:
    git(checkout, "remote", "add", "origin", "git@github.com:OWNER/NAME.git")
    options = theme_options(launch, checkout)
    assert options["repository_url"] == KNOWN
    assert options["repository_branch"] == "trial"
    assert options["use_repository_button"] is options["use_issues_button"] is True
    assert "launch_buttons" in options


def test_without_an_origin_there_are_no_buttons(launch: ModuleType, checkout: Path) -> None:
    options = theme_options(launch, checkout, repository_url="")
    assert options == {"repository_url": ""}


def test_a_book_that_only_lies_within_another_checkout_is_not_taken_for_its(launch: ModuleType, checkout: Path) -> None:
    git(checkout, "remote", "add", "origin", "git@github.com:OWNER/NAME.git")
    git(checkout, "rm", "--quiet", "--cached", "book/_ext/launch.py")
    assert "repository_url" not in theme_options(launch, checkout)


# ---- the pages


def launch_links(html: str) -> list[str]:
    return re.findall(r'href="(https://(?:mybinder\.org|colab\.research\.google\.com)/[^"]*)"', html)


@pytest.mark.book
@pytest.mark.parametrize("page", notebooks())
def test_the_buttons_open_the_notebook_at_hand(built_site: BuiltSite, page: str) -> None:
    binder, colab = launch_links(body(built_site, page))
    assert binder == f"https://mybinder.org/v2/gh/OWNER/NAME/main?urlpath=lab/tree/{page}.ipynb"
    assert colab == f"https://colab.research.google.com/github/OWNER/NAME/blob/main/{page}.ipynb"
    assert (REPOSITORY / f"{page}.ipynb").is_file(), "the address is a path in the repository"


@pytest.mark.book
def test_pages_without_a_notebook_have_the_repository_but_no_launch_buttons(built_site: BuiltSite) -> None:
    assert "launch buttons: for https://github.com/OWNER/NAME, branch main" in built_site.log
    others = [name.removesuffix(".html") for name in all_pages(built_site)]
    others = [name for name in others if name not in notebooks() and name != "index"]  # index only leads on to intro
    assert others
    for name in others:
        html = body(built_site, name)
        assert not launch_links(html), name
        assert "Launch interactive content" not in html, f"{name}: an empty menu"
        assert f'href="{KNOWN}"' in html, name
        assert f'href="{KNOWN}/issues/new?' in html, name


@pytest.mark.book
@pytest.mark.browser
def test_the_buttons_have_names_and_open_by_keyboard(site_pages: SitePages) -> None:
    page = site_pages.open("notebooks/02_spatial_cka.html")
    menu = page.get_by_role("button", name="Launch interactive content")
    menu.focus()
    page.keyboard.press("Enter")
    for name in ("Binder", "Colab"):
        page.get_by_role("link", name=name).wait_for(state="visible")
    for name in ("Repository", "Open issue"):
        assert page.get_by_role("link", name=name, include_hidden=True).count() == 1
    page.close()


def test_a_build_that_knows_no_address_has_no_buttons(checkout: Path) -> None:
    """The theme fails on launch buttons without a repository: the extension must have taken them out before."""
    book = checkout / "book"
    (book / "conf.py").write_text(
        f"import sys\nsys.path.insert(0, {str(REPOSITORY / 'book/_ext')!r})\n"
        "extensions = ['myst_nb', 'sphinx_book_theme', 'launch']\nhtml_theme = 'sphinx_book_theme'\n"
        "nb_execution_mode = 'off'\n"
        "html_theme_options = {'launch_buttons': {'binderhub_url': 'https://mybinder.org'}, 'repository_url': ''}\n",
        encoding="utf8",
    )
    notebook = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
    notebook.cells.append(nbformat.v4.new_markdown_cell("# A title"))
    nbformat.write(notebook, book / "index.ipynb")
    command = [sys.executable, "-m", "sphinx", "-W", "-b", "html", str(book), str(checkout / "html")]
    built = subprocess.run(command, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    assert "launch buttons: none" in built.stdout
    html = (checkout / "html/index.html").read_text(encoding="utf8")
    assert not launch_links(html)
    assert "github.com/OWNER" not in html


# ---- the cell that fetches the package on Colab

FIRST_CELL = REPOSITORY / "notebooks/first_cell.py"


@pytest.mark.parametrize("path", sorted((REPOSITORY / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_every_notebook_has_the_cell_for_colab_after_its_title(path: Path) -> None:
    cell = nbformat.read(path, as_version=4).cells[1]
    assert cell.source == FIRST_CELL.read_text(encoding="utf8").rstrip("\n"), f"copy {FIRST_CELL.name} into this cell"
    assert cell.metadata.tags == ["remove-cell"], "pages do not show it"


def test_the_cell_does_nothing_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        pytest.fail("the cell did something")

    monkeypatch.setattr("builtins.input", refuse)
    monkeypatch.setattr(subprocess, "run", refuse)
    names: dict[str, Any] = {}
    exec(FIRST_CELL.read_text(encoding="utf8"), names)
    assert set(names) - {"__builtins__"} == {"importlib", "sys"}


@pytest.mark.parametrize(
    ("typed", "branch"),
    [
        (" https://colab.research.google.com/github/OWNER/NAME/blob/trial/notebooks/a1_vgg.ipynb#scrollTo=x", "trial"),
        ("https://colab.research.google.com/github/OWNER/NAME/blob/a%2Fb/notebooks/a1_vgg.ipynb", "a/b"),
        ("https://github.com/OWNER/NAME", "main"),
    ],
)
def test_on_colab_the_cell_makes_snnlib_importable(checkout: Path, tmp_path: Path, typed: str, branch: str) -> None:
    """A real clone, of a repository that git is told to find here; pip is a stand-in that notes what it was asked."""
    (checkout / "snnlib").mkdir()
    (checkout / "snnlib/__init__.py").write_text("", encoding="utf8")
    git(checkout, "checkout", "--quiet", "-B", branch)
    git(checkout, "add", "snnlib")
    git(checkout, *IDENTITY, "commit", "--quiet", "--message", "Add the package")
    colab = tmp_path / "colab"
    colab.mkdir()
    (colab / "pip.py").write_text("import sys; print(*sys.argv[1:], file=open('asked', 'w'))", encoding="utf8")
    script = (
        "import builtins, sys; sys.modules['google.colab'] = sys; import importlib.util as u\n"
        f"builtins.input = lambda question: {typed!r}\n"
        f"exec(open({str(FIRST_CELL)!r}).read())\n"
        f"exec(open({str(FIRST_CELL)!r}).read())  # again: all is there\n"
        "print(u.find_spec('snnlib').origin)"
    )
    environment = {
        **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.file://{checkout}.insteadOf",
        "GIT_CONFIG_VALUE_0": KNOWN,
    }
    # without the site-packages, in which snnlib is installed for the tests
    command = [sys.executable, "-S", "-c", script]
    done = subprocess.run(command, cwd=colab, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).resolve() == (colab / "book/snnlib/__init__.py").resolve()
    assert (colab / "asked").read_text(encoding="utf8").split()[-2:] == ["--editable", "book[notebooks,peers]"]
