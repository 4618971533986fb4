"""VGG networks against torchvision's layers and against a plain loop over time with snnTorch's neuron."""

from __future__ import annotations

import numpy as np
import pytest
import snntorch
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models import vgg as torchvision_vgg

from snnlib import LIF, build_model
from snnlib.charts.parts import segments
from snnlib.loaders import Batch
from snnlib.recording import Recorder
from snnlib.spec import DEPTHS, VGG_DEPTHS, DataSpec, ModelSpec, TrainSpec

CONFIGURATIONS = {"vgg11": "A", "vgg13": "B", "vgg16": "D"}


def theirs(arch: str) -> nn.Sequential:
    """torchvision's convolutional part, with its batch norms."""
    return torchvision_vgg.make_layers(torchvision_vgg.cfgs[CONFIGURATIONS[arch]], batch_norm=True)


def of_kind(model: nn.Module, kind: type[nn.Module]) -> list[nn.Module]:
    return [module for module in model.modules() if isinstance(module, kind)]


def unlike_at_birth(model: nn.Module) -> nn.Module:
    """Give the batch norms statistics and weights that a test can notice."""
    for bn in of_kind(model, nn.BatchNorm2d):
        nn.init.normal_(bn.running_mean, std=0.3)
        nn.init.uniform_(bn.running_var, 0.5, 2)
        nn.init.uniform_(bn.weight, 0.5, 1.5)
        nn.init.normal_(bn.bias, mean=0.3, std=0.3)
    return model


# ---- structure


@pytest.mark.parametrize("arch", CONFIGURATIONS)
@pytest.mark.parametrize("spiking", [True, False])
def test_its_layers_are_those_of_torchvision(arch: str, spiking: bool) -> None:
    ours, reference = build_model(arch, spiking=spiking), theirs(arch)
    shapes = [conv.weight.shape for conv in of_kind(reference, nn.Conv2d)]
    assert [conv.weight.shape for conv in of_kind(ours, nn.Conv2d)] == shapes
    assert [bn.num_features for bn in of_kind(ours, nn.BatchNorm2d)] == [shape[0] for shape in shapes]
    assert len(of_kind(ours, LIF if spiking else nn.ReLU)) == len(of_kind(reference, nn.ReLU)) == len(shapes)
    assert len(of_kind(ours, nn.AvgPool2d)) + 1 == len(of_kind(reference, nn.MaxPool2d)) == 5
    # theirs have a bias before batch norm, which takes it away again; ours have the linear layer
    biases = sum(conv.bias.numel() for conv in of_kind(reference, nn.Conv2d))
    expected = sum(p.numel() for p in reference.parameters()) - biases + 512 * 10 + 10
    assert sum(p.numel() for p in ours.parameters()) == expected


@pytest.mark.parametrize("arch", CONFIGURATIONS)
def test_the_ordinary_network_computes_what_torchvisions_layers_do(arch: str) -> None:
    """On 32 × 32 pixels, with average pooling in their place of the maximum."""
    torch.manual_seed(0)
    ours = unlike_at_birth(build_model(arch, spiking=False, num_classes=7)).double().eval()
    reference = theirs(arch).double().eval()
    for kind in (nn.Conv2d, nn.BatchNorm2d):
        for a, b in zip(of_kind(reference, kind), of_kind(ours, kind), strict=True):
            a.load_state_dict(b.state_dict(), strict=False)
            if kind is nn.Conv2d:
                nn.init.zeros_(a.bias)
    layers = [nn.AvgPool2d(2) if isinstance(layer, nn.MaxPool2d) else layer for layer in reference]
    x = torch.randn(2, 3, 32, 32, dtype=torch.float64)
    expected = ours.fc(nn.Sequential(*layers)(x).flatten(1))
    torch.testing.assert_close(ours(x), expected)


def test_width_scales_every_stage() -> None:
    model = build_model("vgg11", spiking=False, width=0.3)
    channels = [conv.out_channels for conv in of_kind(model, nn.Conv2d)]
    assert channels == [19, 38, 77, 77, 154, 154, 154, 154]
    assert model.fc.in_features == 154


