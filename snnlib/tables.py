"""Results as tidy tables, one row an observation: what charts draw and the text quotes. Imports no torch.

Intervals along depth are those of `snnlib.evidence`, over images and seeds; those of accuracies and losses run over
seeds, from the lowest to the highest. Where there is none the columns are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from snnlib.evidence import GROUP, interval

if TYPE_CHECKING:
    from snnlib.training import Network


def kind_name(spiking: bool) -> str:
    """ "SNN" or "ANN", the names in every table and chart."""
    return "SNN" if spiking else "ANN"


def accuracies(networks: Iterable[Network]) -> pd.DataFrame:
    """Test accuracy of the last epoch, a share from 0 to 1: columns network, seed, accuracy."""
    rows = [
        {
            "network": kind_name(network.spec.model.spiking),
            "seed": network.spec.seed,
            "accuracy": network.history[-1]["test_accuracy"],
        }
        for network in networks
        if network.history
    ]
    return pd.DataFrame(rows, columns=["network", "seed", "accuracy"])


def histories(networks: Iterable[Network]) -> pd.DataFrame:
    """Loss and accuracy after every epoch: columns epoch, value, metric, split, network, seed."""
    rows = [
        {
            "epoch": int(epoch["epoch"]),
            "value": epoch[f"{split}_{metric}"],
            "metric": metric,
            "split": split,
            "network": kind_name(network.spec.model.spiking),
            "seed": network.spec.seed,
        }
        for network in networks
        for epoch in network.history
        for metric in ("loss", "accuracy")
        for split in ("train", "test")
    ]
    return pd.DataFrame(rows, columns=["epoch", "value", "metric", "split", "network", "seed"])


def corresponding(cka: xr.DataArray, series: str) -> pd.DataFrame:
    """CKA of each layer with the layer of the same name in the other network.

    Args:
        cka: (layer_a, layer_b), of two networks of one structure; or with the dimension "group" before them.
        series: what these values are called in a chart.

    Returns:
        Columns layer, position (from 1, in call order), kind, stage, value, series; also group, if cka has it.

    Raises:
        ValueError: the networks have no layer in common.
    """
    names_b = {name: j for j, name in enumerate(cka["layer_b"].values.tolist())}
    pairs = [(i, names_b[name]) for i, name in enumerate(cka["layer_a"].values.tolist()) if name in names_b]
    if not pairs:
        raise ValueError("the two networks have no layer of the same name: there are no corresponding layers")
    a, b = (xr.DataArray([pair[side] for pair in pairs], dims="layer") for side in (0, 1))
    found = cka.isel(layer_a=a, layer_b=b)  # (group, layer)
    names = {"layer": "layer_a", "kind": "kind_a", "stage": "stage_a"}
    return _along_depth(found, {name: found[coordinate].values for name, coordinate in names.items()}, series)


def by_measure(similarity: xr.DataArray, series: str) -> pd.DataFrame:
    """The layers of one measure of corresponding layers, (layer,) or (group, layer); columns as in `corresponding`."""
    return _along_depth(similarity, {name: similarity[name].values for name in ("layer", "kind", "stage")}, series)


def _along_depth(values: xr.DataArray, layers: dict[str, Any], series: str) -> pd.DataFrame:
    position = np.arange(1, values.sizes["layer"] + 1)
    columns = {"layer": layers["layer"], "position": position, "kind": layers["kind"], "stage": layers["stage"]}
    if GROUP not in values.dims:
        return pd.DataFrame({**columns, "value": values.values, "series": series})
    by_group = values.transpose(GROUP, "layer").values
    return pd.concat(
        [pd.DataFrame({**columns, "value": row, "series": series, GROUP: g}) for g, row in enumerate(by_group)],
        ignore_index=True,
    )


def over_seeds(
    tables: Sequence[pd.DataFrame], by: Sequence[str] = ("series", "layer", "position", "kind", "stage")
) -> pd.DataFrame:
    """Mean of `value` over tables of the same layout, one a pair of networks, with its interval over images and seeds.

    Columns low and high are the 95 % interval of `snnlib.evidence.interval`: of images where the tables have groups of
    images left out, of seeds where there are several tables. Where there is neither, the columns are left out.
    """
    keys = list(by)
    grouped = [table if GROUP in table else table.assign(**{GROUP: 0}) for table in tables]
    wide = [table.pivot(index=keys, columns=GROUP, values="value") for table in grouped]  # column 0: all images
    order = pd.MultiIndex.from_frame(tables[0][keys].drop_duplicates())
    values = np.stack([table.reindex(order).to_numpy(float) for table in wide], axis=1)  # (rows, pairs, groups)
    summary = order.to_frame(index=False).assign(value=values[:, :, 0].mean(1))
    if len(tables) > 1 or values.shape[2] > 1:
        intervals = [interval(row[:, 0], row[:, 1:]) for row in values]
        summary["low"], summary["high"] = np.transpose(intervals)
    return summary


def seed_pairs(seeds: Sequence[int]) -> list[tuple[int, int]]:
    """Pairs of different seeds, (first, second), (second, third), ..., (last, first).

    Two networks that start from the same seed start from the same weights: a similarity that they keep from there is
    none that they learned. A single seed leaves no choice, and is paired with itself.
    """
    return list(zip(seeds, [*seeds[1:], seeds[0]], strict=True))


def disjoint_pairs(seeds: Sequence[int]) -> list[tuple[int, int]]:
    """Pairs of seeds of which no two share one, for networks of one kind: (first, second), (third, fourth), ...

    `seed_pairs` would compare the same two networks twice, or a network in two pairs, and call that independent.
    """
    return list(zip(seeds[::2], seeds[1::2], strict=False))


def block_outputs(corresponding_layers: pd.DataFrame) -> pd.DataFrame:
    """The rows of residual-block outputs, where the networks' representations stand between operations."""
    return corresponding_layers[corresponding_layers["kind"] == "sum"]


def percent(values: Any) -> str:
    """Accuracies in words: "97.4 %" for one, "97.4 % (96.9–97.9 %)" for several, the mean and the range."""
    shares = np.asarray(values, dtype=float) * 100
    mean = f"{shares.mean():.1f} %"
    return mean if len(shares) == 1 else f"{mean} ({shares.min():.1f}–{shares.max():.1f} %)"


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Mean, low and high of `value` by setting and network, ascending in the setting: what `charts.sweep` takes."""
    groups = table.groupby(["setting", "network"], sort=False)["value"]
    return groups.agg(value="mean", low="min", high="max").reset_index().sort_values("setting", kind="stable")
