"""What cannot be compared is refused, before any work where that can be known."""

from __future__ import annotations

import pytest
import torch
from naive_cka import (
    ann,
    image_batches,
    mlp,
)
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from snnlib.similarity import compare
from snnlib.spec import SpecError


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
