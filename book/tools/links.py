"""Do all links within the built site lead somewhere? Pages, places on pages, pictures, scripts and style sheets.

Links to other hosts are not followed: whether those answer is not this book's to say, and the check needs no network.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from book.tools.site import Page, Reference, page_files, read_page, style_references

TOP = {"", "top"}  # of every page, without a place of that name


def broken_links(site: Path) -> list[str]:
    """One line for each link that leads nowhere, with the file and the line it stands in."""
    site = site.resolve()
    pages = {file: read_page(file) for file in page_files(site)}
    found: list[str] = []
    for file, page in pages.items():
        found += _broken(site, file, [*page.links, *page.loads], pages)
    for file in sorted(site.rglob("*.css")):
        found += _broken(site, file, style_references(file), pages)
    return found


def _broken(site: Path, file: Path, references: Iterable[Reference], pages: dict[Path, Page]) -> list[str]:
    problems = {
        (reference.line, reference.address): problem
        for reference in references
        if reference.is_internal and (problem := _problem(site, file, reference, pages))
    }
    name = file.relative_to(site).as_posix()
    return [f"{name}:{line}: {address}: {problem}" for (line, address), problem in sorted(problems.items())]


def _problem(site: Path, file: Path, reference: Reference, pages: dict[Path, Page]) -> str:
    """What is wrong with a link; empty if nothing is."""
    if reference.parts.path.startswith("/"):
        return "begins at the root of the host, and the site may lie in a folder"
    target = reference.target(file)
    if not target.is_relative_to(site):
        return "leads out of the site"
    if not target.is_file():
        return "no such file"
    place = reference.parts.fragment
    if place in TOP or target not in pages or place in pages[target].places:
        return ""
    return f"no place {place!r} on that page"
