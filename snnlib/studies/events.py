"""The section on event data: the same comparison of SNN with ANN, on event streams and on the images behind them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pandas as pd
import xarray as xr

from snnlib.data.images import EVENTS
from snnlib.run import Run
from snnlib.spec import SpecError, TrainSpec
from snnlib.studies.event_example import Example, example
from snnlib.tables import accuracies, corresponding, over_seeds, seed_pairs
from snnlib.training import Network


@dataclass(frozen=True)
class Comparison:
    """SNN against ANN on one kind of input.

    `cross`, `snn` and `ann` have one array for each pair of seeds (i, j): SNN i × ANN j, and the ceilings SNN i × SNN j
    and ANN i × ANN j. `untrained` and `shuffled` are the nulls of the first pair.
    """

    networks: list[Network]
    cross: list[xr.DataArray]
    snn: list[xr.DataArray]
    ann: list[xr.DataArray]
    untrained: xr.DataArray
    shuffled: xr.DataArray
    rates: xr.DataArray
    title: str
    several: bool  # seeds: with one, the ceilings compare a network with itself

    def curve(self, name: str, series: str) -> pd.DataFrame:
        """CKA of corresponding layers along depth, of `cross`, `snn`, ... as rows for `charts.depth_curve`."""
        found = getattr(self, name)
        arrays = found if isinstance(found, list) else [found]
        return over_seeds([corresponding(all_images(array), series) for array in arrays])

    def shortfall(self, series: str) -> pd.DataFrame:
        """How far SNN × ANN lies below its ceiling along depth, as rows for `charts.depth_curve`."""
        found = []
        for arrays in zip(self.cross, self.snn, self.ann, strict=True):
            cross, snn, ann = (corresponding(all_images(array), series) for array in arrays)
            found.append(cross.assign(value=(snn["value"] + ann["value"]) / 2 - cross["value"]))
        return over_seeds(found)

    def accuracy(self, where: str) -> pd.DataFrame:
        """Test accuracies, networks called "SNN, events"."""
        table = accuracies(self.networks)
        return table.assign(network=table["network"] + f", {where}")


@dataclass(frozen=True)
class EventStudy:
    """All results of the section."""

    events: Comparison
    still: Comparison

    @property
    def pairs(self) -> list[tuple[xr.DataArray, ...]]:
        """For each pair of seeds what the claim is judged by: cross, SNN and ANN on events, then on images."""
        both = (self.events, self.still)
        return list(zip(*(arrays for one in both for arrays in (one.cross, one.snn, one.ann)), strict=True))


def all_images(result: xr.DataArray) -> xr.DataArray:
    """A result on all images, of one that also has them without a group at a time."""
    return result.isel(group=0, drop=True) if "group" in result.dims else result


def stream_example(run: Run, index: int = 0) -> Example:
    """An event stream of the run's test split, for a picture."""
    data, root = run.data, run.given.data_root
    return example(data.dataset, root, frames=data.frames, size=data.image_size, index=index, cache_dir=run.store.cache)


def still_run(run: Run) -> Run:
    """The run on the still images behind this run's events.

    Raises:
        SpecError: a run on still images; or events whose images nobody named.
    """
    known = EVENTS.get(run.data.dataset)
    if known is None:
        raise SpecError(f"dataset = {run.data.dataset!r} holds still images; choose one of {', '.join(EVENTS)}")
    still = run.given.still or known.still
    if still is None:
        raise SpecError(
            f"the still images behind {run.data.dataset!r} are not known here: name them, as in still = 'folder:PATH'"
        )
    return Run.of(run.given.model_copy(update={"dataset": still}))


def event_data(run: Run) -> EventStudy:
    """Train both kinds of network on both kinds of input, and compare them on each."""
    still = still_run(run)
    run = replace(run, store=still.store)  # one store finds both kinds of data, and makes anew only once
    still.train_all([spec for one in (still, run) for spec in specs(one)])
    return EventStudy(events=compare(run), still=compare(still))


def specs(run: Run, epochs: int | None = None) -> list[TrainSpec]:
    """SNNs, then ANNs, of all seeds."""
    return [run.network(spiking=kind, seed=seed, epochs=epochs) for kind in (True, False) for seed in run.seeds]


def compare(run: Run) -> Comparison:
    """All comparisons on the input of one run."""
    count = len(run.seeds)
    every = specs(run)
    snn, ann = (dict(zip(run.seeds, part, strict=True)) for part in (every[:count], every[count:]))
    pairs = seed_pairs(run.seeds)
    i, j = pairs[0]
    untrained = [run.network(spiking=kind, seed=seed, epochs=0) for kind, seed in ((True, i), (False, j))]

    def ceilings(networks: dict[int, TrainSpec]) -> list[xr.DataArray]:
        # the diagonal does not depend on which of the two comes first
        return [run.compare(*(networks[seed] for seed in sorted(pair)), groups=True) for pair in pairs]

    return Comparison(
        networks=[run.train(spec) for spec in every],
        cross=[run.compare(snn[a], ann[b], groups=True) for a, b in pairs],
        snn=ceilings(snn),
        ann=ceilings(ann),
        untrained=run.compare(*untrained),
        shuffled=run.compare(snn[i], ann[j], pairing="shuffled"),
        rates=run.rates(snn[i]),
        title=run.title,
        several=count > 1,
    )
