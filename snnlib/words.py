"""Parameters as the words of a papermill command: what papermill reads from them, and a notebook validates, is the same
again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def papermill_words(given: Mapping[str, Any]) -> list[str]:
    """The options that give a notebook these parameters, for a shell still to be quoted."""
    return [word for name, value in given.items() for word in (_option(value), name, written(value))]


def written(value: Any) -> str:
    """A parameter as one writes it on the command line; a single value of several ends with a comma, or it would be
    one number, which for seeds means how many."""
    if not isinstance(value, tuple | list):
        return str(value)
    parts = ["".join(map(str, part)) if isinstance(part, tuple | list) else str(part) for part in value]
    return ",".join(parts) + "," * (len(parts) == 1)


def _option(value: Any) -> str:
    """`-p` lets papermill take a text for what it looks like, a folder 2023 for a number: `-r` keeps it a text."""
    if isinstance(value, str | Path) and _looks_like_another_type(str(value)):
        return "-r"
    return "-p"


def _looks_like_another_type(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return text in ("True", "False", "None")
    return True
