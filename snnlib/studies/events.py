"""The section on event data: the same comparison of SNN with ANN, on event streams and on still images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

import pandas as pd
import xarray as xr

from snnlib.claims import events as claims
from snnlib.data import recorded, simulate
from snnlib.data.example import Example
from snnlib.data.images import EVENTS, KNOWN
from snnlib.evidence import Effect, effect, stretch_for_shared
from snnlib.run import Run
from snnlib.series import ANNS, CROSS, SHUFFLED, SNNS, UNTRAINED
from snnlib.similarity import MEASURES
from snnlib.spec import SpecError, StreamSpec, TrainSpec
from snnlib.studies.rows import SECOND, mean_accuracies, second_measures
from snnlib.tables import accuracies, by_measure, corresponding, means_in_common, over_seeds, seed_pairs
from snnlib.training import Network


@dataclass(frozen=True)
class Comparison:
    """SNN against ANN on one kind of input.

    Arrays of CKA are (group, layer_a, layer_b). `cross`, `snn` and `ann` have one for each pair of seeds (i, j):
    SNN i × ANN j, and the ceilings SNN i × SNN j and ANN i × ANN j. `untrained` and `shuffled` are the nulls of the
    first pair; `rates` are (layer, step). `measures` has the same series as these arrays, with as many entries:
    corresponding layers by other measures than CKA.
    """

    networks: list[Network]
    cross: list[xr.DataArray]
    snn: list[xr.DataArray]
    ann: list[xr.DataArray]
    untrained: xr.DataArray
    shuffled: xr.DataArray
    rates: xr.DataArray
    measures: dict[str, list[xr.Dataset]]
    title: str
    several: bool  # seeds: with one, the ceilings compare a network with itself
    n_test: int  # test images that accuracies are shares of

    def curve(self, name: str, series: str) -> pd.DataFrame:
        """Corresponding layers along depth, of `cross`, `snn`, ..., as `charts.depth_curve` takes several measures."""
        found = getattr(self, name)
        arrays = _independent(name, found if isinstance(found, list) else [found])
        cka = over_seeds([corresponding(array, series) for array in arrays]).assign(measure=MEASURES["cka"].title)
        others = second_measures({series: _independent(name, self.measures[name])})
        return pd.concat([cka, *others], ignore_index=True)

    def depth_curves(self) -> pd.DataFrame:
        """SNN × ANN along depth with its ceilings, where there is a second seed for them, and its nulls."""
        names = {"cross": CROSS}
        if self.several:
            names |= {"snn": SNNS, "ann": ANNS}
        names |= {"untrained": UNTRAINED, "shuffled": SHUFFLED}
        return pd.concat([self.curve(*name) for name in names.items()], ignore_index=True)

    def shortfall(self, series: str) -> pd.DataFrame:
        """How far SNN × ANN lies below its ceiling along depth, as rows for `charts.depth_curve`, by all measures."""
        triples = zip(self.cross, self.snn, self.ann, strict=True)
        found = [_shortfall(*(corresponding(array, series) for array in arrays)) for arrays in triples]
        curves = [over_seeds(found).assign(measure=MEASURES["cka"].title)]
        sides = [self.measures[name] for name in ("cross", "snn", "ann")]
        for name in SECOND:
            rows = [[by_measure(one["similarity"].sel(measure=name), series) for one in side] for side in sides]
            found = [_shortfall(*tables) for tables in zip(*rows, strict=True)]
            curves.append(over_seeds(found).assign(measure=MEASURES[name].title))
        table = pd.concat(curves, ignore_index=True)
        if "low" in table:
            stretch = stretch_for_shared(len(self.cross), self.snn, self.ann)
            ends = {end: table["value"] + stretch * (table[end] - table["value"]) for end in ("low", "high")}
            table = table.assign(**ends)
        return table

    def means(self) -> dict[str, Effect]:
        """CKA of SNN × ANN, and its shortfall, as means over corresponding layers."""
        triples = list(zip(self.cross, self.snn, self.ann, strict=True))
        return {
            "CKA": effect("CKA of SNN × ANN", lambda *arrays: means_in_common(*arrays)[0], triples),
            "shortfall": claims.mean_shortfall(triples),
        }

    def accuracy(self, where: str) -> pd.DataFrame:
        """Test accuracies, networks called "SNN, events"."""
        table = accuracies(self.networks)
        return table.assign(network=table["network"] + f", {where}")

    def accuracy_in_words(self, where: str) -> str:
        """Mean accuracy of each kind of network, with its interval."""
        return f"{mean_accuracies(self.accuracy(where), self.n_test)} of n = {self.n_test:,} test images"


def _independent(name: str, found: list) -> list:
    """Of ceilings every second: two that share a network are no two pairs."""
    return found[: max(1, len(found) // 2 * 2) : 2] if name in ("snn", "ann") else found


def _shortfall(cross: pd.DataFrame, snn: pd.DataFrame, ann: pd.DataFrame) -> pd.DataFrame:
    """The mean of two ceilings minus a comparison, from rows of the same groups and layers; ValueError for others."""
    _alike(cross, snn, ann)
    return cross.assign(value=(snn["value"] + ann["value"]) / 2 - cross["value"])


def _alike(first: pd.DataFrame, *others: pd.DataFrame) -> None:
    """Raise a ValueError unless tables have the same layers and groups, row by row."""
    rows = [one.filter(["layer", "group"]).to_records(index=False).tolist() for one in (first, *others)]
    for row in zip_longest(*rows):
        if len(set(row)) > 1:
            of = " and ".join(map(str, dict.fromkeys(row)))
            raise ValueError(f"comparisons of other layers or groups of images have no difference: {of} in one row")


@dataclass(frozen=True)
class EventStudy:
    """All results of the section."""

    events: Comparison
    still: Comparison

    @property
    def chance(self) -> float | None:
        """The accuracy of guessing; None where it differs between events and images."""
        classes = {network.spec.data.num_classes for one in (self.events, self.still) for network in one.networks}
        return 1 / classes.pop() if len(classes) == 1 else None

    @property
    def pairs(self) -> list[tuple[xr.DataArray, ...]]:
        """For each pair of seeds what the claim is judged by: cross, SNN and ANN on events, then on images."""
        return _by_pair(*((one.cross, one.snn, one.ann) for one in (self.events, self.still)))

    def change(self) -> pd.DataFrame:
        """By how much events change the shortfall along depth, a curve a pair of networks, for `charts.depth_curve`.

        The claim takes from each pair the mean of its curve, over layers that have a value. Intervals are over images
        alone; what chance did to ceilings that pairs share, as all do with two seeds, is not in them.
        """
        curves = []
        for number, arrays in enumerate(self.pairs, 1):
            found = [corresponding(array, f"pair {number} of networks") for array in arrays]
            on_events, on_images = _shortfall(*found[:3]), _shortfall(*found[3:])
            _alike(on_events, on_images)
            curves.append(over_seeds([on_events.assign(value=on_events["value"] - on_images["value"])]))
        return pd.concat(curves, ignore_index=True)


def _by_pair(*inputs: Sequence[list[xr.DataArray]]) -> list[tuple[xr.DataArray, ...]]:
    return list(zip(*(arrays for compared in inputs for arrays in compared), strict=True))


def stream_spec(run: Run, index: int = 0) -> StreamSpec:
    """What the store keeps an event stream of the run's test split under."""
    return StreamSpec(data=run.data, index=index)


