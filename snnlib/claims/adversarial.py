r"""C7: adversarial input changes the comparison of spiking with ordinary networks.

The drift of a layer is :math:`1 - \mathrm{CKA}` of its features of the clean images with those of the attacked ones
(`snnlib.attacks.evaluate`). Two networks can be compared fairly in two ways, and each alone can mislead. At equal
:math:`\varepsilon` both inputs are changed as much, but if one network's gradient is the worse guide (a surrogate, say)
its attack is the weaker one, and its features drift less for this reason alone. At equal loss of accuracy both attacks
have done the same harm, whatever :math:`\varepsilon` it took. The claim has to hold both ways.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import xarray as xr

from snnlib.claims.verdict import Bound, Claim, Verdict, judge
from snnlib.evidence import Effect, effect, less, magnitude
from snnlib.series import KINDS

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
    if out_of_range(pairs):
        found = replace(found, remark="at equal loss no network drifts as far as the margin")
    if equal.value * lost.value < 0:  # then more than size is wanting
        found = replace(found, falls_short=False)
        if found.word == "supported":  # surely both, and surely in opposite directions
            return replace(found, word="not supported")
    return found


def differences(pairs: Sequence[tuple[xr.Dataset, xr.Dataset]]) -> tuple[Effect, Effect]:
    """Drift of the ANN minus that of the SNN, in units of CKA, with its sign: at equal epsilon, and at equal loss."""
    whole, lost = (
        [_apart(*pair, at_equal_loss).mean("layer", skipna=False, keep_attrs=True) for pair in pairs]
        for at_equal_loss in (False, True)
    )
    equal = effect("at equal ε, in units of CKA", float, whole)
    at_half = f"each at {100 * LOST:g} % of its accuracy lost, in units of CKA{_out_of_reach(pairs)}"
    return equal, effect(at_half, float, lost)


def out_of_range(pairs: Sequence[tuple[xr.Dataset, xr.Dataset]]) -> bool:
    """Whether neither kind of network drifts, at equal loss, as far as the bound asks them to differ."""
    return all(drift_at_loss(networks).high < LEAST for networks in zip(*pairs, strict=True))  # not where one has none


def drift_at_loss(networks: Sequence[xr.Dataset]) -> Effect:
    """Drift of block outputs where the claim's share of the accuracy is lost, of networks attacked on themselves."""
    return effect(
        "drift of block outputs at equal loss (1 − CKA)",
        float,
        [of_blocks(at_loss(one)) for one in networks],
        pairs=False,
    )


def noise_at_loss(noise: xr.Dataset, found: xr.Dataset) -> xr.DataArray:
    """Drift over (..., "layer") under noise of the size that an attack takes for the claim's share of the accuracy.

    Args:
        noise: what noise does to a network.
        found: what the attack does to it; both as `snnlib.attacks.evaluate` gives one target.

    Returns:
        Linear between the epsilons of the noise; nan as `at_loss`.
    """
    under_noise, size = drift(noise), at_loss(found)["epsilon"].reset_coords(drop=True)
    there = xr.apply_ufunc(
        np.interp,
        size,
        under_noise["epsilon"],
        under_noise,
        input_core_dims=[[], ["epsilon"], ["epsilon"]],
        vectorize=True,
    )
    return there.transpose(..., "layer").rename("drift").assign_attrs(noise.attrs)


def beyond_noise(
    pairs: Sequence[tuple[xr.Dataset, xr.Dataset]], noise: Sequence[tuple[xr.Dataset, xr.Dataset]]
) -> Effect:
    """The difference at equal loss of `differences`, without the drift that noise of the attack's size makes."""
    without = [
        [of_blocks(less(_bare(at_loss(found)), noise_at_loss(null, found))) for found, null in zip(*both, strict=True)]
        for both in zip(pairs, noise, strict=True)
    ]
    return effect("at equal loss, beyond noise, in units of CKA", float, [less(ann, snn) for snn, ann in without])


