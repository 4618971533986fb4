r"""C5: how much a layer's representation changes along time.

The dynamics of layer :math:`l` is what its time steps lack of being alike, over all pairs of different steps,

.. math:: d_l = 1 - \frac{2}{T (T - 1)} \sum_{t < t'} \mathrm{CKA}(x_l[t], x_l[t'])

0 for a layer that says the same at every step.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from snnlib.claims.verdict import Bound, Claim, Verdict, judge
from snnlib.evidence import effect
from snnlib.tables import by_step

LEAST, HARDLY = 0.05, 0.1  # of CKA

C5 = Claim(
    id="C5",
    statement="Deeper layers show more dynamics along time; shallow layers hardly change from step to step.",
    criterion=f"With the dynamics of a layer as 1 minus the mean CKA of its pairs of different time steps, averaged "
    f"over the block outputs of a stage: the last stage's is larger than the first stage's by at least {LEAST}, and "
    f"the first stage's is at most {HARDLY}.",
    where="temporal section",
    pages=("04_temporal",),
    question=2,
)


def dynamics(within: xr.DataArray) -> xr.DataArray:
    """The module's number for every layer, over (layer) with the coordinates kind and stage.

    Args:
        within: (layer_a, step_a, layer_b, step_b), CKA of a network with itself.

    Raises:
        ValueError: a network of a single step, which has no pair of steps.
    """
    return dynamics_of_steps(by_step(within))


def dynamics_of_steps(steps: xr.DataArray) -> xr.DataArray:
    """The same from a similarity, by any measure, over (..., layer, step_a, step_b); raises as `dynamics`."""
    earlier, later = np.triu_indices(steps.sizes["step_a"], 1)
    if not len(earlier):
        raise ValueError("T = 1 has no pair of different time steps, and so no dynamics: take T of at least 2")
    pairs = {"step_a": xr.DataArray(earlier, dims="pair"), "step_b": xr.DataArray(later, dims="pair")}
    alike = steps.isel(pairs).drop_vars(["step_a", "step_b"]).mean("pair", skipna=False)
    return (1 - alike).assign_attrs(steps.attrs)


def blocks_of_stage(layers: xr.DataArray, last: bool) -> xr.DataArray:
    """Of an array over (layer, ...) the block outputs of the last or the first stage.

    Raises:
        ValueError: a network without residual blocks.
    """
    blocks = layers.isel(layer=((layers["kind"] == "sum") & (layers["stage"] >= 0)).values)
    if not blocks.sizes["layer"]:
        raise ValueError("these networks have no residual blocks, whose outputs the dynamics are read from")
    stage = blocks["stage"].max() if last else blocks["stage"].min()
    return blocks.isel(layer=(blocks["stage"] == stage).values)


def of_first_stage(change: xr.DataArray) -> xr.DataArray:
    """Of dynamics over (..., layer) the mean of the first stage's block outputs, (...); nan where one has no CKA."""
    return blocks_of_stage(change, last=False).mean("layer", skipna=False, keep_attrs=True)


def of_last_stage(change: xr.DataArray) -> xr.DataArray:
    """The same of the last stage's."""
    return blocks_of_stage(change, last=True).mean("layer", skipna=False, keep_attrs=True)


def last_minus_first(change: xr.DataArray) -> xr.DataArray:
    """How much more the last stage has than the first."""
    return (of_last_stage(change) - of_first_stage(change)).assign_attrs(change.attrs)


def c5(within: Sequence[xr.DataArray]) -> Verdict:
    """C5, from the comparison of each SNN with itself, step by step."""
    changes = [dynamics(cka) for cka in within]
    more = effect("dynamics, last stage minus first (1 − CKA)", float, [last_minus_first(c) for c in changes])
    shallow = effect("dynamics of the first stage (1 − CKA)", float, [of_first_stage(c) for c in changes])
    return judge(C5, [Bound(more, LEAST), Bound(shallow, HARDLY, at_most=True)])
