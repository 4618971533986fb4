r"""All time steps of a LIF layer in one node of the autograd graph.

Forward is the recurrence of `snnlib.neurons.lif`, backward runs through time in reverse. With :math:`h[t]` the
surrogate at :math:`u[t] - v_{th}` and :math:`\bar{\cdot}` the gradient of the loss,

.. math:: \bar u[t] = \bar s[t]\,h[t] + \bar v[t]\,\bigl((1 - s[t]) - u[t]\,h[t]\bigr), \qquad
          \bar x[t] = \bar u[t], \qquad \bar v[t-1] = \tau\,\bar u[t].

Compiled, each direction is one trip through memory: only the currents are kept, and backward computes the membrane
potential :math:`u` from them once more, which costs less than to write and read it. Uncompiled, :math:`u` is kept.

Neurons do not see each other, so both directions take (T, N) matrices, N being all neurons of all images in the order
in which they lie in memory: the layout of an image (channels first or last) never costs a copy. Currents and gradients
of 16 bits are computed in 32.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from snnlib import kernels
from snnlib.memory import memory_order
from snnlib.neurons.surrogate import Surrogate, surrogate_derivative


def _formula(x: Tensor, tau: float, v_threshold: float) -> list[Tensor]:
    """(T, N) currents -> u[t], T tensors (N,) in float32 at least. For a compiler to fuse with what uses them."""
    potentials, v = [], None
    for current in x.unbind(0):
        u = current.to(torch.promote_types(x.dtype, torch.float32))
        if v is not None:
            u = tau * v + u  # the same two roundings as the reference (product, then sum): spikes agree bit for bit
        v = torch.where(u >= v_threshold, 0.0, u)
        potentials.append(u)
    return potentials


def _uncompiled(x: Tensor, tau: float, v_threshold: float, keep: bool) -> tuple[Tensor, list[Tensor]]:
    """(T, N) spikes in x's dtype, and, to keep, u[t] as `_formula` gives them, in operations that are fast alone."""
    spikes, potentials, v = torch.empty_like(x), [], None
    for current, s in zip(x.unbind(0), spikes.unbind(0), strict=True):
        u = current.to(torch.promote_types(x.dtype, torch.float32), copy=v is None)  # a view would keep all of x alive
        if v is not None:
            u = (tau * v).add_(u)
        torch.ge(u, v_threshold, out=s)  # operations on booleans are slow
        v = torch.addcmul(u, u, s.to(u.dtype), value=-1)
        if keep:
            potentials.append(u)
    return spikes, potentials


def _gradient(
    grad_spikes: Tensor,
    potentials: list[Tensor],
    where_silent: Callable[[int, Tensor], Tensor],
    tau: float,
    v_threshold: float,
    alpha: float,
    surrogate: Surrogate,
) -> Tensor:
    """(T, N) gradient of the spikes -> (T, N) gradient of the currents: the module's equation.

    `where_silent(t, value)` is :math:`(1 - s[t])` times a value.
    """
    gradients: list[Tensor] = []
    grad_v = None
    for t in reversed(range(len(potentials))):
        u = potentials[t]
        h = surrogate_derivative(surrogate, u - v_threshold, alpha)
        grad_u = grad_spikes[t].to(u.dtype)
        if grad_v is not None:  # nothing follows the last step
            grad_u = grad_u - grad_v * u
        grad_u = grad_u * h
        if grad_v is not None:
            grad_u = grad_u + where_silent(t, grad_v)
        grad_v = tau * grad_u
        gradients.append(grad_u.to(grad_spikes.dtype))
    return torch.stack(gradients[::-1])


@kernels.kernel
def spikes_kernel(x: Tensor, tau: float, v_threshold: float) -> Tensor:
    """(T, N) currents -> (T, N) spikes in their dtype."""
    # through float32: comparisons come in 32-bit lanes, and in 16-bit ones only by a detour
    return torch.stack([(u >= v_threshold).to(u.dtype).to(x.dtype) for u in _formula(x, tau, v_threshold)])


@kernels.kernel
def gradient_kernel(
    grad_spikes: Tensor, x: Tensor, tau: float, v_threshold: float, alpha: float, surrogate: Surrogate
) -> Tensor:
    """(T, N) gradient of the spikes and currents -> (T, N) gradient of the currents."""
    potentials = _formula(x, tau, v_threshold)

    def where_silent(t: int, value: Tensor) -> Tensor:
        return torch.where(potentials[t] >= v_threshold, 0.0, value)

    return _gradient(grad_spikes, potentials, where_silent, tau, v_threshold, alpha, surrogate)


def _uncompiled_gradient(grad_spikes: Tensor, spikes: Tensor, potentials: list[Tensor], *settings: Any) -> Tensor:
    def where_silent(t: int, value: Tensor) -> Tensor:
        return torch.addcmul(value, value, spikes[t].to(value.dtype), value=-1)

    return _gradient(grad_spikes, potentials, where_silent, *settings)


class FusedLIF(torch.autograd.Function):
    """(T, ...) currents -> (T, ...) spikes with the surrogate's gradient, in the dtype and memory format of the input.

    `compile` says whether both directions run as compiled kernels; on finite currents it does not bear on the result.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, tau: float, v_threshold: float, surrogate: Surrogate, alpha: float, compile: bool
    ) -> Tensor:
        ctx.order, ctx.shape = memory_order(x), x.shape
        ctx.settings, ctx.compile = (tau, v_threshold, alpha, surrogate), compile
        flat = _flat(x, ctx.order)
        if compile:
            ctx.save_for_backward(flat)
            spikes = spikes_kernel(flat, tau, v_threshold)
        else:
            spikes, potentials = _uncompiled(flat, tau, v_threshold, keep=ctx.needs_input_grad[0])
            ctx.save_for_backward(spikes, *potentials)
        return _unflat(spikes, ctx.shape, ctx.order)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_spikes: Tensor) -> tuple[Tensor, None, None, None, None, None]:
        flat = _flat(grad_spikes, ctx.order)
        if ctx.compile:
            (x,) = ctx.saved_tensors
            grad = gradient_kernel(flat, x, *ctx.settings)
        else:
            spikes, *potentials = ctx.saved_tensors
            grad = _uncompiled_gradient(flat, spikes, potentials, *ctx.settings)
        return _unflat(grad, ctx.shape, ctx.order), None, None, None, None, None


def _flat(x: Tensor, order: list[int]) -> Tensor:
    """(T, ...) -> (T, N) in memory order: a view of a dense tensor of that order, else a copy."""
    return x.permute(order).reshape(len(x), -1)


def _unflat(flat: Tensor, shape: torch.Size, order: list[int]) -> Tensor:
    """(T, N) in memory order -> `shape`, dense, with its dimensions in `order` in memory."""
    back = sorted(range(len(order)), key=order.__getitem__)
    return flat.view([shape[d] for d in order]).permute(back)