def stream_example(run: Run, index: int = 0) -> Example:
    """An event stream of the run's test split, for a picture."""
    return Example.from_dataset(run.store.get(stream_spec(run, index)))


def origin_in_words(run: Run) -> str:
    """Where the event streams of a run come from: computed from images here, or recorded by a camera."""
    dataset = run.data.dataset
    if dataset.startswith("moving-"):
        sensor = simulate.Sensor()
        noise = f"{100 * sensor.noise:g}"
        return (
            f"The streams of this page, {run.title}, are made in the same way, by computation, from the images of "
            f"`{EVENTS[dataset].still}`: each image moves by up to 1/{simulate.REACH} of its side along a diamond and "
            f"back to where it began. Thresholds are {sensor.threshold:g}, with a scatter of {noise} % from "
            "pixel to pixel that is the same for all images: it is one camera."
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


def still_run(run: Run) -> Run:
    """The run on the still images behind this run's events, or on those that were named.

    Raises:
        SpecError: a run on still images; events whose images nobody named, or named event data for.
    """
    known = EVENTS.get(run.data.dataset)
    if known is None:
        raise SpecError(f"dataset = {run.data.dataset!r} holds still images; choose one of {', '.join(EVENTS)}")
    still = run.given.still or known.still
    if still is None:
        raise SpecError(
            f"the still images behind {run.data.dataset!r} are not known here: name them, as in still = 'folder:PATH'"
        )
    if still in EVENTS:
        those = [name for name in KNOWN if name not in EVENTS]
        raise SpecError(
            f"still = {still!r} is event data, and would be compared with events; choose still images: "
            f"{', '.join(those)} or folder:PATH"
        )
    return type(run).of(run.given.model_copy(update={"dataset": still}), run.store.renewed)


def evidence(run: Run) -> list[tuple[xr.DataArray, ...]]:
    """What C6 is judged on, `EventStudy.pairs`: trains what is missing for it, and compares it."""
    both = [(one, _pairs(one)) for one in _trained(run)]
    return _by_pair(*([_compared(one, pairs[name]) for name in ("cross", "snn", "ann")] for one, pairs in both))


def event_data(run: Run) -> EventStudy:
    """Train both kinds of network on both kinds of input, and compare them on each."""
    events, still = _trained(run)
    return EventStudy(events=compare(events), still=compare(still))


def _trained(run: Run) -> tuple[Run, Run]:
    """The runs on events and on still images, of as many images as both have, whose networks the store has."""
    still = still_run(run)
    n_images = min(one.value("n_images") for one in (run, still))
    run, still = (replace(one, given=one.given.model_copy(update={"n_images": n_images})) for one in (run, still))
    run = replace(run, store=still.store)  # one store finds both kinds of data
    still.make_all(spec for one in (still, run) for spec in specs(one))
    return run, still


def specs(run: Run, epochs: int | None = None) -> list[TrainSpec]:
    """SNNs, then ANNs, of all seeds."""
    return [run.network(spiking=kind, seed=seed, epochs=epochs) for kind in (True, False) for seed in run.seeds]


def _pairs(run: Run) -> dict[str, list[tuple[TrainSpec, TrainSpec]]]:
    """What is compared, for each pair of seeds: "cross", SNN and ANN, and the ceilings "snn" and "ann"."""
    pairs = seed_pairs(run.seeds)
    snn, ann = zip(*(run.one_kind(pair) for pair in pairs), strict=True)
    return {"cross": [run.pair(pair) for pair in pairs], "snn": list(snn), "ann": list(ann)}


def _compared(run: Run, pairs: list[tuple[TrainSpec, TrainSpec]]) -> list[xr.DataArray]:
    return [run.compare(*both, groups=True) for both in pairs]


def compare(run: Run) -> Comparison:
    """All comparisons on the input of one run."""
    trained = _pairs(run)
    snn, ann = trained["cross"][0]
    untrained = run.pair(seed_pairs(run.seeds)[0], epochs=0)
    measured = {**trained, "untrained": [untrained]}
    measures = {name: [run.measures(*both, measures=SECOND) for both in found] for name, found in measured.items()}
    measures["shuffled"] = [run.measures(snn, ann, measures=SECOND, pairing="shuffled")]
    return Comparison(
        networks=[run.train(spec) for spec in specs(run)],
        **{name: _compared(run, pairs) for name, pairs in trained.items()},
        untrained=run.compare(*untrained, groups=True),
        shuffled=run.compare(snn, ann, groups=True, pairing="shuffled"),
        rates=run.rates(snn),
        measures=measures,
        title=run.title,
        several=len(run.seeds) > 1,
        n_test=run.n_test,
    )
