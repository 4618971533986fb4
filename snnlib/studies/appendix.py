"""The appendix: a further case, VGG networks or a data set of many classes, compared as the residual network is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import xarray as xr

from snnlib import tables
from snnlib.charts import parts
from snnlib.claims.appendix import Case, Pair
from snnlib.claims.spatial import means_judged
from snnlib.evidence import Effect, effect, share
from snnlib.run import Run
from snnlib.similarity import MEASURES
from snnlib.spec import SamplesSpec, SpecError, TrainSpec
from snnlib.studies.spatial import all_measures, by_all_measures
from snnlib.training import Network

SERIES = "SNN × ANN"


@dataclass(frozen=True)
class FurtherCase:
    """Everything the appendix shows of a case: its networks, its comparisons, and each network within itself."""

    networks: list[Network]
    case: Case
    within: dict[str, xr.DataArray]  # "SNN" and "ANN" -> all layers of one network with one another
    measures: dict[str, list[xr.Dataset]]  # series -> corresponding layers by all measures, of one pair
    n_test: int  # test images that accuracies are shares of

    @property
    def cross(self) -> xr.DataArray:
        """SNN × ANN of the first pair of networks, on all images."""
        return tables.all_images(self.case.pairs[0].cross)

    @property
    def comparisons(self) -> dict[str, list[xr.DataArray]]:
        """Series of the chart along depth -> CKA of all layers, of every pair, or of the first for what they share."""
        pairs = self.case.pairs
        found = {SERIES: [pair.cross for pair in pairs]}
        if pairs[0].ceilings:
            found |= {f"ceiling, {kind} × {kind}": [pairs[0].ceilings[i]] for i, kind in enumerate(("SNN", "ANN"))}
        return found | {"untrained": [pair.untrained for pair in pairs], "shuffled": [pairs[0].shuffled]}

    @cached_property
    def curves(self) -> pd.DataFrame:
        """Corresponding layers along depth by all measures, means over pairs; copy it to change it."""
        return by_all_measures(self.comparisons, self.measures)

    @property
    def cka(self) -> pd.DataFrame:
        """The curves of CKA alone."""
        curves = self.curves
        return curves[curves["measure"] == MEASURES["cka"].title]

    @property
    def size(self) -> str:
        """How many images and pairs of networks the numbers rest on, in words."""
        pairs = len(self.case.pairs)
        return f"n = {self.cross.attrs['n_images']} images, {pairs} pair{'s' * (pairs > 1)} of networks"


def evidence(run: Run) -> Case:
    """What C8 is judged on in this case: trains what is missing for it, of all seeds, and compares it."""
    snn, ann = _networks(run)
    run.make_all([*snn.values(), *ann.values()])
    pairs = []
    for i, j in tables.seed_pairs(run.seeds):
        pair = Pair(
            cross=run.compare(snn[i], ann[j], groups=True),
            untrained=run.compare(*run.pair((i, j), epochs=0), groups=True),
            shuffled=run.compare(snn[i], ann[j], groups=True, pairing="shuffled"),
            ceilings=tuple(run.compare(*kind, groups=True) for kind in run.one_kind((i, j)) if i != j),
        )
        pairs.append(pair)
    return Case(f"{run.architecture} on {run.title}", tuple(pairs))


def further_case(run: Run) -> FurtherCase:
    """The evidence, and all else that the page of a case shows."""
    snn, ann = _networks(run)
    networks = run.train_all([*snn.values(), *ann.values()])
    case = evidence(run)
    (first, second), *_ = tables.seed_pairs(run.seeds)
    within = {
        "SNN": run.compare(snn[first], snn[first]),
        "ANN": run.compare(ann[second], ann[second]),
    }
    initial = run.pair((first, second), epochs=0)
    kinds = [run.one_kind((first, second))] if first != second else []
    measures = all_measures(run, [(snn[first], ann[second])], initial, kinds, jackknife=False)
    return FurtherCase(networks, case, within, measures, run.n_test)


def _networks(run: Run) -> tuple[dict[int, TrainSpec], dict[int, TrainSpec]]:
    """SNNs and ANNs by seed."""
    snn, ann = ({seed: run.network(spiking=kind, seed=seed) for seed in run.seeds} for kind in (True, False))
    return snn, ann


def in_words(results: FurtherCase) -> str:
    """Accuracies, and the mean CKA of corresponding layers beside its nulls and ceilings, for the page of a case."""
    curves = results.cka
    by_layer = curves.pivot(index="layer", columns="series", values="value").dropna()
    # over the layers that have a value in every series
    means = {name: _mean(arrays, by_layer.index).numbers(2) for name, arrays in results.comparisons.items()}
    silent = curves["layer"].nunique() - len(by_layer)
    left_out = f" ({silent} without a value in some series are left out)" if silent else ""
    ceilings = [
        f"{name.removeprefix('ceiling, ')} {value}" for name, value in means.items() if name.startswith("ceiling")
    ]
    accuracies = [
        f"{kind} {share('', rows['accuracy'].tolist(), results.n_test).numbers()}"
        for kind, rows in tables.accuracies(results.networks).groupby("network", sort=False)
    ]
    return (
        f"Accuracy on the {results.n_test} test images, a share of 1 with its 95 % interval: {', '.join(accuracies)}. "
        f"Averaged over {len(by_layer)} layers{left_out}, CKA of SNN × ANN is **{means[SERIES]}**; its ceiling is "
        f"{' and '.join(ceilings) or 'unknown, for want of a second seed'}; untrained networks have "
        f"{means['untrained']}, shuffled images {means['shuffled']}. {results.size}"
        f"{' (ceiling and shuffled images: one pair)' * (len(results.case.pairs) > 1)}."
    )


def pairs_in_words(results: FurtherCase) -> str:
    """What the verdict is made of, pair by pair of networks, as a table; "" without ceilings, which it needs."""
    rows = []
    for number, pair in enumerate(results.case.pairs if results.case.pairs[0].ceilings else (), 1):
        found = (pair.cross, pair.untrained, pair.shuffled, *pair.ceilings)
        cross, untrained, shuffled, *ceilings = means_judged(*map(tables.all_images, found))
        ceiling = sum(ceilings) / len(ceilings)
        way = f"{(cross - untrained) / (ceiling - untrained):.0%}" if ceiling > untrained else "–"
        numbers = " | ".join(parts.number(value, 2) for value in (cross, untrained, shuffled, *ceilings))
        rows.append(f"| {number} | {numbers} | {way} |")
    if not rows:
        return ""
    head = "| pair | SNN × ANN | untrained | shuffled | SNN × SNN | ANN × ANN | of the way from untrained to ceiling |"
    return (
        "Pair by pair, mean CKA of the layers that the claim is judged on, as far as they have a value in all of these "
        "comparisons. One of the verdict's bounds asks for half of the way, with an interval that says so of others:"
        "\n\n" + "\n".join([head, "|---" * 7 + "|", *rows])
    )


def by_operation(results: FurtherCase) -> dict[str, str]:
    """Kind of operation -> mean CKA of SNN × ANN, its interval and the number of layers that it is over, in words."""
    curves = results.cka
    said = {}
    for kind, rows in curves[curves["series"] == SERIES].groupby("kind", sort=False):
        names = rows.dropna(subset="value")["layer"]
        layers = f", {len(names)} layer{'s' * (len(names) != 1)}"
        said[str(kind)] = _mean(results.comparisons[SERIES], names).numbers(2) + layers if len(names) else "no value"
    return said


def _mean(comparisons: Sequence[xr.DataArray], layers: Sequence[str]) -> Effect:
    """The mean CKA of some corresponding layers, over pairs of networks."""

    def mean(cka: xr.DataArray) -> float:
        values = tables.by_name(cka)
        return float(np.mean([values[name] for name in layers]))

    return effect("CKA of corresponding layers", mean, comparisons)


def examples(run: Run) -> xr.DataArray | None:
    """Test images of some classes, (class, channel, row, column), 0 to 255; None where stored results stand for images
    that are not at hand."""
    samples = SamplesSpec(data=run.data)
    try:
        return run.store.get(samples)
    except SpecError:  # missing, or others of the same name
        return None
