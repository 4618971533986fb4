"""What the section on event data says of its input and of its results, as sentences and a table for the text."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import xarray as xr

from snnlib.claims import events as claims
from snnlib.data import recorded, simulate
from snnlib.data.images import EVENTS
from snnlib.evidence import Effect, effect, number
from snnlib.run import Run
from snnlib.series import CROSS, KINDS
from snnlib.similarity import MEASURES
from snnlib.studies.events import EventStudy
from snnlib.studies.rows import SECOND, mean_accuracies
from snnlib.tables import accuracies


def origin_in_words(run: Run) -> str:
    """Where the event streams of a run come from: computed from images here, or recorded by a camera."""
    dataset = run.data.dataset
    if dataset.startswith("moving-"):
        sensor = simulate.Sensor()
        noise = f"{100 * sensor.noise:g}"
        return (
            f"The streams of this page, {run.title}, imitate this by computation, from the gray levels of images of "
            f"`{EVENTS[dataset].still}`: each image moves by up to 1/{simulate.REACH} of its side along a diamond and "
            f"back to where it began. Thresholds are {sensor.threshold:g}, with a scatter of {noise} % from "
            "pixel to pixel that is the same for all images: it is one camera. It has no other flaw: no events without "
            "a cause, and no time in which a pixel is blind."
        )
    return (
        f"The streams of this page, {run.title}, are such recordings; their thresholds are those of the camera. The "
        "picture shows the first test recording, by class and name, that has events."
    )


def split_in_words() -> str:
    """The rule for the split of CIFAR10-DVS, applied to the names of its files, against the published split."""
    (train, test), found = recorded.SIZES, recorded.split_hash("cifar10-dvs", recorded.cifar10_dvs_names())
    same = found == recorded.CIFAR10_DVS_SPLIT
    verdict = "which is the published one" if same else "**which differs from the published one**"
    return f"{train:,} recordings to train and {test:,} to test with; SHA-256 of the list `{found}`, {verdict}."


def levels_in_words(results: EventStudy) -> str:
    """The mean similarities that the shortfalls are made of, on both inputs, over the same layers."""
    sides = claims.layered(*results.sides)
    said = [f"on {where} {_levels(side)}" for where, side in zip(("events", "images"), sides, strict=True)]
    layers = sides[0][0][0].sizes["layer"]
    return (
        f"Mean CKA over the {layers} layers that have a value in all of these comparisons: {'; '.join(said)} "
        f"({_basis(results)})."
    )


def _levels(side: list[claims.Triple]) -> str:
    means = [effect("", _mean, list(of)) for of in zip(*side, strict=True)]
    cross, *of_kinds = means
    ceilings = [f"{kind} × {kind} {number(mean.value)}" for kind, mean in zip(KINDS, of_kinds, strict=True)]
    return f"{CROSS} **{cross.numbers()}**, its ceilings {' and '.join(ceilings)}"


def _basis(results: EventStudy) -> str:
    return effect("", _mean, [triple[0] for triple in claims.layered(results.events.triples)[0]]).basis()


def _mean(array: xr.DataArray) -> float:
    return float(array.mean())


def yardsticks(results: EventStudy) -> dict[str, tuple[float, float, Effect]]:
    """The shortfall as it is judged, and measured in other ways: on events, on images, and its change.

    Each over the layers that have a value in all of its comparisons.
    """
    everywhere, blocks = claims.layered(*results.sides), claims.layered(*results.sides, kind="sum")
    found = {
        "CKA, all layers (judged)": _three(everywhere),
        "CKA, block outputs": _three(blocks),
        "CKA, as a share of the ceiling": _three(everywhere, claims.relative_shortfall),
    }
    for name in SECOND:
        sides = claims.common(results.events.by_measure(name), results.still.by_measure(name))
        found[f"{MEASURES[name].title}, all layers"] = _three(sides)
    found["share of images classified alike"] = _three([results.events.agreement, results.still.agreement])
    return found


def _three(
    sides: Sequence[list[claims.Triple]], how: Callable[..., float] = claims.shortfall
) -> tuple[float, float, Effect]:
    events, images = (effect("", how, side).value for side in sides)
    return events, images, claims.change(*sides, how)


def yardsticks_in_words(results: EventStudy) -> str:
    """The same as a table, and how many of the other ways agree with the judged one."""
    found = yardsticks(results)
    lines = [
        f"| {name} | {number(events)} | {number(images)} | {change.numbers()} |"
        for name, (events, images, change) in found.items()
    ]
    head = ["| shortfall by | on events | on images | events − images |", "|---|---|---|---|"]
    (*_, judged), *others = found.values()
    alike = sum(change.value * judged.value > 0 for *_, change in others)
    sure = sum(change.low > 0 or change.high < 0 for *_, change in others)
    has = "gives the change the sign" if alike == 1 else "give the change the sign"
    said = (
        f"Of the {len(others)} ways that are not judged, {alike} {has} that the judged one has, and {_off_zero(sure)} "
        f"({judged.basis()}; intervals are not corrected for being several)."
    )
    return "\n".join([*head, *lines, "", said])


def _off_zero(intervals: int) -> str:
    if not intervals:
        return "none of their intervals lies off zero"
    return f"{intervals} of their intervals lie{'s' * (intervals == 1)} off zero"


def harder_in_words(results: EventStudy) -> str:
    """What a harder task on still images does to the shortfall, and whether events do more."""
    harder = results.harder
    if harder is None:
        return "Not shown: it was asked for without, by `control = False`."
    difficulty, more = claims.beyond(*results.sides, harder.triples)
    if more.low > 0 or more.high < 0:
        so = "so events change it otherwise than difficulty does"
    else:
        so = "an interval that holds zero: what events do to it, a harder task may do as well"
    right = mean_accuracies(accuracies(harder.networks), harder.n_test)
    return (
        f"The harder task here is {harder.title}. Test accuracy: {right} of n = {harder.n_test:,} test images. From "
        f"the still images of this chapter to those, the shortfall changes by {difficulty.numbers()}. What events "
        f"change beyond that is {more.numbers()}, {so} ({more.basis()} on either side)."
    )
