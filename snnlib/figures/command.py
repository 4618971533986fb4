"""The papermill command that runs a notebook with given parameters."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from snnlib.parameters import PageParameters, Parameters


def command(given: Parameters | PageParameters) -> str:
    """The command that gives a notebook these parameters; those at their defaults are left out.

    What papermill reads from it and the notebook validates is `given` again. Empty for parameters of no notebook.
    """
    if not given.notebook:
        return ""
    words = ["papermill", f"notebooks/{given.notebook}.ipynb", "out.ipynb"]
    for name, field in type(given).model_fields.items():
        value = getattr(given, name)
        if value != field.default:
            words += [_option(value), name, as_text(value)]
    return shlex.join(words)


def as_text(value: Any) -> str:
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
