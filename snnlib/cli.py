"""`snnlib train`, `snnlib compare`, `snnlib store ...`: thin over the rooms below, same parameters as the notebooks."""

from __future__ import annotations

from pathlib import Path
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
) -> None:
    """Train one network, or find it in the store; resumes what was interrupted."""
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
def publish(name: Annotated[str, typer.Argument(help="Name of an entry, or its hash.")]) -> None:
    """Copy an entry of the cache into published/."""
    store = Store()
    matches = [entry for entry in store.entries() if name in (entry.folder.name, entry.card["hash"])]
    if not matches:
        raise SpecError(f"{name!r} names no entry of the store; `snnlib store list` shows them")
    console.print(str(store.publish(matches[0].spec)))


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
