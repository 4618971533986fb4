"""Made-up tables for the tests of the charts, one of every chart, and Vega to draw them."""

from __future__ import annotations

import html
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from snnlib import charts
from snnlib.claims.residual import INSIDE

vlc = pytest.importorskip("vl_convert")


def layers(blocks: int = 3) -> list[tuple[str, str, int]]:
    """The layers of our ResNet in call order: name, kind, stage. Three blocks a stage make ResNet-20's 74."""
    found = [("stem.conv", "conv", -1), ("stem.bn", "bn", -1)]
    for stage in (1, 2, 3):
        for block in range(blocks):
            name = f"stage{stage}.{block}"
            found.append((f"{name}.act1", "act", stage))
            if stage > 1 and block == 0:
                found += [(f"{name}.shortcut.{kind}", kind, stage) for kind in ("pool", "conv", "bn")]
            found += [(f"{name}.{kind}1", kind, stage) for kind in ("conv", "bn")]
            found += [(f"{name}.{kind}2", kind, stage) for kind in ("act", "conv", "bn")]
            found.append((name, "sum", stage))
    return [*found, ("act", "act", -1), ("pool", "pool", -1), ("fc", "linear", -1)]


def table(symmetric: bool = False, blocks: int = 3, seed: int = 0) -> xr.DataArray:
    """A jagged, made-up CKA table in the shape that `snnlib.compare` returns."""
    names = layers(blocks)
    depth = np.arange(len(names)) / len(names)
    jag = np.array([{"sum": 1.0, "act": 0.9}.get(kind, 0.75) for _, kind, _ in names])
    noise = np.random.default_rng(seed).normal(0, 0.01, (len(names), len(names)))
    values = np.exp(-2 * np.abs(depth[:, None] - depth)) * np.outer(jag, jag) * 0.9 + noise
    if symmetric:
        values = (values + values.T) / 2
    coords = {
        f"{what}_{side}": (f"layer_{side}", [layer[i] for layer in names])
        for side in "ab"
        for i, what in enumerate(("layer", "kind", "stage"))
    }
    return xr.DataArray(np.clip(values, 0.001, 0.999), dims=("layer_a", "layer_b"), coords=coords, name="cka")


def curve() -> pd.DataFrame:
    names = layers()
    made = {"SNN – ANN": 0.8, "ceiling: other seed": 0.95, "null: shuffled images": -0.03}
    return pd.DataFrame(
        {"layer": name, "position": i + 1, "kind": kind, "stage": stage, "value": level - i / 1000, "series": series}
        for series, level in made.items()
        for i, (name, kind, stage) in enumerate(names)
    ).assign(low=lambda frame: frame["value"] - 0.02, high=lambda frame: frame["value"] + 0.02)


def training(epochs: int = 3) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "epoch": e,
            "metric": m,
            "network": n,
            "seed": s,
            "value": (0.5 if m == "accuracy" else 2.0) + e / 10 + s / 100,
        }
        for m in ("loss", "accuracy")
        for n in ("SNN", "ANN")
        for s in (0, 1)
        for e in range(1, epochs + 1)
    )


def rates() -> xr.DataArray:
    names = [layer for layer in layers() if layer[1] == "act"]
    coords = {what: ("layer", [layer[i] for layer in names]) for i, what in enumerate(("layer", "kind", "stage"))}
    return xr.DataArray(np.linspace(0.05, 0.3, 4 * len(names)).reshape(-1, 4), dims=("layer", "step"), coords=coords)


def each_step(T: int = 4) -> xr.DataArray:
    """CKA of every step of one network with another: (layer_a, step, layer_b), all numbers different."""
    return xr.concat([table(seed=10 + t) * (0.6 + 0.1 * t) for t in range(T)], "step").transpose(
        "layer_a", "step", "layer_b"
    )


def profile() -> pd.DataFrame:
    """CKA at the places of a block that falls inside, with and without a repair at its end."""
    places = ["input", "act1", "conv1", "bn1", "act2", "conv2", "bn2", "output"]
    made = {"with": [0.9, 0.8, 0.7, 0.7, 0.65, 0.6, 0.6, 0.88], "without": [0.7, 0.69, 0.68, 0.66, 0.66, 0.6, 0.6, 0.6]}
    rows = [(series, place, v) for series, row in made.items() for place, v in zip(places, row, strict=True)]
    frame = pd.DataFrame(rows, columns=["series", "place", "value"])
    return frame.assign(low=frame["value"] - 0.02, high=frame["value"] + 0.02)


def by_steps(T: int, pairs: bool) -> xr.DataArray:
    """Made-up values of all layers by step, or by pair of steps, symmetric."""
    rng = np.random.default_rng(T)
    names = layers()
    values = rng.uniform(0.3, 1, (len(names), T, T) if pairs else (len(names), T))
    values = (values + values.swapaxes(1, 2)) / 2 if pairs else values
    coords = {what: ("layer", [layer[i] for layer in names]) for i, what in enumerate(("layer", "kind", "stage"))}
    return xr.DataArray(values, dims=("layer", "step_a", "step_b") if pairs else ("layer", "step"), coords=coords)


