"""Adversarial images: what attacks on spiking and ordinary networks do to both, in accuracy and layer by layer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from snnlib import tables
from snnlib.claims.adversarial import all_images, at_loss, drift, of_blocks
from snnlib.run import Run
from snnlib.spec import AttackSpec

# the released code's attack: PGD on normalised images, nothing kept to the range of pixels
RELEASED = {"method": "pgd", "epsilons": (0.01,), "steps": 20, "step": 0.1, "space": "normalised"}
KINDS = ("SNN", "ANN")


@dataclass(frozen=True)
class Adversarial:
    """Results by (attacked on, shown to), each "SNN", "ANN" or "noise" on the left: one Dataset a pair of networks."""

    found: dict[tuple[str, str], tuple[xr.Dataset, ...]]
    unit: str  # of epsilon

    @property
    def epsilons(self) -> list[float]:
        return self.found["SNN", "SNN"][0]["epsilon"].values.tolist()

    @property
    def white_box(self) -> list[tuple[xr.Dataset, xr.Dataset]]:
        """An SNN and an ANN, each under attack on itself, for each pair: what the claim is judged by."""
        return list(zip(self.found["SNN", "SNN"], self.found["ANN", "ANN"], strict=True))


def adversarial(run: Run) -> Adversarial:
    """Train the networks, attack the test images on each, and show them to it and to its partner."""
    pairs = tables.seed_pairs(run.seeds)
    networks = {(kind, seed): run.network(spiking=kind == "SNN", seed=seed) for kind in KINDS for seed in run.seeds}
    run.train_all(networks.values())
    attack, n_images = setting(run), run.value("n_images")
    noise = {name: attack[name] for name in ("epsilons", "space") if name in attack} | {"method": "noise", "start": 0}
    asked: dict[tuple[str, int], AttackSpec] = {}
    for k, (i, j) in enumerate(pairs):
        pair = networks["SNN", i], networks["ANN", j]
        for source, targets in zip(KINDS, (pair, pair[::-1]), strict=True):  # the first target is the source
            asked[source, k] = AttackSpec(source=targets[0], targets=targets, n_images=n_images, **attack)
        asked["noise", k] = AttackSpec(targets=pair, n_images=n_images, **noise)
    results = dict(zip(asked, run.store.get_all(list(asked.values())), strict=True))
    found: dict[tuple[str, str], tuple[xr.Dataset, ...]] = {}
    for source in (*KINDS, "noise"):
        for t, target in enumerate(KINDS[::-1] if source == "ANN" else KINDS):
            found[source, target] = tuple(results[source, k].isel(target=t) for k in range(len(pairs)))
    unit = "standard deviations of a channel" if run.given.released else "share of the range of pixels"
    return Adversarial(found, unit)


def setting(run: Run) -> dict[str, Any]:
    """The fields of `AttackSpec` that this run's parameters settle."""
    given = run.given
    if given.released:
        return dict(RELEASED)
    chosen: dict[str, Any] = {"method": given.method, "epsilons": run.value("epsilons")}
    if given.method == "pgd":
        chosen |= {"steps": run.value("attack_steps"), "start": 0 if given.random_start else None}
    return chosen


# ---- tables for charts


def accuracy(results: Adversarial, series: dict[tuple[str, str], str]) -> pd.DataFrame:
    """Accuracy in % against epsilon, one line for each (attacked on, shown to) that `series` names."""
    rows = [
        {"setting": float(level["epsilon"]), "network": name, "value": 100 * float(level["accuracy"])}
        for key, name in series.items()
        for found in map(all_images, results.found[key])
        for level in _levels(found)
    ]
    return tables.summary(pd.DataFrame(rows))


def mean_drift(results: Adversarial, series: dict[tuple[str, str], str]) -> pd.DataFrame:
    """Drift of block outputs against epsilon, as `accuracy`."""
    rows = [
        {"setting": float(epsilon), "network": name, "value": float(value)}
        for key, name in series.items()
        for found in map(all_images, results.found[key])
        for epsilon, value in zip(found["epsilon"].values, of_blocks(drift(found)).values, strict=True)
    ]
    return tables.summary(pd.DataFrame(rows))


def drift_by_layer(
    results: Adversarial, series: dict[tuple[str, str], str], epsilon: float | None = None
) -> pd.DataFrame:
    """Drift along depth at one epsilon, or, without one, each network's at equal loss of accuracy."""
    curves = []
    for key, name in series.items():
        for found in map(all_images, results.found[key]):
            values = at_loss(found) if epsilon is None else drift(found).sel(epsilon=epsilon)
            curves.append(_along_depth(values, name))
    return tables.over_seeds(curves) if len(results.found["SNN", "SNN"]) > 1 else pd.concat(curves)


def _along_depth(values: xr.DataArray, series: str) -> pd.DataFrame:
    columns = {name: values[name].values for name in ("layer", "kind", "stage")}
    position = np.arange(1, values.sizes["layer"] + 1)
    return pd.DataFrame({**columns, "position": position, "value": values.values, "series": series})


def _levels(found: xr.Dataset) -> Iterable[xr.Dataset]:
    return (found.isel(epsilon=k) for k in range(found.sizes["epsilon"]))
