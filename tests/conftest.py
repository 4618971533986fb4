"""What tests of the built site share: the site itself, built once a session, a browser, and a network that ends here.

`built_site` runs `jupyter-book build` as a process of its own, on a copy of the repository. `site_browser` is a
headless Chromium; `site_pages` serves the site to it and refuses every other host.

Tests compute on the CPU, also where there are GPUs: what they hold to be equal there is equal up to rounding on a GPU.
`SNNLIB_TEST_GPU=1 pytest ...` lets them have the GPUs; then tests of equal bits and of equal seeds may fail.

`make test` shares the test files out among up to four processes. They have one store and one built site between them.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock
from site_pages import QuietHandler, SitePages

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from snnlib.data import ImageData

if not os.environ.get("SNNLIB_TEST_GPU"):
    os.environ["CUDA_VISIBLE_DEVICES"] = ""  # read when CUDA is first used, here and in processes that tests start

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
ALL_CORES = dict(os.environ)  # for the build of the book, for which most processes wait sooner or later
if processes := os.environ.get("PYTEST_XDIST_WORKER_COUNT"):  # read when torch is first imported
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, CORES // int(processes))))

REPOSITORY = Path(__file__).resolve().parents[1]
# Where the tests' copy of the book is published: nowhere. GitHub Actions would say it in these variables.
PUBLISHED_FROM = {
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_REPOSITORY": "OWNER/NAME",
    "GITHUB_REF_NAME": "main",
}
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """A process a core that this one may use; more than four would only wait for the site."""
    return min(4, CORES)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files in an order in which several processes work all the time, and end together.

    The first file builds the book; meanwhile run files with other long tests, then those that need the book, and at
    last what is short.
    """
    marks: dict[Path, set[str]] = {}
    for item in items:
        marks.setdefault(item.path, set()).update(mark.name for mark in item.iter_markers())
    builds = next((path for path, names in marks.items() if "book" in names), None)

    def rank(item: pytest.Item) -> int:
        names = marks[item.path]
        if item.path == builds:
            return 0
        return 2 if names & {"book", "browser"} else 1 if "slow" in names else 3

    items.sort(key=rank)


def repository_files() -> list[Path]:
    """The files git tracks or would add, relative to the repository; links to folders count as files."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    paths = sorted({Path(name) for name in listing.stdout.split("\0") if name})
    return [path for path in paths if os.path.lexists(REPOSITORY / path)]


@pytest.fixture(scope="session")
def session_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that lives as long as the test session, the same for all its processes."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def session_cache(session_folder: Path) -> Path:
    """A store of trained networks that lives as long as the test session; SNNLIB_CACHE, where set, keeps it longer."""
    set_outside = os.environ.get("SNNLIB_CACHE")
    return Path(set_outside).resolve() if set_outside else session_folder / "snnlib-cache"


@dataclass(frozen=True)
class BuiltSite:
    """A finished build: where the pages are, and how it went."""

    html: Path
    returncode: int
    log: str
    seconds: float


@pytest.fixture(scope="session")
def built_site(session_folder: Path, session_cache: Path) -> BuiltSite:
    """The book, built by the process that asks for it first; those that ask meanwhile wait for it."""
    folder = session_folder / "book"
    how_it_went = folder / "build.json"
    with FileLock(session_folder / "book.lock"):
        if not how_it_went.exists():
            found = build_site(folder / "repository", session_cache)
            how_it_went.write_text(json.dumps(found))
    return BuiltSite(folder / "repository/book/_build/html", **json.loads(how_it_went.read_text()))


def build_site(copy: Path, cache: Path) -> dict[str, object]:
    """Build the book, by the command the README's `make book` runs, from a copy, with links kept as links."""
    for path in repository_files():
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(REPOSITORY / path, copy / path, follow_symlinks=False)
    command = [str(Path(sys.executable).parent / "jupyter-book"), "build", "book/", "-W", "--keep-going"]
    environment = {**ALL_CORES, **PUBLISHED_FROM, "SNNLIB_CACHE": str(cache)}
    started = time.monotonic()
    log = copy.with_suffix(".log")
    with log.open("w") as stream:
        try:
            code = subprocess.run(
                command, cwd=copy, env=environment, stdout=stream, stderr=stream, timeout=3600
            ).returncode
        except subprocess.TimeoutExpired:
            code = -1  # for all processes: none should try again
    return {"returncode": code, "log": log.read_text(), "seconds": time.monotonic() - started}


