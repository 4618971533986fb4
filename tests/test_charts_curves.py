"""Curves, dots and explaining pictures, run through Vega: what a reader sees has to be what was given."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from chart_tables import (
    accuracies,
    cells,
    curve,
    drawn,
    encodings,
    grams,
    in_words,
    layers,
    rates,
    shapes,
    sweep_table,
    trace,
    training,
    vlc,
)

from snnlib import charts
from snnlib.charts import theme

# ---- curves


def test_depth_curve_tells_every_series_at_every_layer() -> None:
    shown = [text for text, _ in drawn(charts.depth_curve(curve())) if "layer" in text]
    assert [text["layer"] for text in shown] == [name for name, _, _ in layers()]
    assert (shown[8]["from"], shown[8]["to"]) == ("8.5", "9.5")  # the column under the pointer is this layer's alone
    assert shown[8]["operation"] == "block output (sum)"
    assert shown[8]["SNN – ANN"] == "0.792 (0.772 to 0.812)"
    assert shown[8]["null: shuffled images"] == "−0.038 (−0.058 to −0.018)"


def test_depth_curve_widens_its_axis_rather_than_cut_a_value() -> None:
    scales = [
        e["y"]["scale"]["domain"] for e in encodings(charts.depth_curve(curve()).to_dict()) if "scale" in e.get("y", {})
    ]
    frame = curve()
    assert scales
    assert all(low <= frame["value"].min() + 1e-4 and high >= 1.0 for low, high in scales)
    lifted = frame.assign(value=frame["value"] + 0.5, high=frame["high"] + 0.5)
    scales = [
        e["y"]["scale"]["domain"] for e in encodings(charts.depth_curve(lifted).to_dict()) if "scale" in e.get("y", {})
    ]
    assert scales
    assert all(high >= lifted["value"].max() - 1e-4 for _, high in scales)


def test_bands_end_where_the_axis_does() -> None:
    frame = curve().assign(low=-3.0, high=4.0)
    spec = charts.depth_curve(frame).to_dict()
    scales = [e["y"]["scale"]["domain"] for e in encodings(spec) if "scale" in e.get("y", {})]
    assert scales
    assert all(low == pytest.approx(frame["value"].min(), abs=1e-4) and high == 1 for low, high in scales)
    shown = [text for text, _ in drawn(charts.depth_curve(frame)) if "layer" in text]
    assert shown[8]["SNN – ANN"] == "0.792 (−3.000 to 4.000)"


def test_a_sweep_has_room_for_intervals_like_its_values_and_cuts_wilder_ones() -> None:
    table = pd.DataFrame(
        {"setting": [1, 2], "value": [0.5, 0.7], "low": [0.4, -9.0], "high": [0.6, 9.0], "network": "SNN"}
    )
    for frame, (least, most) in {1: (table, (0.3, 0.9)), 2: (table.iloc[:1], (0.4, 0.6))}.values():
        spec = charts.sweep(frame, setting_title="width", value_title="CKA").to_dict()
        (low, high), *_ = [e["y"]["scale"]["domain"] for e in encodings(spec) if "scale" in e.get("y", {})]
        assert low == pytest.approx(least, abs=0.03)
        assert high == pytest.approx(most, abs=0.03)


def test_depth_curve_shows_the_measure_that_is_chosen() -> None:
    first, second = curve(), curve().assign(value=lambda t: t["value"] / 2, low=np.nan, high=np.nan)
    second = second[second["series"] != "null: shuffled images"]
    both = pd.concat([first.assign(measure="CKA"), second.assign(measure="RSA")])
    chart = charts.depth_curve(both)
    spec = json.loads(chart.to_json())
    (choice,) = [param for param in spec["params"] if param["name"] == "measure"]
    assert (choice["value"], choice["bind"]["input"], choice["bind"]["options"]) == ("CKA", "select", ["CKA", "RSA"])
    alone = [text for text, _ in drawn(charts.depth_curve(first)) if "layer" in text]
    assert [text for text, _ in drawn(chart) if "layer" in text] == alone
    choice["value"] = "RSA"
    shown = [text for text, _ in drawn(type(chart).from_dict(spec)) if "layer" in text]
    assert shown[8]["SNN – ANN"] == "0.396"
    assert shown[8]["null: shuffled images"] == "no value"
    assert "RSA: SNN – ANN" in spec["description"]
    with pytest.raises(ValueError, match="position 1 twice"):
        charts.depth_curve(pd.concat([both, both]))


def test_depth_curve_without_bands_and_with_gaps() -> None:
    frame = curve().drop(columns=["low", "high"])
    frame.loc[3, "value"] = np.nan
    chart = charts.depth_curve(frame)
    assert "area" not in [layer["mark"]["type"] for layer in chart.to_dict()["layer"]]
    shown = [text for text, _ in drawn(chart) if "layer" in text]
    assert shown[3]["SNN – ANN"] == "no value"
    assert shown[4]["SNN – ANN"] == "0.796"


def test_depth_curve_shapes_and_legend() -> None:
    spec = charts.depth_curve(curve()).to_dict()
    shape = next(e["shape"] for e in encodings(spec) if "shape" in e)
    assert dict(zip(shape["scale"]["domain"], shape["scale"]["range"], strict=True))["block output (sum)"] == "circle"
    assert len(set(shape["scale"]["range"])) == 6
    assert [p["bind"] for p in spec["params"] if p["name"] == "pick"] == ["legend"]


def test_depth_curve_wants_each_layer_once() -> None:
    with pytest.raises(ValueError, match="position 1 twice"):
        charts.depth_curve(pd.concat([curve(), curve().iloc[:1]]))


def test_training_curves_show_means_over_seeds_by_metric() -> None:
    panels = charts.training_curves(training())
    loss, accuracy = ([text for text, _ in drawn(chart) if "epoch" in text] for chart in panels.charts)
    assert loss[2]["SNN"] == "2.305 (2 seeds, 2.300 to 2.310)"
    assert accuracy[0]["ANN"] == "60.5 % (2 seeds, 60.0 to 61.0)"
    assert len(loss) == len(accuracy) == 3


def test_training_curves_of_many_epochs_are_no_burden() -> None:
    panels = charts.training_curves(training(epochs=1500))  # 6,000 rows a panel: more than Altair takes by itself
    assert "1500 epochs" in panels.charts[0].to_dict()["description"]


def test_training_curves_dash_by_split() -> None:
    frame = pd.concat([training().assign(split=split) for split in ("train", "test")])
    chart = charts.training_curves(frame).charts[0]
    assert [e["strokeDash"]["field"] for e in encodings(chart.to_dict()) if "strokeDash" in e] == ["split"]
    text = next(text for text, _ in drawn(chart) if "epoch" in text)
    assert {"SNN · train", "SNN · test", "ANN · train", "ANN · test"} <= set(text)


def test_accuracy_dots() -> None:
    chart = charts.accuracy_dots(accuracies(), chance=0.1)
    shown = [text for text, _ in drawn(chart) if "seed" in text]
    assert [(t["network"], t["seed"], t["accuracy"]) for t in shown] == [
        ("SNN", "0", "75.00 %"),
        ("SNN", "1", "77.00 %"),
        ("ANN", "0", "84.12 %"),
    ]
    words = re.findall(r"<text[^>]*>([^<]+)</text>", vlc.vegalite_to_svg(chart.to_dict()))
    assert {"76.0 ± 1.4 % (2 seeds)", "84.1 % (1 seed)", "chance 10 %"} <= set(words)
    with pytest.raises(ValueError, match=r"84\.12"):
        charts.accuracy_dots(accuracies().replace({"accuracy": {0.8412: 84.12}}))


def test_firing_rates_by_step() -> None:
    given = rates()
    shown = [text for text, _ in drawn(charts.firing_rates(given)) if "layer" in text]
    assert len(shown) == given.sizes["layer"] == 19
    assert shown[4]["step 3"] == f"{float(given[4, 2]):.3f}"
    assert shown[4]["mean"] == f"{float(given[4].mean()):.3f}"


def test_sweep_keeps_the_order_of_the_settings() -> None:
    frame = sweep_table().iloc[::-1]
    spec = charts.sweep(frame, setting_title="width", value_title="mean CKA").to_dict()
    assert {tuple(e["x"]["sort"]) for e in encodings(spec)} == {("0.5", "1", "2")}
    datasets = [row for rows in spec["datasets"].values() for row in rows]
    assert {row["text"] for row in datasets} == {"0.500 (0.450 to 0.550)", "0.700 (0.650 to 0.750)"}


def test_a_sweep_to_scale_has_its_settings_as_far_apart_as_they_are() -> None:
    svg = vlc.vegalite_to_svg(
        charts.sweep(sweep_table(), setting_title="ε", value_title="drift", to_scale=True).to_dict()
    )
    marks = re.findall(r'<path aria-label="ε: ([\d.]+); series: (\w+);[^>]*?translate\(([\d.]+),', svg)
    at = {(setting, series): float(x) for setting, series, x in marks}
    assert len(at) == 6
    for series in ("SNN", "ANN"):
        half, one, two = (at[setting, series] for setting in ("0.5", "1", "2"))
        assert (two - one) / (one - half) == pytest.approx(2, rel=1e-3)
        assert 0 < abs(at["1", "SNN"] - at["1", "ANN"]) < 0.02 * (two - half), "both are seen, in one place"


def test_settings_in_words_are_not_joined_by_lines() -> None:
    def marks(chart: Any) -> set[str]:
        return {layer["mark"]["type"] for layer in chart.to_dict()["layer"]}

    assert "line" in marks(charts.sweep(sweep_table(), setting_title="width", value_title="CKA"))
    assert "line" not in marks(charts.sweep(in_words(), setting_title="where", value_title="CKA"))


# ---- explaining pictures


def test_lif_trace_is_in_units_of_the_threshold() -> None:
    frame = trace()
    doubled = frame.assign(current=2 * frame["current"], membrane=2 * frame["membrane"])
    for chart in (charts.lif_trace(frame), charts.lif_trace(doubled, threshold=2.0)):
        shown = [text for text, _ in drawn(chart) if "output" in text]
        assert [text["output"] for text in shown] == ["no spike", "spike", "no spike"]
        assert [text["membrane potential before reset (thresholds)"] for text in shown] == ["0.60", "1.20", "0.10"]
    assert "spikes at steps 2" in charts.lif_trace(frame).to_dict()["description"]
    with pytest.raises(ValueError, match="not 0"):
        charts.lif_trace(frame, threshold=0)
    with pytest.raises(ValueError, match="not 2"):
        charts.lif_trace(frame.assign(spike=[0, 2, 0]))


def test_surrogate_shape_wants_the_threshold_in_sight() -> None:
    assert "triangular peaks at 1.00" in charts.surrogate_shape(shapes()).to_dict()["description"]
    with pytest.raises(ValueError, match="outside the given u"):
        charts.surrogate_shape(shapes(), threshold=5.0)


def test_gram_pair_sorts_by_class_and_leaves_the_diagonal_out() -> None:
    k, other, labels = grams()
    chart = charts.gram_pair(k, other, labels, cka=0.1234)
    assert "0.123" in "".join(chart.to_dict()["title"]["text"])
    shown = cells(chart)
    n = len(labels)
    assert len(shown) == 2 * n * n
    order = sorted(range(n), key=lambda i: labels[i])
    for which, (name, matrix) in enumerate((("SNN", k), ("ANN", other))):
        off = matrix[~np.eye(n, dtype=bool)]
        unit = np.percentile(np.abs(off), 98)
        for i in range(n):
            for j in range(n):
                text, ink = shown[which * n * n + i * n + j]
                assert text["network"] == name
                assert text["row"] == f"image {i + 1}, class {labels[order[i]]}"
                tip = text["inner product (scaled)"]
                if i == j:
                    assert tip == "left out (diagonal)"
                    assert ink == theme.NO_VALUE
                else:
                    assert abs(float(tip.replace("−", "-")) - matrix[order[i], order[j]] / unit) < 0.0056


@pytest.mark.parametrize(
    ("k", "other", "labels", "says"),
    [
        (np.eye(3), np.eye(4), [0, 1, 2], "(3, 3) and (4, 4)"),
        (np.ones(3), np.ones(3), [0, 1, 2], "(3,) and (3,)"),
        (np.eye(3), np.eye(3), [0, 1], "each of the 3 images, not 2"),
    ],
)
def test_gram_pair_names_what_does_not_fit(k: Any, other: Any, labels: Any, says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        charts.gram_pair(k, other, labels, cka=0.0)


# ---- wrong tables, for every function that takes one

TABLES = {
    "depth_curve": (charts.depth_curve, curve(), {}),
    "training_curves": (charts.training_curves, training(), {}),
    "accuracy_dots": (charts.accuracy_dots, accuracies(), {}),
    "sweep": (charts.sweep, sweep_table(), {"setting_title": "width", "value_title": "CKA"}),
    "lif_trace": (charts.lif_trace, trace(), {}),
    "surrogate_shape": (charts.surrogate_shape, shapes(), {}),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_missing_column_an_empty_table_and_another_type_are_named(name: str) -> None:
    function, frame, options = TABLES[name]
    column = frame.columns[1]
    with pytest.raises(ValueError, match=f"{name} misses the columns .*{column}"):
        function(frame.drop(columns=[column]), **options)
    with pytest.raises(ValueError, match=f"{name} got a table without rows"):
        function(frame.iloc[:0], **options)
    with pytest.raises(ValueError, match=f"{name} takes a pandas DataFrame, not list"):
        function([1, 2], **options)


def test_firing_rates_names_what_is_wrong() -> None:
    with pytest.raises(ValueError, match="'step'"):
        charts.firing_rates(rates()[:, 0])
    with pytest.raises(ValueError, match="empty"):
        charts.firing_rates(rates()[:0])


# ---- bars


def test_bars_show_every_amount_with_its_range_from_zero() -> None:
    table = pd.DataFrame(
        {"name": ["theirs", "ours"], "value": [0.9, 0.25], "low": [0.8, np.nan], "high": [1.0, np.nan]}
    )
    chart = charts.bars(table, value_title="seconds", ours="ours")
    shown = {text["case"]: text["seconds (lowest to highest)"] for text, _ in drawn(chart) if "case" in text}
    assert shown == {"theirs": "0.90 (0.80 to 1.00)", "ours": "0.25"}
    domains = [e["x"]["scale"]["domain"] for e in encodings(chart.to_dict()) if "scale" in e.get("x", {})]
    assert all(low == 0 and high > 1.0 for low, high in domains)
    assert "theirs 0.90 (0.80 to 1.00)" in chart.to_dict()["description"]
    with pytest.raises(ValueError, match="name"):
        charts.bars(pd.DataFrame({"value": [1.0]}), value_title="seconds")
