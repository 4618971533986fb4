"""What a reader's browser transfers for each page of the built site, compressed as web servers do it.

A page's weight is its HTML and what it alone needs. Scripts, style sheets and fonts that several pages share are loaded
once and then kept by the browser; they are listed apart. What a script asks for later, such as the fonts of a formula,
is in no file and so in no sum.
"""

from __future__ import annotations

import zlib
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from book.tools.site import loaded_files, page_files, read_page

LIMIT = 2_000_000  # bytes a page, compressed
GZIP_LEVEL = 6  # what servers use for answers that they compress as they go
# Compressed on the way; pictures and fonts are compressed already, and go as they are.
COMPRESSED = {".html", ".css", ".js", ".json", ".svg", ".txt", ".xml"}
SHAREABLE = {".css", ".js", ".json", ".woff2", ".woff", ".ttf"}


@dataclass(frozen=True)
class PageWeight:
    """Bytes transferred for one page: its HTML, what it alone loads, and what it shares with others."""

    name: str
    html: int
    own: int
    shared: int

    @property
    def total(self) -> int:
        """What is held against the limit."""
        return self.html + self.own


@cache
def transferred(file: Path) -> int:
    """Bytes of a file on the wire: compressed for gzip if it is text, else as it is."""
    content = file.read_bytes()
    if file.suffix not in COMPRESSED:
        return len(content)
    packer = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, 16 + zlib.MAX_WBITS)  # with gzip's header and checksum
    return len(packer.compress(content)) + len(packer.flush())


def weigh(site: Path) -> tuple[list[PageWeight], dict[Path, int]]:
    """(the weight of every page, heaviest first; the transferred bytes of every shared file, heaviest first)."""
    site = site.resolve()
    loaded = {file: loaded_files(read_page(file)) for file in page_files(site)}
    users = Counter(file for files in loaded.values() for file in files)
    shared = {file for file, count in users.items() if count > 1 and file.suffix in SHAREABLE}
    pages = [
        PageWeight(
            name=page.relative_to(site).as_posix(),
            html=transferred(page),
            own=sum(map(transferred, files - shared)),
            shared=sum(map(transferred, files & shared)),
        )
        for page, files in loaded.items()
    ]
    pages.sort(key=lambda page: (-page.total, page.name))
    by_weight = sorted(shared, key=lambda file: (-transferred(file), file))
    return pages, {file.relative_to(site): transferred(file) for file in by_weight}


def report(pages: list[PageWeight], shared: dict[Path, int], limit: int = LIMIT) -> str:
    """Both lists as text, in kB of 1,000 bytes."""
    width = max(len(name) for name in ["page", *(page.name for page in pages), *(file.as_posix() for file in shared)])
    lines = [f"{'page':{width}}  {'HTML':>8}  {'own':>8}  {'together':>8}  {'with shared':>11}   kB, gzip"]
    for page in pages:
        amounts = f"{kilobytes(page.html):>8}  {kilobytes(page.own):>8}  {kilobytes(page.total):>8}"
        over = "   over the limit" if page.total > limit else ""
        lines.append(f"{page.name:{width}}  {amounts}  {kilobytes(page.total + page.shared):>11}{over}")
    lines += ["", f"{'shared by pages, loaded once':{width}}  {'kB, gzip':>8}"]
    lines += [f"{file.as_posix():{width}}  {kilobytes(size):>8}" for file, size in shared.items()]
    return "\n".join(lines)


def kilobytes(size: int) -> str:
    return f"{size / 1000:,.1f}"
