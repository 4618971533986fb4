"""Forecasts of a machine whose speed is known exactly, and operations counted by hand, for tests of the sweep."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from snnlib.spec import DataSpec, ModelSpec
from snnlib.sweep import costs
from snnlib.sweep.costs import Costs, Rate
from snnlib.sweep.footprints import footprint
from snnlib.sweep.listing import described

CIFAR = described("cifar10")


def exact_costs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Costs, Callable[[ModelSpec, DataSpec], float]]:
    """The forecasts of a machine whose speed follows the equation exactly, and its seconds an image, trained."""
    p, q = 2e-11, 3e-9

    def seconds(model: ModelSpec, data: DataSpec) -> float:
        found = footprint(model, data)
        return p * found.operations + q * found.kept

    rates = {kind: [ModelSpec(spiking=kind, width=width) for width in (0.25, 1.0)] for kind in (True, False)}
    monkeypatch.setattr(costs, "measured", lambda kind: [Rate(m, CIFAR, seconds(m, CIFAR)) for m in rates[kind]])
    return Costs([], tmp_path / "speeds"), seconds


def multiply_adds(widths: Sequence[int], size: int, classes: int = 10) -> tuple[int, int]:
    """Of ResNet-20 on an image of three channels, by hand; the stem, and all else."""
    side, stem, rest, last = size, 9 * 3 * widths[0] * size**2, 0, widths[0]
    for stage, channels in enumerate(widths):
        for block in range(3):
            if stage and block == 0:
                side //= 2
                rest += last * channels * side**2  # shortcut
            rest += 9 * last * channels * side**2 + 9 * channels**2 * side**2
            last = channels
    return stem, rest + last * classes


def write_speeds(cache: Path, machine: str) -> None:
    """What a store in this folder would have measured of a machine; one that is fast, so that forecasts are short."""
    speeds = cache / "speeds"
    speeds.mkdir(parents=True)
    models = [ModelSpec(spiking=kind, width=width) for kind in (True, False) for width in (0.25, 1.0)]
    rows = [{"model": m.model_dump(), "data": CIFAR.model_dump(), "seconds": 0.001 * m.width} for m in models]
    (speeds / f"{machine}.json").write_text(json.dumps(rows))
