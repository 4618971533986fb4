"""A built site as a browser sees it: its pages, what they lead to, and what they load.

Read from the files alone, so neither a server nor a network is needed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

# Of <link>, what a browser loads at once; the others (next, prev, search ...) are links like <a>.
LOADED_RELATIONS = {"stylesheet", "icon", "preload", "modulepreload"}
IN_STYLES = re.compile(r"""@import\s+["']([^"']+)["']|url\(\s*["']?([^"')]+)["']?\s*\)""")
FONT_SOURCES = re.compile(r"src\s*:([^;}]*)")


@dataclass(frozen=True)
class Reference:
    """An address as it is written in a file, and the line it stands in."""

    address: str
    line: int

    @property
    def parts(self) -> SplitResult:
        return urlsplit(self.address)

    @property
    def is_internal(self) -> bool:
        """Whether it leads to a file of the site or to a place on the same page: to no other host, no data:."""
        return not self.parts.scheme and not self.parts.netloc

    def target(self, source: Path) -> Path:
        """The file that it leads to from a file of the site; a folder stands for its index.html."""
        path = unquote(self.parts.path)
        found = (source.parent / path).resolve() if path else source.resolve()
        return found / "index.html" if found.is_dir() else found


@dataclass
class Page:
    """One HTML file: places on it that links can lead to, its links, and what it loads."""

    file: Path
    places: set[str] = field(default_factory=set)
    links: list[Reference] = field(default_factory=list)
    loads: list[Reference] = field(default_factory=list)


class _Reader(HTMLParser):
    def __init__(self, page: Page) -> None:
        super().__init__()
        self.page = page

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value for name, value in attributes if value}
        self.page.places |= {given[name] for name in ("id", "name") if name in given and (name == "id" or tag == "a")}
        if tag in ("a", "area"):
            self._add(self.page.links, given.get("href"))
        elif tag == "link":
            loaded = LOADED_RELATIONS & set(given.get("rel", "").lower().split())
            self._add(self.page.loads if loaded else self.page.links, given.get("href"))
        elif tag in ("script", "img", "source", "video", "audio", "iframe", "embed", "track", "input"):
            self._add(self.page.loads, given.get("src"))
            self._add(self.page.loads, given.get("poster"))
            for candidate in given.get("srcset", "").split(","):
                self._add(self.page.loads, candidate.strip().split(" ")[0])
        elif tag == "object":
            self._add(self.page.loads, given.get("data"))
        elif tag == "meta" and given.get("http-equiv", "").lower() == "refresh":
            self._add(self.page.links, given.get("content", "").partition("=")[2])

    def _add(self, found: list[Reference], address: str | None) -> None:
        if address:
            found.append(Reference(address.strip(), self.getpos()[0]))


def read_page(file: Path) -> Page:
    page = Page(file)
    reader = _Reader(page)
    reader.feed(file.read_text(encoding="utf8"))
    reader.close()
    return page


def page_files(site: Path) -> list[Path]:
    """The HTML files that are pages: what lies in _static, _sources and the like are parts of others.

    Raises:
        FileNotFoundError: there is no built site in that folder.
    """
    found = sorted(file for file in site.rglob("*.html") if not file.relative_to(site).parts[0].startswith("_"))
    if not found:
        raise FileNotFoundError(f"no page lies in {site}: build the book first (make book)")
    return found


def style_references(file: Path) -> Iterator[Reference]:
    """What a style sheet asks for: imports, pictures, and of each font the first format, which every browser takes."""
    text = file.read_text(encoding="utf8")
    passed_over = {
        later.start() + found.start(1)
        for found in FONT_SOURCES.finditer(text)
        for later in list(IN_STYLES.finditer(found[1]))[1:]
    }
    for found in IN_STYLES.finditer(text):
        if found.start() not in passed_over:
            yield Reference(found[1] or found[2], text.count("\n", 0, found.start()) + 1)


def loaded_files(page: Page) -> set[Path]:
    """All files of the site that a browser loads with a page, style sheets' own included; itself left out."""
    found: set[Path] = set()
    waiting = [reference.target(page.file) for reference in page.loads if reference.is_internal]
    while waiting:
        file = waiting.pop()
        if file in found or not file.is_file():
            continue
        found.add(file)
        if file.suffix == ".css":
            waiting += [reference.target(file) for reference in style_references(file) if reference.is_internal]
    return found
