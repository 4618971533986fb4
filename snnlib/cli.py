"""`snnlib train`, `snnlib compare`, `snnlib store ...`: thin over the rooms below, same parameters as the notebooks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from snnlib.entries import damage
from snnlib.parameters import Parameters
from snnlib.run import Run
from snnlib.spec import PRESETS, SpecError
from snnlib.store import Store

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Train spiking and ordinary networks; compare them.")
stored = typer.Typer(no_args_is_help=True, help="Look into the store of models and results.")
app.add_typer(stored, name="store")
console = Console(soft_wrap=True, markup=False, highlight=False)

Preset = Annotated[str, typer.Option(help=f"Values for what is not given: {', '.join(PRESETS)}.")]
Dataset = Annotated[
    str | None, typer.Option(help="digits, digit-variants, cifar10, cifar100, moving-digits, ..., or folder:PATH.")
]
DataRoot = Annotated[Path | None, typer.Option(help="Where data sets lie, or are downloaded to.")]
Steps = Annotated[int | None, typer.Option("--T", help="Time steps of the spiking network.")]
Depth = Annotated[int | None, typer.Option(help="20, 38, 56, 110 or 164.")]
Width = Annotated[float | None, typer.Option(help="Factor on the channels.")]
Epochs = Annotated[int | None, typer.Option(help="Passes over the training images.")]
Seed = Annotated[int, typer.Option(help="Seed of the weights and of the order of images.")]
Devices = Annotated[int, typer.Option(min=1, help="Devices of this host that train one network together.")]
Hosts = Annotated[int, typer.Option(min=1, help="Hosts that do; start the command on each, as srun does.")]
Recompute = Annotated[bool, typer.Option("--recompute", help="Make it anew although it is stored.")]


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
    table = Table("epoch", "train loss", "train accuracy", "test accuracy", "images/s")
    for row in network.history:
        table.add_row(
            f"{row['epoch']:.0f}",
            f"{row['train_loss']:.3f}",
            f"{row['train_accuracy']:.1%}",
            f"{row['test_accuracy']:.1%}",
            f"{row['images_per_second']:.0f}",
        )
    console.print(table)
    console.print(str(entry.folder))


@app.command()
def compare(
    a: Annotated[str, typer.Argument(help="snn or ann, with a seed after a colon if it is not 0: snn, ann:1")],
    b: Annotated[str, typer.Argument(help="The same for the other network.")],
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
    """CKA of all pairs of layers of two networks; trains what is missing."""
    if out and not out.absolute().parent.is_dir():
        raise SpecError(f"--out {out}: there is no folder {out.absolute().parent}; make it first")
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
    spec_a, spec_b = (_named(run, text) for text in (a, b))
    cka = run.compare(spec_a, spec_b, time=time, pairing=pairing)
    console.print(f"{spec_a.slug} x {spec_b.slug}: {dict(cka.sizes)}, n = {cka.attrs['n_images']}")
    if out:
        temporary = out.with_name(f".{out.name}.tmp")
        cka.to_netcdf(temporary, engine="h5netcdf")
        temporary.replace(out)
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

    if measure:
        console.print(sweeps.measure(Store().cache / sweeps.SPEEDS).stem)
        return
    if write:
        write.write_text(sweeps.plan_text(preset, sweeps.listing(preset)), encoding="utf8")
        return
    team = _team(devices, hosts)
    run = _sweep(preset, data_root, machine=machine, download=not dry_run)
    items = run.items(only)
    if dry_run:
        _show(run, items)
        return
    with _together(team, run.store):
        failed = run.make(items)
    console.print(f"{len(items) - len(failed)} of {len(items)} items are there")
    raise typer.Exit(bool(failed))


def _sweep(preset: str, data_root: Path | None, **options: Any) -> Any:
    from snnlib import sweep as sweeps

    return sweeps.Sweep(sweeps.read_plan(sweeps.plan_file(preset)), data_root, **options)


def _show(run: Any, items: list[Any]) -> None:
    """The list as a table, and the totals of what is missing."""
    from snnlib.training.pace import as_text

    table, missing = Table("item", "kind", "state", "time", "memory"), []
    for item in items:
        cost = None if item.is_there else run.cost(item.spec)
        missing += [cost] if cost else []
        shown = (as_text(cost.seconds), f"{cost.memory / 2**30:.1f} GB") if cost else ("", "")
        table.add_row(item.spec.name, type(item.spec).__name__.removesuffix("Spec").lower(), item.state, *shown)
    console.print(table)
    seconds, memory = sum(cost.seconds for cost in missing), max((cost.memory for cost in missing), default=0)
    console.print(
        f"{len(items) - len(missing)} of {len(items)} are there; the rest takes about {as_text(seconds)} on this "
        f"machine, one after the other, and at most {memory / 2**30:.1f} GB"
    )


@stored.command("list")
def list_entries() -> None:
    """What the published layer and the cache hold."""
    table = Table("layer", "kind", "name", "test accuracy", "made")
    for entry in Store().entries():
        accuracy = entry.card.get("metrics", {}).get("test_accuracy")
        shown = "" if accuracy is None else f"{accuracy:.1%}"
        table.add_row(entry.layer, entry.kind, entry.folder.name, shown, entry.card["made"])
    console.print(table)


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
    store = Store(data_root=data_root)
    known = {key: entry.spec for entry in store.entries() for key in (entry.folder.name, entry.card["hash"])}
    if unknown := [name for name in names or () if name not in known]:
        raise SpecError(f"{unknown[0]!r} names no entry of the store; `snnlib store list` shows them")
    specs = [known[name] for name in names or ()]
    if preset:
        specs += [item.spec for item in _sweep(preset, data_root).items() if item.state == "cached"]
    for spec in specs:
        console.print(str(publishing.publish(store, spec, full=full)))


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


def _run(**given: Any) -> Run:
    return Run.of(Parameters(**given))


def _named(run: Run, text: str):
    kind, _, seed = text.partition(":")
    if kind not in ("snn", "ann") or not (seed or "0").isdecimal():
        raise SpecError(f"{text!r} names no network: write snn or ann, and a seed after a colon, as in ann:1")
    return run.network(spiking=kind == "snn", seed=int(seed or 0))


def main() -> None:
    """Entry point of `snnlib`: what a user can mend ends in one sentence and exit status 2."""
    try:
        app()
    except (SpecError, OSError) as error:
        Console(stderr=True, soft_wrap=True, markup=False, highlight=False).print(f"error: {error}", style="red")
        raise SystemExit(2) from None
