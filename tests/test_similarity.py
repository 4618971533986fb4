"""CKA against its definition, written out naively here, and against what it must not see."""

from __future__ import annotations

import sys
from collections.abc import Iterable

import numpy as np
import pytest
import snntorch
import torch
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from snnlib.models import build_model
from snnlib.similarity import cka, compare
from snnlib.spec import SpecError

# -- the definition, in float64 ----------------------------------------------------------------------------------------


def hsic1(k: np.ndarray, other: np.ndarray) -> float:
    """Equation 5 of Song et al. (2012), term by term."""
    n = len(k)
    k, other = k - np.diag(np.diag(k)), other - np.diag(np.diag(other))
    one = np.ones(n)
    terms = np.trace(k @ other)
    terms += (one @ k @ one) * (one @ other @ one) / ((n - 1) * (n - 2))
    terms -= 2 / (n - 2) * (one @ k @ other @ one)
    return terms / (n * (n - 3))


def naive(xs: list[np.ndarray], ys: list[np.ndarray]) -> float:
    """Minibatch CKA of features (n, p) and (n, q), one array a batch."""
    grams = [(x @ x.T, y @ y.T) for x, y in zip(xs, ys, strict=True)]
    ab, aa, bb = (sum(hsic1(g[i], g[j]) for g in grams) for i, j in ((0, 1), (0, 0), (1, 1)))
    return ab / np.sqrt(aa * bb)


Features = dict[str, list[list[np.ndarray]]]  # layer -> batch -> step -> (n, p)


def features_of(model: nn.Module, loader: Iterable[Tensor], names: list[str], steps: int) -> Features:
    """Features in float64 by hooks of its own. Knows shapes (T*B, ...), (T, B, ...), (B, ...) and loops of T calls."""
    found: Features = {name: [] for name in names}
    model.eval()
    for images in loader:
        n, outputs = len(images), {name: [] for name in names}

        def hook(out: Tensor, into: list, n: int = n) -> None:
            out = (out[0] if isinstance(out, tuple) else out).detach().double().numpy().copy()
            if out.shape[0] == steps * n:
                into += [out[t * n : (t + 1) * n].reshape(n, -1) for t in range(steps)]
            elif out.shape[:2] == (steps, n):
                into += [out[t].reshape(n, -1) for t in range(steps)]
            else:
                into.append(out.reshape(n, -1))

        handles = [
            model.get_submodule(name).register_forward_hook(lambda m, a, out, into=outputs[name]: hook(out, into))
            for name in names
        ]
        model(images)
        for handle in handles:
            handle.remove()
        for name in names:
            found[name].append(outputs[name])
    return found


def centered(batches: list[list[np.ndarray]]) -> list[list[np.ndarray]]:
    """HSIC_1 does not see shifts, but float64 does where they are large."""
    return [[x - x.mean(0) for x in steps] for steps in batches]


def naive_concat(a: list[list[np.ndarray]], b: list[list[np.ndarray]]) -> float:
    return naive([np.concatenate(steps, 1) for steps in a], [np.concatenate(steps, 1) for steps in b])


def naive_each(a: list[list[np.ndarray]], b: list[list[np.ndarray]], s: int, t: int) -> float:
    """Steps from 0; a layer of one step is the same at all."""
    return naive([x[s if len(x) > 1 else 0] for x in a], [y[t if len(y) > 1 else 0] for y in b])


def image_batches(count: int = 2, n: int = 8, size: int = 8, seed: int = 1) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(n, 3, size, size, generator=generator) for _ in range(count)]


class Loop(nn.Module):
    """A single-step snnTorch network in a loop over three time steps."""

    T = 3

    def __init__(self) -> None:
        super().__init__()
        self.flatten, self.fc, self.lif = nn.Flatten(), nn.Linear(192, 16), snntorch.Leaky(beta=0.9, threshold=0.3)
        self.out = nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        current, mem, logits = self.fc(self.flatten(x)), self.lif.init_leaky(), 0.0
        for _ in range(self.T):
            spk, mem = self.lif(current, mem)
            logits = logits + self.out(spk)
        return logits


