"""The parameters a user gives, to a notebook or on the command line: what may be said, and how.

`None` means the preset's value. All parameters are validated at once, before anything heavy is imported.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from snnlib.spec import DEPTHS, PRESETS, NonNegativeInt, PositiveFloat, PositiveInt, Spec


def _one_of(*choices: Any):
    """A validator whose sentence lists the choices and names the nearest."""

    def check(value: Any) -> Any:
        if value in choices and type(value) in {type(choice) for choice in choices}:
            return value
        near = difflib.get_close_matches(str(value), [str(choice) for choice in choices], n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise ValueError(f"{value!r} is not one of {', '.join(map(str, choices))}{hint}")

    return check


def _several(value: Any) -> Any:
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
    if value is None or isinstance(value, str | Path):
        return value
    raise ValueError(f"{value!r} is not a path; write it as text")


def _seeds(value: Any) -> Any:
    """A number of seeds means the first so many."""
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return tuple(range(value))
    return _several(value) if isinstance(value, str) else value


Depth = Annotated[int, BeforeValidator(_one_of(*DEPTHS))]
Widths = Annotated[tuple[PositiveFloat, ...], BeforeValidator(_several), Field(min_length=1)]
Depths = Annotated[tuple[Depth, ...], BeforeValidator(_several), Field(min_length=1)]


def _distinct(seeds: tuple[int, ...]) -> tuple[int, ...]:
    if len(set(seeds)) != len(seeds):
        raise ValueError(f"{list(seeds)} names a seed twice; name each once")
    return seeds


class Parameters(Spec):
    """The parameters that every notebook has."""

    preset: Annotated[str, BeforeValidator(_one_of(*PRESETS))] = "quick"
    dataset: str | None = None
    data_root: Annotated[Path | None, BeforeValidator(_path)] = None
    T: PositiveInt | None = None
    depth: Depth | None = None
    width: PositiveFloat | None = None
    seeds: (
        Annotated[tuple[NonNegativeInt, ...], BeforeValidator(_seeds), AfterValidator(_distinct), Field(min_length=1)]
        | None
    ) = None
    epochs: PositiveInt | None = None
    n_images: Annotated[int, Field(ge=4, strict=True)] | None = None
    recompute: Annotated[bool, Field(strict=True)] = False

    def data_set(self) -> str:
        """The data set as given, else the preset's."""
        return self.dataset or PRESETS[self.preset].dataset


class SpatialParameters(Parameters):
    """Those of the section on width and depth."""

    widths: Widths | None = None
    depths: Depths | None = None


class EventParameters(Parameters):
    """Those of the section on event data. `T` is also the number of frames that an event stream is cut into.

    `size`: side of the frames of recorded events, in pixels. `still`: data set of the still images to compare with;
    None takes those that the events were made from.
    """

    size: Annotated[int, Field(ge=4, multiple_of=4, strict=True)] | None = None
    still: str | None = None

    def data_set(self) -> str:
        return self.dataset or PRESETS[self.preset].events


class SpeedParameters(Spec):
    """Those of the page on speed."""

    results: Annotated[Path | None, BeforeValidator(_path)] = None
