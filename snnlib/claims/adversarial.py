r"""C7: adversarial input changes the comparison of spiking with ordinary networks.

The drift of a layer is :math:`1 - \mathrm{CKA}` of its features of the clean images with those of the attacked ones
(`snnlib.attacks.evaluate`). Two networks can be compared fairly in two ways, and each alone can mislead. At equal
:math:`\varepsilon` both inputs are changed as much, but if one network's gradient is the worse guide (a surrogate, say)
its attack is the weaker one, and its features drift less for this reason alone. At equal loss of accuracy both attacks
have done the same harm, whatever :math:`\varepsilon` it took. The claim has to hold both ways.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import xarray as xr

from snnlib.claims.verdict import Bound, Claim, Verdict, judge
from snnlib.evidence import GROUP, Effect, effect, magnitude

LOST = 0.5  # share of its clean accuracy that a network has lost, where networks are compared at equal loss
LEAST = 0.05  # of drift, from which on a difference counts

C7 = Claim(
    id="C7",
    short="adversarial input changes the comparison",
    statement="Adversarial input changes the comparison: clean and attacked representations drift apart by another "
    "amount in SNNs than in ANNs.",
    criterion="Drift is 1 − CKA of features of clean with features of attacked images in one network, averaged over "
    "the outputs of all blocks, under attack on that network itself. The drift of SNNs and of ANNs differs by at "
    f"least {LEAST:g} at equal ε (averaged over the ε of the sweep), and by at least {LEAST:g} in the same direction "
    f"at equal loss of accuracy (each network at the ε at which it has lost {100 * LOST:g} % of its clean accuracy, "
    "interpolated; if the sweep does not reach that loss there is no value, and the claim cannot be supported); both "
    "with the whole 95 % interval.",
    where="section on the kind of input",
    pages=("06_adversarial",),
)


def c7(pairs: Sequence[tuple[xr.Dataset, xr.Dataset]]) -> Verdict:
    """The verdict on C7.

    Args:
        pairs: an SNN and an ANN each, as `snnlib.attacks.evaluate` gives one target: the network that was attacked.

    Raises:
        ValueError: no pairs, or networks without block outputs.
    """
    equal, lost = differences(pairs)
    found = judge(C7, [Bound(_size(one), LEAST) for one in (equal, lost)])
    if equal.value * lost.value < 0:  # then more than size is wanting
        found = replace(found, falls_short=False)
        if found.word == "supported":  # surely both, and surely in opposite directions
            return replace(found, word="not supported")
    return found


def differences(pairs: Sequence[tuple[xr.Dataset, xr.Dataset]]) -> tuple[Effect, Effect]:
    """Drift of the ANN minus that of the SNN, in units of CKA, with its sign: at equal epsilon, and at equal loss."""
    at_half = f"each at {100 * LOST:g} % of its accuracy lost, in units of CKA{_out_of_reach(pairs)}"
    return (
        effect("at equal ε, in units of CKA", _difference, pairs),
        effect(at_half, _difference_at_loss, pairs),
    )


def differences_by_block(
    pairs: Sequence[tuple[xr.Dataset, xr.Dataset]], at_equal_loss: bool = False
) -> dict[str, Effect]:
    """The difference of every block's output by itself, by the block's name: at equal epsilon, or at equal loss."""
    measure, first = _by_block_at_loss if at_equal_loss else _by_block, pairs[0][0]
    names = first["layer"].values[first["kind"].values == "sum"].tolist()
    found = [_in_every_group(measure, pair) for pair in pairs]
    return {name: effect(name, float, [one.isel(block=k) for one in found]) for k, name in enumerate(names)}


def _in_every_group(
    measure: Callable[[xr.Dataset, xr.Dataset], np.ndarray], pair: tuple[xr.Dataset, xr.Dataset]
) -> xr.DataArray:
    """A measure of every block's output, (group, block) as far as there are groups, computed once for all blocks."""
    attrs = {"n_images": pair[0].attrs["n_images"]}
    if GROUP not in pair[0].dims:
        return xr.DataArray(measure(*pair), dims="block", attrs=attrs)
    groups = range(pair[0].sizes[GROUP])
    values = [measure(*(one.isel({GROUP: g}, drop=True) for one in pair)) for g in groups]
    return xr.DataArray(np.stack(values), dims=(GROUP, "block"), attrs=attrs)


