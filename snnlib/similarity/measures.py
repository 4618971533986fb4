r"""Second opinions beside CKA, each from the Gram matrices of two sets of features of the same images.

With :math:`K = XX^\top`, :math:`L = YY^\top`, :math:`H = I - \tfrac1n \mathbf 1 \mathbf 1^\top`, and Euclidean
distances :math:`D_{ij} = \sqrt{K_{ii} + K_{jj} - 2K_{ij}}`:

* orthogonal Procrustes similarity :math:`\lVert X_c^\top Y_c \rVert_* / (\lVert X_c \rVert_F \lVert Y_c \rVert_F)`, one
  minus half the squared distance left by the best rotation of normalised, centered features (Ding, Denain and
  Steinhardt, NeurIPS 2021). :math:`\lVert X_c^\top Y_c \rVert_*` is the sum of the singular values of
  :math:`(HKH)^{1/2} (HLH)^{1/2}`;
* representational similarity analysis (RSA): the correlation of :math:`D` of one with :math:`D` of the other over all
  pairs of images, Pearson's or Spearman's (Kriegeskorte, Mur and Bandettini, Frontiers in Systems Neuroscience 2008);
* mutual nearest neighbours: of the k images nearest to an image in one, the share that is among the k nearest in the
  other (Huh et al., ICML 2024). Neighbours at equal distance, common among spikes, share the places that are left;
* CKA without the images of the largest norm: the few images that can make a CKA alone (Nguyen, Raghu and Kornblith,
  arXiv 2202.07184; Davari et al., arXiv 2210.16156) are left out of both.

None sees a rotation, permutation, shift or isotropic scale of the features; all see the scale of single features.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from snnlib.similarity.cka import MIN_IMAGES, features_of
from snnlib.spec import SpecError

NEIGHBOURS = 10
TOP = 0.01  # of the images, at least one: those of the largest norm


@dataclass(frozen=True)
class Measure:
    """A similarity from two (n, n) Gram matrices in float64.

    `terms` gives three numbers, which are summed over batches: the similarity is the first over the root of the product
    of the others. `null`: what it expects of features that have nothing in common, given n; None where that depends on
    the features, so that only shuffled images tell. `invariances`: what it does not see in the features of either.
    """

    title: str
    terms: Callable[[Tensor, Tensor], tuple[float, float, float]]
    null: Callable[[int], float] | None
    least: int = MIN_IMAGES  # images it needs
    invariances: tuple[str, ...] = ("rotation", "permutation", "scale", "shift")


def cka_terms(k: Tensor, other: Tensor) -> tuple[float, float, float]:
    """HSIC_1 of the two, and of each with itself."""
    k, other = _centered(k), _centered(other)
    return _hsic(k, other), _hsic(k, k), _hsic(other, other)


def cka_without_top_terms(k: Tensor, other: Tensor) -> tuple[float, float, float]:
    """As `cka_terms`, without the images of the largest norm."""
    keep = without_top(k, other)
    return cka_terms(k[keep][:, keep], other[keep][:, keep])


def procrustes_terms(k: Tensor, other: Tensor) -> tuple[float, float, float]:
    """The nuclear norm of the product of the centered features, and the squared Frobenius norm of each."""
    k, other = _centered(k), _centered(other)
    values, vectors = torch.linalg.eigh(k)
    root = vectors * values.clamp(min=0).sqrt()  # (n, n), root @ root.T = k
    squares = torch.linalg.eigvalsh(root.T @ other @ root)  # squared singular values of k^(1/2) other^(1/2)
    return float(squares.clamp(min=0).sqrt().sum()), float(k.trace()), float(other.trace())


def pearson_terms(k: Tensor, other: Tensor) -> tuple[float, float, float]:
    """Covariance of the distances between images, and the variance of each, times their number."""
    return _covariances(_distances(k), _distances(other))


def spearman_terms(k: Tensor, other: Tensor) -> tuple[float, float, float]:
    """As `pearson_terms`, of the ranks of the distances; equal distances share a rank."""
    return _covariances(_ranks(_distances(k)), _ranks(_distances(other)))


def neighbour_terms(k: Tensor, other: Tensor, neighbours: int = NEIGHBOURS) -> tuple[float, float, float]:
    """Inner product of the two matrices of nearest neighbours, and that of each with itself.

    Without ties their entries are 0 and 1: the neighbours in common, and all. A place that several share is a fraction,
    so that a layer is still as similar to itself as can be, 1.
    """
    a, b = _neighbours(k, neighbours), _neighbours(other, neighbours)
    own = (float((found * found).sum()) if found is not None else 0.0 for found in (a, b))
    return float((a * b).sum()) if a is not None and b is not None else 0.0, *own


def without_top(k: Tensor, other: Tensor, share: float = TOP) -> Tensor:
    """Places of the images that remain when this share of them, at least one, of largest norm is left out in either."""
    keep = torch.ones(len(k), dtype=torch.bool, device=k.device)
    for matrix in (k, other):
        norms = matrix.diag() - 2 * matrix.mean(1)  # squared, of centered images, but for what is the same for all
        keep[norms.topk(max(1, round(share * len(k)))).indices] = False
    return keep.nonzero()[:, 0]


# the null of Procrustes nears 1 where both networks have far more neurons than there are images, as biased CKA's does
MEASURES = {
    "cka": Measure("CKA (debiased)", cka_terms, lambda n: 0.0),
    "cka_without_top": Measure("CKA without the top norms", cka_without_top_terms, lambda n: 0.0, MIN_IMAGES + 2),
    "procrustes": Measure("Procrustes similarity", procrustes_terms, None),
    "rsa_pearson": Measure("RSA (Pearson)", pearson_terms, lambda n: 0.0),
    "rsa_spearman": Measure("RSA (Spearman)", spearman_terms, lambda n: 0.0),
    "neighbours": Measure(
        f"mutual {NEIGHBOURS} nearest neighbours", neighbour_terms, lambda n: NEIGHBOURS / (n - 1), NEIGHBOURS + 2
    ),
}
"""All measures of corresponding layers, by name."""


def measure(name: str, x: Tensor | np.ndarray, y: Tensor | np.ndarray) -> float:
    """One of `MEASURES` of two sets of features of the same images, (n, p) and (n, q), in float64.

    Returns:
        The similarity; nan where x or y is the same for all images.

    Raises:
        SpecError: an unknown measure, features that `cka` would not take either, or too few images.
    """
    if name not in MEASURES:
        raise SpecError(f"measure = {name!r} is not one of {', '.join(MEASURES)}.")
    x, y = features_of("x", x), features_of("y", y)
    if len(x) != len(y):
        raise SpecError(f"x has {len(x)} rows and y has {len(y)}: both must hold the same images in the same order.")
    if len(x) < MEASURES[name].least:
        raise SpecError(f"x and y hold n = {len(x)} images: {name} needs at least {MEASURES[name].least}.")
    x, y = (z - z[:1] for z in (x, y))  # what is the same for all images becomes exactly zero
    return float(ratio(np.array(terms_of(name, x @ x.T, y @ y.T))))


def terms_of(name: str, k: Tensor, other: Tensor) -> tuple[float, float, float]:
    """The terms of a measure; nan for Gram matrices that are not finite, or of too few images."""
    if len(k) < MEASURES[name].least or not (k.isfinite().all() and other.isfinite().all()):
        return (float("nan"),) * 3
    return MEASURES[name].terms(k, other)


def ratio(terms: np.ndarray) -> np.ndarray:
    """(..., 3) terms -> (...) similarities; nan for 0/0."""
    squares = terms[..., 1] * terms[..., 2]
    return terms[..., 0] / np.sqrt(np.where(squares > 0, squares, np.nan))


def _hsic(k: Tensor, other: Tensor) -> float:
    """HSIC_1, as in `snnlib.similarity.cka`."""
    n = len(k)
    k, other = k - k.diag().diag(), other - other.diag().diag()
    r, s = k.sum(1), other.sum(1)
    terms = (k * other).sum() + r.sum() * s.sum() / ((n - 1) * (n - 2)) - 2 / (n - 2) * r @ s
    return float(terms / (n * (n - 3)))


def _centered(k: Tensor) -> Tensor:
    """H K H."""
    k = k - k[0, 1]  # exact zeros of features that are all the same
    rows = k.mean(1, keepdim=True)
    return k - rows - rows.T + rows.mean()


def _distances(k: Tensor) -> Tensor:
    """(n, n) Gram matrix -> (n(n-1)/2,) Euclidean distances."""
    i, j = torch.triu_indices(len(k), len(k), offset=1, device=k.device)
    norms = k.diag()
    return (norms[i] + norms[j] - 2 * k[i, j]).clamp(min=0).sqrt()


def _ranks(values: Tensor) -> Tensor:
    """Ranks from 0, the mean of them for equal values."""
    order = values.argsort()
    _, group, sizes = torch.unique_consecutive(values[order], return_inverse=True, return_counts=True)
    last = sizes.cumsum(0).double() - 1
    ranks = torch.empty_like(values)
    ranks[order] = (last - (sizes - 1) / 2)[group]
    return ranks


def _neighbours(k: Tensor, count: int) -> Tensor | None:
    """(n, n) 1 for each image's nearest others; those at the distance of the last one share the places that are left.

    None if all images are the same.
    """
    norms = k.diag()
    squares = (norms[:, None] + norms[None, :] - 2 * k).clamp(min=0)
    if not squares.any():
        return None
    squares.fill_diagonal_(torch.inf)
    last = squares.kthvalue(count, dim=1, keepdim=True).values
    closer, tied = squares < last, squares == last
    left = count - closer.sum(1, keepdim=True)
    return closer + tied * (left / tied.sum(1, keepdim=True))


def _covariances(x: Tensor, y: Tensor) -> tuple[float, float, float]:
    x, y = x - x.mean(), y - y.mean()
    return float(x @ y), float(x @ x), float(y @ y)
