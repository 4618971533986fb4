r"""The terms of each measure, from two Gram matrices, for all images and for subsets of them.

A measure is the first of its three terms over the root of the product of the other two; terms add up over batches. What
is a sum over pairs of images, such as :math:`\mathrm{HSIC}_1` or a covariance of distances, is had for all subsets
:math:`S` at once, with :math:`m_i` 1 for the images of :math:`S` and 0 for others,

.. math:: \sum_{i, j \in S} M_{ij} = m^\top M m,

at the price of a product of :math:`M` with a few vectors. The others are computed from the part of the matrices that
belongs to each subset.

Everywhere k and other are (n, n) Gram matrices in float64, `kept` is (S, n) in float64, 1 for the images that take
part, and what comes back is (S, 3).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

import torch
from torch import Tensor

NEIGHBOURS = 10
TOP = 0.01  # of the images, at least one: those of the largest norm
ROUNDING = 1e-12  # of its largest value: what a layer keeps of its norm in a subset below this is rounding, not signal

Pair = Callable[[Tensor, Tensor], tuple[float, float, float]]
Subsets = Callable[[Tensor, Tensor, Tensor], Tensor]


def _subset_by_subset(terms: Pair) -> Subsets:
    """Terms of two matrices -> those of each subset's part of them."""

    @wraps(terms)
    def of_subsets(k: Tensor, other: Tensor, kept: Tensor) -> Tensor:
        rows = [torch.tensor(terms(*(_part(m, keep) for m in (k, other))), dtype=torch.float64) for keep in kept.bool()]
        return torch.stack(rows)

    return of_subsets


def cka_terms(k: Tensor, other: Tensor, kept: Tensor) -> Tensor:
    """HSIC_1 of the two, and of each with itself."""
    k, other = _centered(k), _centered(other)
    return _without_rounding(torch.stack([_hsic(*both, kept) for both in ((k, other), (k, k), (other, other))], 1))


def cka_without_top_terms(k: Tensor, other: Tensor, kept: Tensor) -> Tensor:
    """As `cka_terms`, without the images of the largest norm in either."""
    return cka_terms(k, other, _without_top(k, kept) * _without_top(other, kept))


@_subset_by_subset
def procrustes_terms(k: Tensor, other: Tensor) -> tuple[float, float, float]:
    """The nuclear norm of the product of the centered features, and the squared Frobenius norm of each."""
    k, other = _centered(k), _centered(other)
    values, vectors = torch.linalg.eigh(k)
    root = vectors * values.clamp(min=0).sqrt()  # (n, n), root @ root.T = k
    squares = torch.linalg.eigvalsh(root.T @ other @ root)  # squared singular values of k^(1/2) other^(1/2)
    return float(squares.clamp(min=0).sqrt().sum()), float(k.trace()), float(other.trace())


def pearson_terms(k: Tensor, other: Tensor, kept: Tensor) -> Tensor:
    """Covariance of the distances between images, and the variance of each, times the number of ordered pairs."""
    a, b = _shifted(_distances(k)), _shifted(_distances(other))
    n = kept.sum(1)
    pairs = n * (n - 1)

    def covariance(x: Tensor, y: Tensor) -> Tensor:
        return _sums(x * y, kept) - _sums(x, kept) * _sums(y, kept) / pairs

    return _without_rounding(torch.stack([covariance(*both) for both in ((a, b), (a, a), (b, b))], 1))


@_subset_by_subset
def spearman_terms(k: Tensor, other: Tensor) -> tuple[float, float, float]:
    """As `pearson_terms`, of the ranks of the distances between two images; equal distances share a rank."""
    i, j = torch.triu_indices(len(k), len(k), offset=1, device=k.device)
    x, y = (ranks - ranks.mean() for ranks in (_ranks(_distances(m)[i, j]) for m in (k, other)))
    return float(x @ y), float(x @ x), float(y @ y)


@_subset_by_subset
def neighbour_terms(k: Tensor, other: Tensor) -> tuple[float, float, float]:
    """Inner product of the two matrices of nearest neighbours, and that of each with itself.

    Without ties their entries are 0 and 1: the neighbours in common, and all. A place that several share is a fraction,
    so that a layer is still as similar to itself as can be, 1.
    """
    a, b = _neighbours(k, NEIGHBOURS), _neighbours(other, NEIGHBOURS)
    own = (float((found * found).sum()) if found is not None else 0.0 for found in (a, b))
    return float((a * b).sum()) if a is not None and b is not None else 0.0, *own


def _part(matrix: Tensor, keep: Tensor) -> Tensor:
    """Rows and columns of some images."""
    return matrix if keep.all() else matrix[keep][:, keep]


def _sums(matrix: Tensor, kept: Tensor) -> Tensor:
    """(S,) sums of the entries between the images of each subset."""
    return ((kept @ matrix) * kept).sum(1)


def _without_rounding(terms: Tensor) -> Tensor:
    """(S, 3) terms, with exact zeros for the norms of what is the same for all images of a subset."""
    norms = terms[:, 1:]
    norms[norms <= ROUNDING * norms.amax(0)] = 0.0
    return terms


def _hsic(k: Tensor, other: Tensor, kept: Tensor) -> Tensor:
    """(S,) HSIC_1 as in `snnlib.similarity.cka`."""
    n = kept.sum(1)
    k, other = k - k.diag().diag(), other - other.diag().diag()
    r, s = (kept @ k) * kept, (kept @ other) * kept  # (S, n) sums of the rows over each subset
    total = _sums(k * other, kept) + r.sum(1) * s.sum(1) / ((n - 1) * (n - 2)) - 2 / (n - 2) * (r * s).sum(1)
    return total / (n * (n - 3))


def _without_top(k: Tensor, kept: Tensor, share: float = TOP) -> Tensor:
    """(S, n) what remains when this share of each subset's images, at least one, of largest norm is left out."""
    sizes = kept.sum(1)
    norms = k.diag() - 2 * (kept @ k) / sizes[:, None]  # squared, of centered images, but for what is the same for all
    norms.masked_fill_(kept == 0, -torch.inf)
    remain = kept.clone()
    for row, norm, size in zip(remain, norms, sizes.tolist(), strict=True):
        row[norm.topk(max(1, round(share * size))).indices] = 0.0
    return remain


def _centered(k: Tensor) -> Tensor:
    """H K H."""
    k = k - k[0, 1]  # exact zeros of features that are all the same
    rows = k.mean(1, keepdim=True)
    return k - rows - rows.T + rows.mean()


def _distances(k: Tensor) -> Tensor:
    """(n, n) Gram matrix -> (n, n) Euclidean distances."""
    norms = k.diag()
    distances = (norms[:, None] + norms[None, :] - 2 * k).clamp(min=0).sqrt()
    return distances.fill_diagonal_(0.0)


def _shifted(distances: Tensor) -> Tensor:
    """Distances minus their mean, which no covariance sees, so that sums lose less to rounding; 0 on the diagonal."""
    n = len(distances)
    return (distances - distances.sum() / (n * (n - 1))).fill_diagonal_(0.0)


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
