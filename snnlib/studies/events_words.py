"""What the section on event data says of its input and of its results, as sentences and a table for the text."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import xarray as xr

from snnlib.claims import events as claims
from snnlib.claims.verdict import Bound
from snnlib.data import recorded, simulate
from snnlib.data.images import EVENTS
from snnlib.evidence import Effect, effect, magnitude, number
from snnlib.run import Run
from snnlib.series import CEILINGS, CROSS, networks_compared
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
    snn, ann = map(networks_compared, CEILINGS)
    said = []
    for where, side in zip(("events", "images"), sides, strict=True):
        means = [effect("", _mean, list(of)) for of in zip(*side, strict=True)]
        ceilings = f", its ceilings {snn} {number(means[1].value)} and {ann} {number(means[2].value)}"
        said.append(f"on {where} {CROSS} **{means[0].numbers()}**{ceilings * results.events.several}")
    layers = sides[0][0][0].sizes["layer"]
    return (
        f"Mean CKA over the {layers} layers that have a value in all of these comparisons: {'; '.join(said)} "
        f"({means[0].basis()})."
    )


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
    sure = sum(change.has_sign for *_, change in others)
    said = f"Of the {len(others)} ways that are not judged, {sure or 'none'} give the change a sign that is sure"
    if judged.has_sign:
        alike = sum(change.value * judged.value > 0 for *_, change in others)
        said += f"; {alike or 'none'} have the sign that the judged one surely has"
    return "\n".join([*head, *lines, "", f"{said} ({judged.basis()}; not corrected for being several)."])


def control_in_words(results: EventStudy) -> str:
    """What a harder task on still images does to the shortfall, and whether events do more."""
    control = results.control
    if control is None:
        return (
            "There is none here: it was left out by `control = False`, or the still images of this page are not those "
            "of the preset, for which it is made."
        )
    sides = claims.layered(*results.sides, control.triples)
    by_task, more = claims.beyond(*sides)
    layers = sides[0][0][0].sizes["layer"]
    right = mean_accuracies(accuracies(control.networks), control.n_test)
    word = Bound(magnitude(by_task), claims.MARGIN).word
    return (
        f"The task here is {control.title}. Test accuracy: {right} of n = {control.n_test:,} test images"
        f"{_no_harder(results)}. From the still images of this page to those, the shortfall changes by "
        f"{by_task.numbers()}; by the criterion of C6, that this task changes the comparison is {word}. What events "
        f"change beyond it is {more.numbers()}: {_more_in_words(more)} ({more.basis()}; over {layers} layers)."
    )


def _no_harder(results: EventStudy) -> str:
    """A warning where the control is solved as well as the still images by one of the kinds."""
    of_tasks = [accuracies(one.networks) for one in (results.still, results.control)]
    still, control = (of.groupby("network")["accuracy"].mean() for of in of_tasks)
    easy = [kind for kind in still.index if control[kind] >= still[kind]]
    return f"; for {' and '.join(easy)} it is no harder, so it is no control of difficulty" if easy else ""


def _more_in_words(more: Effect) -> str:
    if more.seeds < 2:
        return "a single pair of networks says nothing of other seeds"
    if more.has_sign:
        return "events change it otherwise than this task does"
    return "it is not told apart from zero, so what events do to the comparison, a harder task may do as well"
