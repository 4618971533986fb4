"""`make links`, `make weight`, `make serve`: on sites made up for the purpose, and on the built book."""

from __future__ import annotations

import gzip
import random
import re
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from conftest import REPOSITORY, BuiltSite
from site_pages import SitePages

from book.tools.links import broken_links
from book.tools.site import loaded_files, read_page
from book.tools.weight import LIMIT, weigh


def tool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """One of the tools, as the Makefile calls it."""
    command = [sys.executable, "-m", "book.tools", *map(str, arguments)]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)


def noise(size: int, seed: int = 0) -> bytes:
    """Bytes that no compression makes fewer."""
    return random.Random(seed).randbytes(size)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Two pages in two folders that share a style sheet and a script; all links lead somewhere."""
    files = {
        "index.html": """<link rel="stylesheet" href="_static/a.css?v=1"><script src="_static/a.js"></script>
            <h1 id="top-of-all">A</h1><a href="notebooks/b.html#part">b</a><a href="#">up</a><a name="old"></a>
            <a href="https://example.org/none">away</a><a href="mailto:a@example.org">write</a>""",
        "notebooks/b.html": """<link rel="stylesheet" href="../_static/a.css"><script src="../_static/a.js"></script>
            <h2 id="part">B</h2><a href="../index.html?q=x#old">a</a><a href="..">home</a>
            <img src="data:image/png;base64,AA"><img src="../_images/a%20picture.svg">""",
        "_static/a.css": "@font-face { src: url(f.woff2), url('f.ttf') } b { background: url(i.svg#x) }",
        "_static/a.js": "let a = 1;",
        "_static/f.woff2": "f",
        "_static/f.ttf": "f",
        "_static/i.svg": "<svg/>",
        "_static/template.html": '<a href="nowhere.html">no page of its own</a>',
        "_images/a picture.svg": "<svg/>",
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content, encoding="utf8")
    return tmp_path


# ---- links


def test_links_that_lead_somewhere_are_passed(site: Path) -> None:
    assert broken_links(site) == []
    done = tool("links", site)
    assert done.returncode == 0
    assert done.stdout == "2 pages: every link within the site leads somewhere\n"


@pytest.mark.parametrize(
    ("element", "problem"),
    [
        ('<a href="c.html">', "c.html: no such file"),
        ('<a href="../index.html#gone">', "../index.html#gone: no place 'gone' on that page"),
        ('<a href="#gone">', "#gone: no place 'gone' on that page"),
        ('<img src="../_images/gone.png">', "../_images/gone.png: no such file"),
        ('<script src="../_static/gone.js?v=2">', "../_static/gone.js?v=2: no such file"),
        ('<link rel="next" href="gone.html">', "gone.html: no such file"),
        ('<meta http-equiv="Refresh" content="0; url=gone.html">', "gone.html: no such file"),
        ('<a href="/index.html">', "/index.html: begins at the root of the host, and the site may lie in a folder"),
        ('<a href="../../outside.html">', "../../outside.html: leads out of the site"),
    ],
)
def test_a_link_that_leads_nowhere_is_named_with_its_page_and_line(site: Path, element: str, problem: str) -> None:
    page = site / "notebooks/b.html"
    page.write_text(page.read_text(encoding="utf8") + "\n" + element, encoding="utf8")
    done = tool("links", site)
    assert done.returncode == 1
    assert done.stdout == f"notebooks/b.html:4: {problem}\n"


def test_what_a_style_sheet_asks_for_is_checked_too(site: Path) -> None:
    (site / "_static/i.svg").unlink()
    assert broken_links(site) == ["_static/a.css:1: i.svg#x: no such file"]


@pytest.mark.book
def test_every_link_within_the_book_leads_somewhere(built_site: BuiltSite) -> None:
    done = tool("links", built_site.html)
    assert done.returncode == 0, done.stdout + done.stderr


# ---- weight


def test_a_page_weighs_its_html_and_what_it_alone_loads(site: Path) -> None:
    for name in ("index.html", "notebooks/b.html"):
        with (site / name).open("a", encoding="utf8") as page:
            page.write("<!--" + "word " * 20_000 + "-->")
    (site / "_images/own.png").write_bytes(noise(5_000))
    with (site / "notebooks/b.html").open("a", encoding="utf8") as page:
        page.write('<img src="../_images/own.png">')
    pages, shared = weigh(site)
    found = {page.name: page for page in pages}
    own = [site / "_images/a picture.svg", site / "_static/i.svg"]  # the style sheet's picture goes with each page
    for name, files in {"index.html": own[1:], "notebooks/b.html": own}.items():
        packed = len(gzip.compress((site / name).read_bytes(), 6))
        assert found[name].html == packed < 1_000
        pictures = sum(len(gzip.compress(file.read_bytes(), 6)) for file in files)
        assert found[name].own == pictures + 5_000 * (name != "index.html"), "a PNG goes as it is"
    names = {file.as_posix() for file in shared}
    assert names == {"_static/a.css", "_static/a.js", "_static/f.woff2"}, "of a font, one format"


def test_a_page_over_the_limit_fails_by_name(site: Path) -> None:
    assert tool("weight", site).returncode == 0
    (site / "notebooks/b.html").write_bytes((site / "notebooks/b.html").read_bytes() + noise(LIMIT).hex().encode())
    done = tool("weight", site)
    assert done.returncode == 1
    assert done.stdout.endswith("1 page over 2,000.0 kB: notebooks/b.html\n")


def test_scripts_count_where_they_are_not_shared(site: Path) -> None:
    (site / "_static/a.js").write_text(noise(LIMIT).hex(), encoding="utf8")
    assert tool("weight", site).returncode == 0, "loaded once, for all pages"
    other = (site / "notebooks/b.html").read_text(encoding="utf8").replace("../_static/a.js", "")
    (site / "notebooks/b.html").write_text(other, encoding="utf8")
    done = tool("weight", site)
    assert done.returncode == 1
    assert done.stdout.endswith(": index.html\n")


def test_a_folder_without_a_site_is_named(tmp_path: Path) -> None:
    for command in ("links", "weight", "serve"):
        done = tool(command, tmp_path)
        assert done.returncode == 1
        assert done.stderr == f"no page lies in {tmp_path}: build the book first (make book)\n"


@pytest.mark.book
def test_no_page_of_the_book_is_too_heavy(built_site: BuiltSite) -> None:
    done = tool("weight", built_site.html)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.book
@pytest.mark.browser
@pytest.mark.parametrize("name", ["intro.html", "notebooks/04_temporal.html"])
def test_a_browser_loads_nothing_that_is_not_weighed(built_site: BuiltSite, site_pages: SitePages, name: str) -> None:
    """What Chromium asked for is what the files say; of a font file it may leave out what no letter needs."""
    page = site_pages.open(name)
    page.wait_for_load_state("networkidle")
    asked = page.evaluate("performance.getEntriesByType('resource').map(entry => entry.name)")
    page.close()
    root = built_site.html.resolve()
    loaded = {re.sub(r"[?#].*", "", address.removeprefix(site_pages.address + "/")) for address in asked}
    weighed = {file.relative_to(root).as_posix() for file in loaded_files(read_page(root / name))}
    later = {
        file for file in loaded if file.startswith("_static/mathjax/output/")
    }  # fonts of the formulas that are there
    assert len(loaded) > 10
    assert loaded - weighed - later == set()


# ---- serve


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_serve_says_where_and_serves(site: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "book.tools", "serve", str(site), "--port", str(port)]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            said = server.stdout.readline()
            assert said == f"The book is at http://localhost:{port} (Ctrl+C ends it)\n"
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/notebooks/b.html", timeout=30) as answer:
                assert answer.read() == (site / "notebooks/b.html").read_bytes()
            second = tool("serve", site, "--port", str(port))
            assert second.returncode == 1
            way_out = f"Port {port} is taken by another program: choose another, such as make serve PORT={port + 1}\n"
            assert second.stderr == way_out
        finally:
            server.terminate()
