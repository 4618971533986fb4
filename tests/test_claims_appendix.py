"""C8 on made-up comparisons with a known answer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from snnlib.claims.appendix import Case, Pair, c8

LAYERS = ["stage1.0.conv", "stage1.0.bn", "stage1.0.act", "fc"]


def table(diagonal: float | list[float], elsewhere: float = 0.9) -> xr.DataArray:
    """CKA of all pairs of layers, those of corresponding ones on the diagonal."""
    values = np.full((len(LAYERS), len(LAYERS)), elsewhere)
    np.fill_diagonal(values, diagonal)
    sides = {
        f"{key}_{side}": (f"layer_{side}", column)
        for side in "ab"
        for key, column in {"layer": LAYERS, "kind": ["conv", "bn", "act", "linear"], "stage": [1, 1, 1, -1]}.items()
    }
    return xr.DataArray(values, dims=("layer_a", "layer_b"), coords=sides, attrs={"n_images": 100})


def case(cross: list[float], untrained: float = 0.5, shuffled: float = 0.0, ceiling: float = 0.9) -> Case:
    pairs = []
    for k, c in enumerate(cross):
        ceilings = (table(ceiling, 0.1 * k), table(ceiling, 0.1 * k))  # of other seeds: other tables, as high
        pairs.append(Pair(table(c), table(untrained), table(shuffled), ceilings))
    return Case("VGG-11 on made-up data", tuple(pairs))


@pytest.mark.parametrize(
    ("found", "word"),
    [
        (case([0.85, 0.851]), "supported"),
        (case([0.85, 0.851], untrained=0.95), "not supported"),  # trained networks are less alike than untrained ones
        (case([0.85, 0.851], untrained=0.0, shuffled=0.95), "not supported"),  # the other null
        (case([0.6, 0.601]), "not supported"),  # above the nulls, and far below the ceiling
        (case([0.95, 0.55]), "undecided"),  # another pair of seeds may give anything
        (case([0.6, 0.601], ceiling=0.7), "supported"),  # the ceiling decides, not the height
    ],
)
def test_verdicts(found: Case, word: str) -> None:
    verdict = c8(found)
    assert verdict.word == word
    assert verdict.claim.id == "C8"


def test_effects_are_the_differences_and_shares_of_means() -> None:
    above, near = c8(case([0.8, 0.6], untrained=0.5, ceiling=1.0)).bounds
    assert above.effect.value == pytest.approx(0.7 - 0.5)
    assert near.effect.value == pytest.approx(0.7)
    assert (above.bound, near.bound) == (0.0, 0.8)
    assert (above.effect.seeds, above.effect.n_images) == (2, 100)
    assert "made-up data" in above.effect.what


def test_a_ceiling_that_all_pairs_share_decides_nothing() -> None:
    """The seeds (0, 1) and (1, 0) have one ceiling of each kind: it could be anything with other seeds."""
    apart = case([0.85, 0.851])
    shared = Case("two seeds", tuple(replace(pair, ceilings=apart.pairs[0].ceilings) for pair in apart.pairs))
    above, near = c8(shared).bounds
    assert (c8(apart).word, c8(shared).word) == ("supported", "undecided")
    assert (above.kept, near.kept, near.effect.seeds) == ("kept", "open", 1)


def test_every_case_must_keep_its_bounds() -> None:
    good, bad, unsure = case([0.85, 0.851]), case([0.6, 0.601]), case([0.95, 0.55])
    assert c8(good, good).word == "supported"
    assert c8(good, unsure).word == "undecided"
    assert c8(good, unsure, bad).word == "not supported"


def test_one_pair_of_networks_decides_nothing() -> None:
    alone = Case("one seed", (Pair(table(0.9), table(0.1), table(0.0)),))
    verdict = c8(alone)
    assert (verdict.word, len(verdict.bounds)) == ("undecided", 1)


def test_a_layer_without_a_value_is_left_out_everywhere() -> None:
    nan = float("nan")
    pair = Pair(
        table([0.8, 0.8, 0.8, 0.0]), table([0.5, 0.5, nan, 0.0]), table(0.0), (table([1.0, 1.0, 1.0, nan]),) * 2
    )
    above, near = c8(Case("silent layers", (pair, pair))).bounds
    assert above.effect.value == pytest.approx((1.6 + 0.0) / 3 - 1.0 / 3)
    assert near.effect.value == pytest.approx(0.8)


def test_intervals_take_in_the_images_where_groups_were_left_out() -> None:
    def grouped(diagonal: float, scatter: float) -> xr.DataArray:
        tables = [table(diagonal), *(table(diagonal + scatter * sign) for sign in (-1, 1, -1, 1))]
        return xr.concat(tables, "group").assign_attrs(n_images=100)

    def found(scatter: float) -> Case:
        pairs = tuple(
            Pair(grouped(c, scatter), grouped(0.5, 0.0), table(0.0), (grouped(ceiling, 0.0),) * 2)
            for c, ceiling in ((0.85, 0.9), (0.851, 0.9001))
        )
        return Case("groups of images", pairs)

    assert c8(found(0.0)).word == "supported"
    assert c8(found(0.2)).word == "undecided"


def test_nothing_to_judge_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one effect"):
        c8()
    with pytest.raises(ValueError, match="no results"):
        c8(Case("empty", ()))
