r"""Linear centered kernel alignment (CKA) of two sets of features of the same images.

For :math:`n` images with features :math:`X \in \mathbb{R}^{n \times p}`, :math:`Y \in \mathbb{R}^{n \times q}`, linear
Gram matrices :math:`K = XX^\top`, :math:`L = YY^\top`, and :math:`\tilde K, \tilde L` these with a diagonal of zeros,

.. math::
    \mathrm{HSIC}_1(K, L) = \frac{1}{n(n-3)} \left[ \operatorname{tr} \tilde K \tilde L
        + \frac{\mathbf 1^\top \tilde K \mathbf 1 \; \mathbf 1^\top \tilde L \mathbf 1}{(n-1)(n-2)}
        - \frac{2}{n-2} \mathbf 1^\top \tilde K \tilde L \mathbf 1 \right], \qquad
    \mathrm{CKA} = \frac{\mathrm{HSIC}_1(K, L)}{\sqrt{\mathrm{HSIC}_1(K, K) \, \mathrm{HSIC}_1(L, L)}}

with the unbiased estimator of Song et al. (JMLR 2012). It is an inner product: with the U-centered matrices
:math:`\bar K` of `snnlib.similarity.gram`, :math:`\mathrm{HSIC}_1(K, L) = \frac{2}{n(n-3)} \sum_{i<j} \bar K_{ij}
\bar L_{ij}`.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from snnlib.similarity.gram import gram, u_centered_triangles
from snnlib.spec import MIN_IMAGES, SpecError


def cka(x: Tensor | np.ndarray, y: Tensor | np.ndarray, debiased: bool = True) -> float:
    """Linear CKA of two sets of features of the same images, in float64.

    Args:
        x: (n, p) features, one image a row.
        y: (n, q) features of the same images in the same order.
        debiased: HSIC_1, whose expectation is 0 for independent features, which makes CKA slightly negative at times.
            False takes the original estimator of Kornblith et al. (ICML 2019), which nears 1 for any features as p, q
            grow beyond n.

    Returns:
        At most 1; 1 for features that are equal up to rotation, permutation, isotropic scale and shift. nan where x or
        y is the same for all images: it has no similarity to anything, 0/0.

    Raises:
        SpecError: not 2-dimensional, different n, n < 4 (2 if biased), or values that are not finite.
    """
    x, y = features_of("x", x), features_of("y", y)
    n = len(x)
    if len(y) != n:
        raise SpecError(f"x has {n} rows and y has {len(y)}: both must hold the same images in the same order.")
    least = MIN_IMAGES if debiased else 2
    if n < least:
        kind = "debiased" if debiased else "biased"
        raise SpecError(f"x and y hold n = {n} image{'s' * (n != 1)}: {kind} CKA needs at least {least}.")
    # the Gram matrix of centered features is doubly centered: that is all the biased estimator needs
    kx, ky = (u_centered_triangles(gram(z)[None])[0] if debiased else gram(z).flatten() for z in (x, y))
    return (kx @ ky / torch.sqrt((kx @ kx) * (ky @ ky))).item()


def features_of(name: str, value: Tensor | np.ndarray) -> Tensor:
    """(n, p) features in float64; SpecError for another shape, or values that are not finite."""
    tensor = torch.as_tensor(value).detach().cpu().double()
    if tensor.dim() != 2:
        shape = tuple(tensor.shape)
        raise SpecError(
            f"{name} has shape {shape}: cka takes (n, features); flatten with {name}.reshape(len({name}), -1)."
        )
    if not tensor.isfinite().all():
        raise SpecError(f"{name} holds values that are not finite (nan or inf): CKA is not defined for them.")
    return tensor
