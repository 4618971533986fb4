"""Gram matrices by blocks, in integers or float32, against their definition in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from snnlib.loaders import Batch
from snnlib.recording import Recorder
from snnlib.similarity import gram as gram_function
from snnlib.similarity.gram import step_grams, u_centered_triangles

SIZES = [4, 5, 63, 64, 65, 130, 257]  # images: fewer than a block of rows, whole blocks, a rest


@pytest.fixture(params=[True, False], ids=["integers", "float32"])
def integers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether this processor is taken for one that multiplies integers fast."""
    monkeypatch.setitem(step_grams.__globals__, "_multiplies_integers", lambda x: request.param)
    return request.param


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def spikes(*shape: int, rate: float = 0.3) -> Tensor:
    return (torch.rand(shape, generator=torch.Generator().manual_seed(0)) < rate).float()


def definition(features: Tensor, summed: bool) -> np.ndarray:
    """(S, n, p) -> (S or 1, n(n-1)/2): the equation of the module, entry by entry, of features centered over images."""
    x = features.double().numpy()
    x = x - x.mean(1, keepdims=True)
    grams = x @ x.transpose(0, 2, 1)
    grams = grams.sum(0, keepdims=True) if summed else grams
    n = grams.shape[1]
    rows = []
    for k in grams:
        k = k - np.diag(np.diag(k))
        of_rows, total = k.sum(1), k.sum()
        rows.append([
            k[i, j] - (of_rows[i] + of_rows[j]) / (n - 2) + total / ((n - 1) * (n - 2))
            for i in range(n)
            for j in range(i + 1, n)
        ])  # fmt: skip
    return np.array(rows)


def triangles(features: Tensor, summed: bool = False, binary: bool = False) -> Tensor:
    return u_centered_triangles(step_grams(features, summed=summed, binary=binary))


def assert_is_the_definition(features: Tensor, summed: bool, binary: bool = False, rtol: float = 2e-6) -> None:
    expected, found = definition(features, summed), triangles(features, summed, binary)
    assert found.dtype == (torch.float64 if features.dtype == torch.float64 else torch.float32)
    np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=max(rtol * np.abs(expected).max(), 1e-15))


def cka_of(x: np.ndarray, y: np.ndarray) -> float:
    x, y = x.astype(np.float64), y.astype(np.float64)
    return float(x @ y / np.sqrt((x @ x) * (y @ y)))


@pytest.mark.parametrize("summed", [True, False])
@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("n", SIZES)
def test_random_features(n: int, steps: int, summed: bool) -> None:
    for p in (1, 7, 8, 30):
        assert_is_the_definition(random(steps, n, p), summed)


@pytest.mark.parametrize("steps", [1, 3, 5])
def test_float64_stays_float64(steps: int) -> None:
    assert_is_the_definition(random(steps, 65, 8).double(), steps == 3, rtol=1e-13)


@pytest.mark.parametrize("summed", [True, False])
def test_features_are_left_as_they_are(summed: bool) -> None:
    for features in (random(3, 65, 8), random(3, 65, 8) + 1e4, spikes(3, 65, 8)):
        before = features.clone()
        triangles(features, summed, binary=bool(features.max() == 1))
        assert torch.equal(features, before)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("p", [1, 2, 30, 1024])
@pytest.mark.parametrize("n", SIZES)
def test_products_of_spikes_are_exact(integers: bool, n: int, p: int, dtype: torch.dtype) -> None:
    for steps in (1, 3):
        x = spikes(steps, n, p)
        counted = x.long() @ x.long().mT
        for summed in (True, False):
            found = step_grams(x.to(dtype), summed=summed, binary=True)
            if p > 2 or integers:  # so few neurons may fire so evenly that their mean is taken out
                expected = counted.sum(0, keepdim=True) if summed else counted
                assert torch.equal(found, expected.to(torch.int32 if integers else torch.float32))
            assert_is_the_definition(x.to(dtype), summed, binary=True)


@pytest.mark.parametrize("rate", [0.001, 0.97])
def test_spikes_that_are_rare_or_nearly_always(integers: bool, rate: float) -> None:
    for summed in (True, False):
        assert_is_the_definition(spikes(3, 130, 256, rate=rate), summed, binary=True)


