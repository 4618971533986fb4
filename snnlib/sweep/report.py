"""What the page on cost shows: what trainings reach, forecasts held against them, and the work of whole presets."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from snnlib.data.images import KNOWN
from snnlib.entries import Entry
from snnlib.provenance import machine
from snnlib.spec import PRESETS, TrainSpec
from snnlib.sweep.costs import FORWARD, is_trained, machine_of, passes_of, per_image, processes_of, rate_of, threads_of
from snnlib.sweep.footprints import operations
from snnlib.sweep.listing import listing

BACKWARD = 2  # a backward pass multiplies twice as often as a forward pass
WORK = ("multiply-adds of the trainings", "multiply-adds of the results")
REACHED = ("machine", "threads", "network", "images a second", "10⁹ multiply-adds a second")
CHECKED = ("machine", "threads", "network", "forecast (s)", "at the fastest epoch's pace (s)", "off by", "took (s)")


def throughput(entries: Iterable[Entry]) -> pd.DataFrame:
    """What one device reached in the fastest epoch of a training: of those of one structure and data, on one machine
    with as many threads, the fastest. Of devices that train together each has an equal share.

    An image of a training step is three passes' worth of multiply-adds: forward, and twice as many backward.
    """
    fastest: dict[tuple[object, ...], tuple[object, ...]] = {}
    for entry in sorted(filter(is_trained, entries), key=lambda entry: rate_of(entry).seconds):
        rate = rate_of(entry)
        images = 1 / rate.seconds
        worked = images * (1 + BACKWARD) * operations(rate.model, rate.data) / 1e9
        row = (*_made_by(entry), f"{rate.data.slug}-{rate.model.slug}", images, worked)
        fastest.setdefault((machine_of(entry), rate.model, rate.data), row)
    rows = sorted(fastest.values(), key=lambda row: [str(value) for value in row[:3]])
    return pd.DataFrame(rows, columns=list(REACHED))


def checks(entries: Iterable[Entry]) -> pd.DataFrame:
    """The time of every trained network, forecast from the others of its kind and machine, beside what it took.

    A network is not forecast from its own structure, of another seed either. Where others have fewer than two
    structures there is no forecast. "off by" compares with the time that the whole training would have taken at the
    pace of its fastest epoch, its look at the test images included: above zero, the forecast was too long.
    """
    machines = defaultdict(list)
    for entry in filter(is_trained, entries):
        if entry.card.get("images"):
            machines[machine_of(entry)].append(entry)
    rows = []
    for trained in machines.values():
        rates = [rate_of(entry) for entry in trained]
        for entry, own in zip(trained, rates, strict=True):
            others = [r for r in rates if r.model != own.model and r.model.spiking == own.model.spiking]
            if len({rate.model for rate in others}) < 2:
                continue
            images, epochs = entry.card["images"], entry.spec.epochs
            seen = epochs * (images["train"] + FORWARD * images["test"])
            forecast = seen * per_image(others, own.model, own.data) / processes_of(entry)
            undisturbed = epochs * min(epoch["seconds"] for epoch in entry.card["history"])
            took = entry.card["duration"]
            rows.append((*_made_by(entry), entry.spec.slug, forecast, undisturbed, forecast / undisturbed - 1, took))
    return pd.DataFrame(rows, columns=list(CHECKED))


def _made_by(entry: Entry) -> tuple[str, int]:
    """The machine that trained a network, for people, and the threads that it used there."""
    return machine(entry.card["hardware"]), threads_of(entry)


def work_of_presets(presets: Iterable[str] = tuple(PRESETS)) -> pd.DataFrame:
    """For each preset, how many networks it trains and how many results it computes, and what either multiplies."""
    rows = []
    for preset in presets:
        asked = listing(preset)
        trained = [spec for spec in asked if isinstance(spec, TrainSpec) and spec.epochs]
        results = [spec for spec in asked if not isinstance(spec, TrainSpec)]
        work = (sum(map(of_training, trained)), sum(map(of_result, results)))
        rows.append((preset, len(trained), len(results), *work))
    return pd.DataFrame(rows, columns=["preset", "networks", "results", *WORK])


def of_training(spec: TrainSpec) -> float:
    """Multiply-adds of a training on the whole data set, the looks at the test images included."""
    n_train, n_test = KNOWN[spec.data.dataset].sizes
    return spec.epochs * operations(spec.model, spec.data) * ((1 + BACKWARD) * n_train + n_test)


def of_result(spec: Any) -> float:
    """Multiply-adds of the networks in a result: passes of all images, and of the steps of an attack, back as well.

    What is computed of the features then, above all Gram matrices, is not among them.
    """
    attacked, shown = passes_of(spec)
    attack = (1 + BACKWARD) * sum(operations(network.model, network.data) for network in attacked)
    passes = attack + sum(operations(network.model, network.data) for network in shown)
    return spec.n_images * passes if passes else 0.0  # examples of a data set pass no network


def hours_at(work: pd.DataFrame, teraops: Sequence[float], gpus: Sequence[int]) -> pd.DataFrame:
    """Hours for the work of each preset at some sustained speeds, 10^12 multiply-adds a second, on some GPUs."""
    rows = [
        {
            "preset": row["preset"],
            "10¹² multiply-adds a second": speed,
            **{
                f"{count} GPU{'s' * (count > 1)}": sum(row[list(WORK)]) / (speed * 1e12 * count) / 3600
                for count in gpus
            },
        }
        for _, row in work.iterrows()
        for speed in teraops
    ]
    return pd.DataFrame(rows)
