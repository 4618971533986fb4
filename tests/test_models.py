"""The networks' structure against the paper's, written out independently; time; memory."""

import gc
import os
import subprocess
import sys

import pytest
import torch
from torch import nn
from torch.nn.functional import avg_pool2d

from snnlib import LIF, build_model


def count(model, kind):
    return sum(isinstance(module, kind) for module in model.modules())


@pytest.mark.parametrize(("depth", "blocks"), [(20, 9), (38, 18), (56, 27), (110, 54), (164, 81)])
def test_depth_counts_convolutions_and_the_linear_layer(depth, blocks):
    model = build_model(f"resnet{depth}", spiking=True, width=0.25)
    convs = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    assert sum(c.kernel_size == (3, 3) for c in convs) == 1 + 2 * blocks  # stem, two a block
    assert sum(c.kernel_size == (1, 1) for c in convs) == 2  # the two downsampling shortcuts
    assert count(model, LIF) == 2 * blocks + 1
    assert count(build_model(f"resnet{depth}", spiking=False, width=0.25), LIF) == 0


def test_parameters_of_resnet20():
    """16-32-64 channels, three blocks a stage: counted by hand, layer by layer."""
    conv = lambda c_in, c_out, k: c_in * c_out * k * k  # noqa: E731
    expected = conv(3, 16, 3) + 2 * 16
    for c_in, c_out in ((16, 16), (16, 32), (32, 64)):
        expected += conv(c_in, c_out, 3) + 5 * conv(c_out, c_out, 3) + 6 * 2 * c_out
        expected += conv(c_in, c_out, 1) + 2 * c_out if c_in != c_out else 0
    expected += 64 * 10 + 10
    for spiking in (True, False):
        assert sum(p.numel() for p in build_model("resnet20", spiking=spiking).parameters()) == expected


def test_width_scales_channels_and_may_be_a_fraction():
    model = build_model("resnet20", spiking=False, width=0.3)
    assert [model.stage1[0].conv1.out_channels, model.stage2[0].conv1.out_channels, model.fc.in_features] == [5, 10, 19]


@pytest.mark.parametrize(("residual", "downsampling"), [(True, 2), (False, 0), ((1,), 0), ((1, 3), 1), ((2, 3), 2)])
def test_shortcuts_stand_where_they_are_asked_for(residual, downsampling):
    model = build_model("resnet20", spiking=True, residual=residual)
    assert sum(m.kernel_size == (1, 1) for m in model.modules() if isinstance(m, nn.Conv2d)) == downsampling
    block = model.stage1[1]
    x = torch.randn(4 * 2, 16, 8, 8)
    branch = {}
    block.bn2.register_forward_hook(lambda m, i, o: branch.update(out=o))
    out = block.eval()(x, 4)
    has = residual is True or (residual is not False and 1 in residual)
    torch.testing.assert_close(out, branch["out"] + x if has else branch["out"])


def test_ann_forward_written_out():
    """The whole pre-activation network again, with functional calls and the same weights."""
    torch.manual_seed(0)
    model = build_model("resnet20", spiking=False, width=0.25).double().eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    x = torch.randn(2, 3, 16, 16, dtype=torch.float64)
    h = model.stem.bn(model.stem.conv(x))
    for stage in (model.stage1, model.stage2, model.stage3):
        for i, block in enumerate(stage):
            a = h.clamp_min(0)
            out = block.bn2(block.conv2(block.bn1(block.conv1(a)).clamp_min(0)))
            downsamples = i == 0 and stage is not model.stage1
            h = out + (block.shortcut.bn(block.shortcut.conv(avg_pool2d(a, 2))) if downsamples else h)
    expected = h.clamp_min(0).mean((2, 3)) @ model.fc.weight.T + model.fc.bias
    torch.testing.assert_close(model(x), expected)


def test_an_image_equals_the_same_image_as_every_frame():
    torch.manual_seed(0)
    model = build_model("resnet20", spiking=True, T=5, width=0.5).eval()
    image = torch.randn(2, 3, 16, 16) * 2
    torch.testing.assert_close(model(image), model(image.expand(5, -1, -1, -1, -1)))


def test_the_stem_runs_once_on_a_static_image():
    model = build_model("resnet20", spiking=True, T=4, width=0.25).eval()
    seen = []
    model.stem.conv.register_forward_hook(lambda m, i, o: seen.append(len(o)))
    model(torch.randn(3, 3, 16, 16))
    model(torch.randn(4, 3, 3, 16, 16))
    assert seen == [3, 12]


def test_the_fused_network_equals_the_snntorch_one():
    torch.manual_seed(0)
    fused = build_model("resnet20", spiking=True, T=4, width=0.5, backend="fused").eval()
    reference = build_model("resnet20", spiking=True, T=4, width=0.5, backend="snntorch").eval()
    reference.load_state_dict(fused.state_dict())
    x = torch.randn(4, 3, 16, 16) * 2
    assert torch.equal(fused(x), reference(x))


def test_logits_are_averaged_over_time_and_frames_are_seen_one_by_one():
    ann = build_model("resnet20", spiking=False, width=0.25).eval()
    frames = torch.randn(6, 2, 3, 16, 16)
    torch.testing.assert_close(ann(frames), torch.stack([ann(frame) for frame in frames]).mean(0))


@pytest.mark.parametrize("size", [16, 28, 33])
def test_images_of_any_size(size):
    model = build_model("resnet20", spiking=True, T=2, width=0.25, in_channels=1, num_classes=7)
    assert model(torch.randn(2, 1, size, size)).shape == (2, 7)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"arch": "resnet21"}, "'resnet21' is unknown: choose one of resnet20"),
        ({"T": 0}, "T = 0"),
        ({"T": 2.5}, "T = 2.5"),
        ({"width": 0}, "width = 0"),
        ({"residual": (1, 4)}, "names stage 4"),
        ({"num_classes": True}, "num_classes = True"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        build_model(**{"arch": "resnet20", "spiking": True, **arguments})


@pytest.mark.parametrize(
    ("shape", "message"),
    [((3, 16, 16), "expected images"), ((2, 1, 16, 16), "3 channels"), ((3, 2, 3, 16, 16), "T=4 steps")],
)
def test_bad_inputs_are_named(shape, message):
    with pytest.raises(ValueError, match=message):
        build_model("resnet20", spiking=True, T=4, width=0.25)(torch.randn(shape))


MANY_NETWORKS = """
import gc, sys, torch
from snnlib import build_model
def resident():
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 1e6
x = torch.randn(1, 1, 8, 8)
for i in range(int(sys.argv[1])):
    model = build_model("resnet20", spiking=True, T=2, width=0.1, in_channels=1, backend=("fused", "snntorch")[i % 2])
    if i % 100 == 0:
        model(x).sum().backward()  # used ones too, not only built ones
    del model
    if i == 99:
        first = resident()
print(resident() - first)
"""


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="reads the resident memory from /proc")
def test_ten_thousand_networks_leave_no_memory_behind():
    run = [sys.executable, "-c", MANY_NETWORKS, "10000"]
    grown = float(subprocess.run(run, check=True, capture_output=True, text=True).stdout)
    assert grown < 50, f"{grown:.0f} MB more than after the first hundred"


def test_dropped_networks_are_collected():
    import weakref

    model = build_model("resnet20", spiking=True, T=2, width=0.25, backend="snntorch")
    model(torch.randn(2, 3, 8, 8)).sum().backward()
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None