def find_chromium() -> str | None:
    """The first of the usual names of Chromium on the search path."""
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


@pytest.fixture(scope="session")
def site_browser() -> Iterator[Browser]:
    """The machine's own Chromium, headless. Without one the test is skipped, or fails where CI is set."""
    chromium = find_chromium()
    if chromium is None:
        reason = f"no Chromium on this machine (looked for {', '.join(BROWSERS)})"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    playwright = pytest.importorskip("playwright.sync_api")
    # Chromium refuses its sandbox to root, as whom containers run
    sandbox = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=sandbox)
        yield browser
        browser.close()


@pytest.fixture
def site_pages(built_site: BuiltSite, site_browser: Browser) -> Iterator[SitePages]:
    """The built site behind a local server, and a browser that reaches only that."""
    if built_site.returncode != 0:
        pytest.fail(f"the book did not build:\n{built_site.log[-4000:]}")
    handler = functools.partial(QuietHandler, directory=str(built_site.html))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield SitePages(site_browser, f"http://127.0.0.1:{server.server_port}")
        server.shutdown()


# ---- data sets and a store of small networks


@pytest.fixture
def no_settings_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Data sets are prepared in a folder of the test's own, and looked for nowhere but where it says."""
    monkeypatch.setenv("SNNLIB_CACHE", str(tmp_path / "default-cache"))
    monkeypatch.delenv("SNNLIB_DATA", raising=False)


@pytest.fixture
def unsplit(tmp_path: Path) -> Path:
    """A folder of three classes of images, not split."""
    from image_files import make_scans

    return make_scans(tmp_path / "scans")


@pytest.fixture
def opened(tmp_path: Path) -> Callable[..., ImageData]:
    """`open_images`, which prepares the data in a folder of the test's own."""
    from snnlib.data import open_images

    return functools.partial(open_images, cache_dir=tmp_path / "cache")


@pytest.fixture(scope="module")
def few_digits(tmp_path_factory: pytest.TempPathFactory) -> ImageData:
    """A hundred digits to train on, fifty to test on."""
    from snnlib.data import open_images

    digits = open_images("digits", cache_dir=tmp_path_factory.mktemp("cache"))
    return replace(digits, train=digits.train.take(100), test=digits.test.take(50))


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run of small networks on the digits, with an empty store of its own."""
    from snnlib.parameters import Parameters
    from snnlib.run import Run

    monkeypatch.setenv("SNNLIB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("SNNLIB_PUBLISHED", str(tmp_path / "published"))
    monkeypatch.delenv("SNNLIB_DATA", raising=False)
    run = Run.of(Parameters(T=2, width=0.25, epochs=1, n_images=32))
    run.store.images(run.data)  # prepared, so that no thread waits for another's
    return run


@pytest.fixture
def scatter():
    """What each group of images does to each layer; nothing to all of them together."""
    import numpy as np

    moved = np.random.default_rng(0).normal(0, 0.01, (1 + 8, 3))
    moved[0] = 0
    return moved


@pytest.fixture
def computed(monkeypatch):
    """Names of the specs that were really computed, in order."""
    from snnlib import experiments

    names, original = [], experiments.compute

    def compute(spec, context):
        names.append(spec.name)
        return original(spec, context)

    monkeypatch.setattr(experiments, "compute", compute)
    return names


# ---- processes


@pytest.fixture
def papermill(tmp_path, session_cache):
    """Runs papermill as a process, in a folder of the test's own: how it ended, and the executed notebook."""

    def run(notebook, *arguments, cache=session_cache, **environment):
        out = tmp_path / "out.ipynb"
        command = [sys.executable, "-m", "papermill", str(notebook), str(out), *map(str, arguments)]
        variables = {**os.environ, "SNNLIB_CACHE": str(cache), **environment}
        done = subprocess.run(command, capture_output=True, text=True, env=variables, cwd=tmp_path, timeout=1500)
        return done, out

    return run


@pytest.fixture(scope="module")
def snnlib(tmp_path_factory):
    """Runs `snnlib` as a process, on a store of the module's own: what it printed, and its errors."""
    root = tmp_path_factory.mktemp("cli")
    environment = {**os.environ, "SNNLIB_CACHE": str(root / "cache"), "SNNLIB_PUBLISHED": str(root / "published")}

    def run(*arguments, status=0):
        command = [sys.executable, "-m", "snnlib", *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600, cwd=root)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout, done.stderr

    run.root = root
    return run
