"""The workflow for GitHub Pages, as far as it can be checked here: what it runs, what it may do, where it looks."""

from __future__ import annotations

import re
from typing import Any

import yaml
from conftest import REPOSITORY
from packaging.requirements import Requirement
from test_environment import project
from test_repository import targets

MAKEFILE = (REPOSITORY / "Makefile").read_text(encoding="utf8")


def workflow() -> dict[Any, Any]:
    return yaml.safe_load((REPOSITORY / ".github/workflows/pages.yml").read_text(encoding="utf8"))


def steps(job: str) -> list[dict[str, Any]]:
    return workflow()["jobs"][job]["steps"]


def step(job: str, action: str) -> dict[str, Any]:
    (found,) = [each for each in steps(job) if each.get("uses", "").split("@")[0] == action]
    return found


def test_every_command_is_a_target_of_the_makefile() -> None:
    commands = [each["run"] for job in workflow()["jobs"] for each in steps(job) if "run" in each]
    assert commands == ["make book", "make links", "make weight"]
    assert {command.removeprefix("make ") for command in commands} <= targets()


def test_it_runs_for_main_and_by_hand_only() -> None:
    assert workflow()[True] == {"push": {"branches": ["main"]}, "workflow_dispatch": None}  # YAML reads `on` as True


def test_it_may_do_no_more_than_it_must() -> None:
    assert workflow()["permissions"] == {"contents": "read"}
    assert "permissions" not in workflow()["jobs"]["build"], "what runs the notebooks may publish nothing"
    assert workflow()["jobs"]["publish"]["permissions"] == {"pages": "write", "id-token": "write"}
    assert workflow()["jobs"]["publish"]["needs"] == "build"
    assert workflow()["concurrency"]["cancel-in-progress"] is False, (
        "a half-finished publication is worse than a late one"
    )


def test_actions_are_githubs_own_at_a_major_version() -> None:
    used = [each["uses"] for job in workflow()["jobs"] for each in steps(job) if "uses" in each]
    assert [action for action in used if not re.fullmatch(r"actions/[\w/-]+@v\d+", action)] == []


def test_it_publishes_what_make_builds() -> None:
    site = re.search(r"^SITE\s*:= (.+)$", MAKEFILE, flags=re.MULTILINE)
    assert site
    assert step("build", "actions/upload-pages-artifact")["with"]["path"] == site[1]
    order = [each.get("run") or each["uses"].split("@")[0] for each in steps("build")]
    assert order.index("make weight") < order.index("actions/upload-pages-artifact"), "checked before it is published"


def test_it_keeps_the_store_between_runs() -> None:
    cached, saved = (step("build", f"actions/cache/{what}")["with"] for what in ("restore", "save"))
    assert cached["path"] == saved["path"] == "${{ env.SNNLIB_CACHE }}"
    order = [each.get("run") or each["uses"].split("@")[0] for each in steps("build")]
    assert order.index("actions/cache/save") == order.index("make book") + 1, "a broken link must cost no trainings"
    place = workflow()["jobs"]["build"]["env"]["SNNLIB_CACHE"].removeprefix("${{ github.workspace }}/")
    ignored = (REPOSITORY / ".gitignore").read_text(encoding="utf8").splitlines()
    assert f"{place}/" in ignored, "a store inside the checkout must not count as a change of it"
    assert cached["key"].startswith(cached["restore-keys"])
    for name in re.findall(r"'([^']+)'", cached["key"]):
        assert list(REPOSITORY.glob(name)), f"hashFiles('{name}') names nothing"


def test_its_python_is_one_that_the_book_runs_on() -> None:
    version = step("build", "actions/setup-python")["with"]["python-version"]
    assert isinstance(version, str), "3.10 without quotes would be read as 3.1"
    assert Requirement(f"python{project()['requires-python']}").specifier.contains(f"{version}.0")
