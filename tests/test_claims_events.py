"""C6 on made-up similarities whose shortfalls are known."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pytest
import xarray as xr

from snnlib.claims.events import C6, Triple, beyond, c6, change, layered, relative_shortfall, shortfall

LAYERS = ["stem.conv", "stage1.0", "fc"]


def table(*diagonal: float) -> xr.DataArray:
    """Similarities by layer: off the diagonal, where nothing should be read, they are worthless."""
    values = np.full((3, 3), 7.0)
    np.fill_diagonal(values, diagonal)
    coords = {f"layer_{side}": LAYERS for side in "ab"}
    coords |= {f"{what}_{side}": (f"layer_{side}", ["other"] * 3) for what in ("kind", "stage") for side in "ab"}
    return xr.DataArray(values, dims=("layer_a", "layer_b"), coords=coords, attrs={"n_images": 99})


OTHER_SEEDS = itertools.count(10)


def triple(ceiling: float, short: float, *, seeds: float | None = None) -> Triple:
    """A pair of seeds that falls short of its ceiling by so much.

    `seeds`: pairs with the same number have the very same ceilings; those of others differ in the ninth decimal.
    """
    own = 1e-9 * (next(OTHER_SEEDS) if seeds is None else seeds)
    cross = [ceiling - short - 0.01, ceiling - short, ceiling - short + 0.01]
    return table(*cross), table(*[ceiling + 0.02 + own] * 3), table(*[ceiling - 0.02 - own] * 3)


def sides(events: Sequence[float], images: Sequence[float]) -> tuple[list[Triple], list[Triple]]:
    """Pairs of seeds with these shortfalls; the ceilings on events are lower, for both kinds alike."""
    return [triple(0.7, short) for short in events], [triple(0.95, short) for short in images]


def by_layer(*values: float) -> xr.DataArray:
    return xr.DataArray(list(values), dims="layer")


def test_the_shortfall_is_the_distance_to_the_ceiling():
    assert shortfall(by_layer(0.5, 0.6, 0.7), by_layer(0.9, 0.8, 0.7), by_layer(0.7, 0.8, 0.9)) == pytest.approx(0.2)
    assert math.isnan(shortfall(*[by_layer()] * 3))


def test_the_share_of_the_ceiling_does_not_fall_with_it():
    """Noise of one kind or of both lowers SNN × ANN as it lowers the root of the ceilings."""
    for snn, ann in ((1.0, 1.0), (0.6, 0.6), (0.4, 0.9)):
        assert relative_shortfall(by_layer(0.8 * math.sqrt(snn * ann)), by_layer(snn), by_layer(ann)) == pytest.approx(
            0.2
        )
    for snn, ann in ((0.0, 0.5), (-0.1, -0.2)):
        assert math.isnan(relative_shortfall(by_layer(0.3), by_layer(snn), by_layer(ann)))


@pytest.mark.parametrize(
    ("events", "images", "word", "remark"),
    [
        ([0.30, 0.31, 0.30], [0.10, 0.10, 0.11], "supported", "further apart on events"),
        ([0.02, 0.02, 0.03], [0.20, 0.21, 0.20], "supported", "less apart on events"),
        ([0.10, 0.11, 0.10], [0.10, 0.10, 0.11], "not supported", ""),  # no change, surely
        ([0.13, 0.13, 0.13], [0.10, 0.10, 0.10], "not supported", "further apart on events"),  # below the margin
        ([0.10, 0.00, 0.10], [0.00, 0.10, 0.10], "undecided", ""),  # both ways
        ([0.20, 0.21, 0.19], [0.15, 0.15, 0.15], "undecided", "further apart on events"),  # just at the margin
        ([0.30], [0.10], "undecided", ""),  # a single pair tells nothing of other seeds
    ],
)
def test_verdicts(events, images, word, remark):
    verdict = c6(*sides(events, images))
    assert verdict.word == word
    assert verdict.claim is C6
    assert verdict.remark == remark


def test_the_order_of_pairs_does_not_matter():
    """Networks on events and on images have nothing to do with each other: there is nothing to pair."""
    events, images = sides([0.30, 0.36], [0.10, 0.16])
    one, other = c6(events, images), c6(events, images[::-1])
    assert one.bounds == other.bounds
    assert one.word == "undecided", "that both sides differ by as much between their pairs is chance"


def test_ceilings_that_all_pairs_share_leave_more_in_doubt():
    """Three pairs that share their ceilings: the scatter of the pairs is sqrt(1 + 3/2) times too small."""
    images = [triple(0.95, 0.10) for _ in range(3)]
    for shortfalls, word in (([0.30, 0.31, 0.30], "supported"), ([0.16, 0.17, 0.165], "undecided")):
        apart, shared = (c6([triple(0.7, short, seeds=seeds) for short in shortfalls], images) for seeds in (None, 1))
        (one,), (other,) = apart.bounds, shared.bounds
        assert (apart.word, shared.word) == ("supported", word)
        assert other.effect.value == pytest.approx(one.effect.value) and other.effect.seeds == 3
        width = (other.effect.high - other.effect.low) / (one.effect.high - one.effect.low)
        assert width == pytest.approx(math.sqrt(2.5))


def test_a_layer_that_is_silent_on_one_input_alone_counts_on_neither():
    """Else its shortfall on images alone would pass for a change: here -0.1 of the mean."""
    images = [table(0.4, 0.6, 0.6), table(0.8, 0.8, 0.8), table(0.8, 0.8, 0.8)]
    events = [table(math.nan, 0.6, 0.6), *images[1:]]
    both = layered([tuple(events)], [tuple(images)])
    assert both[0][0][0]["layer"].values.tolist() == both[1][0][2]["layer"].values.tolist() == LAYERS[1:]
    assert change(*both).value == pytest.approx(0)


def test_inputs_that_make_all_networks_less_alike_are_no_change():
    """Ceilings fall from 0.95 to 0.7, and so does SNN × ANN: the similarity moves by 0.25, the comparison does not."""
    events, images = sides([0.1, 0.102], [0.1, 0.1])
    assert events[0][0].values[0, 0] - images[0][0].values[0, 0] == pytest.approx(-0.25)
    assert c6(events, images).word == "not supported"


def test_the_effect_has_a_sign_and_the_judged_one_has_none():
    both = sides([0.02, 0.02, 0.03], [0.20, 0.21, 0.20])
    signed, (bound,) = change(*layered(*both)), c6(*both).bounds
    assert signed.value == pytest.approx(-0.18) and bound.effect.value == pytest.approx(0.18)
    assert (bound.effect.low, bound.effect.high) == (-signed.high, -signed.low)
    assert bound.effect.seeds == 3 and bound.effect.n_images == 99


def test_another_task_stands_beside_the_verdict_and_decides_nothing():
    """Above zero where it goes the way of the events: one that goes the other way would not pass by the bound."""
    more, less = [0.30, 0.31, 0.30], [0.10, 0.10, 0.11]
    control = [triple(0.5, short) for short in (0.26, 0.27, 0.26)]
    for both, way in (((more, less), 1), ((less, more), -1)):
        events, images = sides(*both)
        alone, beside = c6(events, images), c6(events, images, {"many classes": control})
        assert alone.bounds == beside.bounds and not alone.beside
        by_task, beyond_it = beyond(*layered(events, images, control))
        (found,) = beside.beside["many classes"]
        assert found.value == pytest.approx(way * by_task.value) and found.low <= found.value <= found.high
        assert by_task.value == pytest.approx(0.2633333 - np.mean(both[1]), abs=1e-6)
        assert by_task.value + beyond_it.value == pytest.approx(change(*layered(events, images)).value)


def test_a_single_pair_has_no_direction():
    """Its interval is over images alone."""
    groups = xr.DataArray([0, 0.01, -0.01, 0.005], dims="group")
    one = [
        [tuple((a + groups).assign_attrs(a.attrs).transpose("group", ...) for a in of) for of in side]
        for side in sides([0.3], [0.1])
    ]
    signed = change(*layered(*one))
    assert signed.low > 0 and signed.seeds == 1
    assert (c6(*one).word, c6(*one).remark) == ("undecided", "")


def test_layers_that_are_missing_without_one_group_of_images_are_left_out_of_all():
    """Else a group would change what is averaged, and the jackknife would take that for an error."""
    with_groups = xr.concat([table(0.5, 0.6, 0.7)] * 3, "group")
    missing = with_groups.copy()
    missing[2, 0, 0] = math.nan
    (side,) = layered([(missing, with_groups, with_groups)])
    assert [array["layer"].values.tolist() for array in side[0]] == [LAYERS[1:]] * 3
    kinds = {"kind_a": ("layer_a", ["conv", "sum", "linear"])}
    (side,) = layered([tuple(with_groups.assign_coords(kinds) for _ in range(3))], kind="sum")
    assert [array["layer"].values.tolist() for array in side[0]] == [["stage1.0"]] * 3


def test_groups_of_images_that_move_everything_alike_leave_no_doubt():
    """The claim is computed anew without each group: what a group does to a comparison and its ceiling cancels."""
    moved = xr.DataArray([0, 0.1, -0.1, 0.05], dims="group")
    plain = sides([0.30, 0.32], [0.10, 0.10])

    def with_groups(array: xr.DataArray) -> xr.DataArray:
        return (array + moved).assign_attrs(array.attrs).transpose("group", ...)

    grouped = [[tuple(map(with_groups, one)) for one in side] for side in plain]
    alone, found = change(*layered(*plain)), change(*layered(*grouped))
    assert (found.value, found.low, found.high) == pytest.approx((alone.value, alone.low, alone.high))
    only_cross = [(cross, *plain[0][k][1:]) for k, (cross, *_) in enumerate(grouped[0])]
    assert change(*layered(only_cross, grouped[1])).high > alone.high
