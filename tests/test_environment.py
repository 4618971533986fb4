"""What the project installs: one range of versions of everything, and environment.yml within it."""

from __future__ import annotations

import functools
import tomllib
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import pytest
import yaml
from conftest import REPOSITORY
from packaging.requirements import Requirement
from packaging.version import Version


@functools.cache
def project() -> dict[str, Any]:
    return tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf8"))["project"]


@functools.cache
def requirements() -> dict[str, Requirement]:
    """What snnlib, the notebooks and the book need, by name."""
    extras = project()["optional-dependencies"]
    groups = (project()["dependencies"], extras["notebooks"], extras["peers"], extras["book"])
    listed = [Requirement(line) for group in groups for line in group]
    return {requirement.name: requirement for requirement in listed if requirement.name != project()["name"]}


def environment() -> tuple[list[str], list[str]]:
    """The conda packages and the pip packages of environment.yml."""
    content = yaml.safe_load((REPOSITORY / "environment.yml").read_text(encoding="utf8"))
    conda = [entry for entry in content["dependencies"] if isinstance(entry, str)]
    (pip,) = [entry["pip"] for entry in content["dependencies"] if isinstance(entry, dict)]
    return conda, pip


def test_environment_names_one_version_of_everything_within_the_ranges() -> None:
    conda, pip = environment()
    pinned = dict(entry.split("==") for entry in pip if not entry.startswith("-"))
    assert pinned.keys() == requirements().keys()
    outside = [
        f"{name}=={pin}"
        for name, pin in pinned.items()
        if not requirements()[name].specifier.contains(Version(pin), prereleases=True)
    ]
    assert not outside
    (python,) = [entry.removeprefix("python=") for entry in conda if entry.startswith("python=")]
    assert Requirement(f"python{project()['requires-python']}").specifier.contains(f"{python}.0")
    assert pip[-1] == "--editable .[book]"


def test_every_range_is_bounded_on_both_sides() -> None:
    for requirement in requirements().values():
        operators = {specifier.operator for specifier in requirement.specifier}
        assert operators == {">=", "<"} or operators == {"=="}, requirement


def test_installed_packages_are_within_the_ranges() -> None:
    for name, requirement in requirements().items():
        try:
            installed = version(name)
        except PackageNotFoundError:
            pytest.fail(f"{name} is not installed; `make test` installs it")
        assert requirement.specifier.contains(installed, prereleases=True), (
            f"{name} {installed}, not {requirement.specifier}"
        )
