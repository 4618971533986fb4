"""CKA of two sets of features against its definition, and against what it must not see."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from naive_cka import (
    naive,
)

from snnlib.similarity import cka
from snnlib.spec import SpecError


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
