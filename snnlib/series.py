"""What the series of charts, texts and the ledger are called, and what each of them is of."""

from __future__ import annotations

KINDS = ("SNN", "ANN")
CROSS = "SNN × ANN"  # what the paper compares
UNTRAINED = "untrained"  # null: a pair that never learned
SHUFFLED = "shuffled"  # null: each network sees the images in another order
CEILING = "ceiling, "
SNNS, ANNS = CEILINGS = tuple(f"{CEILING}{kind} × {kind}" for kind in KINDS)  # two of a kind, of other seeds


def networks_compared(series: str) -> str:
    """The name of a series without what it is there for: "SNN × SNN"."""
    return series.removeprefix(CEILING)
