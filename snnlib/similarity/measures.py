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

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from snnlib.similarity import terms
from snnlib.similarity.cka import features_of
from snnlib.spec import MIN_IMAGES, SpecError


@dataclass(frozen=True)
class Measure:
    """A similarity from two (n, n) Gram matrices in float64.

    `terms` gives three numbers for each subset of the images, which are summed over batches: the similarity is the
    first over the root of the product of the others. `null`: what it expects of features that have nothing in common,
    given n; None where that depends on the features, so that only shuffled images tell. `invariances`: what it does not
    see in the features of either. `sums`: its terms are sums over pairs of images, so that leaving out groups of images
    costs next to nothing; the others are computed again for each.
    """

    title: str
    terms: terms.Subsets
    null: Callable[[int], float] | None
    least: int = MIN_IMAGES  # images it needs
    invariances: tuple[str, ...] = ("rotation", "permutation", "scale", "shift")
    sums: bool = False


# the null of Procrustes nears 1 where both networks have far more neurons than there are images, as biased CKA's does
MEASURES = {
    "cka": Measure("CKA (debiased)", terms.cka_terms, lambda n: 0.0, sums=True),
    "cka_without_top": Measure(
        "CKA without the top norms", terms.cka_without_top_terms, lambda n: 0.0, MIN_IMAGES + 2, sums=True
    ),
    "procrustes": Measure("Procrustes similarity", terms.procrustes_terms, None),
    "rsa_pearson": Measure("RSA (Pearson)", terms.pearson_terms, lambda n: 0.0, sums=True),
    "rsa_spearman": Measure("RSA (Spearman)", terms.spearman_terms, lambda n: 0.0),
    "neighbours": Measure(
        f"mutual {terms.NEIGHBOURS} nearest neighbours",
        terms.neighbour_terms,
        lambda n: terms.NEIGHBOURS / (n - 1),
        terms.NEIGHBOURS + 2,
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
    known_measures((name,))
    x, y = features_of("x", x), features_of("y", y)
    if len(x) != len(y):
        raise SpecError(f"x has {len(x)} rows and y has {len(y)}: both must hold the same images in the same order.")
    if len(x) < MEASURES[name].least:
        raise SpecError(f"x and y hold n = {len(x)} images: {name} needs at least {MEASURES[name].least}.")
    x, y = (z - z[:1] for z in (x, y))  # what is the same for all images becomes exactly zero
    everyone = torch.ones(1, len(x), dtype=torch.float64, device=x.device)
    return float(ratio(terms_of(name, x @ x.T, y @ y.T, everyone))[0])


def known_measures(names: Sequence[str] | None) -> tuple[str, ...]:
    """The names as they were given, all of `MEASURES` for None.

    Raises:
        SpecError: a name that is none of them.
    """
    for name in names or ():
        if name not in MEASURES:
            raise SpecError(f"measure = {name!r} is not one of {', '.join(MEASURES)}.")
    return tuple(MEASURES if names is None else names)


def terms_of(name: str, k: Tensor, other: Tensor, kept: Tensor) -> np.ndarray:
    """(S, 3) terms of a measure for subsets of the images, `kept` (S, n) in float64 as in `snnlib.similarity.terms`.

    They are nan for Gram matrices that are not finite, and for subsets of too few images.
    """
    found = np.full((len(kept), 3), np.nan)
    enough = kept.sum(1) >= MEASURES[name].least
    if enough.any() and k.isfinite().all() and other.isfinite().all():
        found[enough.cpu().numpy()] = MEASURES[name].terms(k, other, kept[enough]).cpu().numpy()
    return found


def ratio(parts: np.ndarray) -> np.ndarray:
    """(..., 3) terms -> (...) similarities; nan for 0/0."""
    squares = parts[..., 1] * parts[..., 2]
    return parts[..., 0] / np.sqrt(np.where(squares > 0, squares, np.nan))
