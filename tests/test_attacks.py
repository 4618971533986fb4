"""Attacks: inside the ball and the range, as strong as they must be, gradients through spikes, the network intact."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from snnlib import attacks, build_model
from snnlib.parameters import Parameters
from snnlib.run import Run
from snnlib.spec import SpecError

MEAN, STD = (0.4, 0.5, 0.45), (0.2, 0.25, 0.3)


def pixels(n: int = 8, size: int = 8, channels: int = 3, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Images that also reach 0 and 1, where the ball leaves the range, and labels."""
    generator = torch.Generator().manual_seed(seed)
    images = (1.4 * torch.rand(n, channels, size, size, generator=generator) - 0.2).clamp(0, 1)
    return images, torch.randint(0, 4, (n,), generator=generator)


def small_network(spiking: bool = True, channels: int = 3) -> nn.Module:
    """A narrow ResNet whose batch norms have statistics of their own, in mixed modes."""
    torch.manual_seed(0)
    model = build_model("resnet20", spiking=spiking, T=2, width=0.25, num_classes=4, in_channels=channels)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.5, 0.5)
            nn.init.uniform_(module.running_var, 0.2, 1.0)
            nn.init.uniform_(module.weight, 1.0, 2.0)
    return model


# ---- the ball and the range


@settings(max_examples=30, deadline=None)
@given(
    epsilon=st.floats(0, 0.7),
    steps=st.integers(1, 4),
    reach=st.floats(1, 3),
    start=st.booleans(),
    seed=st.integers(0, 9),
)
def test_images_stay_in_the_ball_and_in_the_range(epsilon, steps, reach, start, seed):
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 16), nn.Tanh(), nn.Linear(16, 4))
    images, labels = pixels(seed=seed)
    generator = torch.Generator().manual_seed(seed)
    options = {"epsilon": epsilon, "steps": steps, "step": reach / steps, "generator": generator if start else None}
    found = [
        attacks.pgd(model, images, labels, **options),
        attacks.fgsm(model, images, labels, epsilon=epsilon),
        attacks.noise(images, epsilon=epsilon, generator=generator),
    ]
    for attacked in found:
        assert (attacked - images).abs().max() <= epsilon + 1e-6
        assert attacked.min() >= 0
        assert attacked.max() <= 1


@pytest.mark.parametrize("spiking", [True, False])
def test_pixels_are_attacked_through_the_normalisation(spiking):
    model = small_network(spiking).eval()
    images, labels = pixels()
    attacked = attacks.pgd(attacks.Normalised(model, MEAN, STD), images, labels, epsilon=0.1)
    moved = (attacked - images).abs()
    assert moved.max() <= 0.1 + 1e-6
    assert attacked.min() >= 0
    assert attacked.max() <= 1
    assert (moved.amax((0, 2, 3)) > 0.0999).all()  # to the edge of the ball: no channel's std has shrunk it


def test_the_released_setting_leaves_the_range_but_not_the_ball():
    model = small_network().eval()
    images, labels = pixels()
    normalised = attacks.Normalised(model, MEAN, STD).normalise(images)
    attacked = attacks.pgd(model, normalised, labels, epsilon=0.01, steps=20, step=0.1, valid=None)
    assert (attacked - normalised).abs().max() <= 0.01 + 1e-6
    lowest = -torch.tensor(MEAN).view(-1, 1, 1) / torch.tensor(STD).view(-1, 1, 1)  # black
    assert (attacked < lowest - 1e-3).any()


def test_noise_is_as_large_as_an_attack_and_knows_no_label():
    images = torch.full((4, 3, 8, 8), 0.5)
    moved = attacks.noise(images, epsilon=0.1, generator=torch.Generator().manual_seed(0)) - images
    assert torch.allclose(moved.abs(), torch.tensor(0.1), atol=1e-6)
    assert abs(moved.mean()) < 0.02


def test_a_random_start_is_seeded():
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 4))
    images, labels = pixels()

    def started(seed: int | None) -> Tensor:
        generator = None if seed is None else torch.Generator().manual_seed(seed)
        return attacks.pgd(model, images, labels, epsilon=0.2, steps=1, step=1.0, generator=generator)

    assert torch.equal(started(1), started(1))
    assert not torch.equal(started(1), started(2))
    assert not torch.equal(started(1), started(None))


