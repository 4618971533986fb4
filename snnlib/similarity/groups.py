r"""Inner products of U-centered Gram matrices with one group of images left out at a time.

The Gram matrix of the remaining images :math:`S`, :math:`m` of them, is a part of the whole one. U-centering does not
see what is added to whole rows and columns, so of the whole matrix its U-centered form :math:`\bar K` is enough:

.. math::
    \sum_{i<j} \bar K^S_{ij} \bar L^S_{ij} = \sum_{i<j \in S} \bar K_{ij} \bar L_{ij}
        - \frac{1}{m-2} \sum_{i \in S} r_i s_i + \frac{\sum_{i \in S} r_i \sum_{i \in S} s_i}{2(m-1)(m-2)}, \qquad
    r_i = \sum_{j \in S} \bar K_{ij}, \quad s_i = \sum_{j \in S} \bar L_{ij}.

Every pair of images lies in one block, that of its two groups. The products are computed block by block, and each
block is taken off the sums of the two groups it belongs to: all groups together cost one product of all columns.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

ROUNDING = 1e-12  # of its squared norm: what is left of a layer below this is rounding (float32, squared), not signal


def grouped_products(
    rows_a: list[Tensor], rows_b: list[Tensor], group_of: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Inner products between all rows of a and b, and the squared norms of each, by the group left out, in float64.

    Args:
        rows_a, rows_b: a tensor (S, n(n-1)/2) a layer, its U-centered triangles, as `u_centered_triangles` gives them.
        group_of: (n,) the group of each image, numbered from 0.

    Returns:
        (G + 1, A, B), (G + 1, A), (G + 1, B): index 0 of all images, index g + 1 without the images of group g. A norm
        that is 0 but for rounding, of a layer that is the same for all images that remain, is 0.
    """
    same = len(rows_a) == len(rows_b) and all(a is b for a, b in zip(rows_a, rows_b, strict=False))
    a = _Side(rows_a, group_of)
    b = a if same else _Side(rows_b, group_of)
    groups = len(a.members)
    ab = np.zeros((groups + 1, a.rows, b.rows))
    aa, bb = np.zeros((groups + 1, a.rows)), np.zeros((groups + 1, b.rows))
    for g in range(groups):
        for h in range(g, groups):
            block_a = a.block(g, h)
            block_b = block_a if b is a else b.block(g, h).to(block_a.device)  # networks may be on two devices
            found = ((block_a @ block_b.T), block_a.square().sum(1), block_b.square().sum(1))
            once = 0.5 if g == h else 1.0  # a block within a group holds each pair of images twice
            for total, product in zip((ab, aa, bb), found, strict=True):
                product = once * product.cpu().numpy()
                total[0] += product
                total[list({g + 1, h + 1})] -= product  # a pair goes with either of its groups
    for total in (ab, aa, bb):
        total[1:] += total[0]
    for g in range(groups):
        r, s = a.sums_without(g), b.sums_without(g)
        m = r.shape[1]
        total_r, total_s, scale = r.sum(1), s.sum(1), 2 * (m - 1) * (m - 2)
        ab[g + 1] += np.outer(total_r, total_s) / scale - r @ s.T / (m - 2)
        aa[g + 1] += total_r**2 / scale - (r**2).sum(1) / (m - 2)
        bb[g + 1] += total_s**2 / scale - (s**2).sum(1) / (m - 2)
    for norms in (aa, bb):
        norms[1:][norms[1:] <= ROUNDING * norms[0]] = 0.0
    return ab, aa, bb


class _Side:
    """The triangles of one network's layers, read block by block, and the sums of their rows over each group."""

    def __init__(self, layers: list[Tensor], group_of: np.ndarray) -> None:
        self.layers, self.rows = layers, sum(len(layer) for layer in layers)
        self.members = [np.flatnonzero(group_of == g) for g in range(group_of.max() + 1)]
        self.sums = np.zeros((self.rows, len(group_of), len(self.members)))  # (A, n, G) sums over the images of a group

    def block(self, g: int, h: int) -> Tensor:
        """(A, n_g * n_h) entries between the images of two groups, in float64; also adds them up into `sums`."""
        i, j = self.members[g][:, None], self.members[h][None, :]
        n = self.sums.shape[1]
        low, high = np.minimum(i, j), np.maximum(i, j)
        place = low * n - low * (low + 1) // 2 + high - low - 1  # in a strict upper triangle, row after row
        place[low == high] = 0  # the diagonal is none of its entries, and 0
        columns = torch.from_numpy(place.ravel()).to(self.layers[0].device)
        here = (layer.to(columns.device).index_select(1, columns).double() for layer in self.layers)
        block = torch.cat(list(here))
        if g == h:
            block[:, torch.from_numpy((low == high).ravel()).to(block.device)] = 0
        square = block.view(self.rows, i.size, j.size)
        self.sums[:, self.members[g], h] = square.sum(2).cpu().numpy()
        self.sums[:, self.members[h], g] = square.sum(1).cpu().numpy()
        return block

    def sums_without(self, g: int) -> np.ndarray:
        """(A, m) sums of the rows of the images that remain without a group, over those images."""
        remain = np.setdiff1d(np.arange(self.sums.shape[1]), self.members[g])
        return self.sums[:, remain].sum(2) - self.sums[:, remain, g]
