"""`snnlib store ...`: look into the store, publish from it, verify what is published."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Annotated, Any

import typer

from snnlib.entries import Entry, damage
from snnlib.spec import SpecError
from snnlib.store import Store
from snnlib.terminal import DataRoot, console, show

stored = typer.Typer(no_args_is_help=True, help="Look into the store of models and results.")


@stored.command("list")
def list_entries() -> None:
    """What the published layer and the cache hold."""
    show(("layer", "kind", "name", "test accuracy", "made"), map(_row, Store().entries()))


def _row(entry: Entry) -> tuple[str, ...]:
    accuracy = entry.card.get("metrics", {}).get("test_accuracy")
    shown = "" if accuracy is None else f"{accuracy:.1%}"
    return entry.layer, entry.kind, entry.folder.name, shown, entry.card["made"]


@stored.command()
def path() -> None:
    """Where the two layers lie."""
    store = Store()
    console.print(f"published {store.published}\ncache     {store.cache}")


@stored.command()
def check() -> None:
    """Check every file against its checksum; ends with 1 if any is damaged."""
    folders = [folder for _, folder in Store().folders()]
    problems = [problem for folder in folders if (problem := damage(folder))]
    for problem in problems:
        console.print(problem)
    console.print(f"{len(folders) - len(problems)} of {len(folders)} entries are as they were written")
    raise typer.Exit(bool(problems))


@stored.command()
def publish(
    names: Annotated[list[str] | None, typer.Argument(help="Names of entries, or their hashes.")] = None,
    preset: Annotated[str | None, typer.Option(help="All of this preset's list that the cache holds.")] = None,
    data_root: DataRoot = None,
    full: Annotated[bool, typer.Option("--full", help="Leave weights and numbers in full precision.")] = False,
) -> None:
    """Copy entries of the cache into published/, numbers in 16 bits; weights too, if no layer changes."""
    from snnlib import publish as publishing

    if not (names or preset):
        raise SpecError(
            "nothing is named: give names of entries, or a --preset; `snnlib store list` shows what is there"
        )
    listed = sweep_of(preset, data_root) if preset else None
    store = listed.store if listed else Store(data_root=data_root)  # a list may know where a folder of images lies
    known = {key: entry for entry in store.entries() for key in (entry.folder.name, entry.card["hash"])}
    if unknown := [name for name in names or () if name not in known]:
        raise SpecError(f"{unknown[0]!r} names no entry of the store; `snnlib store list` shows them")
    specs = [known[name].spec for name in names or ()]
    if listed:
        specs += [item.spec for item in listed.items() if item.state == "cached"]
    for spec in dict.fromkeys(specs):
        entry = store.find(spec)
        folder = publishing.publish(store, spec, full=full)
        done = entry is not None and entry.layer == "published"
        console.print(f"{folder} (published already: remove it to have it written anew)" if done else str(folder))


@stored.command()
def verify(
    count: Annotated[int, typer.Option(min=1, help="How many results, drawn at random.")] = 1,
    seed: Annotated[int | None, typer.Option(help="Of the draw; by default another one each time.")] = None,
    data_root: DataRoot = None,
) -> None:
    """Compute published results again from the published weights; ends with 1 if one comes out differently."""
    from snnlib import publish as publishing

    store = Store(data_root=data_root)
    results = publishing.verifiable(store)
    if not results:
        raise SpecError(f"{store.published} has no result whose networks are published; there is nothing to verify")
    results, missing = publishing.at_hand(store, results)
    for data, why in missing.items():
        typer.echo(f"passed over is what is of {data.dataset}: {why}", err=True)
    if not results:
        raise SpecError("no published result is of images that are at hand: name their folder with --data-root")
    checks = publishing.verify(store, Random(seed).sample(results, min(count, len(results))))
    for check in checks:
        word = "same" if check.passed else "DIFFERENT"
        console.print(f"{word}: {check.entry.folder.name}, largest difference {check.difference:.2g}")
    raise typer.Exit(not all(check.passed for check in checks))


def sweep_of(preset: str, data_root: Path | None, **options: Any) -> Any:
    """The list of a preset, or of a file, as a `sweep.Sweep`, which takes the options."""
    from snnlib import sweep as sweeps

    return sweeps.Sweep(sweeps.read_plan(sweeps.plan_file(preset)), data_root, **options)
