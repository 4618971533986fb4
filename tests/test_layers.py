"""Which layers are recorded, and what they are called."""

from __future__ import annotations

import pytest
import snntorch
import torchvision
from recorded_networks import B, T, Twice, batch, keep
from torch import Tensor, nn

from snnlib.layers import kind_of, select_layers, stage_and_block
from snnlib.models import build_model
from snnlib.neurons import LIF
from snnlib.recording import Recorder
from snnlib.spec import SpecError


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
