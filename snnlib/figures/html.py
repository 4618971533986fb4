"""Pieces of HTML that say where things come from."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

WRAP = "white-space: pre-wrap; overflow-wrap: anywhere"


def terms(said: Iterable[tuple[str, str]]) -> str:
    """A list of what is said under each heading; the contents are HTML."""
    return f"<dl>{''.join(f'<dt>{escape(name)}</dt><dd>{content}</dd>' for name, content in said)}</dl>"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table whose cells are HTML."""
    columns = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f'<table style="overflow-wrap: anywhere"><thead><tr>{columns}</tr></thead><tbody>{body}</tbody></table>'


def each(values: Iterable[str]) -> str:
    """Every different value once, as code."""
    return " and ".join(f"<code>{escape(value)}</code>" for value in dict.fromkeys(values))
