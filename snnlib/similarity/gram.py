r"""Gram matrices of features, and what of them :math:`\mathrm{HSIC}_1` sees.

With :math:`\tilde K` the Gram matrix :math:`K = XX^\top` with a diagonal of zeros, the U-centered matrix of Székely and
Rizzo (Annals of Statistics 2014) is

.. math::
    \bar K_{ij} = \tilde K_{ij} - \frac{(\tilde K \mathbf 1)_i + (\tilde K \mathbf 1)_j}{n-2}
        + \frac{\mathbf 1^\top \tilde K \mathbf 1}{(n-1)(n-2)} \quad (i \ne j), \qquad \bar K_{ii} = 0.

It does not see a shift of the features, so in exact arithmetic they need not be centered. In float32 a mean that is
large beside the differences between images would drown them: then, and only then, the features are centered first,
which costs more than the product itself. Spikes are 0 or 1, and their products whole numbers: exact in integers.

:math:`K` is symmetric. It is computed by blocks of rows, each from the diagonal on.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

BLOCKS = 8  # of rows of a Gram matrix, at most
LEAST_ROWS = 64  # in a block; smaller products waste the processor
CORES_BUSY = 4  # products at a time: each is computed by a core of its own, faster than one by all
LARGE_MEAN = 10.0  # times the variance of the features: from here on float32 loses more than a digit of K to it


def gram(features: Tensor) -> Tensor:
    """(..., n, p) features -> (..., n, n) linear Gram matrix of the features centered over images.

    In float64 for float64 features, else in float32, whatever precision an autocast around it asks for.
    """
    x = features.to(torch.promote_types(features.dtype, torch.float32))
    # first to the features of image 0: those that are the same for all images become exact zeros, not rounding errors
    x = x - x[..., :1, :]
    x -= x.mean(-2, keepdim=True)
    with torch.autocast(x.device.type, enabled=False):
        return x @ x.mT


def step_grams(features: Tensor, *, summed: bool, binary: bool) -> Tensor:
    """Gram matrices for :math:`HSIC_1`: equal to those of `gram` but for what U-centering removes.

    Args:
        features: (S, n, p), one matrix a time step.
        summed: their sum over steps, which is the Gram matrix of the features flattened over time.
        binary: the features are known to be 0 or 1, as spikes are.

    Returns:
        (S, n, n), or (1, n, n) if summed: float32, float64 for float64 features, or int32 of binary ones.
    """
    with torch.autocast(features.device.type, enabled=False):
        # (torch 2.14 leaves products of single integers unwritten)
        if binary and features.shape[-1] > 1 and _multiplies_integers(features):
            return _binary_products(features.to(torch.int8), summed)
        x = features.to(torch.promote_types(features.dtype, torch.float32))
        k = _products(x, summed)
        large = _mean_is_large(k)
        if not large.any():
            return k
        if summed:
            return gram(x).sum(0, keepdim=True)
        k[large] = gram(x[large])
        return k


def u_centered_triangles(k: Tensor) -> Tensor:
    """(S, n, n) Gram matrices -> (S, n(n-1)/2) strict upper triangles of the U-centered ones.

    Computed in float64; returned in float32, or float64 for matrices in that.
    """
    n = k.shape[-1]
    dtype = torch.float64 if k.dtype == torch.float64 else torch.float32
    device = "cpu" if k.device.type == "mps" else k.device  # MPS knows no float64
    triangles = torch.empty(len(k), n * (n - 1) // 2, dtype=dtype, device=device)
    for step, matrix in zip(triangles, k, strict=True):  # one at a time: n x n float64 numbers are in memory
        exact = matrix.to(device).double()
        exact = exact.clone() if exact is matrix else exact
        exact -= exact[0, 1].clone()  # not seen by U-centering; makes exact zeros of features that are all the same
        exact.fill_diagonal_(0)
        rows = exact.sum(1) / (n - 2)
        exact -= (rows - rows.sum() / (n - 1))[:, None]  # the total over (n - 1)(n - 2) goes along with the rows
        exact -= rows
        step.copy_(exact.flatten()[_above_the_diagonal(n, exact.device)])
    return triangles


def _products(x: Tensor, summed: bool) -> Tensor:
    """(S, n, p) -> (S, n, n) products of x[s] with its transpose, or (1, n, n), their sum."""
    steps, n, p = x.shape
    if summed and steps < CORES_BUSY and p % CORES_BUSY == 0:  # several parts of the features, one product each
        x = x.unflatten(2, (CORES_BUSY, -1)).transpose(1, 2).flatten(0, 1)  # (S, n, p) -> (S * parts, n, p / parts)
    k = torch.empty(1 if summed else steps, n, n, dtype=x.dtype, device=x.device)
    for start, end in _row_blocks(n, x.device):
        part = torch.bmm(x[:, start:end], x[:, start:].mT)
        k[:, start:end, start:] = part.sum(0) if summed else part
    return _mirrored(k)


def _binary_products(x: Tensor, summed: bool) -> Tensor:
    """As `_products`, for features 0 or 1 as int8, in int32."""
    steps, n, _ = x.shape
    k = torch.zeros(1 if summed else steps, n, n, dtype=torch.int32, device=x.device)
    for step in range(steps):
        for start, end in _row_blocks(n, x.device, least=2 * LEAST_ROWS):
            k[0 if summed else step, start:end, start:] += torch._int_mm(x[step, start:end], x[step, start:].mT)
    return _mirrored(k)


def _row_blocks(n: int, device: torch.device, least: int = LEAST_ROWS) -> list[tuple[int, int]]:
    """First row and end of each block. One large product suits a GPU best."""
    rows = max(least, -(-n // BLOCKS)) if device.type == "cpu" else n
    return [(start, min(start + rows, n)) for start in range(0, n, rows)]


def _mirrored(k: Tensor) -> Tensor:
    """Symmetric matrices from their upper triangles; what stands below the diagonal is lost."""
    upper = k.triu_()
    return upper + upper.triu(1).mT


def _mean_is_large(k: Tensor) -> Tensor:
    """(S,) whether the features' mean is large beside their variance; also if they are all the same, or not finite."""
    n = k.shape[-1]
    of_mean = k.sum((1, 2), dtype=torch.float64 if k.device.type != "mps" else None) / n**2  # squared norm of the mean
    variance = k.diagonal(dim1=1, dim2=2).mean(1) - of_mean
    return ~(of_mean <= LARGE_MEAN * variance)


def _multiplies_integers(x: Tensor) -> bool:
    """Whether products of 8-bit integers are faster here than those of float32 (which are exact up to 2^24 too)."""
    return x.device.type == "cpu" and getattr(torch.cpu, "_is_vnni_supported", bool)() and hasattr(torch, "_int_mm")


@lru_cache(maxsize=4)
def _above_the_diagonal(n: int, device: torch.device) -> Tensor:
    """Positions of the strict upper triangle in a flattened n x n matrix."""
    i, j = torch.triu_indices(n, n, offset=1, device=device)
    return i * n + j
