"""The command under a figure gives a notebook the parameters that the figure was drawn with."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from conftest import REPOSITORY
from test_repository import NOTEBOOKS

from snnlib import parameters
from snnlib.figures import command
from snnlib.notebook import validated

SCHEMAS = {
    schema.notebook: schema
    for schema in vars(parameters).values()
    if isinstance(schema, type) and getattr(schema, "notebook", "")
}


def test_every_notebook_has_its_parameters_and_they_know_it() -> None:
    assert SCHEMAS.keys() == {path.stem for path in NOTEBOOKS}
    for path in NOTEBOOKS:
        source = json.dumps(json.loads(path.read_text(encoding="utf8"))["cells"])
        (named,) = re.findall(r"\b(?:begin|validated)\(globals\(\), (\w+)\)", source)
        assert getattr(parameters, named) is SCHEMAS[path.stem]


GIVEN = [
    parameters.QuickstartParameters(),
    parameters.TrainingParameters(preset="laptop", recompute=True, epochs=3),
    parameters.SpatialParameters(seeds=(3,), widths=(0.25,), depths="20,38", width=0.1, T=1),
    parameters.SpatialParameters(seeds=(0, 1, 4), widths=(1e-5, 2.0)),
    parameters.ResidualParameters(shortcuts="12"),
    parameters.ResidualParameters(shortcuts=((2,), (1, 3)), dataset="folder:my images/it's"),
    parameters.TemporalParameters(T=8, tau=0, alpha=2, timesteps=4, n_images=64),
    parameters.EventParameters(data_root=Path("2023"), dataset="cifar10-dvs", size=48, still="folder:$HOME"),
    parameters.AdversarialParameters(method="fgsm", epsilons=(0.1,)),
    parameters.AdversarialParameters(released=True),
    parameters.VggParameters(depth=13, data_root=Path("None")),
    parameters.ManyClassesParameters(data_root=Path("a/b"), dataset="1e3"),
    parameters.SpeedParameters(results=Path("some where.json")),
    parameters.EstimatorParameters(sizes=(64,), features="8,16", repeats=2, seed=1),
    parameters.OwnNetworksParameters(epochs=0, T=2),
]


def through_papermill(words: list[str], monkeypatch: pytest.MonkeyPatch) -> tuple[str, dict[str, object]]:
    """The notebook and the parameters that papermill's command line reads."""
    from click.testing import CliRunner
    from papermill import cli

    read: dict[str, object] = {}
    monkeypatch.setattr(cli, "execute_notebook", lambda **arguments: read.update(arguments))
    done = CliRunner().invoke(cli.papermill, words)
    assert done.exit_code == 0, done.output
    return str(read["input_path"]), dict(read["parameters"])


@pytest.mark.parametrize("given", GIVEN, ids=lambda given: given.notebook)
def test_the_command_gives_papermill_the_same_parameters(given, monkeypatch: pytest.MonkeyPatch) -> None:
    program, *words = shlex.split(command(given))
    assert program == "papermill"
    notebook, read = through_papermill(words, monkeypatch)
    assert (REPOSITORY / notebook).is_file()
    assert Path(notebook).stem == given.notebook
    assert validated(read, type(given)) == given
    changed = {name for name, field in type(given).model_fields.items() if getattr(given, name) != field.default}
    assert read.keys() == changed, "exactly what differs from the defaults"
