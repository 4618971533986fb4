"""Specs: what bears on a result is in the hash, nothing else; errors name the value and the way out."""

import json
import subprocess
import sys

import pytest

from snnlib.parameters import ManyClassesParameters, OwnNetworksParameters, Parameters, SpatialParameters, VggParameters
from snnlib.spec import (
    PRESETS,
    AttackSpec,
    CompareSpec,
    DataSpec,
    ModelSpec,
    RatesSpec,
    SpecError,
    StreamSpec,
    TrainSpec,
    networks_of,
)

DIGITS = DataSpec(dataset="digits", fingerprint="0" * 16, in_channels=1, num_classes=10, image_size=16)


def train_spec(**changes):
    model = ModelSpec(**changes.pop("model", {}))
    return TrainSpec(**{"model": model, "data": DIGITS, "epochs": 2, "batch_size": 32, **changes})


def test_the_hash_is_the_same_in_another_process_and_order():
    code = (
        "from snnlib.spec import *;"
        "m = ModelSpec(width=0.5, T=3, spiking=True, arch='resnet38');"
        "d = DataSpec(image_size=16, num_classes=10, in_channels=1, fingerprint='0' * 16, dataset='digits');"
        "print(TrainSpec(batch_size=32, epochs=2, data=d, model=m).hash)"
    )
    other = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()
    assert other == train_spec(model={"arch": "resnet38", "spiking": True, "T": 3, "width": 0.5}).hash


def test_everything_in_a_spec_is_in_its_hash():
    base = train_spec()
    changed = [
        train_spec(seed=1),
        train_spec(epochs=3),
        train_spec(lr=0.2),
        train_spec(validation=10),
        train_spec(precision="bf16-mixed"),
        train_spec(model={"T": 5}),
        train_spec(model={"width": 2.0}),
        train_spec(model={"residual": (1,)}),
        train_spec(model={"spiking": False}),
        train_spec(data=DIGITS.model_copy(update={"fingerprint": "1" * 16})),
    ]
    assert len({base.hash, *(spec.hash for spec in changed)}) == len(changed) + 1


def test_an_ann_is_one_network_whatever_t_says():
    assert ModelSpec(spiking=False, T=4, tau=0.3).hash == ModelSpec(spiking=False, T=8).hash
    assert ModelSpec(spiking=True, T=4).hash != ModelSpec(spiking=True, T=8).hash


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"residual": (1, 2, 3)}, {"residual": True}),
        ({"residual": ()}, {"residual": False}),
        ({"residual": (3, 1)}, {"residual": (1, 3)}),
        ({"surrogate": "dspike", "alpha": 2.0}, {"surrogate": "dspike"}),
        ({"arch": "vgg11", "residual": (1,)}, {"arch": "vgg11"}),
        ({"arch": "vgg16", "residual": False, "spiking": False, "T": 8}, {"arch": "vgg16", "spiking": False}),
    ],
)
def test_one_network_has_one_hash(one, other):
    assert ModelSpec(**one).hash == ModelSpec(**other).hash


def test_a_result_names_the_networks_that_it_builds_on_each_once():
    a, b = train_spec(), train_spec(seed=1)
    attack = {"epsilons": (0.1,), "n_images": 8}
    assert list(networks_of(CompareSpec(a=b, b=a, n_images=8))) == [b, a]
    assert list(networks_of(CompareSpec(a=a, b=a, n_images=8))) == [a]
    assert list(networks_of(AttackSpec(source=b, targets=(a, b), method="fgsm", **attack))) == [b, a]
    assert list(networks_of(AttackSpec(targets=(a, b), method="noise", start=0, **attack))) == [a, b]
    frames = DIGITS.model_copy(update={"frames": 4})
    assert not [*networks_of(a), *networks_of(StreamSpec(data=frames))]


