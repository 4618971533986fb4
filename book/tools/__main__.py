"""`python -m book.tools links|weight|serve`, as the Makefile's targets of those names call it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from book.tools.links import broken_links
from book.tools.serve import serve
from book.tools.site import page_files
from book.tools.weight import LIMIT, kilobytes, report, weigh


def check_links(site: Path) -> int:
    """Exit status 1, and a line for each, if links lead nowhere."""
    found = broken_links(site)
    print("\n".join(found) or f"{len(page_files(site))} pages: every link within the site leads somewhere")
    return 1 if found else 0


def check_weight(site: Path, limit: int) -> int:
    """A table on the way; exit status 1 if a page is over the limit."""
    pages, shared = weigh(site)
    print(report(pages, shared, limit))
    over = [page.name for page in pages if page.total > limit]
    print(f"\n{len(over) or 'No'} page{'s' * (len(over) > 1)} over {kilobytes(limit)} kB: {', '.join(over) or 'good'}")
    return 1 if over else 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m book.tools", description="What is done with the built site.")
    commands = parser.add_subparsers(dest="command", required=True)
    links = commands.add_parser("links", help="check that every link within the site leads somewhere")
    weight = commands.add_parser("weight", help="print what each page transfers; fail if one is too heavy")
    weight.add_argument("--limit", type=int, default=LIMIT, help="bytes a page, compressed (default %(default)s)")
    server = commands.add_parser("serve", help="show the site at http://localhost:PORT")
    server.add_argument("--port", type=int, default=8000)
    for command in (links, weight, server):
        command.add_argument("site", type=Path, help="the folder of the built site")
    given = parser.parse_args()
    try:
        if given.command == "links":
            return check_links(given.site)
        if given.command == "weight":
            return check_weight(given.site, given.limit)
        serve(given.site, given.port)
    except FileNotFoundError as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
