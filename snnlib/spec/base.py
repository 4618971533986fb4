"""What all specs share: validation, errors for people, a canonical form and its hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

PositiveInt = Annotated[int, Field(ge=1, strict=True)]
NonNegativeInt = Annotated[int, Field(ge=0, strict=True)]
PositiveFloat = Annotated[float, Field(gt=0, allow_inf_nan=False)]
UnitFloat = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class SpecError(ValueError):
    """Input that cannot be used: one sentence that names the value at fault and the way out."""

    def _render_traceback_(self) -> list[str]:
        """What IPython, and so papermill, shows: the sentence, without a traceback through our code."""
        return [f"{type(self).__name__}: {self}"]


class Spec(BaseModel):
    """Base of all specs: immutable, no unknown fields, a canonical form and its hash."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    preset_names: ClassVar[Mapping[str, str]] = {}
    """Fields whose value in a preset stands under another name."""

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise SpecError(explain(error, type(self).__name__, self.preset_names)) from error

    def canonical(self) -> str:
        """The spec as JSON with sorted keys and no white space: equal specs give equal text.

        What is None plays no part, so a field that a kind of spec gains later leaves the hashes of others as they were.
        """
        content = {"kind": type(self).__name__, **self.model_dump(mode="json", exclude_none=True)}
        return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)

    @property
    def hash(self) -> str:
        """First 12 hexadecimal digits of the SHA-256 of the canonical form."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()[:12]

    @property
    def slug(self) -> str:
        """A few words for people that open the store's folder; the hash tells specs apart."""
        return type(self).__name__.lower()

    @property
    def name(self) -> str:
        """Folder name in the store: words for people, then the hash."""
        return f"{self.slug}-{self.hash}"


USUAL: dict[str, Any] = {}  # examples for error messages; `snnlib.spec.presets` fills it

WORDS = {
    "a valid integer": "a whole number",
    "a valid number": "a number",
    "a valid boolean": "True or False",
    "a valid tuple": "one or several values, such as 1 or 1,2",
    "greater than or equal to": "at least",
    "less than or equal to": "at most",
}


def explain(error: ValidationError, subject: str, preset_names: Mapping[str, str] | None = None) -> str:
    """All that pydantic found, as one sentence a user can act on: the name, the value, what would be right."""
    names = preset_names or {}
    parts = [_explain_one(_field(found["loc"]), found, subject, names) for found in error.errors(include_url=False)]
    return "; ".join(dict.fromkeys(parts)) + "."


def _field(location: tuple[str | int, ...]) -> str:
    """Dotted name of a field, without the positions in a list and the types of a union that pydantic adds."""
    names = (part for part in location if isinstance(part, str) and part.isidentifier())
    return ".".join(name for name in names if name not in ("bool", "int", "float", "str"))


def _explain_one(field: str, found: Any, subject: str, preset_names: Mapping[str, str]) -> str:
    value = found["input"]
    if found["type"] == "extra_forbidden":
        return f"{field} = {value!r}: {subject} has no such parameter"
    usual = USUAL.get(preset_names.get(field, field))
    example = "" if usual is None else f"; preset quick has {field} = {usual}"
    if found["type"] == "missing":
        return f"{field} is missing from {subject}{example}"
    if found["type"] == "value_error":
        error = found["ctx"]["error"]
        reason = str(error).removesuffix(".")
        if not field:
            return reason
        return f"in {field}, {reason}" if isinstance(error, SpecError) else f"{field} = {reason}"  # of a spec within
    wanted = found["msg"].removeprefix("Input should be ")
    for pydantics, ours in WORDS.items():
        wanted = wanted.replace(pydantics, ours)
    return f"{field} = {value!r} cannot be used: it should be {wanted}{example}"