# ---- strength


def logistic(seed: int) -> tuple[nn.Module, np.ndarray]:
    """Logistic regression, and the weights of its one decision w·x, in float64."""
    torch.manual_seed(seed)
    linear = nn.Linear(192, 2)
    weights = linear.weight.detach().double().numpy()
    return nn.Sequential(nn.Flatten(), linear), weights[1] - weights[0]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("steps", "step"), [(1, None), (4, None), (10, 0.1), (7, 0.9)])
def test_on_a_convex_loss_both_attacks_reach_the_best_corner(seed, steps, step):
    """The loss falls with the margin ±w·x alone, so the best image in a box has each pixel at the end that w says."""
    model, w = logistic(seed)
    images, _ = pixels(seed=seed)
    labels = torch.arange(8) % 2
    x = images.double().numpy().reshape(8, -1)
    side = np.where(labels.numpy() == 1, -1, 1)[:, None]
    best = np.clip(x + 0.15 * side * np.sign(w), 0, 1)

    def losses(attacked: np.ndarray) -> np.ndarray:
        bias = (model[1].bias[1] - model[1].bias[0]).item()
        return np.log1p(np.exp(side[:, 0] * (attacked @ w + bias)))

    by_fgsm = attacks.fgsm(model, images, labels, epsilon=0.15).double().numpy().reshape(8, -1)
    by_pgd = attacks.pgd(model, images, labels, epsilon=0.15, steps=steps, step=step).double().numpy().reshape(8, -1)
    assert (losses(by_pgd) >= losses(by_fgsm) - 1e-6).all()
    np.testing.assert_allclose(losses(by_pgd), losses(best), rtol=1e-5)
    assert (losses(by_pgd) > losses(x) + 0.01).all()


def test_several_steps_are_worth_more_than_one_where_the_loss_bends():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 32), nn.Tanh(), nn.Linear(32, 4))
    nn.init.normal_(model[1].weight, std=0.5)
    images, labels = pixels(64)

    def loss(attacked: Tensor) -> float:
        return nn.functional.cross_entropy(model(attacked), labels).item()

    one, many = (attacks.pgd(model, images, labels, epsilon=0.1, steps=k) for k in (1, 20))
    assert loss(many) > loss(one) > loss(images)