def sweep_table() -> pd.DataFrame:
    rows = [(n, w, v) for n, v in (("SNN", 0.5), ("ANN", 0.7)) for w in (0.5, 1.0, 2.0)]
    frame = pd.DataFrame(rows, columns=["network", "setting", "value"])
    return frame.assign(low=frame["value"] - 0.05, high=frame["value"] + 0.05)


def in_words() -> pd.DataFrame:
    """A sweep over settings that have no order."""
    table = sweep_table()
    return table.assign(setting=table["setting"].map({0.5: "everywhere", 1.0: "nowhere", 2.0: "stage 1"}))


def accuracies() -> pd.DataFrame:
    return pd.DataFrame({"network": ["SNN", "SNN", "ANN"], "seed": [0, 1, 0], "accuracy": [0.75, 0.77, 0.8412]})


def trace() -> pd.DataFrame:
    return pd.DataFrame({"t": [1, 2, 3], "current": [0.6, 0.9, 0.1], "membrane": [0.6, 1.2, 0.1], "spike": [0, 1, 0]})


def shapes() -> pd.DataFrame:
    u = np.linspace(-1, 3, 41)
    return pd.DataFrame({"u": u, "name": "triangular", "derivative": np.maximum(0, 1 - np.abs(u - 1))})


def grams(n: int = 12) -> tuple[np.ndarray, np.ndarray, list[int]]:
    features = np.random.default_rng(0).normal(size=(2, n, 5))
    return features[0] @ features[0].T, features[1] @ features[1].T, [i % 3 for i in range(n)]


def images(size: int = 8) -> tuple[dict[str, list[np.ndarray]], dict[str, list[str]]]:
    made = np.random.default_rng(0).random((2, 1, size, size))
    rows = {"clean": list(made), "attacked": list(made + 0.3)}
    return rows, {"clean": ["is 3", "is 8"], "attacked": ["SNN: 8", "SNN: 3"]}


def maps(timesteps: tuple[int, ...] = (1, 2, 4)) -> dict[str, dict[int, xr.DataArray]]:
    """Made-up tables by case and T, all different."""
    return {
        name: {T: table(blocks=1, seed=10 * i + T) * (1 - 0.3 * i) for T in timesteps}
        for i, name in enumerate(("trained", "never trained"))
    }


def every_chart() -> dict[str, Any]:
    made = {
        "heatmap": charts.heatmap(table()),
        "linked_heatmap": charts.linked_heatmap(table(), each_step(), rates(), pair=("stage2.1.act1", "stage2.1")),
        "heatmap_by_setting": charts.heatmap_by_setting({20: table(), 38: table(blocks=6)}, setting="depth", at=20),
        "heatmap_choice": charts.heatmap_choice(maps(), T=2),
        "heatmaps_row": charts.heatmaps_row([(table(), "SNN", "ANN"), (table(True), "SNN", "SNN")]),
        "depth_curve": charts.depth_curve(curve(), title="CKA of corresponding layers along the depth of the networks"),
        "block_profile": charts.block_profile(profile(), inside=INSIDE, title="CKA by place in a block"),
        "step_heatmap": charts.step_heatmap({T: by_steps(T, True) for T in (1, 2, 4)}, T=2, layer="stage2.1"),
        "step_curve": charts.step_curve({T: by_steps(T, False) for T in (1, 2, 4)}, step=2),
        "training_curves": charts.training_curves(training()),
        "accuracy_dots": charts.accuracy_dots(accuracies(), chance=0.1),
        "firing_rates": charts.firing_rates(rates()),
        "sweep": charts.sweep(sweep_table(), setting_title="width (× 16 channels)", value_title="mean CKA"),
        "sweep, to scale": charts.sweep(sweep_table(), setting_title="ε", value_title="drift", to_scale=True),
        "sweep of words": charts.sweep(in_words(), setting_title="where", value_title="test accuracy (%)"),
        "lif_trace": charts.lif_trace(trace()),
        "surrogate_shape": charts.surrogate_shape(shapes()),
        "pictures": charts.pictures(*images(), text="An image, clean and attacked."),
        "gram_pair": charts.gram_pair(*grams(), cka=0.123),
    }
    return {
        f"{name} {i}": one for name, chart in made.items() for i, one in enumerate(getattr(chart, "charts", [chart]))
    }


def drawn(chart: Any, layer: int | None = None) -> list[tuple[dict[str, str], str]]:
    """The marks that Vega draws: the text of each (as a screen reader or a tooltip has it) and its colour.

    `layer` is one that keeps silent, made to speak for the test.
    """
    spec = chart.to_dict()
    if layer is not None:
        spec["layer"][layer]["mark"]["aria"] = True
    svg = vlc.vegalite_to_svg(spec)
    marks = re.findall(r'<path[^>]*aria-label="([^"]*)"[^>]*?(?:fill|stroke)="([^"]*)"', svg)
    return [(dict(part.rpartition(": ")[::2] for part in html.unescape(text).split("; ")), ink) for text, ink in marks]


def encodings(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """Of all layers, and of all charts that stand in one view."""
    parts = [part for name in ("layer", "hconcat", "vconcat") for part in spec.get(name, ())]
    return [encoding for part in parts for encoding in encodings(part)] if parts else [spec.get("encoding", {})]


def cells(chart: Any) -> list[tuple[dict[str, str], str]]:
    return drawn(chart, layer=0)
