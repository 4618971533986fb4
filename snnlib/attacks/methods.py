r"""Adversarial images: changed within an :math:`L_\infty` ball so that a network errs.

For an image :math:`x` with label :math:`y`, the loss :math:`L` of the network, and
:math:`\Pi` the projection onto the ball :math:`\|x' - x\|_\infty \le \varepsilon` and the range of valid values,

.. math::
    \text{FGSM:} \quad x' = \Pi\bigl(x + \varepsilon \operatorname{sign} \nabla_x L(x, y)\bigr), \qquad
    \text{PGD:} \quad x'_{k+1} = \Pi\bigl(x'_k + \alpha \operatorname{sign} \nabla_x L(x'_k, y)\bigr)

after Goodfellow et al. (ICLR 2015) and Madry et al. (ICLR 2018). A step's length :math:`\alpha` is a share, `step`, of
:math:`\varepsilon`. Through a spiking network the gradient is the surrogate's (`snnlib.neurons`): an attack on it is
as strong as that gradient is informative.

:math:`\varepsilon` has the unit of the images given. For pixels from 0 to 1 wrap a network that takes normalised images
in `Normalised`. To attack in normalised space, as the released code of Li et al. (TMLR 2023) does, give normalised
images and `valid=None`.

The network runs in evaluation mode, batch norm included, and is left as it was: its modes, its statistics, its
parameters and their gradients.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from snnlib.recording import device_of, evaluating
from snnlib.spec import SpecError
from snnlib.spec.attacks import step_share

Range = tuple[float, float]
PIXELS: Range = (0.0, 1.0)


class Normalised(nn.Module):
    """A network that takes pixels: (B, C, H, W) in 0..1 -> model((x - mean) / std), with mean and std by channel."""

    def __init__(self, model: nn.Module, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.model = model
        device = device_of(model)
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32, device=device).view(-1, 1, 1))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32, device=device).view(-1, 1, 1))

    def normalise(self, pixels: Tensor) -> Tensor:
        """What the network sees of pixels."""
        return (pixels.to(self.mean.device) - self.mean) / self.std

    def forward(self, pixels: Tensor) -> Tensor:
        return self.model(self.normalise(pixels))


def fgsm(model: nn.Module, images: Tensor, labels: Tensor, *, epsilon: float, valid: Range | None = PIXELS) -> Tensor:
    """One step of length epsilon along the sign of the gradient (fast gradient sign method).

    Args:
        model: any torch module, images -> (B, classes) logits; of a spiking network, those averaged over time.
        images: (B, C, H, W), or frames (T, B, C, H, W).
        labels: (B,) the true classes, which the attack leads away from.
        epsilon: largest change of a value, in the unit of the images.
        valid: range of valid values, which the images keep to; None for images without one.

    Returns:
        The attacked images, detached, on the device of the network's parameters.

    Raises:
        SpecError: an epsilon that is negative or not finite, images outside the valid range, or a network that does
            not give (B, classes) logits.
    """
    return pgd(model, images, labels, epsilon=epsilon, steps=1, step=1.0, valid=valid)


def pgd(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    epsilon: float,
    steps: int = 10,
    step: float | None = None,
    valid: Range | None = PIXELS,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Steps along the sign of the gradient, each followed by the projection (projected gradient descent).

    Args:
        model, images, labels, epsilon, valid: as in `fgsm`.
        steps: how many.
        step: length of each as a share of epsilon; None for `step_share`.
        generator: start at a random place in the ball that this CPU generator draws; None starts at the image.

    Returns:
        The attacked images, detached, on the device of the network's parameters.

    Raises:
        SpecError: as `fgsm`; steps that are fewer than 1, or too few or too short to reach the edge of the ball.
    """
    step = step_share(steps, step)
    device = device_of(model)
    images, labels = images.detach().to(device), labels.to(device)
    low, high = ball(images, epsilon, valid)
    x = images if generator is None else _between(low, high, generator)
    with evaluating(model):
        for _ in range(steps):
            x = x + step * epsilon * _gradient(model, x, labels).sign()
            x = x.clamp(low, high)
    return x


def noise(images: Tensor, *, epsilon: float, generator: torch.Generator, valid: Range | None = PIXELS) -> Tensor:
    """Every value moved by plus or minus epsilon at random: as large a change as an attack's, that knows no network.

    Raises:
        SpecError: as `fgsm`.
    """
    images = images.detach()
    low, high = ball(images, epsilon, valid)
    signs = 2 * torch.randint(0, 2, images.shape, generator=generator, dtype=torch.float32) - 1
    return (images + epsilon * signs.to(images)).clamp(low, high)


def ball(images: Tensor, epsilon: float, valid: Range | None) -> tuple[Tensor, Tensor]:
    """Lowest and highest allowed value of every pixel: the ball around the images, within the valid range.

    Raises:
        SpecError: an epsilon that is negative or not finite, or images outside the valid range.
    """
    if not 0 <= epsilon < math.inf:
        raise SpecError(f"epsilon = {epsilon!r} is no size of a change: it must be finite and at least 0.")
    if valid is None:
        return images - epsilon, images + epsilon
    least, most = images.aminmax()
    if least < valid[0] or most > valid[1]:
        raise SpecError(
            f"the images reach from {least:g} to {most:g}, outside the valid range {valid[0]:g} to {valid[1]:g}: give"
            " pixels and wrap the network in Normalised, or say valid=None."
        )
    return (images - epsilon).clamp_min(valid[0]), (images + epsilon).clamp_max(valid[1])


def _gradient(model: nn.Module, x: Tensor, labels: Tensor) -> Tensor:
    """Gradient of the loss in the images. Summed over images, so that no image's gradient depends on the others."""
    x = x.detach().requires_grad_()
    with torch.enable_grad():
        logits = model(x)
        if not isinstance(logits, Tensor) or logits.dim() != 2 or len(logits) != len(labels):
            found = f"shape {tuple(logits.shape)}" if isinstance(logits, Tensor) else f"a {type(logits).__name__}"
            raise SpecError(
                f"{type(model).__name__} gave {found}, and an attack needs logits ({len(labels)}, classes): wrap the"
                " network in one that returns these alone, averaged over time steps."
            )
        loss = F.cross_entropy(logits.float(), labels, reduction="sum")
        return torch.autograd.grad(loss, x)[0]  # of the images alone: the parameters' gradients stay as they are


def _between(low: Tensor, high: Tensor, generator: torch.Generator) -> Tensor:
    """Uniform between low and high; drawn on the CPU, so that a seed means the same on every device."""
    share = torch.rand(low.shape, generator=generator).to(low)
    return torch.lerp(low, high, share)
