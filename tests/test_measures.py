"""The second measures against their definitions, written out naively from features, and what they must not see."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from naive_cka import alive, ann, features_of, image_batches, mlp, naive_concat, snn
from scipy import stats
from scipy.spatial.distance import pdist, squareform

from snnlib.loaders import group_of
from snnlib.models import build_model
from snnlib.similarity import MEASURES, compare, compare_corresponding, measure
from snnlib.spec import SpecError

NAMES = list(MEASURES)


def naive_without_top(x: np.ndarray, y: np.ndarray) -> float:
    keep = np.ones(len(x), bool)
    for z in (x, y):
        norms = np.linalg.norm(z - z.mean(0), axis=1)
        keep[np.argsort(norms)[-max(1, round(0.01 * len(x))) :]] = False
    return naive_concat([[x[keep]]], [[y[keep]]])


def naive_procrustes(x: np.ndarray, y: np.ndarray) -> float:
    """1 - d^2 / 2, d the distance that the best rotation leaves between features of norm 1, found by that rotation."""
    x, y = (z - z.mean(0) for z in (x, y))
    p = max(x.shape[1], y.shape[1])
    x, y = (np.pad(z, ((0, 0), (0, p - z.shape[1]))) / np.linalg.norm(z) for z in (x, y))
    u, _, vt = np.linalg.svd(y.T @ x)
    return 1 - np.linalg.norm(x - y @ u @ vt) ** 2 / 2


def naive_neighbours(x: np.ndarray, y: np.ndarray) -> float:
    nearest = [np.argsort(squareform(pdist(z)) + np.diag(np.full(len(z), np.inf)), axis=1)[:, :10] for z in (x, y)]
    return float(np.mean([len(set(a) & set(b)) / 10 for a, b in zip(*nearest, strict=True)]))


NAIVE = {
    "cka": lambda x, y: naive_concat([[x]], [[y]]),
    "cka_without_top": naive_without_top,
    "procrustes": naive_procrustes,
    "rsa_pearson": lambda x, y: np.corrcoef(pdist(x), pdist(y))[0, 1],
    "rsa_spearman": lambda x, y: stats.spearmanr(pdist(x), pdist(y))[0],
    "neighbours": naive_neighbours,
}


def related(n: int = 60, p: int = 9, q: int = 6, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, p)) * np.arange(1, p + 1)
    return x, x[:, -q:] + 2 * rng.normal(size=(n, q))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("n", "p", "q"), [(60, 9, 6), (30, 80, 50), (150, 4, 40)])
def test_a_measure_is_its_definition(name: str, n: int, p: int, q: int) -> None:
    rng = np.random.default_rng(n)
    x, y = rng.normal(size=(n, p)) + 3, rng.normal(size=(n, q))
    y[:, : min(p, q)] += x[:, : min(p, q)]
    assert measure(name, x, y) == pytest.approx(NAIVE[name](x, y), abs=1e-6)
    assert measure(name, y, x) == pytest.approx(measure(name, x, y), abs=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_a_measure_does_not_see_what_it_says_it_does_not(name: str) -> None:
    rng = np.random.default_rng(1)
    x, y = related()
    expected = measure(name, x, y)
    changed = {
        "rotation": x @ np.linalg.qr(rng.normal(size=(9, 9)))[0],
        "permutation": x[:, rng.permutation(9)],
        "scale": 1e-3 * x,
        "shift": x + rng.normal(size=9),
    }
    assert set(MEASURES[name].invariances) == set(changed)
    for same in changed.values():
        assert measure(name, same, y) == pytest.approx(expected, abs=1e-6)
        assert measure(name, same, x) == pytest.approx(1, abs=1e-6)
    order = rng.permutation(60)
    assert measure(name, x[order], y[order]) == pytest.approx(expected, abs=1e-6)
    assert measure(name, x[order], y) < expected - 0.2  # the order of images it must see
    assert abs(measure(name, x * np.r_[30, np.ones(8)], y) - expected) > 0.01  # and the scale of a single feature


@pytest.mark.parametrize("name", NAMES)
def test_the_null_is_what_independent_features_have(name: str) -> None:
    n, rng = 40, np.random.default_rng(2)
    values = [measure(name, rng.normal(size=(n, 20)), rng.normal(size=(n, 30))) for _ in range(60)]
    null = MEASURES[name].null
    if null is None:  # it depends on the features: two sizes give two values
        few = [measure(name, rng.normal(size=(n, 2)), rng.normal(size=(n, 2))) for _ in range(20)]
        many = measure(name, rng.normal(size=(n, 4000)), rng.normal(size=(n, 4000)))
        assert np.mean(few) < 0.4
        assert many > 0.95
    else:
        assert np.mean(values) == pytest.approx(null(n), abs=4 * np.std(values) / np.sqrt(60))


@pytest.mark.parametrize("name", NAMES)
def test_features_that_are_all_the_same_have_no_similarity(name: str) -> None:
    x, _ = related()
    for constant in (np.zeros((60, 3)), np.full((60, 3), 0.1)):
        assert np.isnan(measure(name, constant, x))
        assert np.isnan(measure(name, x, constant))


def test_a_few_images_of_large_norm_make_a_cka_that_the_check_takes_away() -> None:
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(200, 50)), rng.normal(size=(200, 50))
    for z in (x, y):  # two images, 1 %, far from all others and near one another
        z[[7, 8]] = 100 * rng.normal(size=50) + rng.normal(size=(2, 50))
    assert measure("cka", x, y) > 0.9
    assert abs(measure("cka_without_top", x, y)) < 0.1


def places(x: np.ndarray, neighbours: int = 10) -> np.ndarray:
    """(n, n) who is a nearest neighbour of whom, image by image; equal distances share what places are left."""
    rows = np.zeros((len(x), len(x)))
    for i, row in enumerate(rows):
        others = [(round(float(((x[i] - x[j]) ** 2).sum()), 9), j) for j in range(len(x)) if j != i]
        last = sorted(others)[neighbours - 1][0]
        nearer, tied = [j for d, j in others if d < last], [j for d, j in others if d == last]
        row[nearer] = 1.0
        row[tied] = (neighbours - len(nearer)) / len(tied)
    return rows


def test_neighbours_at_one_distance_share_the_places() -> None:
    """Spikes have few distinct distances: a tie broken by the order of images would be a similarity of its own."""
    rng = np.random.default_rng(4)
    x, y = (rng.integers(0, 2, size=(100, 3)).astype(float) for _ in range(2))
    a, b = places(x), places(y)
    expected = (a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum())
    assert measure("neighbours", x, y) == pytest.approx(expected)


@pytest.mark.parametrize("name", NAMES)
def test_spikes_are_as_similar_to_themselves_as_can_be(name: str) -> None:
    spikes = np.random.default_rng(5).integers(0, 2, size=(64, 12)).astype(float)
    assert measure(name, spikes, spikes) == pytest.approx(1)


@pytest.mark.parametrize(
    ("name", "x", "message"),
    [
        ("cosine", np.ones((20, 2)), "measure = 'cosine' is not one of cka, "),
        ("cka", np.ones((20, 2, 2)), r"x has shape \(20, 2, 2\)"),
        ("cka", np.ones((19, 2)), "x has 19 rows and y has 20"),
    ],
)
def test_what_cannot_be_measured(name: str, x: np.ndarray, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        measure(name, x, np.random.default_rng(0).normal(size=(20, 3)))


@pytest.mark.parametrize(("name", "least"), [("cka", 4), ("cka_without_top", 6), ("neighbours", 12)])
def test_images_that_are_too_few(name: str, least: int) -> None:
    x, y = related(least)
    assert np.isfinite(measure(name, x, y))
    with pytest.raises(SpecError, match=f"n = {least - 1} images: {name} needs at least {least}"):
        measure(name, x[1:], y[1:])


# -- two networks ------------------------------------------------------------------------------------------------------


def test_corresponding_layers_of_two_networks_by_all_measures() -> None:
    loader, names = image_batches(1, n=24), ["stem.conv", "stage1.0.act1", "stage1.1", "fc"]
    found = compare_corresponding(snn(), ann(), loader, groups=4)
    assert found.similarity.dims == ("measure", "group", "layer")
    assert found.sizes == {"measure": len(MEASURES), "group": 5, "layer": 74}
    assert found.similarity.attrs["n_images"] == 24
    a, b = features_of(snn(), loader, names, 3), features_of(ann(), loader, names, 1)
    for name in names:
        x, y = (np.concatenate(f[name][0], 1) for f in (a, b))
        for g in range(5):
            keep = group_of(24, 4) != g - 1
            for kind in ("cka", "cka_without_top", "procrustes", "rsa_pearson", "neighbours"):
                value = found.similarity.sel(measure=kind, layer=name)[g].item()
                close = 0.02 if kind == "neighbours" and "act" in name else 2e-3  # spikes: naively ties go by order
                assert value == pytest.approx(NAIVE[kind](x[keep], y[keep]), abs=close), (kind, name, g)


def test_cka_of_several_batches_is_that_of_compare() -> None:
    loader = image_batches(3, n=10)
    found = compare_corresponding(snn(), ann(), loader, groups=0)
    assert found.sizes["group"] == 1
    table = compare(snn(), ann(), loader)
    np.testing.assert_allclose(found.similarity.sel(measure="cka")[0], np.diag(table), atol=1e-5)
    assert found.similarity.sel(measure="neighbours").isnull().all()  # 10 images have no 10 neighbours


def test_agreement_and_accuracy_count_images() -> None:
    torch.manual_seed(0)
    labels = torch.randint(0, 10, (2, 12))
    loader = list(zip(image_batches(2, n=12), labels, strict=True))
    one, other = snn().eval(), ann().eval()
    found = compare_corresponding(one, other, loader, groups=3)
    with torch.no_grad():
        a, b = (torch.cat([net(images).argmax(1) for images, _ in loader]).numpy() for net in (one, other))
    keep = [np.ones(24, bool)] + [np.tile(group_of(12, 3) != g, 2) for g in range(3)]
    truth = labels.flatten().numpy()
    for name, hits in (("agreement", a == b), ("accuracy_a", a == truth), ("accuracy_b", b == truth)):
        np.testing.assert_allclose(found[name], [hits[k].mean() for k in keep])
    same = compare_corresponding(one, one, [images for images, _ in loader], groups=0)
    assert same.agreement.item() == 1
    assert np.isnan(same.accuracy_a.item())  # there were no labels


def test_networks_without_common_layers_have_none_to_compare() -> None:
    torch.manual_seed(0)
    net = alive(build_model("resnet20", spiking=False, width=0.25))
    with pytest.raises(SpecError, match="no layer of the same name"):
        compare_corresponding(mlp(), net, image_batches(1, n=8))
