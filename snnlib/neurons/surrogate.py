r"""Surrogate gradients: what stands in for the derivative of the spike, as functions of :math:`z = u - v_{th}`.

* `triangular`: :math:`\max(0, \alpha - |z|) / \alpha^2` (half width :math:`\alpha`, area 1);
* `dspike`: the derivative of :math:`\tanh(\gamma z) / (2 \tanh \gamma^2) + 1/2` for :math:`|z| \le \gamma`, zero
  beyond, with :math:`\gamma = 3` (a clipped tanh; :math:`\alpha` plays no part). After Li et al. (NeurIPS 2021).
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

Surrogate = Literal["triangular", "dspike"]
DSPIKE_GAMMA = 3.0


def triangular(z: Tensor, alpha: float = 1.0) -> Tensor:
    r"""Triangular surrogate :math:`\max(0, \alpha - |z|) / \alpha^2`, elementwise in the distance to the threshold."""
    return (alpha - z.abs()).clamp_min(0) / alpha**2


def dspike(z: Tensor, gamma: float = DSPIKE_GAMMA) -> Tensor:
    r"""Clipped tanh: :math:`\gamma (1 - \tanh^2 \gamma z) / (2 \tanh \gamma^2)` for :math:`|z| \le \gamma`, else 0."""
    slope = gamma / (2 * math.tanh(gamma**2)) * (1 - torch.tanh(gamma * z).square())
    return torch.where(z.abs() <= gamma, slope, 0.0)


def surrogate_derivative(name: Surrogate, z: Tensor, alpha: float) -> Tensor:
    """The surrogate called `name` at `z`, elementwise."""
    return triangular(z, alpha) if name == "triangular" else dspike(z)
