"""The section on residual connections: SNN against ANN along depth, with shortcuts everywhere, nowhere, or in part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import xarray as xr

from snnlib import tables
from snnlib.run import Run

EVERYWHERE, NOWHERE = "everywhere", "nowhere"


@dataclass(frozen=True)
class Residual:
    """`cka`: where shortcuts are -> SNN × ANN of every pair of seeds (of the first one, for single stages).

    `controls`: ceilings and nulls of the networks with shortcuts everywhere. `accuracy` has the columns shortcuts,
    network, seed and accuracy.
    """

    cka: dict[str, list[xr.DataArray]]
    controls: dict[str, list[xr.DataArray]]
    accuracy: pd.DataFrame


def residual(run: Run) -> Residual:
    """Train the networks of this section, all together, and compare them."""
    pairs = tables.seed_pairs(run.seeds)
    variants: dict[str, bool | tuple[int, ...]] = {EVERYWHERE: True, NOWHERE: False}
    variants |= {in_stages(kept): kept for kept in run.value("shortcuts")}
    cases = [(name, pair) for name in variants for pair in (pairs if name in (EVERYWHERE, NOWHERE) else pairs[:1])]
    specs = {
        (name, spiking, seed): run.network(spiking=spiking, seed=seed, residual=variants[name])
        for name, pair in cases
        for spiking, seed in zip((True, False), pair, strict=True)
    }
    networks = run.train_all(specs.values())
    accuracy = [
        tables.accuracies([network]).assign(shortcuts=name)
        for (name, _, _), network in zip(specs, networks, strict=True)
    ]
    cka: dict[str, list[xr.DataArray]] = {name: [] for name in variants}
    for name, (i, j) in cases:
        cka[name].append(run.compare(specs[name, True, i], specs[name, False, j], groups=True))

    (i, j), controls = pairs[0], {}
    snn, ann = specs[EVERYWHERE, True, i], specs[EVERYWHERE, False, j]
    if i != j:  # a ceiling needs a second seed
        controls["ceiling, ANN × ANN"] = [run.compare(run.network(spiking=False, seed=i), ann, groups=True)]
        controls["ceiling, SNN × SNN"] = [run.compare(snn, run.network(spiking=True, seed=j), groups=True)]
    untrained = [run.network(spiking=kind, seed=seed, epochs=0) for kind, seed in ((True, i), (False, j))]
    controls["untrained"] = [run.compare(*untrained, groups=True)]
    controls["shuffled"] = [run.compare(snn, ann, groups=True, pairing="shuffled")]
    return Residual(cka, controls, pd.concat(accuracy, ignore_index=True))


def in_stages(kept: Sequence[int]) -> str:
    """ "in stage 1", "in stages 1 + 2"."""
    return f"in stage{'s' * (len(kept) > 1)} {' + '.join(map(str, kept))}"
