"""Which layers are recorded, what is recorded of them, and that nothing is left behind."""

from __future__ import annotations

import numpy as np
import pytest
import snntorch
import torch
from recorded_networks import B, Gives, Loop, T, Twice, batch, keep
from torch import Tensor, nn

from snnlib.loaders import Batch, batches
from snnlib.models import build_model
from snnlib.neurons import LIF
from snnlib.recording import Recorder, firing_rates
from snnlib.spec import SpecError


def hooks_of(model: nn.Module) -> int:
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules())


# -- what of them ------------------------------------------------------------------------------------------------------


def test_each_call_of_a_reused_module_is_a_layer_with_its_own_values() -> None:
    model, images = Twice(), batch(B, 6)
    found = {layer.name: torch.cat(values)[0] for layer, values in Recorder(model)(images, keep).items()}
    a1 = images.images @ model.fc1.weight.T + model.fc1.bias
    a2 = a1.clamp_min(0) @ model.fc2.weight.T + model.fc2.bias
    assert list(found) == ["fc1", "relu", "fc2", "relu#2"]
    for name, expected in {"fc1": a1, "relu": a1.clamp_min(0), "fc2": a2, "relu#2": a2.clamp_min(0)}.items():
        torch.testing.assert_close(found[name], expected.detach())  # fc1 and fc2 as they were before ReLU in place


def test_a_loop_over_time_is_one_layer_at_all_its_steps() -> None:
    model, images = Loop(), batch(B, 6)
    found = {layer.name: torch.cat(values) for layer, values in Recorder(model)(images, keep).items()}
    assert list(found) == ["encoder", "relu", "fc", "relu#2", "lif"]
    current = model.encoder(images.images).detach()
    mem = torch.zeros(B, 4)
    for t in range(T):
        h = torch.relu((t + 1) * current)
        out = model.fc(h).detach()
        spk, mem = snntorch.Leaky(beta=0.9)(torch.relu(out), mem)
        for name, expected in {"relu": h, "fc": out, "relu#2": torch.relu(out), "lif": spk}.items():
            torch.testing.assert_close(found[name][t], expected)
    assert found["encoder"].shape == (1, B, 7)  # called once: the same at every step


def test_a_multi_step_module_called_as_often_as_there_are_steps_is_that_many_layers() -> None:
    lif = LIF(v_threshold=0.1)
    model = nn.Sequential(lif, lif, lif)
    found = Recorder(model, steps=T)(batch(T, B, 4, n=B), keep)
    assert {layer.name: values[0].shape for layer, values in found.items()} == dict.fromkeys(
        ["0", "0#2", "0#3"], (T, B, 4)
    )


def test_images_go_to_the_device_of_the_network() -> None:
    found = Recorder(Twice().to("meta"))(batch(B, 6), lambda features, module: features.device.type)
    assert set(map(tuple, found.values())) == {("meta",)}


def test_time_folded_time_first_and_static_outputs() -> None:
    folded = torch.arange(T * B * 2.0).reshape(T * B, 2)
    expected = torch.stack([folded[t * B : (t + 1) * B] for t in range(T)])  # time first
    for output in (folded, expected.clone(), expected[..., None], (expected, "state")):
        ((_, values),) = Recorder(Gives(output), steps=T)(batch(B, 2), keep).items()
        assert torch.equal(values[0], expected)
    static = torch.randn(B, 2, 4)
    ((_, values),) = Recorder(Gives(static), steps=T)(batch(B, 2), keep).items()
    assert torch.equal(values[0], static.reshape(1, B, 8))


def test_frames_give_an_ordinary_network_its_steps() -> None:
    model = build_model("resnet20", spiking=False, width=0.25)
    frames = torch.randn(T, B, 3, 8, 8)
    found = {layer.name: v[0] for layer, v in Recorder(model)(Batch(frames, None, B), keep).items()}
    alone = {layer.name: v[0] for layer, v in Recorder(model)(Batch(frames[1], None, B), keep).items()}
    assert found["stage1.0"].shape[:2] == (T, B)
    torch.testing.assert_close(found["stage1.0"][1], alone["stage1.0"][0])


def test_as_many_images_as_steps_is_refused_where_it_cannot_be_told_apart() -> None:
    with pytest.raises(SpecError, match=r"'layer'.*\(3, 3, 2\).*another batch size"):
        Recorder(Gives(torch.zeros(T, T, 2)), steps=T)(batch(T, 2), keep)
    ((_, values),) = Recorder(Gives(torch.zeros(T, 4)), steps=T)(batch(T, 2), keep).items()
    assert values[0].shape == (1, T, 4)  # (B, ...): its second size is not B
    spikes = torch.randn(T, T, 2)
    ((_, values),) = Recorder(Gives(spikes, LIF), steps=T)(batch(T, 2), keep).items()  # LIF is time first
    assert torch.equal(values[0], spikes)


@pytest.mark.parametrize("output", [torch.zeros(4, 2), torch.zeros(2 * T * B, 2), torch.zeros(()), {"out": 1}, None])
def test_other_outputs_are_refused_by_name(output: object) -> None:
    shape = "NoneType|dict" if not isinstance(output, Tensor) else rf"\({', '.join(map(str, output.shape))}\)"
    with pytest.raises(SpecError, match=rf"'layer' gave .*({shape})"):
        Recorder(Gives(output), steps=T)(batch(B, 2), keep)