def test_a_spec_comes_back_from_its_json():
    spec = CompareSpec(a=train_spec(model={"residual": (1, 3)}), b=train_spec(seed=1), n_images=64)
    assert CompareSpec(**json.loads(spec.model_dump_json())) == spec


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: train_spec(model={"T": 0}), r"T = 0 cannot be used: it should be at least 1; preset quick has T = 4"),
        (lambda: train_spec(model={"T": True}), r"T = True"),
        (lambda: train_spec(model={"width": float("inf")}), r"width = inf"),
        (lambda: train_spec(model={"residual": (1, 1)}), r"names a stage twice"),
        (lambda: train_spec(colour="red"), r"colour = 'red': TrainSpec has no such parameter"),
        (lambda: train_spec(epochs=-1), r"epochs = -1"),
        (lambda: train_spec(epochs=2, warmup_epochs=2), r"warmup_epochs = 2.0 must be fewer than epochs = 2"),
        (lambda: ModelSpec(spiking=0), r"spiking = 0"),
        (lambda: CompareSpec(a=train_spec(), b=train_spec(), n_images=3), r"n_images = 3 .* at least 4"),
        (lambda: RatesSpec(network=train_spec(model={"spiking": False}), n_images=8), r"only a spiking one"),
        (
            lambda: CompareSpec(
                a=train_spec(), b=train_spec(data=DIGITS.model_copy(update={"dataset": "x"})), n_images=8
            ),
            r"digits, b on x",
        ),
    ],
)
def test_errors_name_the_value(make, message):
    with pytest.raises(SpecError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"T": 0}, "T = 0"),
        ({"T": "four"}, "T = 'four' cannot be used: it should be a whole number; preset quick has T = 4"),
        ({"T": 2.0}, "T = 2.0"),
        ({"depth": 21}, "depth = 21 is not one of 20, 38, 56, 110, 164"),
        ({"preset": "fast"}, "'fast' is not one of quick, laptop, paper"),
        ({"width": -1}, "width = -1"),
        ({"seeds": []}, r"seeds = \(\)|seeds = \[\]"),
        ({"seeds": [0, 0]}, "names a seed twice"),
        ({"n_images": 3}, "n_images = 3"),
        ({"data_root": 5}, "data_root = 5 is not a path"),
        ({"recompute": "maybe"}, "recompute = 'maybe' .* True or False"),
    ],
)
def test_parameters_name_the_value(given, message):
    with pytest.raises(SpecError, match=message):
        Parameters(**given)


def test_several_faults_are_one_sentence():
    with pytest.raises(SpecError, match=r"T = 0.*; depth = 21") as caught:
        Parameters(T=0, depth=21)
    assert str(caught.value).count("\n") == 0


def test_lists_may_come_as_text_as_papermill_gives_them():
    parameters = SpatialParameters(widths="0.25, 1", depths="20,38", seeds="3,5")
    assert (parameters.widths, parameters.depths, parameters.seeds) == ((0.25, 1), (20, 38), (3, 5))
    assert SpatialParameters(widths=0.5, depths=20, seeds=2).seeds == (0, 1)


def test_presets_are_valid_parameters():
    for name, preset in PRESETS.items():
        SpatialParameters(
            preset=name, T=preset.T, depth=preset.depth, width=preset.width, seeds=list(preset.seeds),
            n_images=preset.n_images, widths=list(preset.widths), depths=list(preset.depths), epochs=preset.epochs,
        )  # fmt: skip


def test_a_vgg_has_depths_and_presets_of_its_own():
    assert VggParameters(preset="quick").value("depth") == PRESETS["quick"].vgg_depth
    assert VggParameters(depth=16).value("depth") == 16
    assert VggParameters(preset="laptop").value("width") == PRESETS["laptop"].vgg_width
    assert VggParameters(preset="laptop").value("T") == PRESETS["laptop"].T
    with pytest.raises(SpecError, match="depth = 20 is not one of 11, 13, 16"):
        VggParameters(depth=20)
    with pytest.raises(SpecError, match=f"width = 0.* preset quick has width = {PRESETS['quick'].vgg_width}"):
        VggParameters(width=0)


def test_many_classes_are_the_stand_in_in_preset_quick_alone():
    assert ManyClassesParameters(preset="quick").data_set() == "digit-variants"
    assert {ManyClassesParameters(preset=name).data_set() for name in PRESETS if name != "quick"} == {"cifar100"}
    assert ManyClassesParameters(dataset="cifar100").data_set() == "cifar100"
    assert Parameters(preset="quick").data_set() == PRESETS["quick"].dataset


@pytest.mark.parametrize("given", [{"T": 0}, {"epochs": -1}, {"n_images": 3}, {"batch_size": 2}, {"seed": "x"}])
def test_parameters_of_the_page_on_own_networks(given):
    with pytest.raises(SpecError, match=f"{next(iter(given))} = "):
        OwnNetworksParameters(**given)
