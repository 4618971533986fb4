r"""One network trained by several processes, one a device, to the same loss as by one, up to rounding.

Every process (rank) gets an equal share of each batch, and the gradients of the shares are averaged. What is left is
batch norm, whose mean and variance are those of the whole batch: with :math:`R` ranks and shares :math:`S_r`,

.. math::
    \mu = \frac1R \sum_r \langle x \rangle_{S_r}, \qquad \sigma^2 = \frac1R \sum_r \langle (x - \mu)^2 \rangle_{S_r},
    \qquad \hat x = \frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}}.

Backward, with :math:`g` the gradient of a rank's own loss at :math:`y = w \hat x + b`, and the same means over ranks,

.. math::
    \bar x = \frac{w}{\sqrt{\sigma^2 + \epsilon}} \bigl(g - \langle g \rangle - \hat x \langle g \hat x \rangle\bigr).

PyTorch's own `SyncBatchNorm` knows accelerators only; it is taken there.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, distributed, nn

OVER = (0, 2, 3)  # all dimensions but that of the channels


def synchronised(model: nn.Module, device: torch.device) -> nn.Module:
    """A copy of `model` whose batch norms take the statistics of all ranks; equal names of parameters and buffers."""
    model = copy.deepcopy(model)
    if device.type != "cpu":
        return nn.SyncBatchNorm.convert_sync_batchnorm(model)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.__class__ = SharedBatchNorm  # the same parameters and buffers under another `forward`
    return model


class SharedBatchNorm(nn.BatchNorm2d):
    """Batch norm over the shares of all ranks, which must be of one size."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) this rank's share -> the same shape."""
        if not self.training:
            return super().forward(x)
        y, mean, var = _Normalise.apply(x, self.weight, self.bias, self.eps)
        with torch.no_grad():
            n = distributed.get_world_size() * x.numel() / x.shape[1]
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(var * n / (n - 1), self.momentum)
        return y


class _Normalise(torch.autograd.Function):
    """The module's equations. Statistics are taken in float32 at least."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
        exact = x.to(torch.promote_types(x.dtype, torch.float32))
        mean = _over_ranks(exact.mean(OVER))  # (C,)
        var = _over_ranks((exact - _by_channel(mean)).square().mean(OVER))
        scale = torch.rsqrt(var + eps)
        ctx.save_for_backward(x, weight, mean, scale)
        ctx.mark_non_differentiable(mean, var)
        y = (exact - _by_channel(mean)) * _by_channel(scale * weight) + _by_channel(bias)
        return y.to(x.dtype), mean, var

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor, *_: Any) -> tuple[Tensor, Tensor, Tensor, None]:
        x, weight, mean, scale = ctx.saved_tensors
        normal = (x.to(mean.dtype) - _by_channel(mean)) * _by_channel(scale)
        g = grad.to(mean.dtype)
        sums = torch.stack([g.sum(OVER), (g * normal).sum(OVER)])  # (2, C): gradients of bias and weight
        g_mean, g_normal_mean = _over_ranks(sums * (len(sums[0]) / x.numel()))
        grad_x = g - _by_channel(g_mean) - normal * _by_channel(g_normal_mean)
        return (grad_x * _by_channel(scale * weight)).to(x.dtype), sums[1], sums[0], None


def _over_ranks(share: Tensor) -> Tensor:
    """The mean of a tensor over all ranks."""
    total = share.clone()
    distributed.all_reduce(total)
    return total / distributed.get_world_size()


def _by_channel(values: Tensor) -> Tensor:
    return values.view(-1, 1, 1)  # (C,) -> (C, 1, 1)
