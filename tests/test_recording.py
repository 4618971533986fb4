"""Which layers are recorded, what is recorded of them, and that nothing is left behind."""

from __future__ import annotations

import numpy as np
import pytest
import snntorch
import torch
import torchvision
from torch import Tensor, nn

from snnlib.layers import kind_of, select_layers, stage_and_block
from snnlib.loaders import Batch, batches
from snnlib.models import build_model
from snnlib.neurons import LIF
from snnlib.recording import Recorder, firing_rates
from snnlib.spec import SpecError

T, B = 3, 5


def batch(*shape: int, n: int | None = None) -> Batch:
    return Batch(torch.randn(shape), None, n or shape[0])


def keep(features: Tensor, module: nn.Module) -> Tensor:
    """A reduction that keeps everything, to look at it."""
    return features.clone()


class Twice(nn.Module):
    """Calls one ReLU twice, the second time in place on what a recorded layer gave."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2, self.relu = nn.Linear(6, 7), nn.Linear(7, 4), nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.fc2(self.relu(self.fc1(x))))


class Loop(nn.Module):
    """A single-step snnTorch network in a loop over time; the ReLU is called twice a step."""

    T = T

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.relu = nn.Linear(6, 7), nn.ReLU()
        self.fc, self.lif = nn.Linear(7, 4), snntorch.Leaky(beta=0.9)

    def forward(self, x: Tensor) -> Tensor:
        current, mem, spikes = self.encoder(x), self.lif.init_leaky(), []
        for t in range(self.T):
            h = self.relu(self.fc(self.relu((t + 1) * current)))
            spk, mem = self.lif(h, mem)
            spikes.append(spk)
        return torch.stack(spikes).mean(0)


class Gives(nn.Module):
    """A network whose one inner layer gives what it is told to, whatever goes in."""

    def __init__(self, output: object, layer: type[nn.Module] = nn.Module) -> None:
        super().__init__()
        self.layer = layer()
        self.layer.forward = lambda x: output  # type: ignore[method-assign]

    def forward(self, x: Tensor) -> object:
        return self.layer(x)


def hooks_of(model: nn.Module) -> int:
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules())


# -- which layers ------------------------------------------------------------------------------------------------------


def test_layers_of_our_resnet_in_call_order() -> None:
    model = build_model("resnet20", spiking=True, T=T, width=0.25)
    found = list(Recorder(model)(batch(B, 3, 8, 8), lambda features, module: None))
    names = [layer.name for layer in found]
    block = [f"stage1.0.{part}" for part in ("act1", "conv1", "bn1", "act2", "conv2", "bn2")]
    assert names[:9] == ["stem.conv", "stem.bn", *block, "stage1.0"]
    at = names.index("stage2.0.act1")
    down = [f"stage2.0.{part}" for part in ("act1", "conv1", "bn1", "act2", "conv2", "bn2")]
    shortcut = [f"stage2.0.shortcut.{part}" for part in ("pool", "conv", "bn")]
    assert names[at : at + 10] == [*down, *shortcut, "stage2.0"]
    assert names[-3:] == ["act", "pool", "fc"]
    assert len(names) == 2 + 9 * 7 + 2 * 3 + 3
    kinds = {layer.name: layer.kind for layer in found}
    assert [kinds[name] for name in names[:9]] == ["conv", "bn", "act", "conv", "bn", "act", "conv", "bn", "sum"]
    assert (kinds["pool"], kinds["fc"], kinds["stage2.0.shortcut.pool"]) == ("pool", "linear", "pool")
    places = {layer.name: (layer.stage, layer.block) for layer in found}
    assert places["stem.conv"] == places["act"] == (-1, -1)
    assert places["stage2.0.shortcut.conv"] == places["stage2.0"] == (2, 0)


def test_layers_of_torchvision_resnet18() -> None:
    model = torchvision.models.resnet18(num_classes=10)
    found = {layer.name: layer for layer in Recorder(model)(batch(4, 3, 32, 32), lambda features, module: None)}
    assert list(found)[:4] == ["conv1", "bn1", "relu", "maxpool"]
    assert {"layer1.0.relu", "layer1.0.relu#2", "layer2.0.downsample.0", "layer2.0", "avgpool", "fc"} <= set(found)
    assert not {"layer1", "layer2.0.downsample"} & set(found)
    assert (found["layer1.0"].kind, found["layer1.0.relu#2"].kind) == ("sum", "act")
    assert (found["layer3.1.conv2"].stage, found["layer3.1.conv2"].block) == (3, 1)


def test_leaves_containers_and_what_passes_on_are_told_apart() -> None:
    weight_normed = nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 2, 1))  # has modules inside, is a leaf
    model = nn.Sequential(
        weight_normed, nn.Sequential(), nn.Dropout(), nn.Identity(), nn.Sequential(nn.GroupNorm(1, 2)), nn.Flatten()
    )
    assert select_layers(model) == ["0", "4.0"]
    assert [kind_of(model.get_submodule(name)) for name in ("0", "1", "3", "4.0")] == ["conv", "other", "other", "bn"]
    lif = LIF()
    lif.inner = nn.Linear(1, 1)
    assert select_layers(nn.ModuleDict({"lif": lif, "leaky": snntorch.Leaky(0.5)})) == ["lif", "leaky"]
    assert kind_of(lif) == kind_of(snntorch.Leaky(0.5)) == "act"


def test_a_sequential_with_a_forward_of_its_own_is_a_block() -> None:
    class Residual(nn.Sequential):
        def forward(self, x: Tensor) -> Tensor:
            return x + super().forward(x)

    model = nn.Sequential(Residual(nn.Linear(3, 3)), nn.ReLU())
    assert select_layers(model) == ["0.0", "0", "1"]
    assert kind_of(model[0]) == "sum"


def test_a_module_under_two_names_is_one_and_answers_to_both() -> None:
    tied = nn.Linear(3, 3)
    model = nn.ModuleDict({"encoder": nn.Sequential(tied, nn.ReLU()), "decoder": nn.Sequential(tied)})
    assert select_layers(model) == ["encoder.0", "encoder.1"]
    assert select_layers(model, ["decoder.0"]) == ["decoder.0"]


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("stage1.0.act1", (1, 0)),
        ("layer10.3", (10, 3)),
        ("stages.1.0.conv", (1, 0)),
        ("conv1", (-1, -1)),
        ("a1.b2", (-1, -1)),
        ("fc1.2bn", (-1, -1)),
        ("0", (-1, -1)),
    ],
)
def test_stage_and_block(name: str, place: tuple[int, int]) -> None:
    assert stage_and_block(name) == place


def test_unknown_layer_is_named_with_the_closest_before_any_forward() -> None:
    model = Twice()
    model.forward = lambda x: pytest.fail("ran")  # type: ignore[method-assign]
    with pytest.raises(SpecError, match=r"'fc3'.*fc[12].*fc[12]"):
        Recorder(model, ["fc1", "fc3"])
    with pytest.raises(SpecError, match="empty"):
        Recorder(model, [])
    with pytest.raises(SpecError, match="Linear has no modules"):
        Recorder(nn.Linear(2, 2))
    assert Recorder(model, "fc1").names == ["fc1"]


def test_a_named_layer_that_is_never_called_is_an_error_and_others_are_not() -> None:
    model = Twice()
    model.spare = nn.Linear(2, 2)
    assert "spare" not in {layer.name for layer in Recorder(model)(batch(B, 6), keep)}
    with pytest.raises(SpecError, match="'spare' is never called"):
        Recorder(model, ["spare", "fc1"])(batch(B, 6), keep)
    model.forward = lambda x: x  # type: ignore[method-assign]
    with pytest.raises(SpecError, match="Twice calls none of its layers fc1, fc2"):
        Recorder(model)(batch(B, 6), keep)


@pytest.mark.parametrize("steps", [0, -1, 2.0, True, "4"])
def test_impossible_steps(steps: object) -> None:
    with pytest.raises(SpecError, match=r"steps = "):
        Recorder(Twice(), steps=steps)  # type: ignore[arg-type]


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