@pytest.fixture(scope="module")
def trained(session_cache, tmp_path_factory):
    """A small spiking network that has learned the digits: the network, and test images as pixels."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SNNLIB_CACHE", str(session_cache))
        patch.setenv("SNNLIB_PUBLISHED", str(tmp_path_factory.mktemp("published")))
        run = Run.of(Parameters(T=2, width=0.25, epochs=6, seeds=1))
        data = run.store.images(run.data)
        network = run.train(run.network(spiking=True)).model.to("cpu").eval()
    images = torch.tensor(data.test.images[:200]).float() / 255
    return attacks.Normalised(network, data.mean, data.std), images, torch.tensor(data.test.labels[:200])


def test_gradients_flow_through_the_spikes(trained):
    model, images, labels = trained

    def accuracy(shown: Tensor) -> float:
        with torch.no_grad():
            return (model(shown).argmax(1) == labels).float().mean().item()

    def attacked(epsilon: float) -> float:
        return accuracy(attacks.pgd(model, images, labels, epsilon=epsilon, steps=10))

    assert accuracy(images) > 0.7
    assert attacked(0.4) < 0.05
    # as large a change that follows no gradient does far less, where noise alone does not hide the digit
    noisy = attacks.noise(images, epsilon=0.1, generator=torch.Generator().manual_seed(0))
    assert accuracy(noisy) > attacked(0.1) + 0.3


# ---- another library


@pytest.mark.parametrize("spiking", [True, False])
@pytest.mark.parametrize(("steps", "step"), [(1, 1.0), (5, 0.5)])
def test_agrees_with_the_adversarial_robustness_toolbox(spiking, steps, step):
    pytest.importorskip("art", reason="pip install adversarial-robustness-toolbox")
    from art.attacks.evasion import FastGradientMethod, ProjectedGradientDescentPyTorch
    from art.estimators.classification import PyTorchClassifier

    epsilon = 0.05
    model = small_network(spiking).eval()
    images, labels = pixels(16)
    classifier = PyTorchClassifier(
        model,
        nn.CrossEntropyLoss(),
        input_shape=(3, 8, 8),
        nb_classes=4,
        clip_values=(0.0, 1.0),
        preprocessing=(np.array(MEAN, np.float32).reshape(3, 1, 1), np.array(STD, np.float32).reshape(3, 1, 1)),
        device_type="cpu",
    )
    if steps == 1:
        theirs = FastGradientMethod(classifier, eps=epsilon)
    else:
        options = {"eps": epsilon, "eps_step": step * epsilon, "max_iter": steps, "num_random_init": 0}
        theirs = ProjectedGradientDescentPyTorch(classifier, verbose=False, **options)
    expected = torch.from_numpy(theirs.generate(images.numpy(), np.eye(4, dtype=np.float32)[labels.numpy()]))
    ours = attacks.pgd(attacks.Normalised(model, MEAN, STD), images, labels, epsilon=epsilon, steps=steps, step=step)
    # a gradient that is zero but for rounding may have either sign
    assert ((ours - expected).abs() > 1e-5).float().mean() < 0.005
    assert (expected - images).abs().max() > 0.9 * epsilon


# ---- the network is left as it was


@pytest.mark.parametrize("spiking", [True, False])
def test_the_network_is_left_as_it_was(spiking):
    model = small_network(spiking).train()
    model.stage1[0].bn1.eval()  # one that its owner has frozen
    images, labels = pixels()
    model(images).sum().backward()
    model.fc.weight.requires_grad_(False)
    state = copy.deepcopy(model.state_dict())
    modes = [module.training for module in model.modules()]
    gradients = [p.grad.clone() for p in model.parameters()]
    wants = [p.requires_grad for p in model.parameters()]
    with torch.no_grad():  # as a caller may be
        attacked = attacks.pgd(model, images, labels, epsilon=0.1, steps=2)
        attacks.evaluate([model], [(images, labels)], lambda x, y, e: attacks.fgsm(model, x, y, epsilon=e), [0.1])
    assert not attacked.requires_grad
    assert [module.training for module in model.modules()] == modes
    assert [p.requires_grad for p in model.parameters()] == wants
    for name, value in model.state_dict().items():
        assert torch.equal(value, state[name]), name
    for parameter, gradient in zip(model.parameters(), gradients, strict=True):
        assert torch.equal(parameter.grad, gradient)
    assert not any(module._forward_hooks for module in model.modules())


def test_an_attack_sees_the_network_as_it_is_in_evaluation():
    """In training mode batch norm would make each image's attack depend on the others in its batch."""
    model = small_network().train()
    images, labels = pixels()
    together = attacks.fgsm(model, images, labels, epsilon=0.1)
    alone = torch.cat([attacks.fgsm(model, images[i : i + 1], labels[i : i + 1], epsilon=0.1) for i in range(8)])
    assert ((together - alone).abs() > 1e-5).float().mean() < 0.005


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"epsilon": -0.1}, "epsilon = -0.1 is no size"),
        ({"epsilon": float("nan")}, "epsilon = nan is no size"),
        ({"epsilon": 0.1, "steps": 0}, "steps = 0 must be a whole number"),
        ({"epsilon": 0.1, "steps": 4, "step": 0.1}, "step = 0.1 of epsilon is too short: 4 steps need at least 0.25"),
        ({"epsilon": 0.1, "valid": (0.0, 0.5)}, "outside the valid range 0 to 0.5"),
    ],
)
def test_errors_name_the_value(options, sentence):
    images, labels = pixels()
    with pytest.raises(SpecError, match=sentence):
        attacks.pgd(nn.Sequential(nn.Flatten(), nn.Linear(192, 4)), images, labels, **options)