@pytest.mark.parametrize(
    ("size", "sides"), [(32, [32, 16, 8, 4, 2]), (16, [16, 8, 4, 2, 1]), (33, [33, 17, 9, 5, 3]), (5, [5, 3, 2, 1, 1])]
)
def test_no_pooling_goes_below_one_pixel(size: int, sides: list[int]) -> None:
    model = build_model("vgg13", spiking=True, T=2, width=0.1, in_channels=1, num_classes=7)
    seen: list[int] = []
    for number in range(1, 6):
        model.get_submodule(f"stage{number}.1.conv").register_forward_hook(lambda m, i, o: seen.append(o.shape[-1]))
    assert model(torch.randn(3, 1, size, size)).shape == (3, 7)
    assert seen == sides


def test_layers_in_call_order_with_their_stages() -> None:
    """Recorded at one pixel, too, and drawn as five stages and a head."""
    model = build_model("vgg11", spiking=True, T=2, width=0.1, in_channels=1)
    found = list(Recorder(model)(Batch(torch.randn(5, 1, 16, 16), None, 5), lambda features, module: None))
    names = [layer.name for layer in found]
    expected = []
    for stage, count in enumerate((1, 1, 2, 2, 2), start=1):
        expected += [f"stage{stage}.{i}.{part}" for i in range(count) for part in ("conv", "bn", "act")]
        expected += [f"stage{stage}.{count - 1}.pool"] if stage < 5 else []
    assert names == [*expected, "pool", "fc"]
    assert {layer.name: layer.kind for layer in found}["stage3.1.pool"] == "pool"
    assert not [layer for layer in found if layer.kind == "sum"]
    ends = np.cumsum([4, 4, 7, 7, 6])
    labels = [(stop, label) for _, stop, label in segments([layer.stage for layer in found])]
    assert labels == [(end, f"stage {n}") for n, end in enumerate(ends, start=1)] + [(30, "head")]


# ---- time


class Step(torch.autograd.Function):
    """Fires at the threshold itself; in the backward pass a triangle of half width 1."""

    @staticmethod
    def forward(ctx, z: Tensor) -> Tensor:
        ctx.save_for_backward(z)
        return (z >= 0).to(z)

    @staticmethod
    def backward(ctx, grad: Tensor) -> Tensor:
        return grad * (1 - ctx.saved_tensors[0].abs()).clamp_min(0)


def step_by_step(model: nn.Module, frames: Tensor) -> Tensor:
    """The spiking network as snnTorch's users write it: (T, B, C, H, W) -> logits, one pass a time step."""
    convs, bns = of_kind(model, nn.Conv2d), of_kind(model, nn.BatchNorm2d)
    ends = np.cumsum([1, 1, 2, 2])  # the layers of VGG-11 that are pooled
    neurons = [
        snntorch.Leaky(beta=0.5, threshold=1.0, spike_grad=Step.apply, reset_mechanism="zero", reset_delay=False)
        for _ in convs
    ]
    potentials = [neuron.reset_mem() for neuron in neurons]
    logits = []
    for x in frames:
        for i, (conv, bn) in enumerate(zip(convs, bns, strict=True)):
            x = F.conv2d(x, conv.weight, padding=1)
            x = F.batch_norm(x, bn.running_mean, bn.running_var, bn.weight, bn.bias)
            x, potentials[i] = neurons[i](x, potentials[i])
            if i + 1 in ends:
                x = F.avg_pool2d(x, 2)
        logits.append(F.linear(x.mean((2, 3)), model.fc.weight, model.fc.bias))
    return torch.stack(logits).mean(0)


@pytest.mark.parametrize("still", [True, False])
def test_values_and_gradients_are_those_of_a_loop_over_time(still: bool) -> None:
    torch.manual_seed(0)
    model = unlike_at_birth(build_model("vgg11", spiking=True, T=3, width=0.1, backend="fused")).double().eval()
    x = torch.randn(*(() if still else (3,)), 4, 3, 32, 32, dtype=torch.float64)
    frames = x.expand(3, *x.shape) if still else x
    weights = torch.randn(4, 10, dtype=torch.float64)
    results = []
    for output in (model(x), step_by_step(model, frames)):
        gradients = torch.autograd.grad((output * weights).sum(), list(model.parameters()))
        results.append((output, gradients))
    (ours, our_gradients), (reference, reference_gradients) = results
    torch.testing.assert_close(ours, reference)
    torch.testing.assert_close(our_gradients, reference_gradients)
    assert all(gradient.abs().max() > 0 for gradient in our_gradients), "a layer that no gradient reaches"


