"""C6 on made-up similarities whose shortfalls are known."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import xarray as xr

from snnlib.claims.events import C6, c6, change, shortfall

LAYERS = ["stem.conv", "stage1.0", "fc"]


def table(*diagonal: float, elsewhere: float = 7.0) -> xr.DataArray:
    """Similarities by layer: off the diagonal, where nothing should be read, they are worthless."""
    values = np.full((3, 3), elsewhere)
    np.fill_diagonal(values, diagonal)
    coords = {f"layer_{side}": LAYERS for side in "ab"}
    coords |= {f"{what}_{side}": (f"layer_{side}", ["other"] * 3) for what in ("kind", "stage") for side in "ab"}
    return xr.DataArray(values, dims=("layer_a", "layer_b"), coords=coords, attrs={"n_images": 99})


OTHER_SEEDS = itertools.count(10)


def pair(events: float, images: float, seeds: float | None = None) -> tuple[xr.DataArray, ...]:
    """One pair of seeds with these shortfalls; the ceilings on events are lower, for both kinds alike.

    `seeds`: pairs with the same number have the very same ceilings; others have other tables, as high.
    """
    arrays, of = [], {"elsewhere": float(next(OTHER_SEEDS) if seeds is None else seeds)}
    for ceiling, short in ((0.7, events), (0.95, images)):
        cross = [ceiling - short - 0.01, ceiling - short, ceiling - short + 0.01]
        arrays += [table(*cross), table(*[ceiling + 0.02] * 3, **of), table(*[ceiling - 0.02] * 3, **of)]
    return tuple(arrays)


def test_the_shortfall_is_the_distance_to_the_ceiling():
    assert shortfall(table(0.5, 0.6, 0.7), table(0.9, 0.8, 0.7), table(0.7, 0.8, 0.9)) == pytest.approx(0.2)
    silent = shortfall(table(0.5, math.nan, 0.7), table(0.9, 0.8, 0.7), table(0.7, 0.8, 0.9))
    assert silent == pytest.approx((0.3 + 0.1) / 2)


@pytest.mark.parametrize(
    ("pairs", "word"),
    [
        ([(0.30, 0.10), (0.31, 0.10), (0.30, 0.11)], "supported"),  # further apart on events
        ([(0.02, 0.20), (0.02, 0.21), (0.03, 0.20)], "supported"),  # nearer to each other
        ([(0.10, 0.10), (0.11, 0.10), (0.10, 0.11)], "not supported"),  # no change, surely
        ([(0.10, 0.00), (0.00, 0.10), (0.10, 0.10)], "undecided"),  # both ways
        ([(0.20, 0.15), (0.21, 0.15), (0.19, 0.15)], "undecided"),  # just at the margin
        ([(0.30, 0.10)], "undecided"),  # a single pair tells nothing of other seeds
    ],
)
def test_verdicts(pairs, word):
    verdict = c6([pair(*shortfalls) for shortfalls in pairs])
    assert verdict.word == word
    assert verdict.claim is C6


def test_ceilings_that_all_pairs_share_leave_more_in_doubt():
    """Three pairs that share their ceilings: the scatter of the pairs is sqrt(1 + 3/2) times too small."""
    for shortfalls, word in (([0.30, 0.31, 0.30], "supported"), ([0.16, 0.17, 0.165], "undecided")):
        apart = c6([pair(events, 0.10) for events in shortfalls])
        shared = c6([pair(events, 0.10, seeds=1) for events in shortfalls])
        (one,), (other,) = apart.bounds, shared.bounds
        assert (apart.word, shared.word) == ("supported", word)
        assert other.effect.value == pytest.approx(one.effect.value) and other.effect.seeds == 3
        width = (other.effect.high - other.effect.low) / (one.effect.high - one.effect.low)
        assert width == pytest.approx(math.sqrt(2.5))


def test_a_layer_that_is_silent_on_one_input_alone_counts_on_neither():
    """Else its shortfall on images alone would pass for a change: here -0.1 of the mean."""
    images = [table(0.4, 0.6, 0.6), table(0.8, 0.8, 0.8), table(0.8, 0.8, 0.8)]
    events = [table(math.nan, 0.6, 0.6), *images[1:]]
    assert change([(*events, *images)]).value == pytest.approx(0)


def test_inputs_that_make_all_networks_less_alike_are_no_change():
    """Ceilings fall from 0.95 to 0.7, and so does SNN × ANN: the similarity moves by 0.25, the comparison does not."""
    pairs = [pair(0.1, 0.1), pair(0.105, 0.1)]
    assert pairs[0][0].values[0, 0] - pairs[0][3].values[0, 0] == pytest.approx(-0.25)
    assert c6(pairs).word == "not supported"


def test_the_effect_has_a_sign_and_the_judged_one_has_none():
    pairs = [pair(0.02, 0.20), pair(0.02, 0.21), pair(0.03, 0.20)]
    signed, (bound,) = change(pairs), c6(pairs).bounds
    assert signed.value == pytest.approx(-0.18) and bound.effect.value == pytest.approx(0.18)
    assert (bound.effect.low, bound.effect.high) == (-signed.high, -signed.low)
    assert bound.effect.seeds == 3 and bound.effect.n_images == 99


def test_groups_of_images_that_move_everything_alike_leave_no_doubt():
    """The claim is computed anew without each group: what a group does to a comparison and its ceiling cancels."""
    moved = xr.DataArray([0, 0.1, -0.1, 0.05], dims="group")
    plain = [pair(0.30, 0.10), pair(0.32, 0.10)]
    with_groups = [
        tuple((array + moved).assign_attrs(array.attrs).transpose("group", ...) for array in p) for p in plain
    ]
    alone, grouped = change(plain), change(with_groups)
    assert (grouped.value, grouped.low, grouped.high) == pytest.approx((alone.value, alone.low, alone.high))
    only_cross = [(with_groups[k][0], *plain[k][1:]) for k in range(2)]
    assert change(only_cross).high > alone.high
