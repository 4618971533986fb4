"""Which calls of a module are one layer at several steps, and what of a network in time is refused."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import snntorch
import torch
from recorded_networks import B, Loop, T, batch, keep
from torch import Tensor, nn

from snnlib.loaders import Batch
from snnlib.recording import Recorder, firing_rates
from snnlib.spec import SpecError


class LoopInEachLayer(nn.Module):
    """Both layers go through all steps before the next one begins; they share their neuron."""

    T = T

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2, self.lif = nn.Linear(6, 7), nn.Linear(7, 4), snntorch.Leaky(beta=0.9)

    def forward(self, x: Tensor) -> Tensor:
        steps = [(t + 1) * x for t in range(self.T)]
        for fc in (self.fc1, self.fc2):
            mem, spikes = self.lif.init_leaky(), []
            for step in steps:
                spk, mem = self.lif(fc(step), mem)
                spikes.append(spk)
            steps = spikes
        return torch.stack(steps).mean(0)


def test_a_loop_over_time_in_each_layer_is_told_from_one_through_the_network() -> None:
    found = Recorder(LoopInEachLayer())(batch(B, 6), keep)
    assert {layer.name: [tuple(step.shape) for step in steps] for layer, steps in found.items()} == {
        "fc1": [(1, B, 7)] * T,
        "lif": [(1, B, 7)] * T,
        "fc2": [(1, B, 4)] * T,
        "lif#2": [(1, B, 4)] * T,
    }

    seven = LoopInEachLayer()
    seven.fc1, seven.fc2 = nn.Linear(6, 7), nn.Linear(7, 7)
    shown = Batch(3 * torch.rand(B, 6), None, B)
    whole = Recorder(seven)(shown, keep)
    alone = Recorder(seven, ["lif"])(shown, keep)
    assert [layer.name for layer in alone] == ["lif", "lif#2"], "also where what tells them apart is not recorded"
    for layer, steps in alone.items():
        assert all(torch.equal(one, other) for one, other in zip(steps, whole[layer], strict=True))
    by_step = firing_rates(seven, [shown.images])
    for layer, steps in alone.items():
        assert by_step.sel(layer=layer.name).values == pytest.approx([float(step.mean()) for step in steps])

    class Mixed(LoopInEachLayer):
        def forward(self, x: Tensor) -> Tensor:
            for fc in (self.fc1, self.fc1, self.fc2, self.fc1, self.fc2, self.fc2):
                self.lif(fc(x))
            return x

    mixed = Mixed()
    mixed.fc2 = nn.Linear(6, 7)
    with pytest.raises(SpecError, match=r"'lif' is called 6 times in 3 time steps, .* give every layer a module"):
        Recorder(mixed)(batch(B, 6), keep)


def test_a_spiking_layer_has_to_come_to_all_steps() -> None:
    net = Loop()
    for steps in (2, 8):  # the network itself runs 3
        with pytest.raises(SpecError, match=f"'lif' is called 3 times .* but the network runs {steps} time steps"):
            Recorder(net, steps=steps)(batch(B, 6), keep)

    class BatchFirst(snntorch.LeakyParallel):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x).transpose(0, 1)

    class Encoded(nn.Module):
        T = T

        def __init__(self, neuron: type[nn.Module]) -> None:
            super().__init__()
            self.lif = neuron(6, 6)

        def forward(self, x: Tensor) -> Tensor:
            return self.lif(x.expand(self.T, -1, -1))

    assert firing_rates(Encoded(snntorch.LeakyParallel), [torch.rand(B, 6)]).sizes["step"] == T
    with pytest.raises(SpecError, match=r"'lif' is called 1 time with features without time, .*, time first"):
        firing_rates(Encoded(BatchFirst), [torch.rand(B, 6)])


@pytest.mark.parametrize("declared", [np.int64(T), torch.tensor(T)])
def test_a_whole_number_of_steps_may_have_any_type(declared: object) -> None:
    net = Loop()
    net.T = declared
    assert Recorder(net).steps == Recorder(Loop(), steps=declared).steps == T
    net.T = 3.0
    with pytest.raises(SpecError, match=r"Loop.T = 3.0 must be a whole number of at least 1, or give steps"):
        Recorder(net)


def test_calls_that_may_be_steps_are_asked_about() -> None:
    class Silent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lif = snntorch.Leaky(beta=0.9)

        def forward(self, x: Tensor) -> Tensor:
            for _ in range(3):
                self.lif(x)
            return x

    with pytest.warns(UserWarning, match=r"'lif' is called 3 times, .* say steps=3"):
        assert len(Recorder(Silent())(batch(B, 6), keep)) == 3
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(Recorder(Silent(), steps=1)(batch(B, 6), keep)) == 3, "who says so means layers"
        assert len(Recorder(Silent(), steps=3)(batch(B, 6), keep)) == 1