def test_the_fused_network_equals_the_snntorch_one() -> None:
    torch.manual_seed(0)
    fused = unlike_at_birth(build_model("vgg16", spiking=True, T=4, width=0.1, backend="fused")).eval()
    reference = build_model("vgg16", spiking=True, T=4, width=0.1, backend="snntorch").eval()
    reference.load_state_dict(fused.state_dict())
    x = torch.randn(3, 3, 16, 16) * 2
    assert torch.equal(fused(x), reference(x))


def test_what_stands_before_the_neurons_runs_once_on_a_still_image() -> None:
    model = build_model("vgg11", spiking=True, T=4, width=0.1).eval()
    seen: list[int] = []
    model.stage1[0]["conv"].register_forward_hook(lambda m, i, o: seen.append(len(o)))
    model(torch.randn(3, 3, 16, 16))
    model(torch.randn(4, 3, 3, 16, 16))
    assert seen == [3, 12]


def test_an_ordinary_network_sees_frames_one_by_one() -> None:
    ann = unlike_at_birth(build_model("vgg11", spiking=False, width=0.1)).eval()
    frames = torch.randn(6, 2, 3, 16, 16)
    torch.testing.assert_close(ann(frames), torch.stack([ann(frame) for frame in frames]).mean(0))


def test_channels_last_goes_through_and_changes_nothing() -> None:
    torch.manual_seed(0)
    model = unlike_at_birth(build_model("vgg11", spiking=True, T=2, width=0.1)).double().eval()
    x = torch.randn(3, 3, 32, 32, dtype=torch.float64)
    plain = model(x)
    model = model.to(memory_format=torch.channels_last)
    kept: list[bool] = []
    for conv in of_kind(model, nn.Conv2d)[:6]:  # up to 4 × 4 pixels
        conv.register_forward_pre_hook(lambda m, i: kept.append(i[0].is_contiguous(memory_format=torch.channels_last)))
    torch.testing.assert_close(model(x.to(memory_format=torch.channels_last)), plain)
    assert kept == [True] * 6


# ---- what it takes, and what it costs


@pytest.mark.parametrize("residual", [False, (1, 3), (1, 2, 3), ()])
def test_shortcuts_are_refused(residual: object) -> None:
    with pytest.raises(ValueError, match=r"residual = .* with vgg11: a VGG has no shortcuts; leave residual out"):
        build_model("vgg11", spiking=True, residual=residual)


@pytest.mark.parametrize(
    ("shape", "message"),
    [((3, 16, 16), "expected images"), ((2, 1, 16, 16), "3 channels"), ((3, 2, 3, 16, 16), "T=4 steps")],
)
def test_bad_inputs_are_named(shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build_model("vgg11", spiking=True, T=4, width=0.1)(torch.randn(shape))


def products(model: nn.Module) -> int:
    """Multiply-adds of all convolutions for one image of 32 × 32 pixels."""
    counts: list[int] = []
    for conv in of_kind(model, nn.Conv2d):
        conv.register_forward_hook(lambda m, i, o: counts.append(o[0].numel() * m.weight[0].numel()))
    model(torch.randn(2, 3, 32, 32))
    return sum(counts)


def test_work_goes_with_the_products_that_a_network_computes() -> None:
    """So that of several trainings the longest begins first, whatever their architectures."""
    data = DataSpec(dataset="cifar10", fingerprint="0" * 16, in_channels=3, num_classes=10, image_size=32)
    ratios = []
    for arch in [*(f"resnet{depth}" for depth in DEPTHS[:3]), *(f"vgg{depth}" for depth in VGG_DEPTHS)]:
        spec = TrainSpec(model=ModelSpec(arch=arch, spiking=False), data=data, epochs=1, batch_size=4)
        ratios.append(products(build_model(arch, spiking=False)) / spec.work)
    assert max(ratios) / min(ratios) < 1.15
