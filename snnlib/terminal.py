"""What the commands share: where they print, and how they show rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

console = Console(soft_wrap=True, markup=False, highlight=False)

DataRoot = Annotated[Path | None, typer.Option(help="Where data sets lie, or are downloaded to.")]


def show(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Rows under their headings, every text whole, since names are there to be copied: on a terminal a table, which may
    be wider than that, else plain lines with a tab between the columns."""
    rows = list(rows)
    if not console.is_terminal:
        for row in (head, *rows):
            typer.echo("\t".join(row))  # rich would make spaces of the tabs
        return
    texts = sum(max(map(len, column)) for column in zip(head, *rows, strict=True))
    lines = 3 * len(head) + 1  # and the space beside them
    table = Table(*(Column(name, no_wrap=True) for name in head), width=texts + lines)
    for row in rows:
        table.add_row(*row)
    console.print(table)
