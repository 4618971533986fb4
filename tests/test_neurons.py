"""LIF against the equations written out in float64, autograd, and snnTorch; no state, no leak."""

import gc
import math

import numpy as np
import pytest
import torch
from snntorch import SpikingNeuron

from snnlib import LIF
from snnlib.neurons import DSPIKE_GAMMA, dspike, triangular

CURRENTS = torch.randn(6, 3, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 1.5
BACKENDS = ["snntorch", "fused"]
SURROGATES = [("triangular", 1.0), ("triangular", 0.5), ("dspike", 1.0)]


def written_out(x: np.ndarray, tau: float, v_threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """The recurrence of PAPER, in plain numpy float64: spikes and membrane potential."""
    v = np.zeros_like(x[0])
    spikes, potentials = [], []
    for current in x:
        u = tau * v + current
        s = np.where(u >= v_threshold, 1.0, 0.0)
        v = u * (1 - s)
        spikes.append(s)
        potentials.append(u)
    return np.stack(spikes), np.stack(potentials)


class SurrogateStep(torch.autograd.Function):
    """Step whose derivative is given by a formula written here, not by the package."""

    @staticmethod
    def forward(ctx, z, name, alpha):
        ctx.save_for_backward(z)
        ctx.name, ctx.alpha = name, alpha
        return (z >= 0).to(z.dtype)

    @staticmethod
    def backward(ctx, grad):
        (z,) = ctx.saved_tensors
        if ctx.name == "triangular":
            h = torch.where(z.abs() < ctx.alpha, (ctx.alpha - z.abs()) / ctx.alpha**2, 0.0)
        else:
            h = 3 / (2 * math.tanh(9)) / torch.cosh(3 * z) ** 2 * (z.abs() <= 3)
        return grad * h, None, None


def gradient_of_the_recurrence(x, tau, v_threshold, name, alpha, weights):
    x = x.clone().requires_grad_()
    v, loss = torch.zeros_like(x[0]), 0.0
    for t in range(len(x)):
        u = tau * v + x[t]
        s = SurrogateStep.apply(u - v_threshold, name, alpha)
        v = u * (1 - s)  # the gradient flows through the reset
        loss = loss + (weights[t] * s).sum()
    return torch.autograd.grad(loss, x)[0]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("tau", "v_threshold"), [(0.5, 1.0), (0.3, 0.7), (0.0, 1.0), (1.0, 2.0)])
def test_spikes_follow_the_equations(backend, tau, v_threshold):
    expected, _ = written_out(CURRENTS.numpy(), tau, v_threshold)
    assert 0 < expected.mean() < 1
    spikes = LIF(tau=tau, v_threshold=v_threshold, backend=backend)(CURRENTS)
    np.testing.assert_array_equal(spikes.numpy(), expected)


@pytest.mark.parametrize("backend", BACKENDS)
def test_fires_when_the_threshold_is_met_exactly(backend):
    spikes = LIF(tau=0.5, backend=backend)(torch.tensor([[1.0], [0.5], [0.75]]))
    # u = 1 (fires, reset), 0.5, 0.25 + 0.75 = 1 (fires)
    assert spikes.flatten().tolist() == [1.0, 0.0, 1.0]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("surrogate", "alpha"), SURROGATES)
@pytest.mark.parametrize(("tau", "v_threshold"), [(0.5, 1.0), (0.3, 0.7)])
def test_gradients_equal_autograd_of_the_recurrence(backend, surrogate, alpha, tau, v_threshold):
    weights = torch.randn(CURRENTS.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    expected = gradient_of_the_recurrence(CURRENTS, tau, v_threshold, surrogate, alpha, weights)
    x = CURRENTS.clone().requires_grad_()
    lif = LIF(tau=tau, v_threshold=v_threshold, surrogate=surrogate, alpha=alpha, backend=backend)
    (weights * lif(x)).sum().backward()
    assert expected.abs().max() > 0.1
    torch.testing.assert_close(x.grad, expected, rtol=1e-10, atol=1e-10)


# 0.3 is no power of two: roundings differ if the order of operations does. (In bfloat16 snnTorch rounds the leak.)
@pytest.mark.parametrize(("dtype", "tau"), [(torch.float32, 0.3), (torch.float32, 0.5), (torch.bfloat16, 0.5)])
def test_fused_equals_snntorch_bit_for_bit(dtype, tau):
    x = torch.randn(8, 16, 4, 6, 6, generator=torch.Generator().manual_seed(2)).to(dtype)
    reference, fused = (LIF(tau=tau, backend=backend)(x) for backend in BACKENDS)
    assert fused.dtype == reference.dtype == dtype
    assert torch.equal(fused, reference)


@pytest.mark.parametrize("backend", BACKENDS)
def test_channels_last_stays_channels_last(backend):
    x = torch.randn(12, 8, 5, 5).contiguous(memory_format=torch.channels_last)
    spikes = LIF(backend=backend)(x.unflatten(0, (3, 4))).flatten(0, 1)
    assert spikes.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("backend", BACKENDS)
def test_no_state_survives_a_call(backend):
    lif = LIF(backend=backend)
    first = lif(CURRENTS)
    lif(torch.full_like(CURRENTS, 0.9))  # leaves every membrane charged, were it kept
    assert torch.equal(lif(CURRENTS), first)
    assert not lif.state_dict()


def test_snntorch_registry_stays_as_it_was():
    before = list(SpikingNeuron.instances)
    LIF(backend="snntorch")(CURRENTS)
    assert [id(neuron) for neuron in SpikingNeuron.instances] == [id(neuron) for neuron in before]


def test_no_graph_is_kept_alive():
    lif = LIF(backend="snntorch")
    x = CURRENTS.clone().requires_grad_()
    lif(x).sum().backward()
    del x
    gc.collect()
    kept = [o for o in gc.get_objects() if torch.is_tensor(o) and o.requires_grad and o.shape == CURRENTS.shape]
    assert not kept


@pytest.mark.parametrize(("name", "area"), [("triangular", 1.0), ("dspike", 1.0)])
def test_surrogates_integrate_to_the_step(name, area):
    z = torch.linspace(-5, 5, 100_001, dtype=torch.float64)
    h = triangular(z, 0.7) if name == "triangular" else dspike(z)
    assert torch.trapezoid(h, z).item() == pytest.approx(area, abs=1e-4)
    assert torch.equal(h, h.flip(0))  # symmetric about the threshold


def test_dspike_is_clipped_at_gamma():
    beyond = torch.tensor([-DSPIKE_GAMMA - 1e-6, DSPIKE_GAMMA + 1e-6], dtype=torch.float64)
    assert dspike(beyond).tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tau": 1.5}, "tau = 1.5"),
        ({"tau": float("nan")}, "tau = nan"),
        ({"v_threshold": 0}, "v_threshold = 0"),
        ({"alpha": -1}, "alpha = -1"),
        ({"surrogate": "sigmoid"}, "'sigmoid' is unknown: choose one of triangular, dspike"),
        ({"backend": "cuda"}, "'cuda' is unknown"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        LIF(**arguments)


def test_bad_inputs_are_named():
    with pytest.raises(ValueError, match=r"\(T, B, \*\)"):
        LIF()(torch.zeros(4))
    with pytest.raises(TypeError, match=r"int64"):
        LIF()(torch.zeros(4, 2, dtype=torch.int64))
