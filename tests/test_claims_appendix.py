"""C8 on made-up comparisons with a known answer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from snnlib.claims.appendix import Case, c8

PARTS = ("conv", "bn", "act")
VGG = [(f"stage{s}.0.{part}", part, s) for s in (1, 2, 3) for part in PARTS] + [("fc", "linear", -1)]
RESNET = [(f"stage{s}.0{part}", kind, s) for s in (1, 2, 3) for part, kind in ((".act", "act"), ("", "sum"))]


def table(ends: float, others: float = 0.3, layers: list = VGG, apart: float = 0.0) -> xr.DataArray:
    """CKA of all pairs of layers: `ends` of corresponding ends of blocks, `others` of all other pairs."""
    names, kinds, stages = map(list, zip(*layers, strict=True))
    values = np.full((len(names), len(names)), others)
    for i, kind in enumerate(kinds):
        values[i, i] = ends if kind == ("sum" if "sum" in kinds else "act") else others
    values[0, -1] += apart  # tells tables apart that agree in what counts
    columns = {"layer": names, "kind": kinds, "stage": stages}
    sides = {f"{key}_{side}": (f"layer_{side}", column) for side in "ab" for key, column in columns.items()}
    return xr.DataArray(values, dims=("layer_a", "layer_b"), coords=sides, attrs={"n_images": 100})


def case(cross: list[float], untrained: float = 0.5, shuffled: float = 0.0, ceiling: float = 0.9, **how) -> Case:
    nulls = ([table(null, **how)] * len(cross) for null in (untrained, shuffled))
    ceilings = [(table(ceiling, apart=0.01 * k, **how),) * 2 for k, _ in enumerate(cross)]  # of other seeds
    return Case("VGG-11 on made-up data", [table(c, **how) for c in cross], *nulls, ceilings)


@pytest.mark.parametrize("layers", [VGG, RESNET])
@pytest.mark.parametrize(
    ("found", "word"),
    [
        ({"cross": [0.85, 0.851]}, "supported"),
        ({"cross": [0.65, 0.651]}, "not supported"),  # above untrained networks, and nearer to them than to the ceiling
        ({"cross": [0.85, 0.851], "untrained": 0.95}, "not supported"),  # less alike than untrained ones
        ({"cross": [0.6, 0.601], "untrained": 0.0, "shuffled": 0.5}, "not supported"),  # the other null
        ({"cross": [0.6, 0.601], "ceiling": 0.65}, "supported"),  # the ceiling decides, not the height
        ({"cross": [0.85, 0.851], "others": 0.95}, "not supported"),  # as similar as can be, but elsewhere
        ({"cross": [0.9, 0.6]}, "undecided"),  # another pair of seeds may give anything
        ({"cross": [0.85]}, "undecided"),  # nothing is known of other seeds
    ],
)
def test_verdicts(found: dict, word: str, layers: list) -> None:
    verdict = c8(case(**found, layers=layers))
    assert (verdict.claim.id, verdict.word) == ("C8", word)


def test_effects_are_distances_to_the_middle_and_what_is_lost() -> None:
    above, above_shuffled, lost = c8(case([0.8, 0.6], untrained=0.5, ceiling=1.0, others=0.72)).bounds
    assert above.effect.value == pytest.approx(0.7 - 0.75)
    assert above_shuffled.effect.value == pytest.approx(0.7 - 0.5)
    assert lost.effect.value == pytest.approx((0 + 0.12) / 2)
    assert (above.effect.seeds, above.effect.n_images) == (2, 100)
    assert "made-up data" in above.effect.what and "activations" in above.effect.what


def test_a_ceiling_that_all_pairs_share_leaves_more_in_doubt() -> None:
    """The seeds (0, 1) and (1, 0) have one ceiling of each kind."""
    apart = case([0.85, 0.852])
    shared = replace(apart, ceilings=apart.ceilings[:1] * 2)
    for one, other in list(zip(c8(apart).bounds, c8(shared).bounds, strict=True))[:2]:
        wider = (other.effect.high - other.effect.low) / (one.effect.high - one.effect.low)
        assert wider == pytest.approx(np.sqrt(1.25))


def test_every_case_must_keep_its_bounds() -> None:
    good, bad, unsure = case([0.85, 0.851]), case([0.6, 0.601]), case([0.9, 0.6])
    assert c8(good, good).word == "supported"
    assert c8(good, unsure).word == "undecided"
    assert c8(good, unsure, bad).word == "not supported"


def test_without_a_case_or_pairs_there_is_no_verdict() -> None:
    with pytest.raises(ValueError, match="C8"):
        c8()
    with pytest.raises(ValueError, match="no pairs"):
        c8(Case("nothing", [], [], []))


def test_a_case_without_ceilings_is_undecided() -> None:
    bare = replace(case([0.85, 0.851]), ceilings=())
    assert c8(bare).word == "undecided"
    assert [bound.kept for bound in c8(bare).bounds] == ["open", "open", "kept"]
