"""Rows for charts that several sections draw."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pandas as pd
import xarray as xr

from snnlib import tables
from snnlib.evidence import Effect, share
from snnlib.similarity import MEASURES
from snnlib.training import Network

# where only some are shown, those that have an interval over images at next to no cost
SECOND = tuple(name for name, about in MEASURES.items() if about.sums and name != "cka")
COLUMNS = ("series", "layer", "position", "kind", "stage")  # of a curve along depth but for its numbers


def point(setting: Any, network: str, found: Effect, factor: float = 1) -> dict[str, Any]:
    """An effect as a row for `charts.sweep`, its numbers times a factor."""
    numbers = {name: factor * getattr(found, name) for name in ("value", "low", "high")}
    return {"setting": setting, "network": network, **numbers}


def accuracies(table: pd.DataFrame, n_test: int) -> pd.DataFrame:
    """Test accuracies in % with 95 % intervals over images and seeds, as `charts.sweep` takes them.

    Args:
        table: columns setting, network and accuracy, a share from 0 to 1.
        n_test: test images they are shares of.

    Returns:
        Columns setting, network, value, low, high and networks: how many there are.
    """
    rows = []
    for (setting, network), of in table.groupby(["setting", "network"], sort=False):
        found = share(f"accuracy of the {network}", of["accuracy"].tolist(), n_test)
        rows.append({**point(setting, network, found, 100), "networks": found.seeds})
    return pd.DataFrame(rows)


def mean_accuracies(table: pd.DataFrame, n_test: int) -> str:
    """The mean of each kind of network with its interval, "SNN 81.3 % (80.0 to 82.6 %), ANN …".

    `table`: columns network and accuracy, a share of `n_test` images.
    """
    means = [
        f"{name} {share(name, of['accuracy'].tolist(), n_test).percent()}"
        for name, of in table.groupby("network", sort=False)
    ]
    return ", ".join(means)


def accuracy_in_words(networks: Iterable[Network], n_test: int) -> str:
    """The mean test accuracy of each kind of network, as a sentence."""
    means = mean_accuracies(tables.accuracies(networks), n_test)
    return f"Accuracy on the {n_test:,} test images, with 95 % intervals: {means}."


def second_measures(
    found: Mapping[str, Sequence[xr.Dataset]],
    table: Callable[[xr.DataArray, str], pd.DataFrame] = tables.by_measure,
    by: Sequence[str] = COLUMNS,
) -> list[pd.DataFrame]:
    """Curves along depth of every measure but CKA, as `charts.depth_curve` takes them: with a column measure.

    Args:
        found: series -> for each pair of networks its corresponding layers by all measures, or some.
        table: makes the rows of one measure, (group, layer), of one pair.
        by: the columns of these rows but value and group.
    """
    return [
        tables.over_seeds([table(one["similarity"].sel(measure=name), series) for one in sets], by).assign(
            measure=about.title
        )
        for name, about in MEASURES.items()
        if name != "cka"
        for series, sets in found.items()
        if name in sets[0]["measure"]
    ]
