"""The papermill command that runs a notebook with given parameters."""

from __future__ import annotations

import shlex

from snnlib.parameters import PageParameters, Parameters
from snnlib.words import papermill_words


def command(given: Parameters | PageParameters) -> str:
    """The command that gives a notebook these parameters; those at their defaults are left out.

    What papermill reads from it and the notebook validates is `given` again. Empty for parameters of no notebook.
    """
    if not given.notebook:
        return ""
    values = {name: getattr(given, name) for name in type(given).model_fields}
    changed = {name: value for name, value in values.items() if value != type(given).model_fields[name].default}
    return shlex.join(["papermill", f"notebooks/{given.notebook}.ipynb", "out.ipynb", *papermill_words(changed)])
