"""C1 and C2 on heatmaps that were made up: with the grid and without, at corresponding depth and elsewhere."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr

from snnlib import build_model
from snnlib.claims import spatial
from snnlib.evidence import effect
from snnlib.layers import select_layers

PLACES = [".act1", ".conv1", ".bn1", ".act2", ".conv2", ".bn2", ""]
BLOCKS = [(stage, block) for stage in (1, 2, 3) for block in (0, 1, 2)]
NAMES = ["stem.conv", *(f"stage{s}.{b}{place}" for s, b in BLOCKS for place in PLACES), "fc"]
NAMES.insert(NAMES.index("stage2.0.bn2") + 1, "stage2.0.shortcut.conv")  # a place that few blocks have
STAGES = [int(name[5]) if name.startswith("stage") else -1 for name in NAMES]
NUMBERS = [int(name[7]) if name.startswith("stage") else -1 for name in NAMES]
KINDS = ["sum" if stage >= 0 and name.count(".") == 1 else "conv" for name, stage in zip(NAMES, STAGES, strict=True)]
DEPTH = np.arange(len(NAMES))
SMOOTH = 0.9 - 0.006 * np.abs(DEPTH[:, None] - DEPTH)  # similar at corresponding depth, and nothing else


def arrays(values: np.ndarray, pairs: int = 4, spread: float = 0.01, noise: float = 0.005, seed: int = 0) -> list:
    """One a pair of networks, (group, layer_a, layer_b): an error of each pair, and one of each group left out."""
    rng = np.random.default_rng(seed)
    coords = {}
    for side in "ab":
        parts = {"layer": NAMES, "stage": STAGES, "block": NUMBERS, "kind": KINDS}
        coords |= {f"{name}_{side}": (f"layer_{side}", of) for name, of in parts.items()}
    of_groups = 1 + noise * rng.normal(size=(9, 1, 1))
    return [
        xr.DataArray(
            values * (1 + spread * rng.normal()) * of_groups,
            dims=["group", "layer_a", "layer_b"], coords=coords, attrs={"n_images": 352},
        )
        for _ in range(pairs)
    ]  # fmt: skip


PLACES_OF = {name: name[len("stage1.0") :] for name in NAMES}
GRID = np.array(
    [[0.3 * (sa >= 0 <= sb and PLACES_OF[a] == PLACES_OF[b]) for b, sb in zip(NAMES, STAGES, strict=True)]
     for a, sa in zip(NAMES, STAGES, strict=True)]
)  # fmt: skip
STRIPES = np.add.outer(*(2 * [np.where(DEPTH % 2, 0.0, 0.2)]))
SUMS = np.array([kind == "sum" for kind in KINDS])
CHECKERBOARD = np.where(np.equal.outer(SUMS, SUMS), 0.3, 0.0)


def first(values: np.ndarray) -> xr.DataArray:
    return arrays(values, pairs=1, spread=0, noise=0)[0].isel(group=0)


def test_the_contrast_is_that_of_the_grid_and_of_nothing_else() -> None:
    assert spatial.grid_contrast(first(GRID)) == pytest.approx(0.3)
    assert spatial.grid_contrast(first(GRID + STRIPES)) == pytest.approx(0.3)
    for without in (SMOOTH, STRIPES, np.random.default_rng(0).random(SMOOTH.shape)):
        assert spatial.grid_contrast(first(without)) == pytest.approx(0, abs=0.02)


def test_places_that_are_shuffled_within_blocks_have_none_on_average() -> None:
    rng = np.random.default_rng(1)
    found = []
    for _ in range(200):
        where = DEPTH.copy()
        for s, b in BLOCKS:
            inside = [i for i, name in enumerate(NAMES) if name.startswith(f"stage{s}.{b}") and "shortcut" not in name]
            where[inside] = rng.permutation(inside)
        found.append(spatial.grid_contrast(first(GRID[where])))
    assert np.mean(found) == pytest.approx(0, abs=4 * np.std(found) / np.sqrt(200))
    assert max(found) < 0.2


def test_stripes_are_what_the_contrast_leaves_out() -> None:
    deviation = np.array([0.1 * PLACES.index(PLACES_OF[name]) if PLACES_OF[name] in PLACES else 0.0 for name in NAMES])
    striped = first(np.add.outer(deviation, np.zeros(len(NAMES))))
    assert spatial.stripes(striped) == pytest.approx(np.std(0.1 * np.arange(7)))
    both = first(np.add.outer(deviation, deviation))
    assert spatial.stripes(both) == pytest.approx(np.sqrt(2) * np.std(0.1 * np.arange(7)))
    assert spatial.grid_contrast(both) == pytest.approx(0, abs=1e-9)
    assert spatial.stripes(first(GRID)) == pytest.approx(0, abs=1e-9)
    assert np.isnan(spatial.stripes(first(np.full_like(SMOOTH, np.nan))))


def test_the_contrast_of_a_checkerboard_of_block_outputs_and_the_rest() -> None:
    """Same place: always bright. Different places: bright unless one is a block output, 2 * 6 of 42."""
    assert spatial.grid_contrast(first(CHECKERBOARD)) == pytest.approx(0.3 * 12 / 42)
    assert spatial.contrast_of_checkerboard() == pytest.approx(12 / 42)


@pytest.mark.parametrize("alike", range(1, len(PLACES)))
def test_the_share_of_a_checkerboard_that_is_contrast(alike: int) -> None:
    chosen = np.array([PLACES_OF[name] in PLACES[:alike] for name in NAMES])
    drawn = 0.3 * np.equal.outer(chosen, chosen)
    expected = 0.3 * spatial.contrast_of_checkerboard(len(PLACES), alike)
    assert spatial.grid_contrast(first(drawn)) == pytest.approx(expected)


def test_the_criterion_names_the_faintest_checkerboard_that_passes() -> None:
    """Just above the step that the text names C1 is supported, just below it is not."""
    (named,) = re.findall(r"must then be at least ([\d.]+\d)", spatial.C1.criterion)
    unit = np.where(np.equal.outer(SUMS, SUMS), 1.0, 0.0)
    for factor, word in ((1.01, "supported"), (0.99, "not supported")):
        faint = arrays(factor * float(named) * unit, spread=0, noise=0)
        assert spatial.c1(faint).word == word


def test_blocks_of_our_networks_have_the_places_that_the_criterion_counts() -> None:
    model = build_model("resnet20", spiking=False, width=0.1, in_channels=1)
    in_a_block = [name for name in select_layers(model) if name.startswith("stage1.1")]
    assert len(in_a_block) == spatial.PLACES == len(PLACES)


def test_dead_layers_are_left_out_and_shift_nothing() -> None:
    dead = CHECKERBOARD + SMOOTH
    dead[NAMES.index("stage3.1.act1")] = np.nan
    assert spatial.grid_contrast(first(dead)) == pytest.approx(0.3 * 12 / 42, abs=0.01)
    assert np.isnan(spatial.grid_contrast(first(np.full_like(SMOOTH, np.nan))))
    plain = first(SMOOTH)
    assert np.isnan(spatial.grid_contrast(plain.assign_coords(stage_a=("layer_a", [-1] * len(NAMES)))))


@pytest.mark.parametrize(
    ("values", "options", "word"),
    [
        (0.5 * SMOOTH + GRID, {}, "supported"),
        (0.5 * SMOOTH + CHECKERBOARD, {}, "supported"),
        (SMOOTH, {}, "not supported"),
        (0.5 * SMOOTH + STRIPES, {}, "not supported"),
        (0.5 * SMOOTH + GRID / 6, {"spread": 0.2}, "undecided"),
        (0.5 * SMOOTH + GRID, {"pairs": 1}, "undecided"),
        (np.full_like(SMOOTH, np.nan), {}, "undecided"),
    ],
)
def test_c1(values: np.ndarray, options: dict, word: str) -> None:
    verdict = spatial.c1(arrays(values, **options))
    assert (verdict.claim.id, verdict.word) == ("C1", word)


def ceilings(level: float, pairs: int = 4) -> list:
    a, b = (arrays(level * np.ones_like(SMOOTH), pairs, seed=seed) for seed in (1, 2))
    return list(zip(a, b, strict=True))


def of_all_images(comparison: xr.DataArray) -> xr.DataArray:
    return comparison.isel(group=[0])


def nulls(level: float, pairs: int = 4) -> list:
    return arrays(level * np.ones_like(SMOOTH), pairs, seed=3)


MOVED = 0.9 - 0.006 * np.abs(DEPTH[:, None] - 21 - DEPTH)  # most similar three blocks away: 0.126 is lost


@pytest.mark.parametrize(
    ("cross", "untrained", "ceiling", "word"),
    [
        (SMOOTH, 0.3, 0.95, "supported"),
        (SMOOTH - 0.4, 0.3, 0.95, "not supported"),  # 0.5: nearer to the null
        (SMOOTH, 0.97, 0.95, "not supported"),  # untrained networks are as similar: it was not learned
        (MOVED + 0.1, 0.1, 0.95, "not supported"),  # similar enough, but elsewhere
        (SMOOTH - 0.275, 0.3, 0.95, "undecided"),  # on the middle
        (np.full_like(SMOOTH, np.nan), 0.3, 0.95, "undecided"),
    ],
)
def test_c2(cross: np.ndarray, untrained: float, ceiling: float, word: str) -> None:
    verdict = spatial.c2(arrays(cross), nulls(untrained), nulls(0.0), ceilings(ceiling))
    assert (verdict.claim.id, verdict.word) == ("C2", word)
    assert len(verdict.bounds) == 3


def test_c2_needs_more_than_one_pair_and_a_ceiling() -> None:
    one = (arrays(SMOOTH, 1), nulls(0.3, 1), nulls(0.0, 1))
    assert spatial.c2(*one, ceilings(0.95, 1)).word == "undecided"
    assert spatial.c2(*one, []).word == "undecided"


def test_c2_without_ceilings_still_says_of_how_many_images_and_pairs() -> None:
    found = spatial.c2(arrays(SMOOTH, 2), nulls(0.3, 2), nulls(0.0, 2), [])
    assert [(bound.effect.n_images, bound.effect.seeds) for bound in found.bounds] == [(352, 2)] * 3
    assert [bool(np.isnan(bound.effect.value)) for bound in found.bounds] == [True, True, False]


@pytest.mark.parametrize(
    ("measure", "expected"),
    [
        (spatial.mean_of_blocks, 0.9),
        (spatial.lost_at_the_same_place, 0.0),
    ],
)
def test_numbers_of_block_outputs(measure: Callable[[xr.DataArray], float], expected: float) -> None:
    assert measure(first(SMOOTH)) == pytest.approx(expected)
    assert np.isnan(measure(first(np.full_like(SMOOTH, np.nan))))
    dead = SMOOTH.copy()
    dead[NAMES.index("stage2.1")] = np.nan
    assert measure(first(dead)) == pytest.approx(expected)
    assert spatial.lost_at_the_same_place(first(MOVED)) > 0.05


def test_c2_is_less_sure_with_one_ceiling_for_all_pairs() -> None:
    """Two seeds have one ceiling of each kind: what chance did to it is not in the scatter of the pairs."""
    one = [of_all_images(c) for c in ceilings(0.95)[0]]  # without an error over images, which no sharing widens
    arguments = [list(map(of_all_images, side)) for side in (arrays(SMOOTH, 4), nulls(0.3), nulls(0.0))]
    verdict = spatial.c2(*arguments, [one] * 4)
    alone = [effect("", spatial._above_the_middle, list(zip(arguments[0], low, *[[c] * 4 for c in one], strict=True)))
             for low in arguments[1:]]  # fmt: skip
    for bound, bare in zip(verdict.bounds, alone, strict=False):
        assert bound.effect.seeds == 4
        assert bound.effect.high - bound.effect.low == pytest.approx(np.sqrt(1.5) * (bare.high - bare.low))
    assert verdict.word == "supported"


def test_a_block_that_is_silent_in_one_network_changes_nothing_but_what_is_averaged_everywhere() -> None:
    """Else a null without its least similar block would seem nearer to the ceiling, or farther from it."""
    values = np.where(np.eye(len(NAMES)), np.linspace(0.5, 1.0, len(NAMES)), 0.2)
    silent = values.copy()
    silent[NAMES.index("stage3.2")] = np.nan
    cross, null, ceiling = first(values), first(silent - 0.4), first(values + 0.2)
    assert spatial._above_the_middle(cross, null, ceiling, ceiling) == pytest.approx(0.1)
