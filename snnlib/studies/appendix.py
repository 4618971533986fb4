"""The appendix: a further case, VGG networks or a data set of many classes, compared as the residual network is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from snnlib import tables
from snnlib.claims.appendix import Case, Pair
from snnlib.data.cifar import MissingData
from snnlib.run import Run
from snnlib.training import Network


@dataclass(frozen=True)
class FurtherCase:
    """Everything the appendix shows of a case: its networks, its comparisons, and each network within itself."""

    networks: list[Network]
    case: Case
    within: dict[str, xr.DataArray]  # "SNN" and "ANN" -> all layers of one network with one another

    @property
    def cross(self) -> xr.DataArray:
        """SNN × ANN of the first pair of networks, on all images."""
        return tables.all_images(self.case.pairs[0].cross)

    @property
    def curves(self) -> pd.DataFrame:
        """CKA of corresponding layers along depth, means over pairs of networks: what `charts.depth_curve` takes."""
        pairs = self.case.pairs
        series = {"SNN × ANN": [pair.cross for pair in pairs]}
        if pairs[0].ceilings:
            series |= {f"ceiling, {kind} × {kind}": [pairs[0].ceilings[i]] for i, kind in enumerate(("SNN", "ANN"))}
        series |= {"untrained": [pair.untrained for pair in pairs], "shuffled": [pairs[0].shuffled]}
        return pd.concat(_along_depth(name, arrays) for name, arrays in series.items())


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
    first, second = tables.seed_pairs(run.seeds)[0]
    within = {
        "SNN": run.compare(snn[first], snn[first]),
        "ANN": run.compare(ann[second], ann[second]),
    }
    return FurtherCase(networks, Case(f"{run.architecture} on {run.title}", tuple(pairs)), within)


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


def _along_depth(series: str, comparisons: Iterable[xr.DataArray]) -> pd.DataFrame:
    return tables.over_seeds([tables.corresponding(cka, series) for cka in comparisons])
