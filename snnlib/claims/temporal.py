r"""C5: how much a layer's representation changes along time.

The dynamics of layer :math:`l` is what its time steps lack of being alike, over all pairs of different steps,

.. math:: d_l = 1 - \frac{2}{T (T - 1)} \sum_{t < t'} \mathrm{CKA}(x_l[t], x_l[t'])

0 for a layer that says the same at every step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from snnlib.claims.verdict import Bound, Claim, Verdict, Word, judge
from snnlib.evidence import Effect, effect, less
from snnlib.tables import by_step

LEAST, HARDLY = 0.05, 0.1  # of CKA

C5 = Claim(
    id="C5",
    short="block outputs of deep stages move along time, those of the first hardly",
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


def layers_of_stage(layers: xr.DataArray, last: bool, kind: str | None = "sum") -> xr.DataArray:
    """Of an array over (layer, ...) the layers of one kind, block outputs ("sum"), of the last or the first stage.

    Args:
        kind: as along layers; None for layers of all kinds.

    Raises:
        ValueError: a network without such layers, as those without residual blocks have no block outputs.
    """
    wanted = (layers["stage"] >= 0) & (True if kind is None else layers["kind"] == kind)
    found = layers.isel(layer=wanted.values)
    if not found.sizes["layer"]:
        raise ValueError(f"these networks have no residual blocks with layers of kind {kind!r} to read dynamics from")
    stage = found["stage"].max() if last else found["stage"].min()
    return found.isel(layer=(found["stage"] == stage).values)


def of_first_stage(change: xr.DataArray, kind: str | None = "sum") -> xr.DataArray:
    """Of dynamics over (..., layer) the mean of the first stage's block outputs, or of its layers of another kind,
    (...); nan where one has no CKA."""
    return layers_of_stage(change, False, kind).mean("layer", skipna=False, keep_attrs=True)


def of_last_stage(change: xr.DataArray, kind: str | None = "sum") -> xr.DataArray:
    """The same of the last stage's."""
    return layers_of_stage(change, True, kind).mean("layer", skipna=False, keep_attrs=True)


def last_minus_first(change: xr.DataArray, kind: str | None = "sum") -> xr.DataArray:
    """How much more the last stage has than the first."""
    return less(of_last_stage(change, kind), of_first_stage(change, kind))


def c5(within: Sequence[xr.DataArray], beside: Mapping[str, Sequence[xr.DataArray]] | None = None) -> Verdict:
    """C5, from the comparison of each SNN with itself, step by step; `beside`: the same of other networks."""
    more, shallow = _more_and_shallow(within)
    others = {name: _more_and_shallow(cka) for name, cka in (beside or {}).items()}
    return judge(C5, _bounds(more, shallow), others)


def word_on(more: Effect, shallow: Effect) -> Word:
    """What the bounds of C5 make of other layers, by their last stage minus the first, and by the first."""
    return judge(C5, _bounds(more, shallow)).word


def _bounds(more: Effect, shallow: Effect) -> list[Bound]:
    return [Bound(more, LEAST), Bound(shallow, HARDLY, at_most=True)]


def _more_and_shallow(within: Sequence[xr.DataArray]) -> tuple[Effect, Effect]:
    changes = [dynamics(cka) for cka in within]
    return (
        effect(
            "dynamics, last stage minus first (1 − CKA)", float, [last_minus_first(c) for c in changes], pairs=False
        ),
        effect("dynamics of the first stage (1 − CKA)", float, [of_first_stage(c) for c in changes], pairs=False),
    )
