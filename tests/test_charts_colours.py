"""Colours that colour-blind readers tell apart, and something beside the colour that tells series apart.

Colour vision without one kind of cone is simulated after Machado, Oliveira and Fernandes (IEEE TVCG 15, 2009);
distances are those of CAM02-UCS, in which 1 is about what an eye just notices in a side-by-side comparison.
"""

from __future__ import annotations

import re
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from chart_tables import every_chart, vlc
from colorspacious import cspace_convert

from snnlib.charts import NETWORKS, theme

CHARTS = every_chart()
SERIES = [*NETWORKS.values(), *theme.OTHERS]
BLINDNESS = ("protanomaly", "deuteranomaly", "tritanomaly")


def appearance(colours: list[str], blindness: str | None = None) -> np.ndarray:
    """(n, 3) coordinates in CAM02-UCS of colours as an eye sees them that lacks one kind of cone, or none."""
    seen = np.array([[int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)] for colour in colours])
    if blindness:
        space = {"name": "sRGB1+CVD", "cvd_type": blindness, "severity": 100}  # 100: no such cones at all
        seen = np.clip(cspace_convert(seen, space, "sRGB1"), 0, 1)
    return cspace_convert(seen, "sRGB1", "CAM02-UCS")


def least_distance(colours: list[str], blindness: str | None = None) -> float:
    return min(float(np.linalg.norm(a - b)) for a, b in combinations(appearance(colours, blindness), 2))


def test_the_simulation_confuses_what_the_colour_blind_confuse() -> None:
    red_and_olive, blue_and_teal = ["#C02020", "#6A6A00"], ["#2060A0", "#207070"]
    assert least_distance(red_and_olive) > 30
    assert least_distance(red_and_olive, "deuteranomaly") < 12
    assert least_distance(blue_and_teal) > 15
    assert least_distance(blue_and_teal, "tritanomaly") < 8


@pytest.mark.parametrize("blindness", [None, *BLINDNESS])
def test_colours_of_series_stay_apart(blindness: str | None) -> None:
    assert least_distance(SERIES, blindness) > (10 if blindness else 20)


@pytest.mark.parametrize("blindness", [None, *BLINDNESS])
def test_viridis_grows_lighter_from_end_to_end(blindness: str | None) -> None:
    lightness = appearance(scheme("viridis"), blindness)[:, 0]
    assert (np.diff(lightness) > 0).all()
    assert lightness[-1] - lightness[0] > 60


@pytest.mark.parametrize("blindness", [None, *BLINDNESS])
def test_the_diverging_scheme_has_two_sides(blindness: str | None) -> None:
    seen = appearance(scheme("blueorange"), blindness)
    middle = len(seen) // 2
    assert (np.diff(seen[: middle + 1, 0]) > 0).all(), "darker away from the middle"
    assert (np.diff(seen[middle:, 0]) < 0).all()
    assert np.linalg.norm(seen[0] - seen[-1]) > 20, "the ends are told apart"


def scheme(name: str, steps: int = 21) -> list[str]:
    """Colours of one of Vega's schemes, as Vega draws them."""
    values = [{"k": k, "v": k / (steps - 1)} for k in range(steps)]
    spec = {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "data": {"values": values},
        "mark": "rect",
        "encoding": {
            "x": {"field": "k", "type": "ordinal"},
            "color": {"field": "v", "type": "quantitative", "scale": {"scheme": name}, "legend": None},
        },
    }
    found = re.findall(
        r'aria-label="k: (\d+); v: [^"]*"[^>]*?fill="rgb\((\d+), ?(\d+), ?(\d+)\)"', vlc.vegalite_to_svg(spec)
    )
    assert len(found) == steps
    return ["#" + "".join(f"{int(part):02X}" for part in rgb) for _, *rgb in sorted(found, key=lambda row: int(row[0]))]


@pytest.mark.parametrize("name", CHARTS)
def test_no_series_is_told_by_its_colour_alone(name: str) -> None:
    spec = CHARTS[name].to_dict()
    channels: dict[str, set[str]] = {}
    for layer in layers(spec):
        for channel, encoding in layer.get("encoding", {}).items():
            if isinstance(encoding, dict) and "field" in encoding:
                channels.setdefault(encoding["field"], set()).add(channel)
    for field in coloured(spec):
        assert channels[field] & {"strokeDash", "shape", "x", "y", "xOffset"}, f"{field} is told by its colour alone"


def layers(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """The charts that a chart is put together from, however deep."""
    parts = [part for kind in ("layer", "hconcat", "vconcat", "concat") for part in spec.get(kind, [])]
    return [layer for part in parts for layer in layers(part)] if parts else [spec]


def coloured(spec: dict[str, Any]) -> set[str]:
    """Fields that have one colour for each of their names, and a legend that explains them."""
    found = [layer["encoding"]["color"] for layer in layers(spec) if "color" in layer.get("encoding", {})]
    named = [c for c in found if c.get("type") == "nominal" and len(c.get("scale", {}).get("domain", [])) > 1]
    return {c["field"] for c in named if c.get("legend", True) is not None}
