"""Tables of CKA with known contents, for the tests of claims and of studies."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from chart_tables import layers
from scipy import stats

RNG = np.random.default_rng(0)


def coordinates() -> dict[str, tuple[str, list]]:
    return {
        f"{what}_{side}": (f"layer_{side}", [layer[i] for layer in layers()])
        for side in "ab"
        for i, what in enumerate(("layer", "kind", "stage"))
    }


def grouped(cka: xr.DataArray, spread: float, groups: int = 8) -> xr.DataArray:
    """With one group of images left out at a time: the same values, shifted layer by layer."""
    left_out = [cka + spread * RNG.normal(size=(cka.sizes["layer_a"],) + (1,) * (cka.ndim - 1)) for _ in range(groups)]
    return xr.concat([cka, *left_out], "group").assign_attrs(n_images=96)


def blocks_of(ends: float, inside: float, output: float | None = None, noise: float = 0.002) -> xr.DataArray:
    """`ends` at the stem and the block outputs, `inside` in the branches, nonsense off the diagonal."""
    names = [name for name, _, _ in layers()]
    values = RNG.uniform(-0.1, 1, (len(names), len(names)))  # what is not of corresponding layers plays no part
    for i, (name, kind, stage) in enumerate(layers()):
        if kind == "sum":
            values[i, i] = ends if output is None else output
        elif ".shortcut." not in name:  # beside the branch
            values[i, i] = ends if stage == -1 else inside
        values[i, i] += noise * RNG.normal()
    return xr.DataArray(values, dims=("layer_a", "layer_b"), coords=coordinates(), attrs={"n_images": 96})


def several(*pairs: tuple[float, float]) -> list[xr.DataArray]:
    return [blocks_of(*pair) for pair in pairs]


def steps_of(change: Mapping[int, float], T: int = 4, noise: float = 0.001) -> xr.DataArray:
    """A network with itself whose layers of a stage have CKA 1 - change at all pairs of different steps."""
    names = layers()
    values = RNG.uniform(-0.1, 1, (len(names), T, len(names), T))
    for i, (_, _, stage) in enumerate(names):
        values[i, :, i, :] = 1 - change.get(stage, 0.0) + noise * RNG.normal()
        values[i, np.arange(T), i, np.arange(T)] = 1
    coords = {**coordinates(), "step_a": np.arange(1, T + 1), "step_b": np.arange(1, T + 1)}
    dims = ("layer_a", "step_a", "layer_b", "step_b")
    return xr.DataArray(values, dims=dims, coords=coords, attrs={"n_images": 96})


def band(values: np.ndarray) -> list[float]:
    """A value and its 95 % interval over images, from all images and one group left out at a time."""
    error = np.sqrt(7 / 8 * ((values[1:] - values[1:].mean()) ** 2).sum())
    half = stats.t.ppf(0.975, 7) * error
    return [values[0], values[0] - half, values[0] + half]
