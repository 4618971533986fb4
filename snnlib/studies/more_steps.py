"""What more time steps are worth: SNNs of several T beside the ANN, in similarity and in accuracy."""

from __future__ import annotations

import pandas as pd

from snnlib import tables
from snnlib.claims.spatial import mean_of_blocks
from snnlib.evidence import effect, span
from snnlib.series import CROSS
from snnlib.studies import rows
from snnlib.studies.temporal import OF_BLOCKS, Temporal


def similarity(results: Temporal) -> pd.DataFrame:
    """Mean CKA of block outputs, time flattened, for every T, with nulls and ceilings, as `charts.sweep` takes it."""
    compared = {CROSS: results.concat}
    compared |= {series: {T: [cka] for T, cka in of_T.items()} for series, of_T in results.controls.items()}
    return pd.DataFrame(
        [
            rows.point(T, series, effect(OF_BLOCKS, mean_of_blocks, arrays))
            for series, of_T in compared.items()
            for T, arrays in of_T.items()
        ]
    )


def accuracies(results: Temporal) -> pd.DataFrame:
    """Test accuracy in % for every T, as `charts.sweep` takes it; the ANN has the same at all."""
    of = {kind: table for kind, table in results.accuracy.groupby("network")}
    snns = of["SNN"].assign(setting=of["SNN"]["T"].astype(int))
    anns = [of["ANN"].assign(setting=T) for T in results.concat]
    return rows.accuracies(pd.concat([snns, *anns]), results.n_test)


def in_words(results: Temporal, similar: pd.DataFrame, accurate: pd.DataFrame) -> str:
    """Both tables' SNNs by T, and how far pairs of other seeds lie apart at the run's own T."""
    cka, right = (table[table["network"] == name] for table, name in ((similar, CROSS), (accurate, "SNN")))
    values = ", ".join(f"{span(row.value, row.low, row.high, 2)} at T = {row.setting}" for row in cka.itertuples())
    shares = ", ".join(f"{row.value:.1f} % at T = {row.setting}" for row in right.sort_values("setting").itertuples())
    said = f"CKA of block outputs with the ANN is {values} (95 % intervals). Accuracy is {shares}."
    if len(results.concat) == 1:
        return said
    pairs = [mean_of_blocks(tables.all_images(found)) for found in results.concat[results.T]]
    if len(pairs) < 2:
        return f"{said} Each is of one pair of networks: what lies between two T can be chance in training."
    return (
        f"{said} At T = {results.T}, where there are {len(pairs)} pairs of networks, these alone range from "
        f"{min(pairs):.2f} to {max(pairs):.2f}. At the others there is one pair, whose interval is over images alone: "
        "what lies between two T has to be held against that range."
    )
