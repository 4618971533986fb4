"""Verdicts from effects with known intervals."""

from __future__ import annotations

import pytest

from snnlib.claims import Bound, Claim, judge
from snnlib.evidence import Effect

CLAIM = Claim("C0", "in short", "statement", "criterion", "Fig. 0", ("page",))


def of(low: float, high: float, seeds: int = 3) -> Effect:
    return Effect("x", (low + high) / 2, low, high, 100, seeds)


NAN = float("nan")


@pytest.mark.parametrize(
    ("effect", "at_least", "at_most"),
    [
        (of(0.6, 0.8), "supported", "not supported"),
        (of(0.5, 0.8), "supported", "undecided"),
        (of(0.4, 0.8), "undecided", "undecided"),
        (of(0.2, 0.5), "undecided", "supported"),
        (of(0.2, 0.4), "not supported", "supported"),
        (of(0.6, 0.8, seeds=1), "undecided", "undecided"),
        (of(NAN, NAN), "undecided", "undecided"),
        (of(0.6, float("inf")), "undecided", "undecided"),
    ],
)
def test_the_interval_decides(effect: Effect, at_least: str, at_most: str) -> None:
    assert Bound(effect, 0.5).word == at_least
    assert Bound(effect, 0.5, at_most=True).word == at_most


YES, NO, OPEN = Bound(of(0.6, 0.8), 0.5), Bound(of(0.1, 0.2), 0.5), Bound(of(0.4, 0.6), 0.5)


@pytest.mark.parametrize(
    ("bounds", "word"),
    [
        ([YES], "supported"),
        ([YES, YES], "supported"),
        ([YES, OPEN], "undecided"),
        ([YES, NO], "not supported"),
        ([OPEN, NO], "not supported"),
        ([OPEN], "undecided"),
    ],
)
def test_all_bounds_must_be_kept(bounds: list[Bound], word: str) -> None:
    verdict = judge(CLAIM, bounds)
    assert verdict.word == word
    assert verdict.bounds == tuple(bounds)
    assert verdict.claim is CLAIM


def test_a_verdict_needs_an_effect() -> None:
    with pytest.raises(ValueError, match="C0"):
        judge(CLAIM, [])
