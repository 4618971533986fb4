"""`snnlib train`, `compare`, `sweep`, and `store ...`: thin over the rooms below, same parameters as the notebooks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from snnlib.cli_store import stored, sweep_of
from snnlib.entries import whole_file
from snnlib.parameters import Parameters
from snnlib.run import Run
from snnlib.spec import PRESETS, SpecError, TrainSpec
from snnlib.store import Store
from snnlib.terminal import DataRoot, console, show

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Train spiking and ordinary networks; compare them.")
app.add_typer(stored, name="store")

Preset = Annotated[str, typer.Option(help=f"Values for what is not given: {', '.join(PRESETS)}.")]
Dataset = Annotated[
    str | None, typer.Option(help="digits, digit-variants, cifar10, cifar100, moving-digits, ..., or folder:PATH.")
]
Steps = Annotated[int | None, typer.Option("--T", help="Time steps of the spiking network.")]
Depth = Annotated[int | None, typer.Option(help="20, 38, 56, 110 or 164.")]
Width = Annotated[float | None, typer.Option(help="Factor on the channels.")]
Epochs = Annotated[int | None, typer.Option(help="Passes over the training images.")]
Seed = Annotated[int, typer.Option(help="Seed of the weights and of the order of images.")]
Devices = Annotated[int, typer.Option(min=1, help="Devices of this host that train one network together.")]
Hosts = Annotated[int, typer.Option(min=1, help="Hosts that do; start the command on each, as srun does.")]
Recompute = Annotated[bool, typer.Option("--recompute", help="Make it anew although it is stored.")]

EPOCH = ("{epoch:.0f}", "{train_loss:.3f}", "{train_accuracy:.1%}", "{test_accuracy:.1%}", "{images_per_second:.0f}")


@app.command()
def train(
    ann: Annotated[bool, typer.Option("--ann", help="Train the ordinary network instead of the spiking one.")] = False,
    preset: Preset = "quick",
    dataset: Dataset = None,
    data_root: DataRoot = None,
    T: Steps = None,
    depth: Depth = None,
    width: Width = None,
    epochs: Epochs = None,
    seed: Seed = 0,
    recompute: Recompute = False,
    devices: Devices = 1,
    hosts: Hosts = 1,
) -> None:
    """Train one network, or find it in the store; resumes what was interrupted."""
    team = _team(devices, hosts)
    run = _run(
        preset=preset,
        dataset=dataset,
        data_root=data_root,
        T=T,
        depth=depth,
        width=width,
        epochs=epochs,
        seeds=[seed],
        recompute=recompute,
    )
    spec = run.network(spiking=not ann)
    with _together(team, run.store):
        network = run.train(spec)
    entry = run.store.find(spec)
    head = ("epoch", "train loss", "train accuracy", "test accuracy", "images/s")
    show(head, [tuple(form.format(**row) for form in EPOCH) for row in network.history])
    console.print(str(entry.folder))


@app.command()
def compare(
    a: Annotated[str, typer.Argument(help="snn or ann, with its seed, as in ann:1; else 0, or 1 beside one of 0.")],
    b: Annotated[str, typer.Argument(help="The other one, named alike: snn ann is snn:0 ann:1.")],
    time: Annotated[str, typer.Option(help="concat: time flattened; each: all pairs of steps.")] = "concat",
    pairing: Annotated[str, typer.Option(help="same, or shuffled: the null.")] = "same",
    preset: Preset = "quick",
    dataset: Dataset = None,
    data_root: DataRoot = None,
    T: Steps = None,
    depth: Depth = None,
    width: Width = None,
    epochs: Epochs = None,
    n_images: Annotated[int | None, typer.Option(help="Test images to compare on.")] = None,
    out: Annotated[Path | None, typer.Option(help="Also write the result here, as netCDF.")] = None,
    recompute: Recompute = False,
) -> None:
    """CKA of all pairs of layers of two networks; trains what is missing.

    Networks of different seeds are compared unless both are named with one, as in snn:0 ann:0, since networks of the
    same seed start from equal weights.
    """
    if out:
        _check_file("--out", out)
    run = _run(
        preset=preset,
        dataset=dataset,
        data_root=data_root,
        T=T,
        depth=depth,
        width=width,
        epochs=epochs,
        n_images=n_images,
        recompute=recompute,
    )
    spec_a, spec_b = _pair(run, a, b)
    if spec_a.seed == spec_b.seed and spec_a != spec_b:
        typer.echo(
            "Both networks are of one seed: they start from equal weights, which makes them alike, too.", err=True
        )
    cka = run.compare(spec_a, spec_b, time=time, pairing=pairing)
    console.print(f"{spec_a.slug} x {spec_b.slug}: {dict(cka.sizes)}, n = {cka.attrs['n_images']:,}")
    if out:
        with whole_file(out) as file:
            cka.to_netcdf(file, engine="h5netcdf")
        console.print(str(out))


@app.command()
def sweep(
    preset: Annotated[str, typer.Option(help="A preset, or a list of one's own that ends in .yaml.")] = "quick",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show the list: states, forecasts, totals.")] = False,
    only: Annotated[
        list[str] | None, typer.Option(help="Only the item of this name, its hash may be left out; may be repeated.")
    ] = None,
    data_root: DataRoot = None,
    machine: Annotated[str | None, typer.Option(help="Forecast for this one; --measure gives the names.")] = None,
    measure: Annotated[bool, typer.Option("--measure", help="Only measure the speed of this machine.")] = False,
    write: Annotated[Path | None, typer.Option(help="Ask the studies, and write their list here.")] = None,
    devices: Devices = 1,
    hosts: Hosts = 1,
) -> None:
    """Everything that the chapters need under a preset: list it, or make what is missing."""
    from snnlib import sweep as sweeps

    alone = [name for name, given in (("--measure", measure), ("--write", write)) if given]
    others = {"--dry-run": dry_run, "--only": only, "--data-root": data_root, "--machine": machine}
    others |= {"--devices": devices > 1, "--hosts": hosts > 1}
    if alone and (beside := [*alone[1:], *(name for name, given in others.items() if given)]):
        raise SpecError(f"{alone[0]} does nothing with {', '.join(beside)}: leave that out")
    if measure:
        console.print(sweeps.measure(Store().cache / sweeps.SPEEDS).stem)
        return
    if write:
        _check_file("--write", write)
        with whole_file(write) as file:
            file.write_text(sweeps.plan_text(preset, sweeps.listing(preset)), encoding="utf8")
        return
    team = None if dry_run else _team(devices, hosts)
    run = sweep_of(preset, data_root, machine=machine, download=not dry_run)
    items = run.items(only)
    if dry_run:
        _show(run, items, machine or "this machine")
        return
    with _together(team, run.store):
        failed = run.make(items)
    console.print(f"{len(items) - len(failed)} of {len(items)} items are there")
    raise typer.Exit(bool(failed))


def _show(run: Any, items: list[Any], machine: str) -> None:
    """The list as a table, and the totals of what is missing."""
    from snnlib.training.pace import as_text

    rows, missing = [], []
    for item in items:
        cost = None if item.is_there else run.cost(item.spec)
        missing += [cost] if cost else []
        shown = (as_text(cost.seconds), f"{cost.memory / 2**30:.1f} GB") if cost else ("", "")
        rows.append((item.spec.name, type(item.spec).__name__.removesuffix("Spec").lower(), item.state, *shown))
    show(("item", "kind", "state", "time", "memory"), rows)
    seconds, memory = sum(cost.seconds for cost in missing), max((cost.memory for cost in missing), default=0)
    begun = sum(item.state == "begun" for item in items)
    console.print(
        f"{len(items) - len(missing)} of {len(items)} are there; the rest takes about {as_text(seconds)} on "
        f"{machine}, one after the other, and at most {memory / 2**30:.1f} GB"
        + f"; the {begun} begun are counted from their first epoch"
        * bool(begun)
    )


def _team(devices: int, hosts: int) -> Any:
    """The processes of this command, where there are several; begun first, since Fabric starts the command again."""
    if devices * hosts == 1:
        return None
    from snnlib.team import Team

    return Team(devices, hosts)


@contextmanager
def _together(team: Any, store: Store) -> Iterator[None]:
    """What the first process does inside, its trainings are done by all. The others end here."""
    if team is None:
        yield
        return
    if team.follows:
        team.follow(store.images)
        raise typer.Exit
    store.team = team
    with team:
        yield


def _check_file(option: str, path: Path) -> None:
    """An error before hours of work, where a file could not be written after them."""
    folder = path.absolute().parent
    if path.is_dir():
        raise SpecError(f"{option} {path}: this is a folder; name a file in it")
    if not folder.is_dir():
        raise SpecError(f"{option} {path}: there is no folder {folder}; make it first")
    if (path.exists() and not path.is_file()) or not os.access(folder, os.W_OK):
        raise SpecError(f"{option} {path}: no file can be put there; name one in a folder that you may write to")


def _run(**given: Any) -> Run:
    return Run.of(Parameters(**given))


def _pair(run: Run, *texts: str) -> list[TrainSpec]:
    """The networks that two texts name. One without a seed has the lowest that the other has not, the first before the
    second."""
    (kind_a, seed_a), (kind_b, seed_b) = map(_named, texts)
    if seed_a is None:
        seed_a = int(seed_b == 0)
    if seed_b is None:
        seed_b = int(seed_a == 0)
    return [run.network(spiking=kind == "snn", seed=seed) for kind, seed in ((kind_a, seed_a), (kind_b, seed_b))]


def _named(text: str) -> tuple[str, int | None]:
    """Kind and seed, if any, of a network as it is named on the command line."""
    kind, _, seed = text.partition(":")
    if kind not in ("snn", "ann") or not (seed or "0").isdecimal():
        raise SpecError(f"{text!r} names no network: write snn or ann, and a seed after a colon, as in ann:1")
    return kind, int(seed) if seed else None


def main() -> None:
    """Entry point of `snnlib`: what a user can mend ends in one sentence and exit status 2."""
    try:
        app()
    except (SpecError, OSError, RuntimeError) as error:
        if isinstance(error, RuntimeError):
            from snnlib.training import TrainingDiverged  # here, for it imports PyTorch

            if not isinstance(error, TrainingDiverged):
                raise
        Console(stderr=True, soft_wrap=True, markup=False, highlight=False).print(f"error: {error}", style="red")
        raise SystemExit(2) from None
