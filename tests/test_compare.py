"""CKA of all layers of two networks against its definition, written out naively."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
import torchvision
from naive_cka import (
    LAYERS_A,
    LAYERS_B,
    Loop,
    ann,
    centered,
    features_of,
    image_batches,
    mlp,
    naive_concat,
    naive_each,
    snn,
)
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from snnlib.similarity import compare


def test_concat_is_the_definition_on_features_flattened_over_time() -> None:
    loader = image_batches(3)
    result = compare(snn(), ann(), loader, layers_a=LAYERS_A, layers_b=LAYERS_B)
    a, b = features_of(snn(), loader, LAYERS_A, 3), features_of(ann(), loader, LAYERS_B, 1)
    expected = [[naive_concat(a[i], b[j]) for j in LAYERS_B] for i in LAYERS_A]
    assert (result.name, result.dims) == ("cka", ("layer_a", "layer_b"))
    assert list(result.layer_a.values) == LAYERS_A
    np.testing.assert_allclose(result.values, expected, atol=1e-5)
    assert np.ptp(expected) > 0.3  # else anything would do


def test_each_is_the_definition_for_all_pairs_of_steps() -> None:
    loader = image_batches(2)
    layers_b = ["stem.bn", "stage1.1.act1", "stage2.0", "fc"]
    result = compare(snn(3), snn(2), loader, layers_a=LAYERS_A, layers_b=layers_b, time="each")
    a, b = features_of(snn(3), loader, LAYERS_A, 3), features_of(snn(2), loader, layers_b, 2)
    assert result.dims == ("layer_a", "step_a", "layer_b", "step_b")
    assert result.shape == (len(LAYERS_A), 3, len(layers_b), 2)
    for i in LAYERS_A:
        for j in layers_b:
            expected = [[naive_each(a[i], b[j], s, t) for t in range(2)] for s in range(3)]
            np.testing.assert_allclose(result.sel(layer_a=i, layer_b=j).values, expected, atol=1e-5)
    static = result.sel(layer_a="stem.bn")
    assert (static == static.isel(step_a=0)).all()
    dynamic = result.sel(layer_a="stage1.0", layer_b="stage2.0").values
    assert len(np.unique(dynamic.round(3))) == 6


def test_each_repeats_a_network_without_time_along_the_steps_of_the_other() -> None:
    loader = image_batches()
    result = compare(snn(), mlp(), loader, layers_a=["stage1.0"], time="each")
    assert result.shape == (1, 3, 3, 3)
    assert list(result.step_a.values) == list(result.step_b.values) == [1, 2, 3]
    assert (result == result.isel(step_b=0)).all()
    assert not np.allclose(result.isel(step_a=0), result.isel(step_a=1))
    turned = compare(mlp(), snn(), loader, layers_b=["stage1.0"], time="each")
    np.testing.assert_allclose(turned, result.values.transpose(2, 3, 0, 1), atol=1e-12)
    assert compare(mlp(), mlp(), loader, time="each").shape == (3, 1, 3, 1)


def test_a_network_with_itself_runs_once_and_equals_two_copies() -> None:
    loader, model, runs = image_batches(), snn(), []
    model.register_forward_hook(lambda *_: runs.append(1))
    for time in ("concat", "each"):
        runs.clear()
        once = compare(model, model, iter(loader), layers_a=LAYERS_A, time=time)
        assert len(runs) == len(loader)
        np.testing.assert_array_equal(once, compare(snn(), snn(), loader, layers_a=LAYERS_A, time=time))
        assert list(once.layer_a.values) == LAYERS_A
        assert once.sizes["layer_b"] == 74
    same = compare(model, model, loader)
    np.testing.assert_allclose(same, same.T)
    np.testing.assert_allclose(np.diag(same), 1)


def test_one_iterator_given_for_both_networks() -> None:
    loader = image_batches(4)
    both = iter(loader)
    result = compare(mlp(), ann(), both, loader_b=both, layers_b=["stage2.0"])
    np.testing.assert_array_equal(result, compare(mlp(), ann(), loader, layers_b=["stage2.0"]))
    assert result.attrs["n_batches"] == 4


def test_the_size_of_chunks_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = compare(mlp(), ann(), image_batches())
    # snnlib.similarity.compare is the function; the module of its name is among sys.modules only
    monkeypatch.setattr(sys.modules["snnlib.similarity.compare"], "CHUNK", 9)  # 8 images have 28 pairs
    np.testing.assert_allclose(compare(mlp(), ann(), image_batches()), expected, atol=1e-12)


def test_any_torch_network_on_either_side() -> None:
    torch.manual_seed(0)
    resnet18, net, loader = torchvision.models.resnet18(num_classes=5), mlp(), image_batches(2, size=32)
    net[1] = nn.Linear(3 * 32 * 32, 12)
    result = compare(resnet18, net, loader)
    assert result.sizes == {"layer_a": 68, "layer_b": 3}
    names_a, names_b = ["layer1.0.conv2", "layer3.1", "avgpool"], ["1", "2", "4"]
    a, b = features_of(resnet18, loader, names_a, 1), features_of(net, loader, names_b, 1)
    expected = [[naive_concat(a[i], b[j]) for j in names_b] for i in names_a]
    np.testing.assert_allclose(result.sel(layer_a=names_a), expected, atol=1e-5)
    relu = compare(resnet18, net, loader, layers_a=["layer1.0.relu", "layer1.0"])
    assert list(relu.layer_a.values) == ["layer1.0.relu", "layer1.0.relu#2", "layer1.0"]
    assert list(relu.module_a.values) == ["layer1.0.relu", "layer1.0.relu", "layer1.0"]
    assert list(relu.call_a.values) == [1, 2, 1]
    # the second call gives the output of the block, the first does not
    np.testing.assert_array_equal(relu[1], relu[2])
    assert not np.allclose(relu[0], relu[2], atol=1e-3)


def test_snntorch_in_a_loop_over_time() -> None:
    torch.manual_seed(0)
    model, loader, names = Loop(), image_batches(2, n=12), ["fc", "lif", "out"]
    a = features_of(model, loader, names, 3)
    concat, each = compare(model, model, loader), compare(model, model, loader, time="each")
    assert list(concat.layer_a.values) == names
    for i in names:
        for j in names:
            assert concat.sel(layer_a=i, layer_b=j).item() == pytest.approx(naive_concat(a[i], a[j]), abs=1e-5)
            expected = [[naive_each(a[i], a[j], s, t) for t in range(3)] for s in range(3)]
            np.testing.assert_allclose(each.sel(layer_a=i, layer_b=j).values, expected, atol=1e-5)
    del model.__class__.T  # and where the network does not say so
    try:
        model.T = 1
        forward = Loop.forward
        model.forward = lambda x: _with_three_steps(forward, model, x)  # type: ignore[method-assign]
        assert compare(model, model, loader).sizes["layer_a"] == 1 + 3 + 3
        np.testing.assert_array_equal(compare(model, model, loader, steps_a=3, steps_b=3), concat)
        assert compare(model, model, loader, steps_a=3).sizes == {"layer_a": 3, "layer_b": 7}
    finally:
        Loop.T = 3


def _with_three_steps(forward, model: nn.Module, x: Tensor) -> Tensor:
    model.T = 3
    try:
        return forward(model, x)
    finally:
        model.T = 1


def test_unequal_batches_count_alike() -> None:
    loader = [*image_batches(1, n=8), *image_batches(1, n=5, seed=2)]
    result = compare(mlp(), ann(), loader, layers_b=["stage2.0"])
    a, b = features_of(mlp(), loader, ["1"], 1), features_of(ann(), loader, ["stage2.0"], 1)
    assert result.sel(layer_a="1").item() == pytest.approx(naive_concat(a["1"], b["stage2.0"]), abs=1e-5)
    assert (result.attrs["n_images"], result.attrs["n_batches"], result.attrs["batch_size"]) == (13, 2, 8)


def test_float32_is_within_1e_5_of_float64_even_far_from_the_origin() -> None:
    model, loader = ann(), image_batches(2, n=32)
    with torch.no_grad():
        model.stage1[0].bn2.bias += 300.0  # a large common shift, which a Gram matrix would square
    layers = ["stage1.0.act1", "stage1.0.bn2", "stage2.0", "fc"]

    def exact(images: list[Tensor]) -> list[list[float]]:
        found = {name: centered(x) for name, x in features_of(model, images, layers, 1).items()}
        return [[naive_concat(found[i], found[j]) for j in layers] for i in layers]

    single = compare(model, model, loader, layers_a=layers, layers_b=layers)
    np.testing.assert_allclose(single, exact(loader), atol=1e-5)
    model, loader = model.double(), [x.double() for x in loader]
    double = compare(model, model, loader, layers_a=layers, layers_b=layers)
    np.testing.assert_allclose(double, exact(loader), atol=1e-10)


@pytest.mark.parametrize("autocast", [True, False])
def test_bfloat16_features_meet_in_float32(autocast: bool) -> None:
    model, loader = mlp(), image_batches(2, n=32)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        if not autocast:
            model, loader = model.bfloat16(), [x.bfloat16() for x in loader]
        a = features_of(model, loader, ["1", "4"], 1)
        result = compare(model, model, loader, layers_a=["1"], layers_b=["4"])
    assert result.item() == pytest.approx(naive_concat(a["1"], a["4"]), abs=1e-5)


def test_dead_layers_are_nan_and_the_others_are_not_touched() -> None:
    model, loader = ann(), image_batches()
    expected = compare(model, model, loader)
    with torch.no_grad():
        model.stage1[1].bn2.weight.zero_()  # constant output, and the block's sum is its shortcut
    result = compare(model, model, loader)
    dead = result.layer_a == "stage1.1.bn2"
    assert result[dead].isnull().all()
    assert result[:, dead.values].isnull().all()
    assert result[~dead][:, ~dead.values].notnull().all()
    before = expected.sel(layer_a="stem.bn", layer_b="stage1.0")
    np.testing.assert_array_equal(result.sel(layer_a="stem.bn", layer_b="stage1.0"), before)
    with torch.no_grad():
        model.stage1[1].bn2.bias.fill_(torch.nan)
    broken = compare(model, model, loader)
    np.testing.assert_array_equal(broken.sel(layer_a="stem.bn", layer_b="stage1.0"), before)
    assert broken.sel(layer_a="stage1.1").isnull().all()


def test_other_form_of_the_same_images() -> None:
    loader = [(x, torch.arange(8)) for x in image_batches()]
    frames = [(torch.stack([x, x.flip(-1)]), y) for x, y in loader]  # (T, B, C, H, W)
    model = snn(2)
    result = compare(model, model, loader, loader_b=frames, layers_a=["stage1.0"], layers_b=["stem.bn", "stage1.0"])
    a = features_of(model, [x for x, _ in loader], ["stage1.0"], 2)["stage1.0"]
    spatial = [[model.stem(x).detach().double().reshape(8, -1).numpy() for x in pair] for pair, _ in frames]
    assert result.sel(layer_b="stem.bn").item() == pytest.approx(naive_concat(a, spatial), abs=1e-5)
    assert result.sel(layer_b="stage1.0").item() < 0.999


def test_what_the_result_says_of_itself(tmp_path) -> None:
    loader = DataLoader(TensorDataset(torch.randn(21, 3, 8, 8), torch.arange(21)), batch_size=8)
    result = compare(snn(), ann(), loader, time="each", progress=True)
    assert result.attrs == {
        "n_images": 21,
        "n_batches": 3,
        "batch_size": 8,
        "debiased": 1,
        "time": "each",
        "measure": "linear CKA, HSIC1, minibatch",
    }
    for x in "ab":
        dims = {name: result[f"{name}_{x}"].dims for name in ("layer", "module", "call", "stage", "block", "kind")}
        assert set(dims.values()) == {(f"layer_{x}",)}
    at = list(result.layer_a.values).index("stage2.0.shortcut.conv")
    assert (result.kind_a.values[at], result.stage_a.values[at], result.block_a.values[at]) == ("conv", 2, 0)
    result.to_netcdf(tmp_path / "cka.nc", engine="h5netcdf")


def test_networks_are_left_as_they_were() -> None:
    a, b = snn().train(), mlp().train()
    compare(a, b, image_batches())
    b.forward = lambda x: 1 / 0  # type: ignore[method-assign]
    with pytest.raises(ZeroDivisionError):
        compare(a, b, image_batches())
    for model in (a, b):
        assert all(module.training and not module._forward_hooks for module in model.modules())
        assert all(p.grad is None for p in model.parameters())
