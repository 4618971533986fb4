"""Results as tidy tables, one row an observation: what charts draw and the text quotes. Imports no torch.

Intervals are those of `snnlib.intervals`, over images and seeds. Where there is none the columns are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pandas as pd
import xarray as xr

from snnlib.intervals import interval
from snnlib.spec import GROUP

if TYPE_CHECKING:
    from snnlib.training import Network


Result = TypeVar("Result", xr.DataArray, xr.Dataset)


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
    return by_measure(of_corresponding(cka), series)


def of_corresponding(cka: xr.DataArray) -> xr.DataArray:
    """The same as an array: (..., layer) of (..., layer_a, layer_b), with kind and stage along layer."""
    pairs = same_layers(cka)
    a, b = (xr.DataArray([pair[side] for pair in pairs], dims="layer") for side in (0, 1))
    found = cka.isel(layer_a=a, layer_b=b)
    coords = {name: ("layer", found[f"{name}_a"].values) for name in ("layer", "kind", "stage")}
    return _without_layers(found).assign_coords(coords)


def same_layers(cka: xr.DataArray) -> list[tuple[int, int]]:
    """The places along layer_a and along layer_b of the layers that both networks have.

    Raises:
        ValueError: they have none in common.
    """
    names_b = {name: j for j, name in enumerate(cka["layer_b"].values.tolist())}
    pairs = [(i, names_b[name]) for i, name in enumerate(cka["layer_a"].values.tolist()) if name in names_b]
    if not pairs:
        raise ValueError("the two networks have no layer of the same name: there are no corresponding layers")
    return pairs


def means_in_common(*comparisons: xr.DataArray, kind: str | None = None) -> list[float]:
    """The mean CKA of corresponding layers in each comparison, over those layers that have a value in all.

    `kind`: of layers of this kind alone, such as "sum" for the outputs of residual blocks.
    """
    return [float(one.mean()) for one in in_common(*map(of_corresponding, comparisons), kind=kind)]


def in_common(*layered: xr.DataArray, kind: str | None = None) -> list[xr.DataArray]:
    """Arrays over (..., layer), each of those layers alone that have a value in all of them, for every group of images.

    `kind`: as in `means_in_common`.
    """
    known = [
        set(one["layer"].values[np.isfinite(one.transpose(..., "layer").values.reshape(-1, one.sizes["layer"])).all(0)])
        for one in layered
    ]
    of_kind = ((name, of) for name, of in zip(layered[0]["layer"].values, layered[0]["kind"].values, strict=True))
    names = [name for name, of in of_kind if kind in (None, of) and all(name in those for those in known)]
    return [one.sel(layer=names) for one in layered]


def by_measure(similarity: xr.DataArray, series: str) -> pd.DataFrame:
    """The layers of one measure of corresponding layers, (layer,) or (group, layer); columns as in `corresponding`."""
    columns = {name: similarity[name].values for name in ("layer", "kind", "stage")}
    columns["position"] = np.arange(1, similarity.sizes["layer"] + 1)
    if GROUP not in similarity.dims:
        return pd.DataFrame({**columns, "value": similarity.values, "series": series})
    by_group = similarity.transpose(GROUP, "layer").values
    tiled = {name: np.tile(np.asarray(column), len(by_group)) for name, column in columns.items()}
    group = np.repeat(np.arange(len(by_group)), by_group.shape[1])
    return pd.DataFrame({**tiled, "value": by_group.ravel(), "series": series, GROUP: group})


def over_seeds(
    tables: Sequence[pd.DataFrame],
    by: Sequence[str] = ("series", "layer", "position", "kind", "stage"),
    stretch: float = 1.0,
) -> pd.DataFrame:
    """Mean of `value` over tables of the same layout, one a pair of networks, with its interval over images and seeds.

    Columns low and high are the 95 % interval of `snnlib.intervals.interval`: of images where the tables have groups of
    images left out, of seeds where there are several tables. Where there is neither, the columns are left out.
    `stretch` is that of `interval`.

    Raises:
        ValueError: tables with other rows, in another order or of other groups, than the first; a row twice.
    """
    keys = list(by)
    by_group = [(t if GROUP in t else t.assign(**{GROUP: 0})).sort_values(GROUP, kind="stable") for t in tables]
    first, groups = by_group[0], by_group[0][GROUP].nunique()
    order = first[keys].iloc[: len(first) // groups].reset_index(drop=True)
    layout = np.tile(order.to_numpy(object), (groups, 1))
    if order.duplicated().any() or any(not np.array_equal(table[keys].to_numpy(object), layout) for table in by_group):
        raise ValueError(
            f"tables of pairs of networks must have the same rows, each once, told apart by {', '.join(keys)}"
        )
    # (pairs, groups, rows)
    values = np.stack([table["value"].to_numpy(float).reshape(groups, -1) for table in by_group])
    summary = order.assign(value=values[:, 0].mean(0))
    if len(tables) > 1 or groups > 1:
        intervals = [interval(row[:, 0], row[:, 1:], stretch=stretch) for row in np.moveaxis(values, 2, 0)]
        summary["low"], summary["high"] = np.transpose(intervals)
    return summary


def seed_pairs(seeds: Sequence[int]) -> list[tuple[int, int]]:
    """Pairs of different seeds, (first, second), (second, third), ..., (last, first).

    Two networks that start from the same seed start from the same weights: a similarity that they keep from there is
    none that they learned. A single seed leaves no choice, and is paired with itself.
    """
    return list(zip(seeds, [*seeds[1:], seeds[0]], strict=True))


def block_outputs(corresponding_layers: pd.DataFrame) -> pd.DataFrame:
    """The rows of residual-block outputs, where the networks' representations stand between operations."""
    return corresponding_layers[corresponding_layers["kind"] == "sum"]


