"""The parameters of a page as they were in effect."""

from __future__ import annotations

from typing import Any

from snnlib.parameters import PageParameters, Parameters
from snnlib.spec import PRESETS

WHENCE = {"preset", "dataset", "data_root", "results", "recompute"}  # whence, not what: said in another way


def settings(given: Parameters | PageParameters) -> dict[str, Any]:
    """Every parameter by name, with the preset's value where none was given; those without effect are left out."""
    preset_names, preset = type(given).preset_names, PRESETS[given.preset]
    values = {}
    for name in type(given).model_fields:
        value = getattr(given, name)
        if value is None:
            value = getattr(preset, preset_names.get(name, name), None)
        if value is not None and name not in WHENCE | _idle(given):
            values[name] = value
    return values


def _idle(given: Parameters | PageParameters) -> set[str]:
    """Parameters that others leave without effect."""
    if getattr(given, "released", False):
        return {"method", "epsilons", "attack_steps", "random_start"}
    if getattr(given, "method", None) == "fgsm":
        return {"attack_steps", "random_start"}
    if hasattr(given, "size") and given.data_set().startswith("moving-"):
        return set() if given.size else {"size"}  # simulated frames have the size of their images
    return set()