def alive(model: nn.Module) -> nn.Module:
    """Batch-norm statistics from real features, so that spikes reach the deep layers of an untrained network."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        model.train()(torch.randn(32, 3, 8, 8))
    return model.eval()


def snn(steps: int = 3) -> nn.Module:
    torch.manual_seed(3)
    return alive(build_model("resnet20", spiking=True, T=steps, width=0.25, v_threshold=0.5))


def ann() -> nn.Module:
    torch.manual_seed(4)
    return alive(build_model("resnet20", spiking=False, width=0.25))


def mlp() -> nn.Module:
    torch.manual_seed(5)
    return nn.Sequential(nn.Flatten(), nn.Linear(192, 12), nn.ReLU(), nn.Dropout(), nn.Linear(12, 5))


# -- two sets of features ----------------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None, derandomize=True, database=None)
@given(n=st.integers(4, 12), p=st.integers(1, 9), q=st.integers(1, 9), seed=st.integers(0, 2**32 - 1))
def test_cka_is_its_definition(n: int, p: int, q: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(n, p)) + 3, rng.normal(size=(n, q)) + rng.normal(size=(n, 1))
    # on 4 images HSIC_1 is at times a small rest of large terms, and its definition then not good to all digits
    assert cka(x, y) == pytest.approx(naive([x], [y]), abs=1e-6)
    h = np.eye(n) - 1 / n
    k, other = h @ x @ x.T @ h, h @ y @ y.T @ h
    biased = np.trace(k @ other) / np.sqrt(np.trace(k @ k) * np.trace(other @ other))
    assert cka(torch.as_tensor(x), y, debiased=False) == pytest.approx(biased, abs=1e-9)


@pytest.mark.parametrize("debiased", [True, False])
def test_cka_sees_neither_rotation_nor_scale_nor_order_of_features_nor_shift(debiased: bool) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(100, 10))
    y = x[:, :6] + 0.5 * rng.normal(size=(100, 6))
    expected = cka(x, y, debiased)
    rotation = np.linalg.qr(rng.normal(size=(10, 10)))[0]
    for same in (x @ rotation, 1e-3 * x, x[:, rng.permutation(10)], x + rng.normal(size=10)):
        assert cka(same, y, debiased) == pytest.approx(expected, abs=1e-10)
        assert cka(y, same, debiased) == pytest.approx(expected, abs=1e-10)
        assert cka(same, x, debiased) == pytest.approx(1, abs=1e-10)
    order = rng.permutation(100)
    assert cka(x[order], y[order], debiased) == pytest.approx(expected, abs=1e-10)
    assert expected > 0.5
    assert abs(cka(x[order], y, debiased) - expected) > 0.3  # the order of images it must see
    assert abs(cka(x * np.r_[10, np.ones(9)], y, debiased) - expected) > 0.01  # and the scale of a single feature


def test_independent_gaussians_of_65536_features() -> None:
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(256, 65_536, generator=generator), torch.randn(256, 65_536, generator=generator)
    assert abs(cka(x, y)) < 0.02
    assert cka(x, y, debiased=False) > 0.9


def test_cka_may_be_negative_and_is_not_clipped() -> None:
    rng = np.random.default_rng(0)
    values = [cka(rng.normal(size=(8, 50)), rng.normal(size=(8, 50))) for _ in range(200)]
    assert min(values) < -0.1
    assert abs(np.mean(values)) < 0.05


def test_constant_features_have_no_cka() -> None:
    rng = np.random.default_rng(0)
    constant = np.repeat(rng.normal(size=(1, 7)), 9, axis=0)
    for debiased in (True, False):
        assert np.isnan(cka(constant, rng.normal(size=(9, 3)), debiased))
        assert np.isnan(cka(rng.normal(size=(9, 3)), constant, debiased))


@pytest.mark.parametrize(
    ("x", "y", "debiased", "message"),
    [
        (np.ones((3, 2)), np.ones((3, 2)), True, "n = 3 images.*at least 4"),
        (np.ones((1, 2)), np.ones((1, 2)), False, r"n = 1 image: .*at least 2"),
        (np.ones((5, 2)), np.ones((6, 2)), True, "x has 5 rows and y has 6"),
        (np.ones((5, 2)), np.ones((5, 2, 2)), True, r"y has shape \(5, 2, 2\).*flatten"),
        (torch.ones(5), np.ones((5, 2)), True, r"x has shape \(5,\)"),
        (np.ones((5, 2)), np.full((5, 2), np.nan), True, "y holds values that are not finite"),
        (torch.full((5, 2), torch.inf), np.ones((5, 2)), True, "x holds values that are not finite"),
    ],
)
def test_features_that_cannot_be_compared(x: object, y: object, debiased: bool, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        cka(x, y, debiased)  # type: ignore[arg-type]


# -- two networks ------------------------------------------------------------------------------------------------------

LAYERS_A = ["stem.bn", "stage1.0.act1", "stage1.0", "stage2.0.shortcut.pool", "stage2.1.conv2", "pool", "fc"]
LAYERS_B = ["stem.conv", "stage1.2.act2", "stage3.0", "act", "fc"]


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


# -- errors ------------------------------------------------------------------------------------------------------------


def pairs(*sizes: int, start: int = 0) -> list[tuple[Tensor, Tensor]]:
    return [(torch.randn(n, 3, 8, 8), torch.arange(start, start + n)) for n in sizes]


@pytest.mark.parametrize(
    ("loader", "loader_b", "message"),
    [
        ([], None, "no batch"),
        (pairs(8, 3), None, r"batch 2 holds n = 3 images.*drop_last"),
        (pairs(8, 8), pairs(8), "loader gives 2 batches and loader_b 1"),
        (pairs(8, 8), iter(pairs(8)), "loader_b ends before batch 2 of loader"),
        (iter(pairs(8)), pairs(8, 8), "loader ends before batch 2 of loader_b"),
        (pairs(8, 8), pairs(8, 9), "batch 2 holds 8 images in loader and 9"),
        (pairs(8, 8), pairs(8) + pairs(8, start=1), "batch 2 has other labels"),
        ([{"image": 1}], None, "batch 1 has a dict"),
        ([(torch.randn(8, 3, 8, 8), torch.arange(5))], None, r"batch 1 has labels of shape \(5,\)"),
        ([torch.zeros(0, 3, 8, 8)], None, "not empty"),
    ],
)
def test_loaders_that_cannot_be_used(loader, loader_b, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        compare(mlp(), mlp(), loader, loader_b=loader_b)


@pytest.mark.parametrize(
    ("size", "kwargs", "message"),
    [(8, {}, "batch 3 holds n = 2"), (3, {}, "batch 1 holds n = 3"), (8, {"drop_last": True}, None), (6, {}, None)],
)
def test_a_small_last_batch_is_found_before_the_first_forward(size: int, kwargs: dict, message: str | None) -> None:
    loader = DataLoader(TensorDataset(torch.randn(18, 3, 8, 8)), batch_size=size, **kwargs)
    runs, model = [], mlp()
    model.register_forward_hook(lambda *_: runs.append(1))
    if message is None:
        assert compare(model, model, loader).attrs["n_batches"] == 18 // size
        return
    for first, second in ((loader, None), (iter(loader), loader)):
        with pytest.raises(SpecError, match=message):
            compare(model, model, first, loader_b=second)
    assert not runs


def test_arguments_that_cannot_be_used() -> None:
    model = mlp()
    model.forward = lambda x: pytest.fail("ran")  # type: ignore[method-assign]
    with pytest.raises(SpecError, match=r'time = \'sum\' is unknown: choose "concat" or "each"'):
        compare(model, model, image_batches(), time="sum")  # type: ignore[arg-type]
    with pytest.raises(SpecError, match=r"'stage1\.0\.conv3'.*stage1\.0\.conv"):
        compare(model, ann(), image_batches(), layers_b=["stage1.0.conv3"])
    with pytest.raises(SpecError, match="steps = 0"):
        compare(model, ann(), image_batches(), steps_a=0)
    model = mlp()
    model.spare = nn.Linear(2, 2)
    model.forward = lambda x: model[1](model[0](x))  # type: ignore[method-assign]
    with pytest.raises(SpecError, match="'spare' is never called"):
        compare(model, model, image_batches(), layers_b=["spare"])


def test_a_layer_that_is_not_called_alike_in_all_batches_is_named() -> None:
    class Moody(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.flat, self.fc, self.extra = nn.Flatten(), nn.Linear(192, 4), nn.ReLU()

        def forward(self, x: Tensor) -> Tensor:
            y = self.fc(self.flat(x))
            return self.extra(y) if len(x) == 8 else y

    with pytest.raises(SpecError, match="'extra' is not called alike in batch 2"):
        compare(Moody(), mlp(), pairs(8, 6))
