"""LIF against the equations written out in float64, autograd, and snnTorch; no state, no leak."""

import gc
import math
import weakref

import numpy as np
import pytest
import torch
from snntorch import SpikingNeuron

from snnlib import LIF
from snnlib.neurons import DSPIKE_GAMMA, dspike, triangular

# without a compiler "compiled" is "fused", and equal to it whatever the compiled code computes
pytestmark = pytest.mark.filterwarnings("error::snnlib.kernels.NoCompiler")

CURRENTS = torch.randn(6, 3, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 1.5
BACKENDS = ["snntorch", "fused", "compiled"]
ONE_NODE = BACKENDS[1:]  # all time steps in one node of the autograd graph
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


def random(*shape, dtype=torch.float32, seed=2):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


def spikes_and_gradient(x, backend, **settings):
    """Of a loss that weighs each spike differently."""
    x = x.detach().requires_grad_()
    spikes = LIF(backend=backend, **settings)(x)
    (grad,) = torch.autograd.grad((random(*x.shape, seed=3).to(x.dtype) * spikes).sum(), x)
    return spikes.detach(), grad


# 0.3 is no power of two: roundings differ if the order of operations does
@pytest.mark.parametrize("backend", ONE_NODE)
@pytest.mark.parametrize("tau", [0.3, 0.5])
def test_float32_equals_snntorch_bit_for_bit(backend, tau):
    x = random(8, 16, 4, 6, 6)
    spikes = LIF(tau=tau, backend=backend)(x)
    assert spikes.dtype == torch.float32
    assert torch.equal(spikes, LIF(tau=tau, backend="snntorch")(x))


@pytest.mark.parametrize("backend", ONE_NODE)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_16_bit_currents_are_computed_in_float32(backend, dtype):
    x = random(8, 16, 4, 6, 6, dtype=dtype)
    spikes, grad = spikes_and_gradient(x, backend, tau=0.3)
    assert spikes.dtype == grad.dtype == dtype
    assert torch.equal(spikes.float(), LIF(tau=0.3, backend="snntorch")(x.float()))
    weights = random(*x.shape, seed=3).to(dtype).float()
    expected = gradient_of_the_recurrence(x.float(), 0.3, 1.0, "triangular", 1.0, weights)
    torch.testing.assert_close(grad.float(), expected, rtol=torch.finfo(dtype).eps, atol=1e-6)  # rounded once, at last


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", [(1, 33), (1, 4, 7), (4, 7), (4, 33), (4, 3, 64, 5, 5)])
def test_compiled_equals_fused_bit_for_bit(dtype, shape):
    x = random(*shape, dtype=dtype) + 0.4
    for settings in ({}, {"tau": 0.3, "v_threshold": 0.7, "alpha": 0.6}):
        fused, compiled = (spikes_and_gradient(x, backend, **settings) for backend in ONE_NODE)
        for one, other in zip(fused, compiled, strict=True):
            assert one.any()
            assert torch.equal(one, other)


# torch.compile gives up on a function after it has compiled it for eight cases
def test_compiled_takes_any_number_of_settings():
    x = random(2, 20) + 0.4
    for share in torch.linspace(0.1, 0.9, 9).tolist():
        settings = {"tau": share, "v_threshold": 1.2 - share, "alpha": 0.3 + share}
        fused, compiled = (spikes_and_gradient(x, backend, **settings) for backend in ONE_NODE)
        assert torch.equal(fused[0], compiled[0])
        assert torch.equal(fused[1], compiled[1])


@pytest.mark.parametrize("threads", [1, 2])
def test_compiled_runs_wherever_it_is_called(threads):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        for x in (random(2, 1), random(2, 6), random(2, 6).requires_grad_(), random(2, 3, 2).requires_grad_()):
            for mode in (torch.enable_grad, torch.no_grad, torch.inference_mode):
                for autocast in (False, True):
                    with mode(), torch.autocast("cpu", torch.bfloat16, enabled=autocast):
                        assert torch.equal(LIF(backend="compiled")(x), LIF(backend="fused")(x))
    finally:
        torch.set_num_threads(before)


def test_compiled_takes_any_number_of_time_steps():
    for steps in range(1, 11):
        x = random(steps, 5)
        assert torch.equal(LIF(backend="compiled")(x), LIF(backend="fused")(x))


NOT_DENSE = {
    "over images": lambda x: x[:, :1].expand(-1, 6, -1, -1),
    "over time": lambda x: x[:1].expand(4, -1, -1, -1),
    "over everything": lambda x: x[:1, :1, :1, :1].expand(4, 3, 2, 5),
    "every other": lambda x: x[..., ::2],
    "a part": lambda x: x[1:3, 1:, 2:5],
    "transposed": lambda x: x.transpose(1, 3),
    "time last in memory": lambda x: x.permute(3, 1, 2, 0),
}


@pytest.mark.parametrize("backend", ONE_NODE)
@pytest.mark.parametrize("change", NOT_DENSE.values(), ids=NOT_DENSE.keys())
def test_how_the_input_lies_in_memory_does_not_matter(backend, change):
    x = change(random(4, 3, 8, 8) + 0.4)
    for found, expected in zip(
        spikes_and_gradient(x, backend), spikes_and_gradient(x.contiguous(), backend), strict=True
    ):
        assert found.shape == x.shape
        assert torch.equal(found, expected)


@pytest.mark.parametrize("backend", ONE_NODE)
def test_no_second_derivative_is_an_error_not_a_number(backend):
    x = random(4, 20).requires_grad_()
    (grad,) = torch.autograd.grad(LIF(backend=backend)(x).square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="twice"):
        grad.sum().backward()


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


@pytest.mark.parametrize("backend", BACKENDS)
def test_nothing_is_kept_alive_after_backward(backend):
    x = CURRENTS.clone().requires_grad_()
    currents = x * 1
    kept = weakref.ref(currents.untyped_storage())
    spikes = LIF(backend=backend)(currents)
    del currents
    assert kept() is not None or backend != "compiled", "backward computes with them once more"
    spikes.sum().backward()
    gc.collect()
    assert kept() is None, "though the spikes are still there"
    del x, spikes
    gc.collect()
    # type, not isinstance: what torch.compile remembers of its inputs are stand-ins without numbers
    tensors = [o for o in gc.get_objects() if type(o) is torch.Tensor]
    assert not [tensor for tensor in tensors if tensor.requires_grad and tensor.shape == CURRENTS.shape]


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
