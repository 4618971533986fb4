"""What attacks did, as tables for charts, and the attacked images."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import xarray as xr

from snnlib import tables
from snnlib.claims.adversarial import (
    at_loss,
    drift,
    noise_at_loss,
    of_blocks,
)
from snnlib.evidence import Effect, effect, less, share
from snnlib.series import KINDS
from snnlib.similarity import MEASURES
from snnlib.studies.adversarial import Adversarial
from snnlib.studies.rows import SECOND, point
from snnlib.tables import all_images


def accuracy(results: Adversarial, series: dict[tuple[str, str], str]) -> pd.DataFrame:
    """Accuracy in % against epsilon, one line for each (attacked on, shown to) that `series` names, with intervals."""

    def of(key: tuple[str, str], epsilon: float) -> Effect:
        return accuracy_at(results, key, epsilon)

    return _against_epsilon(results, series, of, scale=100)


def accuracy_at(results: Adversarial, key: tuple[str, str], epsilon: float) -> Effect:
    """Accuracy of networks (attacked on, shown to) at one epsilon, a share of 1, with its interval."""
    found = [all_images(result).sel(epsilon=epsilon) for result in results.found[key]]
    return share("accuracy", [float(one["accuracy"]) for one in found], found[0].sizes["image"])


def mean_drift(results: Adversarial, series: dict[tuple[str, str], str]) -> pd.DataFrame:
    """Drift of block outputs against epsilon, as `accuracy`."""

    def of(key: tuple[str, str], epsilon: float) -> Effect:
        return effect("drift", float, [of_blocks(drift(one)).sel(epsilon=epsilon) for one in results.found[key]])

    return _against_epsilon(results, series, of)


def _against_epsilon(
    results: Adversarial,
    series: dict[tuple[str, str], str],
    of: Callable[[tuple[str, str], float], Effect],
    scale: float = 1,
) -> pd.DataFrame:
    return pd.DataFrame(
        [point(epsilon, name, of(key, epsilon), scale) for epsilon in results.epsilons for key, name in series.items()]
    )


def difference(results: Adversarial) -> pd.DataFrame:
    """Drift of block outputs of the ANN minus that of the SNN, pair by pair, against epsilon, for `charts.sweep`."""
    series = {"white box": results.white_box}
    series["noise"] = results.noise
    found = {name: _differences(pairs) for name, pairs in series.items()}
    what = "drift of block outputs, ANN − SNN"
    return pd.DataFrame(
        [
            point(epsilon, name, effect(what, float, [one.sel(epsilon=epsilon) for one in of]))
            for epsilon in results.epsilons
            for name, of in found.items()
        ]
    )


def _differences(pairs: Sequence[tuple[xr.Dataset, xr.Dataset]]) -> list[xr.DataArray]:
    """(..., epsilon) of each pair."""
    return [less(of_blocks(drift(ann)), of_blocks(drift(snn))) for snn, ann in pairs]


def drift_by_layer(
    results: Adversarial, series: dict[tuple[str, str], str], epsilon: float | None = None
) -> pd.DataFrame:
    """Drift along depth at one epsilon, or, without one, each network's at equal loss of accuracy, by all measures.

    Noise is then of the size that the attack on the network takes for this loss. With the intervals of
    `snnlib.intervals`, over images and seeds. Last, where there are ceilings, stands what another seed of each kind
    would make of the clean images, 1 minus its ceiling.
    """

    def values(key: tuple[str, str], pair: int, measure: str) -> xr.DataArray:
        found = _measured(results.found[key][pair], measure)
        if epsilon is not None:
            return drift(found).sel(epsilon=epsilon).drop_vars("epsilon")
        source, target = key
        if source == "noise":
            return noise_at_loss(found, results.found[target, target][pair])
        return at_loss(found).drop_vars("epsilon")

    curves = []
    for measure in ("cka", *SECOND):
        of_measure = []
        for key, name in series.items():
            found = [values(key, pair, measure) for pair, _ in enumerate(results.found[key])]
            of_measure.append(tables.over_seeds([tables.by_measure(of, name) for of in found]))
        for kind, ceiling in results.ceilings.items():
            apart = 1 - ceiling["similarity"].sel(measure=measure)
            of_measure.append(tables.over_seeds([tables.by_measure(apart, f"another {kind}, clean images")]))
        curves += [curve.assign(measure=MEASURES[measure].title) for curve in of_measure]
    return pd.concat(curves, ignore_index=True)


def _measured(found: xr.Dataset, measure: str) -> xr.Dataset:
    """What an attack did, with a similarity by another measure in the place of CKA."""
    return found if measure == "cka" else found.assign(cka=found["similarity"].sel(measure=measure, drop=True))


# ---- images


def example_epsilon(results: Adversarial) -> float:
    """The size of change at which images and layers are looked at: the middle one of the sweep."""
    return results.epsilons[1:][(len(results.epsilons) - 1) // 2]


def examples(results: Adversarial, epsilon: float) -> tuple[dict[str, list[np.ndarray]], dict[str, list[str]]]:
    """Rows of images for `charts.pictures`, and their captions: clean, attacked on each kind, and the changes."""
    on = {kind: all_images(results.found[kind, kind][0]).sel(epsilon=[0.0, epsilon]) for kind in KINDS}
    clean = on["SNN"]["images"].values[0]
    labels = on["SNN"]["class"].values[on["SNN"]["label"].values]
    rows, captions = {"clean": list(clean)}, {"clean": [str(label) for label in labels[: len(clean)]]}
    for kind, found in on.items():
        attacked = found["images"].values[1]
        largest = np.abs(attacked - clean).max() or 1.0
        classes = found["class"].values[found["prediction"].values[1]]
        rows[f"against {kind}"] = list(attacked)
        captions[f"against {kind}"] = [f"→ {name}" for name in classes[: len(clean)]]
        rows[f"change, {kind}"] = list(0.5 + (attacked - clean) / (2 * largest))
    return rows, captions