def percent(values: Any) -> str:
    """Accuracies in words: "97.4 %" for one, "97.4 % (96.9–97.9 %)" for several, the mean and the range."""
    shares = np.asarray(values, dtype=float) * 100
    mean = f"{shares.mean():.1f} %"
    return mean if len(shares) == 1 else f"{mean} ({shares.min():.1f}–{shares.max():.1f} %)"


PLACES = ("input", "act1", "conv1", "bn1", "act2", "conv2", "bn2", "output")
"""Places of a residual block, in the order of the computation. Its input is the output of the block before; the input
of the first block is that of the stem. Where a block has no shortcut, its output is that of bn2."""


def by_block(cka: xr.DataArray) -> xr.DataArray:
    """CKA of corresponding layers at the places of every residual block: the way through the branch, no shortcuts.

    Args:
        cka: (..., layer_a, layer_b), of two residual networks of one depth.

    Returns:
        (..., block, place) with the coordinate stage along block.

    Raises:
        ValueError: no residual blocks.
    """
    blocks = [str(name) for name in cka["layer_a"].values[(cka["kind_a"] == "sum") & (cka["stage_a"] >= 0)]]
    if not blocks:
        raise ValueError("these networks have no residual blocks to look into")
    stages = [int(stage) for stage in cka["stage_a"].sel(layer_a=blocks).values]
    inputs = ["stem.bn", *blocks[:-1]]
    names = [[first, *(f"{b}.{place}" for place in PLACES[1:-1]), b] for first, b in zip(inputs, blocks, strict=True)]
    coords = {"block": blocks, "place": list(PLACES), "stage": ("block", stages)}
    at = xr.DataArray(names, dims=("block", "place"))
    return _without_layers(cka.sel(layer_a=at, layer_b=at)).transpose(..., "block", "place").assign_coords(coords)


def along_blocks(cka: xr.DataArray, series: str) -> pd.DataFrame:
    """The same as rows for `charts.depth_curve`: columns layer, position, kind, stage, block, value, series.

    An input is drawn as the output of the block before, and only that of the first block is a row of its own. Also a
    column group, if cka has it.
    """
    table = by_block(cka)
    rows = []
    for b, (block, stage) in enumerate(zip(table["block"].values, table["stage"].values, strict=True)):
        for p, place in enumerate(PLACES):
            if place == "input" and b:
                continue
            row = {
                "layer": {"input": "stem.bn", "output": str(block)}.get(place, f"{block}.{place}"),
                "position": 1 + b * (len(PLACES) - 1) + p,
                "kind": {"input": "bn", "output": "sum"}.get(place, place[:-1]),
                "stage": int(stage) if p else -1,
                "block": str(block) if p else "",
                "series": series,
            }
            rows += _by_group(table[..., b, p], row)
    return pd.DataFrame(rows)


def block_means(cka: xr.DataArray, series: str) -> pd.DataFrame:
    """Means over blocks, for `charts.block_profile`: columns place, value, series; also group, if cka has it."""
    means = by_block(cka).mean("block", skipna=False)
    rows = [_by_group(means.sel(place=place), {"place": place, "series": series}) for place in PLACES]
    return pd.DataFrame([row for of_place in rows for row in of_place])


def _by_group(values: xr.DataArray, row: dict[str, Any]) -> list[dict[str, Any]]:
    """The row with its value, once for every group of images left out where there are such."""
    if GROUP not in values.dims:
        return [{**row, "value": float(values)}]
    return [{**row, "value": float(v), GROUP: g} for g, v in enumerate(values.values)]


def by_step(cka: xr.DataArray) -> xr.DataArray:
    """CKA of corresponding layers at all pairs of steps.

    Args:
        cka: (..., layer_a, step_a, layer_b, step_b), of two networks of one structure.

    Returns:
        (..., layer, step_a, step_b) with the coordinates kind and stage along layer.
    """
    layers = [str(name) for name in cka["layer_a"].values]
    at = xr.DataArray(layers, dims="layer")
    found = cka.sel(layer_a=at, layer_b=at)
    coords = {"layer": layers, **{name: ("layer", found[f"{name}_a"].values) for name in ("kind", "stage")}}
    return _without_layers(found).transpose(..., "layer", "step_a", "step_b").assign_coords(coords)


def same_step(cka: xr.DataArray, T: int) -> xr.DataArray:
    """CKA of every step of one network with the same step of another; one of a single step is compared at that one.

    Args:
        cka: (..., step_a, step_b), in any order.
        T: number of steps.

    Returns:
        (..., step), the steps counted from 1.
    """
    sides = ("step_a", "step_b")
    at = {side: xr.DataArray(np.minimum(np.arange(T), cka.sizes[side] - 1), dims="step") for side in sides}
    return cka.isel(at).drop_vars(sides).assign_coords(step=np.arange(1, T + 1)).transpose(..., "step")


def _without_layers(found: xr.DataArray) -> xr.DataArray:
    """Without the coordinates of the two sides, which are the same layers now; the steps stay."""
    sides = [name for name in found.coords if str(name).endswith(("_a", "_b")) and not str(name).startswith("step")]
    return found.drop_vars(sides)


def all_images(result: Result) -> Result:
    """A result on all images, of one that also has them without a group at a time (dimension "group")."""
    return result.isel({GROUP: 0}, drop=True) if GROUP in result.dims else result
