"""What attacks did, as sentences and tables for the text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from snnlib.claims.adversarial import (
    LEAST,
    LOST,
    at_loss,
    beyond_noise,
    differences,
    differences_by_block,
    drift,
    drift_at_loss,
    noise_at_loss,
    of_blocks,
    out_of_range,
    outputs,
)
from snnlib.claims.verdict import Bound
from snnlib.evidence import Effect, effect, less
from snnlib.run import Run
from snnlib.series import KINDS
from snnlib.studies.adversarial import RELEASED, Adversarial, attack
from snnlib.studies.adversarial_tables import accuracy_at, example_epsilon
from snnlib.tables import all_images


def attack_in_words(run: Run, results: Adversarial) -> str:
    """Which attack a run makes, and which the released code does."""
    spec, code = attack(run), RELEASED
    steps = ""
    if spec.method == "pgd":
        begun = "no random start" if spec.start is None else "random start"
        steps = f", {spec.steps} steps of {spec.step:g} ε, {begun}"
    sizes, of_code = (", ".join(f"{epsilon:g}" for epsilon in of) for of in (results.epsilons[1:], code["epsilons"]))
    return (
        f"**Attack:** {spec.method.upper()}{steps}, ε = {sizes} ({results.unit})"
        f"{', the setting of the released code' * run.given.released}. The released code: {code['method'].upper()}, "
        f"ε = {of_code} standard deviations, {code['steps']} steps of {code['step']:g} ε."
    )


def accuracy_in_words(results: Adversarial) -> str:
    """What the attacks do at the middle epsilon, beside noise and transfer, as a table; whether a gradient misleads."""
    epsilon = example_epsilon(results)

    def row(images: str, at: float, source_of: Callable[[str, str], str]) -> str:
        keys = ((source_of(own, other), own) for own, other in zip(KINDS, KINDS[::-1], strict=True))
        return f"| {images} | {' | '.join(accuracy_at(results, key, at).percent() for key in keys)} |"

    rows = [
        f"| accuracy (95 % interval) | {' | '.join(KINDS)} |",
        "|---" * (1 + len(KINDS)) + "|",
        row("clean", 0.0, lambda own, _: own),
        row(f"noise, ε = {epsilon:g}", epsilon, lambda *_: "noise"),
        row(f"attacked on the other kind (transfer), ε = {epsilon:g}", epsilon, lambda _, other: other),
        row(f"attacked on the network itself (white box), ε = {epsilon:g}", epsilon, lambda own, _: own),
    ]
    guides = [_guide_in_words(results, kind) for kind in KINDS]
    said = " ".join([*guides, "None of this rules out a better attack.", size_in_words(results)])
    return "\n".join(rows) + f"\n\n{said}"


def transfer_minus_white_box(results: Adversarial, kind: str, epsilon: float) -> Effect:
    """By how much more accuracy a kind of network keeps under transfer than under white-box attack, pair by pair.

    Below 0 the gradient of its partner is the better guide to its errors than its own.
    """
    transfers, white_boxes = (results.found[source, kind] for source in (KINDS[kind == "SNN"], kind))
    found = [
        less(*(one["accuracy"].sel(epsilon=epsilon).assign_attrs(one.attrs) for one in both))
        for both in zip(transfers, white_boxes, strict=True)
    ]
    return effect("accuracy under transfer minus under white box", float, found)


def _guide_in_words(results: Adversarial, kind: str) -> str:
    """Whether the gradient of a kind of network misleads, as the intervals have it: at some epsilon, at none, open."""
    found = {epsilon: Bound(transfer_minus_white_box(results, kind, epsilon), 0.0) for epsilon in results.epsilons[1:]}

    def where(word: str) -> str:
        return ", ".join(f"{epsilon:g} ({_points(one.effect)})" for epsilon, one in found.items() if one.word == word)

    said = f"For the {kind}, accuracy under transfer minus that under white-box attack "
    if worse := where("not supported"):
        return (
            f"{said}is below zero at ε = {worse}: there the gradient of the network itself misleads, and its accuracy "
            "under attack is an upper bound only."
        )
    if undecided := where("undecided"):
        alone = (
            "one pair of networks decides nothing" if len(results.found[kind, kind]) < 2 else "intervals reach below 0"
        )
        return f"{said}leaves open whether its own gradient misleads at ε = {undecided}: {alone}."
    effects = [one.effect for one in found.values()]
    least, most = (of(effects, key=lambda one: one.value) for of in (min, max))
    reach = f", and up to {_points(most)}" * (len(effects) > 1)
    return (
        f"For the {kind}, transfer leaves at least as much accuracy as the white box: more by {_points(least)}{reach}. "
        f"The gradient of the {KINDS[kind == 'SNN']} is no better a guide to the {kind}'s errors than the {kind}'s own."
    )


def _points(found: Effect) -> str:
    """A difference of accuracies with its interval: "1.2 (−0.3 to 2.7) points"."""
    return f"{replace(found, **{k: 100 * getattr(found, k) for k in ('value', 'low', 'high')}).numbers(1)} points"


def size_in_words(results: Adversarial) -> str:
    """What numbers of the page were computed on: "n = 256 images, 2 pairs of networks."."""
    found = results.found["SNN", "SNN"]
    return f"n = {found[0].attrs['n_images']:,} images, {len(found)} pair{'s' * (len(found) > 1)} of networks."


def depth_in_words(results: Adversarial, epsilon: float) -> str:
    """Drift of the first and of the last block at one epsilon, with intervals."""

    def of(kind: str, block: int) -> str:
        found = [outputs(drift(one)).sel(epsilon=epsilon).isel(layer=block) for one in results.found[kind, kind]]
        return effect("", float, found).numbers(3)

    ways = [f"from {of(kind, 0)} in the first block to {of(kind, -1)} in the last in the {kind}" for kind in KINDS]
    return f"At ε = {epsilon:g}, drift under white-box attack goes {', and '.join(ways)}. {size_in_words(results)}"


def signs_in_words(results: Adversarial) -> str:
    """ANN − SNN with its sign, as the verdict averages it and block by block, where opposite signs cancel."""
    pairs = results.white_box
    equal, lost = differences(pairs)
    blocks = differences_by_block(pairs)
    said = [
        f"With its sign, drift of ANN − SNN is {equal.numbers()} at equal ε and {lost.numbers()} at equal loss of "
        f"accuracy ({equal.basis()})."
    ]
    sides = {
        "above": {name: one for name, one in blocks.items() if one.low > 0},
        "below": {name: one for name, one in blocks.items() if one.high < 0},
    }
    parts = []
    for word, found in sides.items():
        farthest = max(found, key=lambda name: abs(found[name].value), default=None)
        most = f" (farthest in `{farthest}`, {found[farthest].numbers()})" if farthest else ""
        parts.append(f"wholly {word} zero in {len(found)} of {len(blocks)} blocks{most}")
    said.append(f"Block by block at equal ε, the interval is {' and '.join(parts)}.")
    at_half = differences_by_block(pairs, at_equal_loss=True)
    counts = (sum(one.low > 0 for one in at_half.values()), sum(one.high < 0 for one in at_half.values()))
    if np.isfinite(lost.value):
        said.append(f"At equal loss it is above zero in {counts[0]} of {len(at_half)} and below in {counts[1]}.")
        said.append(_noise_in_words(results))
    if all(sides.values()):
        said.append("What has opposite signs cancels in the means that the verdict is on.")
    if out_of_range(pairs):
        larger = max((drift_at_loss(networks) for networks in zip(*pairs, strict=True)), key=lambda one: one.value)
        said.append(
            f"At equal loss no network has drifted by more than {larger.numbers()} on average: a difference of "
            f"{LEAST:g}, as the criterion asks for, could not come of that."
        )
    return " ".join(said)


def _noise_in_words(results: Adversarial) -> str:
    """What noise of the attacks' sizes at equal loss does alone, and what of their difference is left beyond it."""
    parts = []
    for kind in KINDS:
        both = zip(results.found["noise", kind], results.found[kind, kind], strict=True)
        found = effect("", float, [of_blocks(noise_at_loss(noise, attacked)) for noise, attacked in both])
        parts.append(f"by {found.numbers()} in the {kind}")
    left = beyond_noise(results.white_box, results.noise)
    return (
        f"Noise of the size that the attacks have there moves the outputs of blocks {' and '.join(parts)}; without "
        f"that, ANN − SNN at equal loss is {left.numbers()}."
    )


def loss_in_words(results: Adversarial) -> str:
    """The epsilons at which the claim's share of the accuracy is lost, and the drift of block outputs there."""
    parts, lost = [], f"{100 * LOST:g} % of its clean accuracy"
    for kind in KINDS:
        pairs = results.found[kind, kind]
        short = sum(bool(np.isnan(at_loss(all_images(result))["epsilon"])) for result in pairs)
        if short:
            where = "" if short == len(pairs) else f" in {short} of {len(pairs)} pairs of networks"
            parts.append(f"the {kind} does not lose {lost} within the sweep{where}, and has no curve")
            continue
        epsilon = effect("", float, [at_loss(one)["epsilon"] for one in pairs])
        drifts = drift_at_loss(pairs)
        parts.append(
            f"the {kind} has lost {lost} at ε = {epsilon.numbers(4)}, where the outputs of its blocks have drifted by "
            f"{drifts.numbers(3)} on average"
        )
    return f"T{'; '.join(parts)[1:]}. {size_in_words(results)}"