def _bare(drifts: xr.DataArray) -> xr.DataArray:
    """Without the epsilons at which drifts are, which differ from network to network."""
    return drifts.drop_vars("epsilon")


def differences_by_block(
    pairs: Sequence[tuple[xr.Dataset, xr.Dataset]], at_equal_loss: bool = False
) -> dict[str, Effect]:
    """The difference of every block's output by itself, by the block's name: at equal epsilon, or at equal loss."""
    found = [_apart(*pair, at_equal_loss) for pair in pairs]
    return {
        name: effect(name, float, [one.sel(layer=name) for one in found]) for name in found[0]["layer"].values.tolist()
    }


def _apart(snn: xr.Dataset, ann: xr.Dataset, at_equal_loss: bool) -> xr.DataArray:
    """(..., layer) drift of the ANN minus that of the SNN, of every block's output: at equal loss, or averaged over the
    epsilons other than 0."""
    if at_equal_loss:
        return less(*(outputs(_bare(at_loss(found))) for found in (ann, snn)))
    apart = less(*(outputs(drift(found)) for found in (ann, snn)))
    return apart.isel(epsilon=slice(1, None)).mean("epsilon", skipna=False, keep_attrs=True)


def _size(signed: Effect) -> Effect:
    """The size of a difference: the claim names no direction. Who drifts further is said where the interval is sure."""
    further = " (the ANN further)" if signed.low > 0 else " (the SNN further)" if signed.high < 0 else ""
    return replace(magnitude(signed), what=f"size of the difference in drift{further}, {signed.what}")


def drift(found: xr.Dataset) -> xr.DataArray:
    """1 − CKA of clean with attacked features of one target, over (..., "epsilon", "layer")."""
    return (1 - found["cka"]).rename("drift").transpose(..., "epsilon", "layer").assign_attrs(found.attrs)


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
    return outputs(drifts).mean("layer", skipna=False, keep_attrs=True)


def at_loss(found: xr.Dataset, lost: float = LOST) -> xr.DataArray:
    """Drift over (..., "layer") where a share of clean accuracy is lost for the first time, linear between epsilons.

    Its coordinate "epsilon", over (...), is the size of the change that this takes. nan if the sweep does not reach so
    far, or where a network had no accuracy to lose.
    """
    accuracy = found["accuracy"].drop_vars("epsilon")
    kept = (1 - lost) * accuracy.isel(epsilon=0)
    after = (accuracy <= kept).argmax("epsilon")  # the first; 0 where there is none, or no accuracy to lose
    before = (after - 1).clip(0)
    had = accuracy.isel(epsilon=before)
    share = (had - kept) / (had - accuracy.isel(epsilon=after)).where(after > 0)

    def between(values: xr.DataArray) -> xr.DataArray:
        return (1 - share) * values.isel(epsilon=before) + share * values.isel(epsilon=after)

    there, epsilon = (between(values.drop_vars("epsilon")) for values in (drift(found), found["epsilon"]))
    return there.transpose(..., "layer").assign_coords(epsilon=epsilon).rename("drift").assign_attrs(found.attrs)


def _out_of_reach(pairs: Sequence[tuple[xr.Dataset, xr.Dataset]]) -> str:
    """A remark for the reader where a network of some pair does not lose as much within the sweep.

    On all images, or, where only the interval suffers, without one of their groups.
    """
    unreached = [
        [np.atleast_1d(np.isnan(at_loss(found)["epsilon"].values)) for found in of_kind]
        for of_kind in zip(*pairs, strict=True)
    ]
    for part, where in ((slice(1), ""), (slice(1, None), ", without some of the images")):
        kinds = [name for name, of in zip(KINDS, unreached, strict=True) if any(one[part].any() for one in of)]
        if kinds:
            return f" (the sweep does not reach this loss in the {' and the '.join(kinds)}{where})"
    return ""