def test_undeclared_steps_are_suggested() -> None:
    for output in (torch.zeros(T * B, 2), torch.zeros(T, B, 2)):
        with pytest.raises(SpecError, match="runs 3 time steps, say so with steps"):
            Recorder(Gives(output))(batch(B, 2), keep)


def test_the_number_of_images_is_that_of_the_labels_or_follows_the_layout() -> None:
    frames, images, labels = torch.zeros(T, B, 3, 8, 8), torch.zeros(B, 3, 8, 8), ["cat"] * B
    assert [b.n for b in batches([frames, images, (frames, labels), [images], (images, torch.arange(B))])] == [B] * 5


# -- what is left behind -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["forward", "reduce", "nowhere"])
def test_hooks_and_modes_are_put_back(where: str) -> None:
    model = nn.Sequential(Twice(), nn.BatchNorm1d(4), nn.Dropout())
    model.train()
    model[1].eval()  # frozen
    statistics = model[1].running_mean.clone()
    seen = []

    def reduce(features: Tensor, module: nn.Module) -> None:
        seen.append(hooks_of(model))
        assert not any(module.training for module in model.modules())
        if where == "reduce" and len(seen) == 3:
            raise KeyError(where)

    shape = (B, 5) if where == "forward" else (B, 6)
    if where == "nowhere":
        Recorder(model)(batch(*shape), reduce)
    else:
        with pytest.raises((KeyError, RuntimeError)):
            Recorder(model)(batch(*shape), reduce)
    assert hooks_of(model) == 0
    assert [module.training for module in model] == [True, False, True]
    assert torch.equal(model[1].running_mean, statistics)
    assert where == "forward" or seen[0] == 5  # they were there


def test_no_graph_is_kept_and_training_goes_on_after_it() -> None:
    model = nn.Sequential(nn.Linear(6, 4), snntorch.Leaky(beta=0.9, init_hidden=True, learn_beta=True))
    grads = Recorder(model)(batch(B, 6), lambda features, module: (features.requires_grad, features.grad_fn))
    assert list(grads.values()) == [[(False, None)]] * 2
    assert torch.is_grad_enabled()
    model(torch.randn(B, 6)).sum().backward()  # the membrane that the recording left in the neuron takes part


def test_one_layer_of_features_is_in_memory_at_a_time() -> None:
    import weakref

    model = nn.Sequential(*[nn.Linear(6, 6) for _ in range(8)])
    alive: list[weakref.ref[Tensor]] = []
    counts = []

    def reduce(features: Tensor, module: nn.Module) -> float:
        storage = features.untyped_storage()
        counts.append(sum(ref() is not None for ref in alive))
        alive.append(weakref.ref(storage))
        return features.sum().item()

    Recorder(model)(batch(B, 6), reduce)
    assert len(counts) == 8
    assert max(counts) <= 1


# -- firing rates ------------------------------------------------------------------------------------------------------


def test_firing_rates_of_our_network_by_layer_and_step() -> None:
    torch.manual_seed(0)
    model = build_model("resnet20", spiking=True, T=T, width=0.25, v_threshold=0.5)
    loader = [(torch.randn(n, 3, 8, 8), torch.zeros(n)) for n in (6, 2, 1)]
    rates = firing_rates(model, loader)
    assert (rates.name, rates.dims, rates.attrs) == ("firing_rate", ("layer", "step"), {"n_images": 9})
    assert list(rates.step.values) == [1, 2, 3]
    assert set(rates.kind.values) == {"act"}
    assert rates.layer.values[0] == "stage1.0.act1"
    assert (rates.stage.values[0], rates.block.values[0], rates.layer.values[-1]) == (1, 0, "act")
    spikes = []
    model.stage1[0].act1.register_forward_hook(lambda module, args, output: spikes.append(output))
    model.eval()
    with torch.no_grad():
        for images, _ in loader:
            model(images)
    counted = torch.cat(spikes, dim=1)  # (T, 9, C, H, W)
    expected = counted.flatten(1).double().mean(1).numpy()
    np.testing.assert_allclose(rates.sel(layer="stage1.0.act1").values, expected, rtol=1e-12)
    assert len(set(expected)) == T
    assert 0 < expected.max() < 1


def test_firing_rates_of_snntorch_in_a_loop() -> None:
    model = Loop()
    model.spare = LIF()  # never called: no rate, no error
    nn.init.constant_(model.fc.weight, 0.3)
    rates = firing_rates(model, [torch.rand(B, 6) for _ in range(2)])
    assert list(rates.layer.values) == ["lif"]
    assert rates.shape == (1, T)
    assert rates.attrs["n_images"] == 2 * B


def test_firing_rates_need_spikes_and_images() -> None:
    with pytest.raises(SpecError, match="ResNet has no spiking neurons"):
        firing_rates(build_model("resnet20", spiking=False, width=0.25), [torch.randn(4, 3, 8, 8)])
    with pytest.raises(SpecError, match="no images"):
        firing_rates(build_model("resnet20", spiking=True, T=2, width=0.25), [])
