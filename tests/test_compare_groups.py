"""Leaving out one group of images at a time, against the definition computed on the images that remain."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from naive_cka import (
    LAYERS_A,
    LAYERS_B,
    alive,
    ann,
    features_of,
    image_batches,
    mlp,
    naive_concat,
    naive_each,
    snn,
)
from torch import nn

from snnlib.loaders import group_of
from snnlib.models import build_model
from snnlib.recording import firing_rates
from snnlib.similarity import compare, compare_groups, least_images
from snnlib.spec import SpecError


def without(features: list, groups: int, g: int) -> list:
    """The features of each batch and step without the images of the g-th group, counted from 1; 0 leaves all."""
    kept = [group_of(len(steps[0]), groups) != g - 1 for steps in features]
    return [[x[keep] for x in steps] for steps, keep in zip(features, kept, strict=True)]


@pytest.mark.parametrize("groups", [2, 4, 8])
def test_concat_is_the_definition_on_the_images_that_remain(groups: int) -> None:
    loader = image_batches(2, n=19)  # groups of unequal sizes
    found = compare_groups(snn(), ann(), loader, layers_a=LAYERS_A, layers_b=LAYERS_B, groups=groups)
    assert found.dims == ("group", "layer_a", "layer_b")
    assert found.shape == (groups + 1, len(LAYERS_A), len(LAYERS_B))
    a, b = features_of(snn(), loader, LAYERS_A, 3), features_of(ann(), loader, LAYERS_B, 1)
    for g in range(groups + 1):
        expected = [
            [naive_concat(without(a[i], groups, g), without(b[j], groups, g)) for j in LAYERS_B] for i in LAYERS_A
        ]
        np.testing.assert_allclose(found[g].values, expected, atol=1e-5)
    assert found.std("group").max() > 0.01  # else anything would do


def test_each_is_the_definition_on_the_images_that_remain() -> None:
    loader = image_batches(2, n=12)
    names = ["stem.bn", "stage1.1.act1", "stage2.0"]
    found = compare_groups(snn(3), snn(2), loader, layers_a=names, layers_b=names, time="each", groups=3)
    assert found.dims == ("group", "layer_a", "step_a", "layer_b", "step_b")
    a, b = features_of(snn(3), loader, names, 3), features_of(snn(2), loader, names, 2)
    for g in range(4):
        for i in names:
            for j in names:
                one, other = without(a[i], 3, g), without(b[j], 3, g)
                expected = [[naive_each(one, other, s, t) for t in range(2)] for s in range(3)]
                np.testing.assert_allclose(found[g].sel(layer_a=i, layer_b=j).values, expected, atol=1e-5)


def test_all_images_are_what_compare_finds() -> None:
    loader = image_batches(2, n=16)
    for options in ({}, {"time": "each"}):
        one = compare_groups(snn(), ann(), loader, layers_a=LAYERS_A, **options)[0]
        np.testing.assert_allclose(one, compare(snn(), ann(), loader, layers_a=LAYERS_A, **options), atol=1e-12)
    model = snn()
    np.testing.assert_allclose(
        compare_groups(model, model, loader, layers_a=LAYERS_A), compare_groups(model, snn(), loader, layers_a=LAYERS_A)
    )


def test_a_layer_that_differs_only_in_the_images_left_out_has_no_cka() -> None:
    images = torch.randn(16, 3, 8, 8)
    of = group_of(16, 8)
    images[of != 2] = torch.randn(3, 8, 8)
    found = compare_groups(mlp(), mlp(), [images], layers_a=["1"], layers_b=["1"])
    assert np.isnan(found[3]).all()
    assert np.isfinite(found[[0, 1, 2, 4, 5, 6, 7, 8]]).all()


def test_large_means_lose_no_digits() -> None:
    """In float32 a mean of 1,000 standard deviations; the definition gets it in float64."""

    class Shifted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Flatten()
            self.scale = nn.ReLU()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.scale(self.layer(x) + 1000)

    loader = image_batches(1, n=16)
    found = compare_groups(Shifted(), mlp(), loader, layers_a=["scale"], layers_b=["1"], groups=4)
    x = [[loader[0].reshape(16, -1).double().numpy()]]  # HSIC_1 does not see the shift
    y = features_of(mlp(), loader, ["1"], 1)["1"]
    expected = [naive_concat(without(x, 4, g), without(y, 4, g)) for g in range(5)]
    np.testing.assert_allclose(found.values.ravel(), expected, atol=1e-4)


def test_groups_are_even_and_their_images_are_drawn_at_random() -> None:
    for n, groups in ((8, 8), (19, 4), (256, 8)):
        sizes = np.bincount(group_of(n, groups))
        assert len(sizes) == groups
        assert sizes.max() - sizes.min() <= 1
        np.testing.assert_array_equal(group_of(n, groups), group_of(n, groups))
    of = group_of(256, 8)
    halves = [np.bincount(of[half], minlength=8) for half in (slice(128), slice(128, None))]
    assert min(map(min, halves)) > 8  # no group is a stretch of the data set


@pytest.mark.parametrize(("groups", "least"), [(0, 4), (2, 8), (3, 6), (4, 6), (5, 5), (8, 8), (20, 20)])
def test_least_images_are_enough_and_one_fewer_is_not(groups: int, least: int) -> None:
    assert least_images(groups) == least
    if groups:
        assert compare_groups(mlp(), mlp(), image_batches(1, n=least), groups=groups).sizes["group"] == groups + 1
        with pytest.raises(SpecError, match=rf"n = {least - 1} images.* at least {least} of which a group is left out"):
            compare_groups(mlp(), mlp(), image_batches(1, n=least - 1), groups=groups)


@pytest.mark.parametrize("groups", [0, 1, -1, 2.0, True])
def test_groups_that_are_none(groups: object) -> None:
    with pytest.raises(SpecError, match=f"groups = {groups!r}"):
        compare_groups(mlp(), mlp(), image_batches(), groups=groups)  # type: ignore[arg-type]


def test_firing_rates_of_the_images_that_remain() -> None:
    torch.manual_seed(0)
    model = alive(build_model("resnet20", spiking=True, T=2, width=0.25, v_threshold=0.5))
    loader = image_batches(2, n=10)
    found = firing_rates(model, loader, groups=4)
    assert found.dims == ("group", "layer", "step")
    assert found.attrs == {"n_images": 20}
    for g in range(5):
        some = [images[torch.as_tensor(group_of(10, 4) != g - 1)] for images in loader]
        np.testing.assert_allclose(found[g], firing_rates(model, some), atol=1e-12)
    assert float(found.std("group").max()) > 0
    with pytest.raises(SpecError, match="groups = 8 leave no images of 1"):
        firing_rates(model, [torch.randn(1, 3, 8, 8)], groups=8)
