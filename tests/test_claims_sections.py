"""C3, C4 and C5 on made-up results with a known answer, and their numbers on networks whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import xarray as xr
from chart_tables import layers
from claim_tables import blocks_of, grouped, several, steps_of

import snnlib
from snnlib import notebook, tables
from snnlib.claims import Verdict
from snnlib.claims.residual import C3, above_inside, c3, c4, fall_and_rise, jaggedness, over_blocks, rise
from snnlib.claims.temporal import c5, dynamics, of_first_stage, of_last_stage

# ---- residual connections


def word(verdict: Verdict) -> str:
    return verdict.word


def fall(cka: xr.DataArray) -> float:
    return fall_and_rise([cka])[0].value


def test_fall_and_rise_are_read_from_the_named_places() -> None:
    cka = blocks_of(0.9, 0.6, noise=0)
    assert fall(cka) == pytest.approx(0.3)
    assert float(rise(cka)) == pytest.approx(0.3)
    falling = blocks_of(0.9, 0.6, output=0.5, noise=0)  # the first block's input is the stem's, the others' an output
    assert fall(falling) == pytest.approx((0.3 + 8 * -0.1) / 9)
    assert float(rise(falling)) == pytest.approx(-0.1)
    assert [float(over_blocks(above_inside(falling), stage)) for stage in (1, 2, 3)] == pytest.approx([-0.1] * 3)


def test_the_last_batch_norm_is_not_of_the_inside() -> None:
    cka = blocks_of(0.9, 0.6, noise=0)
    for i, (name, _, _) in enumerate(layers()):
        if name.endswith(".bn2"):
            cka[i, i] = -5.0
    assert float(rise(cka)) == pytest.approx(0.3)


def straight_line(slope: float) -> xr.DataArray:
    """CKA that falls by the same amount from place to place, from 1 at the stem."""
    cka = blocks_of(1, 1, noise=0)
    names = [name for name, _, _ in layers()]
    for place, name in enumerate(on_the_way()):
        cka[names.index(name), names.index(name)] = 1 - slope * place
    return cka


def on_the_way() -> list[str]:
    """The stem, and every layer of the blocks but those of shortcuts, in call order."""
    return ["stem.bn", *(name for name, _, stage in layers() if stage > 0 and ".shortcut." not in name)]


def test_jaggedness_of_a_straight_line_is_0() -> None:
    cka = straight_line(0.01)
    assert float(jaggedness(cka)) == pytest.approx(0)
    middle = [name for name, _, _ in layers()].index("stage1.1.conv1")
    cka[middle, middle] -= 0.3  # second differences of -0.3, 0.6 and -0.3
    assert float(jaggedness(cka)) == pytest.approx(1.2 / (len(on_the_way()) - 2))


def test_numbers_of_blocks_are_those_of_each_group_of_images() -> None:
    groups = [blocks_of(0.9, inside) for inside in (0.4, 0.5, 0.7)]
    together = xr.concat(groups, "group")
    for number in (rise, jaggedness, lambda cka: over_blocks(above_inside(cka, "input"), 2)):
        assert number(together).values == pytest.approx([float(number(cka)) for cka in groups])


def test_a_layer_without_cka_leaves_c3_undecided() -> None:
    broken = blocks_of(0.9, 0.5)
    broken[5, 5] = np.nan
    assert layers()[5][0].startswith("stage1.0.")
    assert word(c3([broken, *several((0.9, 0.5))])) == "undecided"


@pytest.mark.parametrize(
    ("pairs", "wanted"),
    [
        ([(0.9, 0.6), (0.88, 0.6), (0.9, 0.62)], "supported"),
        ([(0.9, 0.89), (0.88, 0.88), (0.9, 0.9)], "not supported"),
        ([(0.6, 0.9), (0.62, 0.9)], "not supported"),  # jagged, but the other way round
        ([(0.9, 0.89), (0.9, 0.5)], "undecided"),  # the seeds disagree
        ([(0.9, 0.6)], "undecided"),  # nothing is known of other seeds
    ],
)
def test_c3(pairs: list[tuple[float, float]], wanted: str) -> None:
    assert word(c3(several(*pairs))) == wanted


def test_c3_needs_both_the_fall_and_the_rise() -> None:
    """Where similarity falls once and for all there is no rise, and the verdict says which effect is missing."""
    verdict = c3([straight_line(0.02), straight_line(0.0205)])
    assert [bound.word for bound in verdict.bounds] == ["supported", "not supported"]
    assert [bound.effect.value for bound in verdict.bounds] == pytest.approx([3 * 0.02025, -4 * 0.02025])
    assert word(verdict) == "not supported"


@pytest.mark.parametrize(
    ("everywhere", "nowhere", "wanted"),
    [
        ([(0.9, 0.6), (0.9, 0.605)], [(0.6, 0.605), (0.6, 0.6)], "supported"),
        ([(0.9, 0.6), (0.9, 0.62)], [(0.9, 0.61), (0.9, 0.6)], "not supported"),  # the repair is there all the same
        ([(0.6, 0.6), (0.6, 0.6)], [(0.6, 0.6), (0.6, 0.6)], "not supported"),  # there is nothing to miss
        ([(0.9, 0.6), (0.9, 0.6)], [(0.9, 0.6), (0.6, 0.6)], "undecided"),
        ([(0.9, 0.6)], [(0.6, 0.6)], "undecided"),
    ],
)
def test_c4(everywhere: list[tuple[float, float]], nowhere: list[tuple[float, float]], wanted: str) -> None:
    assert word(c4(several(*everywhere), several(*nowhere))) == wanted


def test_few_images_leave_c3_and_c4_undecided() -> None:
    """With groups of images left out, their scatter counts too: the same means, no verdict."""
    everywhere, nowhere = several((0.9, 0.6), (0.9, 0.6)), several((0.6, 0.6), (0.6, 0.6))
    assert word(c3([grouped(cka, 0.001) for cka in everywhere])) == "supported"
    assert word(c3([grouped(cka, 1.0) for cka in everywhere])) == "undecided"
    assert word(c4([grouped(c, 1.0) for c in everywhere], [grouped(c, 1.0) for c in nowhere])) == "undecided"


def test_the_notebook_says_what_a_verdict_rests_on() -> None:
    found = c3(several((0.9, 0.6)))
    said = notebook.verdict(found).data
    assert said.startswith("**C3 is undecided**")
    for bound in found.bounds:
        assert bound.effect.what in said
        assert f"{bound.effect.value:.3f}" in said
    assert said.count("wanted: at least 0.05") == 2
    assert said.count("n = 96 images, 1 pair of networks") == 2
    assert "says nothing of other seeds" in said
    assert "says nothing of other seeds" not in notebook.verdict(c3(several((0.9, 0.6), (0.9, 0.6)))).data
    missing = notebook.verdict(c4(several((0.9, 0.6), (0.9, 0.6)), several((0.6, 0.6), (0.6, 0.6)))).data
    assert "wanted: at most 0.05" in missing
    assert C3.criterion in notebook.criterion(C3).data


# ---- time


@pytest.mark.parametrize(
    ("first_and_last", "wanted"),
    [
        ([(0.01, 0.3), (0.02, 0.3), (0.01, 0.31)], "supported"),
        ([(0.01, 0.01), (0.02, 0.02)], "not supported"),  # nothing moves
        ([(0.3, 0.6), (0.3, 0.61)], "not supported"),  # all moves, the shallow layers too
        ([(0.4, 0.02), (0.4, 0.01)], "not supported"),
        ([(0.01, 0.02), (0.01, 0.3)], "undecided"),
        ([(0.01, 0.3)], "undecided"),
    ],
)
def test_c5(first_and_last: list[tuple[float, float]], wanted: str) -> None:
    assert word(c5([steps_of({1: first, 2: 0.5, 3: last}) for first, last in first_and_last])) == wanted


def test_few_images_leave_c5_undecided() -> None:
    made = [steps_of({1: 0.01, 3: 0.3}), steps_of({1: 0.01, 3: 0.3})]
    assert word(c5([grouped(cka, 0.001) for cka in made])) == "supported"
    assert word(c5([grouped(cka, 1.0) for cka in made])) == "undecided"


def test_dynamics_leave_the_diagonal_out() -> None:
    cka = steps_of({1: 0.1, 2: 0.2, 3: 0.6}, noise=0)
    assert of_first_stage(dynamics(cka)) == pytest.approx(0.1)
    assert of_last_stage(dynamics(cka)) == pytest.approx(0.6)
    assert dynamics(cka).sel(layer="stem.conv").item() == pytest.approx(0)


def test_a_single_step_has_no_dynamics() -> None:
    with pytest.raises(ValueError, match="T = 1 has no pair"):
        dynamics(steps_of({}, T=1))


# ---- on networks


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return torch.randn(24, 1, 16, 16, generator=torch.Generator().manual_seed(0))


def network(seed: int, **settings: object) -> torch.nn.Module:
    torch.manual_seed(seed)
    return snnlib.build_model("resnet20", in_channels=1, width=0.25, **settings)


def test_without_a_shortcut_the_output_is_that_of_bn2(images: torch.Tensor) -> None:
    """Why the claims are not read from bn2: in one of the networks they compare, it is the output."""
    ann = {residual: network(0, spiking=False, residual=residual) for residual in (True, False)}
    other = {residual: network(1, spiking=False, residual=residual) for residual in (True, False)}
    step = {
        residual: tables.by_block(snnlib.compare(ann[residual], other[residual], [images]))
        for residual in (True, False)
    }

    def jump(residual: bool) -> np.ndarray:
        return step[residual].sel(place="output").values - step[residual].sel(place="bn2").values

    assert np.array_equal(jump(False), np.zeros(9))
    assert np.abs(jump(True)).min() > 1e-4


def test_the_places_of_a_block_are_those_of_the_network(images: torch.Tensor) -> None:
    cka = snnlib.compare(network(0, spiking=False), network(1, spiking=False), [images])
    table = tables.by_block(cka)
    assert table.dims == ("block", "place")
    assert table["stage"].values.tolist() == [1] * 3 + [2] * 3 + [3] * 3
    assert table.sel(block="stage1.0", place="input") == cka.sel(layer_a="stem.bn", layer_b="stem.bn")
    assert table.sel(block="stage3.0", place="input") == cka.sel(layer_a="stage2.2", layer_b="stage2.2")
    rows = tables.along_blocks(cka, "one")
    assert rows["position"].tolist() == list(range(1, 1 + 1 + 9 * 7))
    for row in rows.itertuples():
        assert row.value == cka.sel(layer_a=row.layer, layer_b=row.layer).item()
        assert row.kind == cka["kind_a"].sel(layer_a=row.layer).item()
        assert row.stage == cka["stage_a"].sel(layer_a=row.layer).item()
    order = [str(name) for name in cka["layer_a"].values if name in set(rows["layer"])]
    assert rows["layer"].tolist() == order, "in call order"


def test_rows_of_blocks_keep_the_groups_apart() -> None:
    cka = grouped(blocks_of(0.9, 0.6), 0.01, groups=3)
    rows = tables.along_blocks(cka, "one")
    assert len(rows) == 4 * (1 + 9 * 7)
    for row in rows.itertuples():
        assert row.value == cka.isel(group=row.group).sel(layer_a=row.layer, layer_b=row.layer).item()
    means = tables.block_means(cka, "one")
    assert means["place"].unique().tolist() == list(tables.PLACES)
    outputs = [name for name, kind, _ in layers() if kind == "sum"]
    for g in range(4):
        expected = np.mean([cka.isel(group=g).sel(layer_a=name, layer_b=name).item() for name in outputs])
        assert means.query("place == 'output' and group == @g")["value"].item() == pytest.approx(expected)


def test_a_network_without_blocks_is_named() -> None:
    with pytest.raises(ValueError, match="no residual blocks"):
        plain = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(256, 4))
        tables.by_block(snnlib.compare(plain, plain, [torch.randn(8, 1, 16, 16)]))


def test_dynamics_are_those_of_the_features(images: torch.Tensor) -> None:
    """From features that a hook takes out of the network, with `snnlib.cka` of two of its steps."""
    snn = network(0, spiking=True, T=3).eval()
    taken: dict[str, torch.Tensor] = {}
    wanted = ("stage1.0", "stage2.1.bn1", "fc")
    for name in wanted:
        snn.get_submodule(name).register_forward_hook(lambda _m, _i, out, name=name: taken.update({name: out.detach()}))
    for norm in snn.modules():  # as in training, so that untrained neurons fire
        if isinstance(norm, torch.nn.BatchNorm2d):
            norm.momentum = None
    snn.train()(images)
    within = snnlib.compare(snn, snn, [images], time="each")
    taken.clear()
    snn.eval()(images)
    change = dynamics(within)
    for name in wanted:
        steps = taken[name].unflatten(0, (3, -1)).flatten(2)  # (T, B, p)
        pairs = [snnlib.cka(steps[t], steps[u]) for t in range(3) for u in range(t + 1, 3)]
        assert change.sel(layer=name).item() == pytest.approx(1 - np.mean(pairs), abs=1e-4)
    assert change.sel(layer="stem.bn").item() == pytest.approx(0, abs=1e-6)  # the same image at every step
