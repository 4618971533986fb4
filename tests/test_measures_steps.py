"""Measures step by step, without groups of images, and of changed images: against features that hooks take out."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
import torch
from naive_cka import ann, features_of, hsic1, image_batches, mlp, snn
from test_measures import NAIVE

from snnlib.loaders import group_of
from snnlib.similarity import MEASURES, cka, compare, compare_changed, compare_corresponding
from snnlib.spec import MeasuresSpec, SpecError
from snnlib.spec.results import MeasureName

SUMS = ("cka", "cka_without_top", "rsa_pearson")
NAMES = ["stem.conv", "stage1.0.act1", "stage2.1.bn1", "stage3.2", "fc"]


def agrees(found: object, kind: str, x: np.ndarray, y: np.ndarray, group: int = 0, groups: int = 3) -> bool:
    """Whether a value is the naive one without a group of images (0: with all), or cannot be told.

    Spikes tie: where two images have the largest norm, it is open which of them is left out.
    """
    keep = group_of(len(x), groups) != group - 1
    x, y = x[keep], y[keep]
    last = [np.sort(np.linalg.norm(z - z.mean(0), axis=1))[-2:] for z in (x, y)]
    if kind == "cka_without_top" and any(np.isclose(*norms) for norms in last):
        return True
    return found == pytest.approx(NAIVE[kind](x, y), abs=2e-3)


def test_every_step_is_compared_with_every_step() -> None:
    loader = image_batches(1, n=24)
    found = compare_corresponding(snn(), ann(), loader, groups=3, time="each", measures=SUMS).similarity
    assert found.dims == ("measure", "group", "layer", "step_a", "step_b")
    assert (found.sizes["step_a"], found.sizes["step_b"]) == (3, 3)  # the ANN is the same at all steps
    a, b = features_of(snn(), loader, NAMES, 3), features_of(ann(), loader, NAMES, 1)
    for name in NAMES:
        for s, x in enumerate(a[name][0]):
            for kind in SUMS:
                for g in range(4):
                    values = found.sel(measure=kind, layer=name)[g, s].values
                    assert (values == values[0]).all()
                    assert agrees(values[0], kind, x, b[name][0][0], g), (kind, name, s, g)


def test_a_network_is_compared_with_itself_step_by_step() -> None:
    """Both halves of the square of steps, of which one is computed; the stem is the same at all of them."""
    loader, net = image_batches(1, n=24), snn()
    found = compare_corresponding(net, net, loader, groups=0, time="each", measures=("procrustes", "rsa_pearson"))
    features = features_of(net, loader, NAMES, 3)
    moved = 0
    for name in NAMES[1:]:
        steps = features[name][0]
        for s, t in ((0, 1), (1, 0), (0, 2), (2, 1), (1, 1)):
            for kind in ("procrustes", "rsa_pearson"):
                value = found.similarity.sel(measure=kind, layer=name, step_a=s + 1, step_b=t + 1).item()
                assert value == pytest.approx(NAIVE[kind](steps[s], steps[t]), abs=2e-3), (kind, name, s, t)
                moved += value < 0.99
    assert moved > 10
    np.testing.assert_allclose(found.similarity.sel(layer="stem.conv"), 1, atol=1e-6)
    concat = compare_corresponding(net, net, loader, groups=0, measures=("procrustes",))
    np.testing.assert_allclose(concat.similarity, 1, atol=1e-6)
    assert concat.agreement.item() == 1


def test_different_steps_can_be_left_out() -> None:
    """Of two networks that both have steps; a layer, or a network, without them is compared at all."""
    loader, net = image_batches(1, n=24), snn()
    other = snn()
    with torch.no_grad():
        for weight in other.parameters():
            weight += 0.02 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(len(weight)))
    options = {"groups": 3, "measures": SUMS}
    for pair in ((net, other), (net, ann())):
        each, same = (compare_corresponding(*pair, loader, time=t, **options).similarity for t in ("each", "same"))
        for t in range(3):
            np.testing.assert_array_equal(same[..., t, t], each[..., t, t])
        apart = same.sel(step_a=1, step_b=2)
        if pair[1] is other:
            assert apart.sel(layer=NAMES[1:]).isnull().all()
            assert np.isfinite(apart.sel(layer="stem.conv")).all()
        else:
            np.testing.assert_array_equal(apart, each.sel(step_a=1, step_b=2))


def test_steps_of_several_batches_are_those_of_compare() -> None:
    loader = image_batches(3, n=10)
    found = compare_corresponding(snn(), ann(), loader, groups=0, time="each", measures=("cka",)).similarity
    table = compare(snn(), ann(), loader, time="each")
    same = [table[i, :, i] for i in range(table.sizes["layer_a"])]
    np.testing.assert_allclose(found[0, 0], np.stack(same), atol=1e-5)


def test_what_costs_much_can_stay_without_groups() -> None:
    loader = image_batches(1, n=24)
    whole, quick = (compare_corresponding(snn(), ann(), loader, groups=3, thorough=t).similarity for t in (True, False))
    assert {name for name, about in MEASURES.items() if about.sums} == set(SUMS)
    for name in MEASURES:
        np.testing.assert_array_equal(quick.sel(measure=name, group=0), whole.sel(measure=name, group=0))
        left_out = quick.sel(measure=name)[1:]
        if name in SUMS:
            np.testing.assert_array_equal(left_out, whole.sel(measure=name)[1:])
        else:
            assert left_out.isnull().all()


@pytest.mark.parametrize("kind", SUMS)
def test_a_layer_that_only_one_group_moves_has_no_similarity_without_it(kind: str) -> None:
    """Exactly none, and not a number made of rounding."""
    torch.manual_seed(0)
    n, groups = 24, 3
    images = torch.randn(n, 1, 1, 6)
    first = torch.nn.Linear(6, 8)
    images[torch.from_numpy(group_of(n, groups) != 1)] = 0.3  # only group 1 differs
    found = compare_corresponding(
        torch.nn.Sequential(torch.nn.Flatten(), first),
        torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(6, 5)),
        [images],
        groups=groups,
        measures=(kind,),
    ).similarity[0, :, 0]
    assert np.isfinite(found[[0, 1, 3]]).all()
    assert np.isnan(found[2])


def test_changed_images_are_compared_with_the_images_by_every_measure() -> None:
    torch.manual_seed(1)
    loader, net = image_batches(1, n=24), snn()
    forms = [[images + size * torch.randn_like(images) for images in loader] for size in (0.1, 1.0)]
    found = compare_changed(net, loader, forms, groups=3, measures=(*SUMS, "procrustes"))
    assert found.similarity.sizes == {"measure": 4, "group": 4, "change": 3, "layer": 74}
    clean = features_of(net, loader, NAMES, 3)
    for change, form in enumerate([loader, *forms]):
        changed = features_of(net, form, NAMES, 3)
        for name in NAMES:
            x, y = (np.concatenate(of[name][0], 1) for of in (clean, changed))
            for kind in (*SUMS, "procrustes"):
                for g in (0, 2):
                    value = found.similarity.sel(measure=kind, layer=name)[g, change].item()
                    assert agrees(value, kind, x, y, g), (kind, name)
        with torch.no_grad():
            assert found.prediction[change].values.tolist() == net(form[0]).argmax(1).tolist()
    assert found.similarity.sel(measure="cka", layer="stage3.2")[0, 2] < 0.9


def test_batches_of_changed_images_add_up() -> None:
    """As for two networks, the terms are summed and not the ratios."""
    loader = [images.double() for images in image_batches(2, n=8)]
    net = mlp().double()  # so that the definition is met to the last digits
    form = [images + 0.5 * torch.sin(9 * images) for images in loader]
    found = compare_changed(net, loader, [form], groups=0, measures=("cka",)).similarity.sel(layer="2")[0, 0, 1]
    grams = []
    for images, changed in zip(loader, form, strict=True):
        x, y = (net[:3](z).detach().numpy() for z in (images, changed))
        x, y = x - x.mean(0), y - y.mean(0)
        grams.append((x @ x.T, y @ y.T))
    ab, aa, bb = (sum(hsic1(g[i], g[j]) for g in grams) for i, j in ((0, 1), (0, 0), (1, 1)))
    assert found.item() == pytest.approx(ab / np.sqrt(aa * bb), abs=1e-9)
    alone = [cka(*(net[:3](z) for z in both)) for both in zip(loader, form, strict=True)]
    assert abs(np.mean(alone) - found.item()) > 1e-6  # else this shows nothing


def test_what_cannot_be_measured_is_named() -> None:
    loader = image_batches(1, n=8)
    with pytest.raises(SpecError, match="measure = 'cca' is not one of cka, "):
        compare_corresponding(mlp(), mlp(), loader, groups=0, measures=("cca",))
    with pytest.raises(SpecError, match="time = 'all' is unknown"):
        compare_corresponding(mlp(), mlp(), loader, groups=0, time="all")
    with pytest.raises(SpecError, match="Sequential does not give"):
        compare_changed(torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3)), loader, [loader], groups=0, measures=("cka",))
    with pytest.raises(SpecError, match="no batch"):
        compare_changed(mlp(), [], [[]], groups=0)


def test_a_spec_names_the_measures_there_are(run) -> None:
    assert get_args(MeasureName) == tuple(MEASURES)
    a = run.network(spiking=True, epochs=0)
    usual = MeasuresSpec(a=a, b=a, n_images=32)
    assert not {"time", "measures"} & set(usual.model_dump(exclude_none=True))  # older hashes are what they were
    changed = [{"time": "each"}, {"time": "same"}, {"measures": ("cka",)}, {"measures": ("cka", "procrustes")}]
    assert len({usual.hash, *(MeasuresSpec(a=a, b=a, n_images=32, **change).hash for change in changed)}) == 5
    with pytest.raises(SpecError, match="measures = 'cca'"):
        MeasuresSpec(a=a, b=a, n_images=32, measures=("cca",))


def test_steps_and_measures_come_from_the_store_as_asked(run) -> None:
    a, b = run.network(spiking=True, epochs=0), run.network(spiking=False, seed=1, epochs=0)
    found = run.measures(a, b, time="each", measures=("rsa_pearson", "cka")).similarity
    assert found.dims == ("measure", "group", "layer", "step_a", "step_b")
    assert found.measure.values.tolist() == ["rsa_pearson", "cka"]
    assert found.sizes["group"] == 9
    steps = run.compare(a, b, time="each")
    same = [steps[i, :, i] for i in range(steps.sizes["layer_a"])]
    np.testing.assert_allclose(found.sel(measure="cka")[0], np.stack(same), atol=1e-5)
