r"""The leaky integrate-and-fire neuron and its surrogate gradients.

Recurrence over the time steps :math:`t = 1 \dots T`, with leak :math:`\tau`, threshold :math:`v_{th}`, input current
:math:`x[t]`, membrane potential before the reset :math:`u[t]` and after it :math:`v[t]`, and :math:`v[0] = 0`:

.. math::
    u[t] &= \tau\, v[t-1] + x[t] \\
    s[t] &= H(u[t] - v_{th}), \qquad H(z) = 1 \text{ if } z \ge 0 \text{ else } 0 \\
    v[t] &= u[t]\,(1 - s[t])

Hard reset to zero; the gradient flows through the reset. This is the neuron of Li et al. (TMLR 2023) as its released
code runs it with its default surrogate; with its triangular one it has :math:`H(0) = 0`. In snnTorch it is
`Leaky(beta=tau, threshold=v_threshold, reset_mechanism="zero", reset_delay=False)` with a spike function that fires at
`>=`.

The step has no useful derivative. In the backward pass :math:`H'` is replaced by a surrogate, a function of
:math:`z = u - v_{th}`: see `snnlib.neurons.surrogate`.
"""

from __future__ import annotations

import math
from typing import Any, Literal, get_args

import torch
from snntorch import Leaky, SpikingNeuron
from torch import Tensor, nn

from snnlib import kernels
from snnlib.neurons.fused import FusedLIF
from snnlib.neurons.surrogate import Surrogate, surrogate_derivative

Backend = Literal["auto", "compiled", "fused", "snntorch"]


class LIF(nn.Module):
    """A layer of leaky integrate-and-fire neurons: a sequence of currents in, spikes out. No state survives a call.

    Args:
        tau: leak, the share of the membrane potential kept from one step to the next, in [0, 1].
        v_threshold: the neuron fires where the membrane potential reaches it; larger than 0.
        surrogate: "triangular" or "dspike", the derivative that stands in for the step's in the backward pass.
        alpha: half width of the triangular surrogate, in units of the membrane potential; larger than 0.
        backend: "snntorch" runs `snntorch.Leaky` step by step, the reference; "fused" runs all steps in one autograd
            node that equals it in value and gradient; "compiled" is that node with its loops compiled to one pass
            through memory each, where a compiler is found; "auto" is "compiled" inside `snnlib.kernels.compiled()`, as
            in long trainings, else "fused". (Of 16-bit currents the fused paths compute in 32 bits, snnTorch in 16, so
            near the threshold a rare spike differs.)

    Shape:
        (T, B, *) input currents -> (T, B, *) spikes, 0 or 1, in the dtype and memory format of the input.

    Raises:
        ValueError: for a parameter outside its range, or an input without time and batch dimensions or without steps.
        TypeError: for an input that is not floating point.

    Example:
        >>> spikes = LIF(tau=0.5)(torch.ones(4, 2, 3))  # u = 1 at every step: fires each time, resets each time
        >>> spikes.mean().item()
        1.0
    """

    def __init__(
        self,
        tau: float = 0.5,
        v_threshold: float = 1.0,
        surrogate: Surrogate = "triangular",
        alpha: float = 1.0,
        backend: Backend = "auto",
    ) -> None:
        super().__init__()
        if not 0 <= tau <= 1:
            raise ValueError(f"tau = {tau!r} is no leak: it must lie in [0, 1]")
        if not 0 < v_threshold < math.inf:
            raise ValueError(f"v_threshold = {v_threshold!r} must be a finite number larger than 0")
        if not 0 < alpha < math.inf:
            raise ValueError(f"alpha = {alpha!r} is no surrogate width: it must be a finite number larger than 0")
        if surrogate not in get_args(Surrogate):
            raise ValueError(f"surrogate = {surrogate!r} is unknown: choose one of {', '.join(get_args(Surrogate))}")
        if backend not in get_args(Backend):
            raise ValueError(f"backend = {backend!r} is unknown: choose one of {', '.join(get_args(Backend))}")
        self.tau, self.v_threshold, self.surrogate, self.alpha, self.backend = (
            tau,
            v_threshold,
            surrogate,
            alpha,
            backend,
        )

    def forward(self, x: Tensor) -> Tensor:
        if x.dim() < 2:
            raise ValueError(f"LIF takes currents of shape (T, B, *), time first, but got {tuple(x.shape)}")
        if len(x) == 0:
            raise ValueError(f"LIF takes currents of at least one time step, but got {tuple(x.shape)}")
        if not x.is_floating_point():
            raise TypeError(f"LIF takes floating-point currents, but got {x.dtype}")
        if self.backend == "snntorch":
            return _snntorch_lif(x, self.tau, self.v_threshold, self.surrogate, self.alpha)
        compile = self.backend == "compiled" or (self.backend == "auto" and kernels.are_compiled())
        return FusedLIF.apply(x, self.tau, self.v_threshold, self.surrogate, self.alpha, compile)

    def extra_repr(self) -> str:
        width = f", alpha={self.alpha}" if self.surrogate == "triangular" else ""
        return f"tau={self.tau}, v_threshold={self.v_threshold}, surrogate={self.surrogate}{width}"


class _Spike(torch.autograd.Function):
    """Forward the step at `>=`, backward a surrogate: the spike function handed to snnTorch."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, surrogate: Surrogate, alpha: float) -> Tensor:
        ctx.save_for_backward(z)
        ctx.surrogate, ctx.alpha = surrogate, alpha
        return (z >= 0).to(z.dtype)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (z,) = ctx.saved_tensors
        return grad * surrogate_derivative(ctx.surrogate, z, ctx.alpha), None, None


def _snntorch_lif(x: Tensor, tau: float, v_threshold: float, surrogate: Surrogate, alpha: float) -> Tensor:
    """The reference: snnTorch's `Leaky`, one call a time step, the membrane potential passed explicitly."""
    cell = _unregistered_leaky(tau, v_threshold, surrogate, alpha)
    v = torch.zeros_like(x[0])
    spikes = []
    for current in x.unbind(0):
        s, v = cell(current, v)
        spikes.append(s)
    return torch.cat(spikes).view_as(x)  # cat along the batch keeps channels-last, stack would not


def _unregistered_leaky(tau: float, v_threshold: float, surrogate: Surrogate, alpha: float) -> Leaky:
    """A `Leaky` made for one call. snnTorch keeps every neuron ever made alive in a list of its class: take it out."""
    cell = Leaky(
        # 0-dimensional float64 tensors: exact in float64 networks, and they do not promote float32 ones
        beta=torch.tensor(tau, dtype=torch.float64),
        threshold=torch.tensor(v_threshold, dtype=torch.float64),
        spike_grad=lambda z: _Spike.apply(z, surrogate, alpha),
        reset_mechanism="zero",
        reset_delay=False,
    )
    registry = SpikingNeuron.instances
    registry[:] = [other for other in registry if other is not cell]
    return cell
