"""What stands beside a verdict: the same effects of other networks, effects below their margin, one block at a time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from claim_tables import blocks_of, grouped, several, steps_of

from snnlib.claims import Bound, Claim, Verdict, c1, c3, c5, judge
from snnlib.claims.residual import block_by_block
from snnlib.claims.temporal import dynamics, of_first_stage, of_last_stage
from snnlib.evidence import Effect
from snnlib.ledger import Line, answers, as_table

CLAIM = Claim("C0", "in short", "statement", "criterion", "Fig. 0", ("03_residual",))


def bound(low: float, high: float, **given: bool) -> Bound:
    return Bound(Effect("x", (low + high) / 2, low, high, 100, 3), 0.5, **given)


@pytest.mark.parametrize(
    ("bounds", "short"),
    [
        ([bound(0.1, 0.2)], True),
        ([bound(0.1, 0.2), bound(0.6, 0.7)], True),
        ([bound(-0.1, 0.2)], False),  # nothing may be there
        ([bound(-0.2, -0.1)], False),
        ([bound(0.4, 0.6)], False),  # open
        ([bound(0.1, 0.2), bound(0.4, 0.6)], False),
        ([bound(0.6, 0.7)], False),
        ([bound(0.6, 0.7, at_most=True)], False),  # surely more than there may be
        ([bound(0.1, 0.2), bound(-0.2, -0.1)], False),
    ],
)
def test_an_effect_below_its_margin_is_told_from_none(bounds: list[Bound], short: bool) -> None:
    verdict = judge(CLAIM, bounds)
    assert verdict.falls_short is short
    assert ("below the margin" in as_table([Line(verdict, ())]).data) is short
    assert ("above 0" in bounds[0].kept) is bounds[0].falls_short


def test_other_networks_decide_nothing_and_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    alone, with_others = (
        c3(several((0.9, 0.6), (0.9, 0.6)), beside) for beside in (None, {"two ANNs": several((0.8, 0.7))})
    )
    assert (alone.word, with_others.word) == ("supported", "supported")
    fall, rise = with_others.beside["two ANNs"]
    assert (fall.value, rise.value) == pytest.approx((0.1, 0.1), abs=0.01)
    assert alone.beside == {}
    said = answers([Line(with_others, ())]).data
    assert f"- C3, {with_others.bounds[0].effect}; two ANNs {fall.numbers()}." in said
    assert f"- C3, {with_others.bounds[1].effect}; two ANNs {rise.numbers()}." in said
    assert "two networks of one kind" not in answers([Line(alone, ())]).data


def test_time_and_space_have_others_beside_them_too() -> None:
    moving, still = steps_of({1: 0.01, 3: 0.3}, noise=0), steps_of({1: 0.02, 3: 0.05}, noise=0)
    more, shallow = c5([moving, moving], {"untrained": [still]}).beside["untrained"]
    assert (more.value, shallow.value) == pytest.approx((0.03, 0.02))
    table = blocks_of(0.9, 0.6)
    numbered = table.assign_coords(
        {
            f"block_{side}": (f"layer_{side}", [_block(str(name)) for name in table[f"layer_{side}"].values])
            for side in "ab"
        }
    )
    found: Verdict = c1([numbered], {"untrained": [numbered]})
    assert str(found.beside["untrained"][0]) == str(found.bounds[0].effect)
    assert np.isfinite(found.bounds[0].effect.value)


def _block(layer: str) -> int:
    parts = layer.split(".")
    return int(parts[1]) if layer.startswith("stage") else -1


def test_the_mean_of_the_blocks_is_what_the_claim_is_judged_by() -> None:
    cka = [grouped(blocks_of(0.9, 0.6, noise=0.05), 0.01) for _ in range(2)]
    fall, rise = (bound.effect for bound in c3(cka).bounds)
    each = block_by_block(cka)
    assert len(each) == 9
    assert np.mean([of_block[0].value for of_block in each.values()]) == pytest.approx(fall.value)
    assert np.mean([of_block[1].value for of_block in each.values()]) == pytest.approx(rise.value)
    place = {str(name): i for i, name in enumerate(cka[0]["layer_a"].values)}
    inside = [place[f"stage2.1.{layer}"] for layer in ("act1", "conv1", "bn1", "act2", "conv2")]
    by_hand = [
        table[0, place["stage2.1"], place["stage2.1"]] - np.mean([table[0, i, i] for i in inside])
        for table in (one.values for one in cka)
    ]
    assert each["stage2.1"][1].value == pytest.approx(np.mean(by_hand))
    assert each["stage2.1"][1].low < np.mean(by_hand) < each["stage2.1"][1].high


def test_dynamics_of_other_layers_than_block_outputs() -> None:
    cka = steps_of({1: 0.1, 2: 0.2, 3: 0.6}, noise=0)
    for i, kind in enumerate(cka["kind_a"].values):
        if kind == "act":
            off = ~np.eye(4, dtype=bool)
            cka.values[i, :, i, :][off] -= 0.2  # a fancy index of a view writes through
    change = dynamics(cka)
    assert (of_first_stage(change), of_last_stage(change)) == pytest.approx((0.1, 0.6))
    assert (of_first_stage(change, "act"), of_last_stage(change, "act")) == pytest.approx((0.3, 0.8))
    share = np.mean([kind == "act" for kind in change["kind"].values[change["stage"].values == 1]])
    assert float(of_first_stage(change, None)) == pytest.approx(0.1 + 0.2 * share)
    with pytest.raises(ValueError, match="no residual blocks with layers of kind 'linear'"):
        of_first_stage(change, "linear")


def test_who_else_would_pass_by_the_bounds_is_told() -> None:
    """C3 asks for a fall and a rise of 0.05: two ANNs have 0.1 of both, untrained networks no rise."""
    ann, untrained = ([grouped(one, 0.001) for one in several(ends)] for ends in ((0.8, 0.7), (0.8, 0.8)))
    said = answers([Line(c3(several((0.9, 0.6), (0.9, 0.6)), {"two ANNs": ann, "untrained": untrained}), ())]).data
    assert said.endswith("By the bounds of C3 would pass: two ANNs.")
    said = answers([Line(c3(several((0.9, 0.6), (0.9, 0.6)), {"untrained": untrained}), ())]).data
    assert said.endswith("By the bounds of C3 would pass: none of these.")


def test_a_remark_stands_below_the_word() -> None:
    verdict = replace(c3(several((0.9, 0.6), (0.9, 0.6))), remark="5 < 6")
    assert "</span><br><small>5 &lt; 6</small></td>" in as_table([Line(verdict, ())]).data
