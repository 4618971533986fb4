"""The section on event data: the same comparison of SNN with ANN, on event streams and on still images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pandas as pd
import xarray as xr

from snnlib.claims import events as claims
from snnlib.data.example import Example
from snnlib.data.images import EVENTS, KNOWN
from snnlib.evidence import stretch_for_shared
from snnlib.parameters import EventParameters, ManyClassesParameters
from snnlib.run import Run
from snnlib.series import ANNS, CROSS, SHUFFLED, SNNS, UNTRAINED
from snnlib.similarity import MEASURES
from snnlib.spec import SpecError, StreamSpec, TrainSpec
from snnlib.studies.rows import SECOND, mean_accuracies, second_measures
from snnlib.tables import accuracies, all_images, by_measure, corresponding, over_seeds, seed_pairs
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
        by_measure_of = {MEASURES["cka"].title: claims.by_layer(self.triples)}
        by_measure_of |= {MEASURES[name].title: self.by_measure(name) for name in SECOND}
        stretch = stretch_for_shared(len(self.cross), self.snn, self.ann)
        curves = []
        for title, triples in by_measure_of.items():
            tables = [by_measure(_shortfall(*triple), series) for triple in triples]
            curves.append(over_seeds(tables, stretch=stretch).assign(measure=title))
        return pd.concat(curves, ignore_index=True)

    @property
    def triples(self) -> list[claims.Triple]:
        """What the claim is judged by, for each pair of seeds."""
        return list(zip(self.cross, self.snn, self.ann, strict=True))

    def by_measure(self, name: str) -> list[claims.Triple]:
        """The same by another measure than CKA, (group, layer)."""
        return self._of_measures(lambda found: found["similarity"].sel(measure=name))

    @property
    def agreement(self) -> list[claims.Triple]:
        """The same of decisions: the share of images to which both networks of a pair give the same class, (group,)."""
        return self._of_measures(lambda found: found["agreement"])

    def _of_measures(self, what: Callable[[xr.Dataset], xr.DataArray]) -> list[claims.Triple]:
        sides = ([what(found) for found in self.measures[name]] for name in ("cross", "snn", "ann"))
        return list(zip(*sides, strict=True))

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


def _shortfall(cross: xr.DataArray, snn: xr.DataArray, ann: xr.DataArray) -> xr.DataArray:
    """The mean of two ceilings minus a comparison, all of the same groups and layers; ValueError for others."""
    with xr.set_options(arithmetic_join="exact"):
        return (snn + ann) / 2 - cross


@dataclass(frozen=True)
class Control:
    """SNN against ANN on still images of a harder task: what difficulty alone does to the shortfall."""

    title: str
    networks: list[Network]
    n_test: int
    triples: list[claims.Triple]


@dataclass(frozen=True)
class EventStudy:
    """All results of the section."""

    events: Comparison
    still: Comparison
    control: Control | None = None

    @property
    def chance(self) -> float | None:
        """The accuracy of guessing; None where it differs between events and images."""
        classes = {network.spec.data.num_classes for one in (self.events, self.still) for network in one.networks}
        return 1 / classes.pop() if len(classes) == 1 else None

    @property
    def sides(self) -> tuple[list[claims.Triple], list[claims.Triple]]:
        """What the claim is judged on: comparisons on events, and those on images."""
        return self.events.triples, self.still.triples

    def change(self) -> pd.DataFrame:
        """By how much events change the shortfall, layer by layer, as rows for `charts.depth_curve`.

        The claim takes the mean of it over the layers that have a value in all comparisons.
        """
        sides = [claims.by_layer(side) for side in self.sides]
        first, *_ = xr.align(*(array for side in sides for triple in side for array in triple), join="exact")
        found = [
            claims.change(*([tuple(array.isel(layer=place) for array in triple) for triple in side] for side in sides))
            for place in range(first.sizes["layer"])
        ]
        rows = by_measure(all_images(first), "events − images")
        return rows.assign(**{name: [getattr(one, name) for one in found] for name in ("value", "low", "high")})


def stream_spec(run: Run, index: int = 0) -> StreamSpec:
    """What the store keeps an event stream of the run's test split under."""
    return StreamSpec(data=run.data, index=index)


def stream_example(run: Run, index: int = 0) -> Example:
    """An event stream of the run's test split, for a picture."""
    return Example.from_dataset(run.store.get(stream_spec(run, index)))


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


def control_run(run: Run) -> Run | None:
    """The run on the preset's images of many classes, a harder task than its others; with all else as it was given.

    Of as many images as were asked for, or as it has. None where it is not wanted, or where the still images are others
    than the preset's: a control of nothing then.

    Raises:
        SpecError: images that cannot be had, or are too few.
    """
    if not run.given.control or still_run(run).data.dataset != run.preset.dataset:
        return None
    own = set(EventParameters.model_fields) - set(ManyClassesParameters.model_fields)
    given = run.given.model_dump(exclude=own | {"dataset", "n_images"}, exclude_unset=True)
    try:
        found = type(run).of(ManyClassesParameters(**given | {"preset": run.given.preset}), run.store.renewed)
    except SpecError as error:
        raise SpecError(f"{error} It is the control of {run.title}, which control = False leaves out.") from None
    if run.given.n_images is None:
        return found
    n_images = min(run.given.n_images, found.value("n_images"))
    return replace(found, given=found.given.model_copy(update={"n_images": n_images}))


def evidence(run: Run) -> tuple[list[claims.Triple], list[claims.Triple], dict[str, list[claims.Triple]]]:
    """What `c6` takes, on events, on images and on the control's: trains what is missing for it, and compares it."""
    events, images, *control = _trained(run)
    return (
        _triples(events),
        _triples(images),
        {f"{one.title}, a task of more classes": _triples(one) for one in control},
    )


def _triples(run: Run) -> list[claims.Triple]:
    pairs = _pairs(run)
    return list(zip(*(_compared(run, pairs[name]) for name in ("cross", "snn", "ann")), strict=True))


def event_data(run: Run) -> EventStudy:
    """Train both kinds of network on both kinds of input, and compare them on each."""
    events, still, *control = _trained(run)
    return EventStudy(compare(events), compare(still), *map(_control, control))


def _control(run: Run) -> Control:
    return Control(run.title, [run.train(spec) for spec in specs(run)], run.n_test, _triples(run))


def _trained(run: Run) -> list[Run]:
    """The runs on events and on still images, of as many images as both have, and the control, where it is wanted.

    The stores of all have their networks.
    """
    still, control = still_run(run), control_run(run)
    n_images = min(one.value("n_images") for one in (run, still))
    run, still = (replace(one, given=one.given.model_copy(update={"n_images": n_images})) for one in (run, still))
    run = replace(run, store=still.store)  # one store finds both kinds of data
    still.make_all(spec for one in (still, run) for spec in specs(one))
    if control is None:
        return [run, still]
    control.make_all(specs(control))
    return [run, still, control]


def specs(run: Run) -> list[TrainSpec]:
    """SNNs, then ANNs, of all seeds."""
    return [run.network(spiking=kind, seed=seed) for kind in (True, False) for seed in run.seeds]


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
