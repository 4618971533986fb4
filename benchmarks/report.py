"""Rows of all rounds -> medians, ratios and the limits they are held to."""

from __future__ import annotations

import statistics
from importlib.metadata import version
from typing import Any

from rich.console import Console
from rich.table import Table

from snnlib.provenance import RESULT_ROOMS, provenance

Row = dict[str, Any]
PEERS = ("spikingjelly", "torch_cka")
SETTINGS = ("T", "batch", "arch", "width", "n", "batches", "layers")


def summary(rows: list[Row]) -> dict[str, Any]:
    """Everything `make bench` found, as it goes into the JSON file."""
    merged: dict[tuple, Row] = {}
    for row in rows:
        key = (row["group"], row["case"], *(row.get(name) for name in SETTINGS))
        known = merged.setdefault(key, {**row, "times": [], "memory": None})
        known["times"] = [*known["times"], *row["times"]]
        known["memory"] = max(filter(None, (known["memory"], row["memory"])), default=None)
    for row in merged.values():
        times = sorted(row["times"])
        row |= {"median": statistics.median(times), "low": times[0], "high": times[-1], "times": times}
    found = list(merged.values())
    about = provenance(RESULT_ROOMS)
    about["versions"] |= {peer: version(peer) for peer in PEERS}
    return {**about, "rows": found, "ratios": ratios(found)}


def ratios(rows: list[Row]) -> list[dict[str, Any]]:
    """The ratios that are held to a limit, as far as both of their cases were measured."""

    def of(group: str, *cases: str, field: str = "median", **settings: Any) -> float | None:
        fits = [
            row[field]
            for row in rows
            if row["group"] == group
            and row["case"] in cases
            and all(row.get(key) == value for key, value in settings.items())
            and row[field] is not None
        ]
        return min(fits, default=None)

    found = []

    def add(what: str, part: float | None, whole: float | None, limit: float, at_least: bool = False) -> None:
        if part is None or whole is None:
            return
        ratio = part / whole
        holds = ratio >= limit if at_least else ratio <= limit
        sign = "≥" if at_least else "≤"
        found.append({"what": what, "ratio": ratio, "limit": f"{sign} {limit:g}", "holds": holds})

    for batch in (64, 128):
        case = {"T": 4, "batch": batch}
        ours = of("step", "snnlib", **case)
        add(f"step, batch {batch}: snnlib / snnTorch", ours, of("step", "snnTorch", **case), 0.33)
        add(f"step, batch {batch}: snnlib / SpikingJelly", ours, of("step", "SpikingJelly", **case), 0.37)
    for T, batch in ((4, 64), (4, 128), (8, 64), (16, 64)):
        case = {"T": T, "batch": batch}
        bound = of("step", "ReLU", "ReLU, compiled", **case)
        add(f"step, T = {T}, batch {batch}: snnlib / ReLU on T x batch", of("step", "snnlib", **case), bound, 1.25)
    for batch in (64, 128):
        case = {"T": 4, "batch": batch, "field": "memory"}
        add(f"memory of a step, batch {batch}: snnlib / snnTorch", of("step", "snnlib", **case),
            of("step", "snnTorch", **case), 0.5)  # fmt: skip
    bound = "forward passes + one product a layer"
    ours, each = of("cka", "snnlib", n=256), of("cka", "snnlib, each step", n=256)
    add("CKA, n = 256: torch_cka / snnlib", of("cka", "torch_cka 0.21", n=256), ours, 20, at_least=True)
    add("CKA, n = 256: snnlib / (forward passes + one product a layer)", ours, of("cka", bound, n=256), 1.4)
    add("CKA, n = 256: each step / concatenated", each, ours, 1.3)
    large = of("cka large", "snnlib", n=1024)
    add("CKA, n = 1,024: released algorithm / snnlib", of("cka large", "released algorithm"), large, 4, at_least=True)
    add("CKA, n = 1,024: snnlib / (forward passes + one product a layer)", large, of("cka large", bound), 1.4)
    two, twenty = (of("cka memory", "snnlib", batches=k, field="memory") for k in (2, 20))
    add("memory of CKA: 20 batches / 2 batches", twenty, two, 1.2)
    return found


def show(found: dict[str, Any]) -> None:
    """Print the tables."""
    table = Table("group", "case", "setting", "median s", "range s", "memory MB")
    for row in found["rows"]:
        setting = ", ".join(f"{name} = {row[name]}" for name in SETTINGS if name in row)
        memory = "" if row["memory"] is None else f"{row['memory']:.0f}"
        span = f"{row['low']:.3f} to {row['high']:.3f}"
        table.add_row(row["group"], row["case"], setting, f"{row['median']:.3f}", span, memory)
    limits = Table("ratio of medians", "", "limit", "holds")
    for ratio in found["ratios"]:
        limits.add_row(ratio["what"], f"{ratio['ratio']:.3f}", ratio["limit"], "yes" if ratio["holds"] else "NO")
    console = Console(width=120)
    console.print(table)
    console.print(limits)
