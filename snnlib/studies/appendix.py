"""The appendix: a further case, VGG networks or a data set of many classes, compared as the residual network is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from snnlib import tables
from snnlib.claims.appendix import Case, Pair
from snnlib.data.cifar import MissingData
from snnlib.evidence import share
from snnlib.run import Run
from snnlib.similarity import MEASURES
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
    def curves(self) -> pd.DataFrame:
        """Corresponding layers along depth by all measures, means over pairs: what `charts.depth_curve` takes."""
        pairs = self.case.pairs
        cka = {SERIES: [pair.cross for pair in pairs]}
        if pairs[0].ceilings:
            cka |= {f"ceiling, {kind} × {kind}": [pairs[0].ceilings[i]] for i, kind in enumerate(("SNN", "ANN"))}
        cka |= {"untrained": [pair.untrained for pair in pairs], "shuffled": [pairs[0].shuffled]}
        return by_all_measures(cka, self.measures)

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


def further_case(run: Run) -> FurtherCase:
    """Train what a further case needs, of all seeds, and compare it: see `snnlib.claims.appendix.C8`."""
    snn = {seed: run.network(spiking=True, seed=seed) for seed in run.seeds}
    ann = {seed: run.network(spiking=False, seed=seed) for seed in run.seeds}
    networks = run.train_all([*snn.values(), *ann.values()])
    pairs = []
    for i, j in tables.seed_pairs(run.seeds):
        untrained = [run.network(spiking=kind, seed=seed, epochs=0) for kind, seed in ((True, i), (False, j))]
        pair = Pair(
            cross=run.compare(snn[i], ann[j], groups=True),
            untrained=run.compare(*untrained, groups=True),
            shuffled=run.compare(snn[i], ann[j], groups=True, pairing="shuffled"),
            # in order of the seeds: (0, 1) and (1, 0) are one comparison
            ceilings=tuple(run.compare(kind[min(i, j)], kind[max(i, j)], groups=True) for kind in (snn, ann) if i != j),
        )
        pairs.append(pair)
    (first, second), *_ = tables.seed_pairs(run.seeds)
    within = {
        "SNN": run.compare(snn[first], snn[first]),
        "ANN": run.compare(ann[second], ann[second]),
    }
    initial = tuple(run.network(spiking=kind, seed=seed, epochs=0) for kind, seed in ((True, first), (False, second)))
    low, high = sorted((first, second))
    kinds = [((snn[low], snn[high]), (ann[low], ann[high]))] if low != high else []
    measures = all_measures(run, [(snn[first], ann[second])], initial, kinds, jackknife=False)
    case = Case(f"{run.architecture} on {run.title}", tuple(pairs))
    return FurtherCase(networks, case, within, measures, run.n_test)


def in_words(results: FurtherCase) -> str:
    """Accuracies, and the mean CKA of corresponding layers beside its nulls and ceilings, for the page of a case."""
    curves = results.cka
    by_layer = curves.pivot(index="position", columns="series", values="value").dropna()
    means = by_layer.mean()  # over the layers that have a value in every series
    silent = curves["position"].nunique() - len(by_layer)
    left_out = f" ({silent} without a value in some series are left out)" if silent else ""
    ceilings = [
        f"{name.removeprefix('ceiling, ')} {value:.2f}" for name, value in means.items() if name.startswith("ceiling")
    ]
    accuracies = [
        f"{kind} {share('', rows['accuracy'].tolist(), results.n_test).numbers()}"
        for kind, rows in tables.accuracies(results.networks).groupby("network", sort=False)
    ]
    return (
        f"Accuracy on the {results.n_test} test images, a share of 1 with its 95 % interval: {', '.join(accuracies)}. "
        f"Averaged over {len(by_layer)} layers{left_out}, CKA of SNN × ANN is **{means[SERIES]:.2f}**; its ceiling is "
        f"{' and '.join(ceilings) or 'unknown, for want of a second seed'}; untrained networks have "
        f"{means['untrained']:.2f}, shuffled images {means['shuffled']:.3f}. {results.size}."
    )


def by_operation(results: FurtherCase) -> pd.DataFrame:
    """Mean CKA of SNN × ANN by kind of operation, with the number of its layers: columns mean, size."""
    curves = results.cka
    return curves[curves["series"] == SERIES].groupby("kind", sort=False)["value"].agg(["mean", "size"])


def examples(run: Run, count: int = 8) -> dict[str, np.ndarray]:
    """Class name -> a test image of it, (C, H, W) in 0..1, for classes spread over all; none where stored results
    stand for images that are not at hand."""
    try:
        images = run.store.images(run.data)
    except MissingData:
        return {}
    shown = {}
    for label in np.linspace(0, images.num_classes - 1, min(count, images.num_classes)).round().astype(int):
        rows = np.flatnonzero(images.test.labels == label)
        if len(rows):  # a folder of images need not have each class in the test split
            shown[images.classes[label]] = images.test.images[rows[0]] / 255
    return shown