@pytest.mark.parametrize("summed", [True, False])
def test_bfloat16_features_are_multiplied_in_float32(summed: bool) -> None:
    for autocast in (True, False):
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            assert_is_the_definition(random(3, 65, 30).bfloat16(), summed)
            assert_is_the_definition(random(3, 65, 30), summed)


@pytest.mark.parametrize("offset", [1.0, 3.0, 10.0, 100.0, 1e4])
@pytest.mark.parametrize("summed", [True, False])
def test_far_from_the_origin(summed: bool, offset: float) -> None:
    """The mean of the features is up to 1e4 times their spread: CKA within 1e-5 of that in float64."""
    common = random(2, 65, 200)
    for steps in (1, 2):
        x, y = common[:steps] + offset, common[:steps] + random(steps, 65, 200, seed=1) - offset
        expected = cka_of(definition(x, summed)[0], definition(y, summed)[0])
        found = cka_of(triangles(x, summed)[0].numpy(), triangles(y, summed)[0].numpy())
        assert 0.2 < expected < 0.9
        assert found == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("summed", [True, False])
@pytest.mark.parametrize("n", [5, 64, 130])
def test_what_is_the_same_for_all_images_is_exactly_zero(n: int, summed: bool) -> None:
    for scale in (0.0, 1e-3, 1.0, 1e4):
        for p in (1, 7, 200):
            same = (random(3, 1, p) * scale).expand(3, n, p)
            assert not triangles(same, summed).any()
            assert not triangles(same.bfloat16(), summed).any()


@pytest.mark.parametrize("p", [1, 7, 200])
@pytest.mark.parametrize("n", SIZES)
def test_spikes_that_are_the_same_for_all_images_are_exactly_zero(integers: bool, n: int, p: int) -> None:
    for summed in (True, False):
        same = spikes(3, 1, p, rate=0.5).expand(3, n, p)
        assert not triangles(same, summed, binary=True).any()


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_what_is_not_finite_stays_so_and_spoils_no_other_step(value: float) -> None:
    x = random(3, 65, 8)
    expected = triangles(x)
    broken = x.clone()
    broken[1, 7, 3] = value
    found = triangles(broken)
    assert torch.equal(found[::2], expected[::2])
    assert np.isnan(cka_of(found[1].numpy(), expected[1].numpy()))
    assert np.isnan(cka_of(triangles(broken, summed=True)[0].numpy(), expected[1].numpy()))


class Gives(nn.Module):
    """A network whose one layer gives what it is told to."""

    def __init__(self, output: Tensor) -> None:
        super().__init__()
        self.layer = nn.Module()
        self.layer.forward = lambda x: output  # type: ignore[method-assign]

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x)


LAYOUTS = {
    "channels last": lambda x: x.contiguous(memory_format=torch.channels_last),
    "batch last": lambda x: x.permute(1, 2, 3, 0).contiguous().permute(3, 0, 1, 2),
    "every other channel": lambda x: x.repeat_interleave(2, 1)[:, ::2],
    "every other image": lambda x: x.repeat_interleave(2, 0)[::2],
    "a part of the image": lambda x: torch.nn.functional.pad(x, (1, 2, 3, 4))[:, :, 3:-4, 1:-2],
}


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_how_activations_lie_in_memory_does_not_matter(layout, steps: int) -> None:
    folded = random(steps * 20, 6, 5, 4)
    batch = Batch(torch.zeros(20, 1), None, 20)
    expected = definition(folded.reshape(steps, 20, -1), summed=False)
    laid_out = layout(folded)
    assert torch.equal(laid_out, folded)
    for output in (laid_out, laid_out.unflatten(0, (steps, 20))):
        ((_, found),) = Recorder(Gives(output), steps=steps)(batch, lambda x, module: triangles(x)).items()
        np.testing.assert_allclose(torch.cat(found).numpy(), expected, rtol=0, atol=1e-6 * np.abs(expected).max())


def test_gram_is_that_of_centered_features() -> None:
    x = random(3, 20, 7) + 5
    centered = x.double() - x.double().mean(1, keepdim=True)
    torch.testing.assert_close(gram_function(x).double(), centered @ centered.mT, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(gram_function(x[0]), gram_function(x)[0])
