"""Made-up results of the section on event data, of known similarities."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import xarray as xr

from snnlib.studies import events as study

CKA = "CKA (debiased)"
LAYERS = ["stem.conv", "stage1.0", "fc"]
GROUPS = 8


def by_layer(diagonals: np.ndarray) -> xr.DataArray:
    """(1 + GROUPS, 3) values of corresponding layers as a comparison with groups of images left out."""
    values = np.full((1 + GROUPS, 3, 3), 7.0)  # off the diagonal, where nothing should be read
    values[:, range(3), range(3)] = diagonals
    coords = {f"layer_{side}": LAYERS for side in "ab"}
    coords |= {f"{what}_{side}": (f"layer_{side}", ["sum"] * 3) for what in ("kind", "stage") for side in "ab"}
    return xr.DataArray(values, dims=("group", "layer_a", "layer_b"), coords=coords, attrs={"n_images": 99})


def others(diagonals: np.ndarray) -> xr.Dataset:
    """The same layers by the two other measures, which find half and a third as much."""
    coords = {"measure": ["cka_without_top", "rsa_pearson"], "layer": LAYERS}
    coords |= {what: ("layer", ["sum"] * 3) for what in ("kind", "stage")}
    values = np.stack([diagonals / 2, diagonals / 3])
    alike = ("group", diagonals.mean(axis=1))  # decisions
    return xr.Dataset({"similarity": (("measure", "group", "layer"), values), "agreement": alike}, coords)


def comparison(cross, snn, ann) -> study.Comparison:
    """One array or more of each kind; the nulls are those of the first."""
    several = {"cross": cross, "snn": snn, "ann": ann}
    lists = {name: [by_layer(values) for values in arrays] for name, arrays in several.items()}
    rest = {"measures": {name: [others(values) for values in arrays] for name, arrays in several.items()}}
    rest["measures"] |= {name: rest["measures"]["cross"][:1] for name in ("untrained", "shuffled")}
    rest |= {"untrained": lists["cross"][0], "shuffled": lists["cross"][0], "rates": xr.DataArray(0.0)}
    return study.Comparison(networks=[], **lists, **rest, title="made up", several=len(cross) > 1, n_test=99)


def networks(snn: float, ann: float) -> list[SimpleNamespace]:
    """An SNN and an ANN with these test accuracies."""
    return [
        SimpleNamespace(
            history=[{"test_accuracy": accuracy}],
            spec=SimpleNamespace(seed=0, model=SimpleNamespace(spiking=spiking)),
        )
        for spiking, accuracy in ((True, snn), (False, ann))
    ]
