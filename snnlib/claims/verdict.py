"""What a claim is, and how a verdict on it follows from effects.

The criterion is stated before the result and does not depend on it: an effect and the bound that it must keep. The
interval decides: wholly beyond the bound, the claim is supported; wholly short of it, not supported; else, or where a
single pair of networks leaves the error over seeds unknown, undecided. An effect may be surely there and surely too
small for its bound: the claim is then not supported, and the verdict says that much.

What is measured by itself can mislead. So a verdict may carry the same effects of other networks, untrained ones or two
of one kind: what these have as well is not learned, or is no difference between the kinds. They decide nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from snnlib.evidence import Effect

Word = Literal["supported", "not supported", "undecided"]


@dataclass(frozen=True)
class Claim:
    """A claim of the paper and the criterion by which this book judges it.

    `short`: the statement in a few words; `where`: section or figure of the paper; `pages`: names of the notebooks that
    hold the evidence; `question`: the paper's, 1 or 2, that it bears on.
    """

    id: str
    short: str
    statement: str
    criterion: str
    where: str
    pages: tuple[str, ...]
    question: Literal[1, 2] = 1


@dataclass(frozen=True)
class Bound:
    """An effect that should be at least (or, with `at_most`, at most) a bound."""

    effect: Effect
    bound: float
    at_most: bool = False

    def __str__(self) -> str:
        return f"{self.effect}; wanted: {self.wanted}: {self.kept}"

    @property
    def wanted(self) -> str:
        """ "at least 0.05"."""
        return f"at {'most' if self.at_most else 'least'} {self.bound:g}"

    @property
    def kept(self) -> str:
        """What the interval says of the bound: kept, not kept, or open."""
        if self.falls_short:
            return "not kept, though the interval is above 0"
        return {"supported": "kept", "not supported": "not kept", "undecided": "open"}[self.word]

    @property
    def falls_short(self) -> bool:
        """Whether the effect is surely there, and surely smaller than wanted."""
        return self.word == "not supported" and not self.at_most and self.effect.low > 0

    @property
    def word(self) -> Word:
        effect = self.effect
        if effect.seeds < 2 or not (math.isfinite(effect.low) and math.isfinite(effect.high)):
            return "undecided"
        short = effect.low > self.bound if self.at_most else effect.high < self.bound
        return "supported" if self.is_kept_by(effect) else "not supported" if short else "undecided"

    def is_kept_by(self, other: Effect) -> bool:
        """Whether the interval of an effect, over whatever it is, lies wholly on the wanted side."""
        return other.high <= self.bound if self.at_most else other.low >= self.bound


@dataclass(frozen=True)
class Verdict:
    """The verdict on a claim under one protocol, with the effects it rests on.

    `beside`: by the name of other networks, the same effects of theirs, in the order of the bounds. `falls_short`:
    nothing but the size of effects that are surely there keeps the claim from being supported. `remark`: what a reader
    of the word alone should know, if anything.
    """

    claim: Claim
    bounds: tuple[Bound, ...]
    word: Word
    beside: Mapping[str, tuple[Effect, ...]] = field(default_factory=dict)
    falls_short: bool = False
    remark: str = ""


def judge(claim: Claim, bounds: Sequence[Bound], beside: Mapping[str, tuple[Effect, ...]] | None = None) -> Verdict:
    """All bounds must be kept: supported if all are, not supported if one surely is not, else undecided.

    Args:
        beside: as `Verdict` has it.

    Raises:
        ValueError: no bounds.
    """
    if not bounds:
        raise ValueError(f"{claim.id}: a verdict needs at least one effect")
    words = [bound.word for bound in bounds]
    word: Word = "undecided"
    if "not supported" in words:
        word = "not supported"
    elif all(w == "supported" for w in words):
        word = "supported"
    short = any(bound.falls_short for bound in bounds)
    short = short and all(bound.falls_short or bound.word == "supported" for bound in bounds)
    return Verdict(claim, tuple(bounds), word, beside or {}, short)
