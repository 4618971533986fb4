"""Made-up results of attacks with known answers."""

from __future__ import annotations

import numpy as np
import xarray as xr

from snnlib.studies import adversarial as study


def made_up(drifts, accuracies, epsilons=(0.0, 0.1, 0.2), kinds=("conv", "sum", "sum")) -> xr.Dataset:
    """One target: the same drift in all blocks at each epsilon; in other layers something else."""
    values = np.array([[1 - d if kind == "sum" else 0.123 for kind in kinds] for d in drifts])
    return xr.Dataset(
        {"cka": (("epsilon", "layer"), values), "accuracy": ("epsilon", list(accuracies))},
        coords={
            "epsilon": list(epsilons),
            "layer": [f"l{i}" for i in range(len(kinds))],
            "kind": ("layer", list(kinds)),
            "stage": ("layer", [1] * len(kinds)),
        },
        attrs={"n_images": 100},
    )


def pair(snn, ann, shift=0.0):
    """(drifts, accuracies) of an SNN and an ANN, with a little scatter between pairs."""
    return tuple(made_up([0, *(d + shift for d in drifts[1:])], accuracies) for drifts, accuracies in (snn, ann))


SAME = [0.9, 0.6, 0.3]


def attacked(pairs, snn_noise=(0, 0, 0), ann_noise=(0, 0, 0)) -> study.Adversarial:
    """Results of white-box attacks on these pairs, and of noise, which moves all of a kind alike."""
    of_kinds = zip(("SNN", "ANN"), zip(*pairs, strict=True), (snn_noise, ann_noise), strict=True)
    found = {}
    for kind, networks, drifts in of_kinds:
        found[kind, kind] = tuple(networks)
        found["noise", kind] = (made_up(drifts, SAME),) * len(networks)
    return study.Adversarial(found, "share")