def _size(signed: Effect) -> Effect:
    """The size of a difference: the claim names no direction. Who drifts further is said where the interval is sure."""
    further = " (the ANN further)" if signed.low > 0 else " (the SNN further)" if signed.high < 0 else ""
    return replace(magnitude(signed), what=f"size of the difference in drift{further}, {signed.what}")


def drift(found: xr.Dataset) -> xr.DataArray:
    """1 − CKA of clean with attacked features of one target, over ("epsilon", "layer")."""
    return (1 - found["cka"]).rename("drift").transpose("epsilon", "layer")


def outputs(drifts: xr.DataArray) -> xr.DataArray:
    """Only the outputs of residual blocks.

    Raises:
        ValueError: there are none.
    """
    blocks = drifts.isel(layer=np.flatnonzero(drifts["kind"].values == "sum"))
    if not blocks.sizes["layer"]:
        raise ValueError("the network has no block outputs to average its drift over: C7 is about residual networks")
    return blocks


def of_blocks(drifts: xr.DataArray) -> xr.DataArray:
    """Mean over the outputs of residual blocks; nan where one of them has no value. Raises as `outputs`."""
    return outputs(drifts).mean("layer", skipna=False)


def at_loss(found: xr.Dataset, lost: float = LOST) -> xr.DataArray:
    """Drift over ("layer") where a share of the clean accuracy is lost for the first time, linear between epsilons.

    Its coordinate "epsilon" is the size of the change that this takes. All nan if the sweep does not reach so far, or
    where a network had no accuracy to lose.
    """
    drifts, epsilons = drift(found), found["epsilon"].values
    accuracy = found["accuracy"].values
    below = np.flatnonzero(accuracy <= (1 - lost) * accuracy[0])
    if not below.size or below[0] == 0:
        return drifts.isel(epsilon=-1, drop=True).assign_coords(epsilon=np.nan) * np.nan
    k = below[0]
    share = (accuracy[k - 1] - (1 - lost) * accuracy[0]) / (accuracy[k - 1] - accuracy[k])
    between = (1 - share) * drifts.isel(epsilon=k - 1, drop=True) + share * drifts.isel(epsilon=k, drop=True)
    return between.assign_coords(epsilon=(1 - share) * epsilons[k - 1] + share * epsilons[k])


def _difference(snn: xr.Dataset, ann: xr.Dataset) -> float:
    """Drift of the ANN minus that of the SNN, averaged over blocks and the epsilons other than 0."""
    return float(_by_block(snn, ann).mean())


def _by_block(snn: xr.Dataset, ann: xr.Dataset) -> np.ndarray:
    """(blocks,) the same, of the output of each block."""
    by_epsilon = (outputs(drift(found)).isel(epsilon=slice(1, None)).values for found in (ann, snn))
    return np.subtract(*by_epsilon).mean(0)


def _by_block_at_loss(snn: xr.Dataset, ann: xr.Dataset) -> np.ndarray:
    return np.subtract(*(outputs(at_loss(found)).values for found in (ann, snn)))


def _difference_at_loss(snn: xr.Dataset, ann: xr.Dataset) -> float:
    return float(of_blocks(at_loss(ann)) - of_blocks(at_loss(snn)))


def _out_of_reach(pairs: Sequence[tuple[xr.Dataset, xr.Dataset]]) -> str:
    """A remark for the reader where a network of some pair does not lose as much within the sweep.

    On all images, or, where only the interval suffers, without one of their groups.
    """

    def missing(kind: int, group: int) -> bool:
        found = (pair[kind] for pair in pairs)
        shown = (one.isel({GROUP: group}, drop=True) if GROUP in one.dims else one for one in found)
        return any(np.isnan(at_loss(one)["epsilon"]) for one in shown)

    groups = max(found.sizes.get(GROUP, 1) for pair in pairs for found in pair)
    for part, where in ((range(1), ""), (range(1, groups), ", without some of the images")):
        kinds = [name for kind, name in enumerate(("SNN", "ANN")) if any(missing(kind, group) for group in part)]
        if kinds:
            return f" (the sweep does not reach this loss in the {' and the '.join(kinds)}{where})"
    return ""
