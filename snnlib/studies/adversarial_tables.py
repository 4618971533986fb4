"""What attacks did, as tables for charts and as sentences for the text."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import xarray as xr

from snnlib import tables
from snnlib.claims.adversarial import all_images, at_loss, drift, of_blocks
from snnlib.evidence import GROUP, Effect, effect, share
from snnlib.studies.adversarial import KINDS, Adversarial

TIE = 0.01  # of accuracy: two attacks that differ by less do the same harm

# ---- tables for charts


def accuracy(results: Adversarial, series: dict[tuple[str, str], str]) -> pd.DataFrame:
    """Accuracy in % against epsilon, one line for each (attacked on, shown to) that `series` names, with intervals."""

    def of(key: tuple[str, str], epsilon: float) -> Effect:
        found = [all_images(result).sel(epsilon=epsilon) for result in results.found[key]]
        return share("accuracy", [float(one["accuracy"]) for one in found], found[0].sizes["image"])

    return _against_epsilon(results, series, of, scale=100)


def mean_drift(results: Adversarial, series: dict[tuple[str, str], str]) -> pd.DataFrame:
    """Drift of block outputs against epsilon, as `accuracy`."""

    def of(key: tuple[str, str], epsilon: float) -> Effect:
        pairs = [(result,) for result in results.found[key]]
        return effect("drift", lambda found: float(of_blocks(drift(found)).sel(epsilon=epsilon)), pairs)

    return _against_epsilon(results, series, of)


def _against_epsilon(
    results: Adversarial,
    series: dict[tuple[str, str], str],
    of: Callable[[tuple[str, str], float], Effect],
    scale: float = 1,
) -> pd.DataFrame:
    rows = [
        {"setting": epsilon, "network": name, **{k: scale * getattr(found, k) for k in ("value", "low", "high")}}
        for epsilon in results.epsilons
        for key, name in series.items()
        for found in [of(key, epsilon)]
    ]
    return pd.DataFrame(rows)


def drift_by_layer(
    results: Adversarial, series: dict[tuple[str, str], str], epsilon: float | None = None
) -> pd.DataFrame:
    """Drift along depth at one epsilon, or, without one, each network's at equal loss of accuracy.

    With the intervals of `snnlib.evidence`, over images and seeds.
    """

    def values(found: xr.Dataset) -> xr.DataArray:
        return (at_loss(found) if epsilon is None else drift(found).sel(epsilon=epsilon)).drop_vars("epsilon")

    curves = []
    for key, name in series.items():
        found = [tables.by_measure(_by_group(result, values), name) for result in results.found[key]]
        curves.append(tables.over_seeds(found))
    return pd.concat(curves)


def _by_group(found: xr.Dataset, values: Callable[[xr.Dataset], xr.DataArray]) -> xr.DataArray:
    """Values computed once for all images and once without each group of them, where there are groups."""
    if GROUP not in found.dims:
        return values(found)
    return xr.concat([values(found.isel({GROUP: g}, drop=True)) for g in range(found.sizes[GROUP])], GROUP)


# ---- for the text


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


def accuracy_in_words(results: Adversarial) -> str:
    """What the attacks do at the middle epsilon, beside noise and transfer, and whether a gradient seems to mislead."""
    epsilon = example_epsilon(results)

    def percent(source: str, target: str, at: float) -> str:
        found = map(all_images, results.found[source, target])
        return tables.percent([float(result["accuracy"].sel(epsilon=at)) for result in found])

    sentences = [
        f"At ε = {epsilon:g} the accuracy of the {kind} falls from {percent(kind, kind, 0.0)} to "
        f"**{percent(kind, kind, epsilon)}** under white-box attack, to {percent(other, kind, epsilon)} by transfer, "
        f"and to {percent('noise', kind, epsilon)} under noise."
        for kind, other in zip(KINDS, KINDS[::-1], strict=True)
    ]
    misled = [kind for kind in KINDS if _transfer_is_worse(results, kind)]
    verdict = "At no ε does transfer do more harm than the white box: neither network's gradient seems to mislead."
    if misled:
        verdict = (
            f"For the {' and the '.join(misled)} transfer does more harm than the white box at some ε: there the "
            "gradient of the network itself misleads, and its accuracy under attack is an upper bound only."
        )
    n = results.found["SNN", "SNN"][0].attrs["n_images"]
    return " ".join([*sentences, verdict, f"n = {n} images."])


def _transfer_is_worse(results: Adversarial, kind: str) -> bool:
    other = KINDS[kind == "SNN"]

    def mean(source: str) -> np.ndarray:
        return np.mean([all_images(found)["accuracy"].values for found in results.found[source, kind]], axis=0)

    return bool((mean(other) < mean(kind) - TIE).any())


def depth_in_words(results: Adversarial, epsilon: float) -> str:
    """Drift of the first and of the last block at one epsilon."""
    parts = []
    for kind in KINDS:
        found = [drift(all_images(result)).sel(epsilon=epsilon) for result in results.found[kind, kind]]
        blocks = np.mean([values.values[values["kind"].values == "sum"] for values in found], axis=0)
        parts.append(f"from {blocks[0]:.2f} in the first block to {blocks[-1]:.2f} in the last in the {kind}")
    return f"It goes {', and '.join(parts)}."


def loss_in_words(results: Adversarial) -> str:
    """The epsilons at which half of the accuracy is lost, and the drift of block outputs there."""
    parts = []
    for kind in KINDS:
        found = [at_loss(all_images(result)) for result in results.found[kind, kind]]
        epsilons = np.array([float(values["epsilon"]) for values in found])
        if np.isnan(epsilons).any():
            parts.append(f"the {kind} does not lose half of its accuracy within the sweep in every pair")
            continue
        drifts = np.mean([float(of_blocks(values)) for values in found])
        parts.append(
            f"the {kind} has lost half of its clean accuracy at ε = {epsilons.mean():.3g}, where the outputs of its "
            f"blocks have drifted by {drifts:.2f} on average"
        )
    return f"T{'; '.join(parts)[1:]}."
