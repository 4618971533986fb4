"""The types of parameters: what users may write for each, and how that is read.

papermill and shells hand over text, notebooks numbers and tuples; both are read here. What cannot be used raises
ValueError with a sentence that names it.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from snnlib.spec import DEPTHS, PRESETS, STAGES, VGG_DEPTHS, NonNegativeInt, PositiveFloat, PositiveInt


def one_of(*choices: Any):
    """A validator whose sentence lists the choices and names the nearest."""

    def check(value: Any) -> Any:
        if value in choices and type(value) in {type(choice) for choice in choices}:
            return value
        near = difflib.get_close_matches(str(value), [str(choice) for choice in choices], n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise ValueError(f"{value!r} is not one of {', '.join(map(str, choices))}{hint}")

    return check


def several(value: Any) -> Any:
    """`-p widths 0.25,0.5` reaches us as text, one number as that number: both mean a tuple."""
    if isinstance(value, str):
        value = [_number(part) for part in value.replace(" ", "").split(",") if part]
    return (value,) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


def _number(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _path(value: Any) -> Any:
    if isinstance(value, str | Path):
        return value
    raise ValueError(f"{value!r} is not a path; write it as text")


def _seeds(value: Any) -> Any:
    """A number of seeds means the first so many."""
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return tuple(range(value))
    return several(value) if isinstance(value, str) else value


def _distinct(seeds: tuple[int, ...]) -> tuple[int, ...]:
    if len(set(seeds)) != len(seeds):
        raise ValueError(f"{list(seeds)} names a seed twice; name each once")
    return seeds


def _ascending(values: tuple[float, ...]) -> tuple[float, ...]:
    if list(values) != sorted(set(values)):
        raise ValueError(f"{list(values)} must ascend, each named once")
    return values


def _stages(value: Any) -> Any:
    """ "1,12" names two networks: one that keeps the shortcuts of stage 1, one those of stages 1 and 2."""
    kept_each = several(value)
    if not isinstance(kept_each, tuple | list):
        return value
    return tuple(tuple(map(int, str(kept))) if str(kept).isdecimal() else kept for kept in kept_each)


def _some_stages(kept: tuple[int, ...]) -> tuple[int, ...]:
    """Some stages, not all and not none: those two networks are always there."""
    if not set(kept) < set(STAGES) or len(set(kept)) != len(kept):
        text = "".join(map(str, kept))
        raise ValueError(f"{text!r} does not name some of the stages {STAGES}, each once: write 1, or 12 for two")
    return tuple(sorted(kept))


PresetName = Annotated[str, BeforeValidator(one_of(*PRESETS))]
AnyPath = Annotated[Path, BeforeValidator(_path)]
Seeds = Annotated[tuple[NonNegativeInt, ...], BeforeValidator(_seeds), AfterValidator(_distinct), Field(min_length=1)]
Depth = Annotated[int, BeforeValidator(one_of(*DEPTHS))]
VggDepth = Annotated[int, BeforeValidator(one_of(*VGG_DEPTHS))]
Depths = Annotated[tuple[Depth, ...], BeforeValidator(several), Field(min_length=1)]
Widths = Annotated[tuple[PositiveFloat, ...], BeforeValidator(several), Field(min_length=1)]
Timesteps = Annotated[tuple[PositiveInt, ...], BeforeValidator(several), Field(min_length=1)]
Epsilons = Annotated[
    tuple[PositiveFloat, ...], BeforeValidator(several), AfterValidator(_ascending), Field(min_length=1)
]
# Of each network, the stages that keep their shortcuts.
Shortcuts = Annotated[
    tuple[Annotated[tuple[int, ...], Field(min_length=1), AfterValidator(_some_stages)], ...], BeforeValidator(_stages)
]
