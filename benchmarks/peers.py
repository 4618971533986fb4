"""ResNet-20 (pre-activation, as `snnlib.models.resnet`) with the neurons of other libraries, in their own style."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from snnlib.neurons import triangular


class Triangular(torch.autograd.Function):
    """The paper's surrogate, for libraries that have none of this shape."""

    @staticmethod
    def forward(ctx, z: Tensor) -> Tensor:
        ctx.save_for_backward(z)
        return (z >= 0).to(z.dtype)

    @staticmethod
    def backward(ctx, grad: Tensor) -> Tensor:
        (z,) = ctx.saved_tensors
        return grad * triangular(z)


class Block(nn.Module):
    """Its layers; who calls them, and how often, is the network's business."""

    def __init__(self, c_in: int, c_out: int, stride: int, neuron: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.act1, self.act2 = neuron(), neuron()
        self.conv1, self.bn1 = nn.Conv2d(c_in, c_out, 3, stride, 1, bias=False), nn.BatchNorm2d(c_out)
        self.conv2, self.bn2 = nn.Conv2d(c_out, c_out, 3, 1, 1, bias=False), nn.BatchNorm2d(c_out)
        self.shortcut = None
        if stride != 1:
            self.shortcut = nn.Sequential(
                nn.AvgPool2d(stride), nn.Conv2d(c_in, c_out, 1, bias=False), nn.BatchNorm2d(c_out)
            )

    def forward(self, x: Tensor, act1: Callable[[Tensor], Tensor], act2: Callable[[Tensor], Tensor]) -> Tensor:
        spikes = act1(x)
        y = self.bn2(self.conv2(act2(self.bn1(self.conv1(spikes)))))
        return y + (x if self.shortcut is None else self.shortcut(spikes))


class _Net(nn.Module):
    def __init__(self, T: int, neuron: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.T = T
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16))
        widths = [16, 16, 16, 16, 32, 32, 32, 64, 64, 64]
        strides = [2 if i in (3, 6) else 1 for i in range(9)]
        self.blocks = nn.ModuleList(Block(widths[i], widths[i + 1], strides[i], neuron) for i in range(9))
        self.act = neuron()
        self.fc = nn.Linear(64, 10)


class SnnTorchNet(_Net):
    """snnTorch's way: one pass through the network for each time step."""

    def __init__(self, T: int) -> None:
        import snntorch

        def neuron() -> nn.Module:
            # the neuron of the paper; a new spike function, since snnTorch's fire at > and have other shapes
            return snntorch.Leaky(
                beta=0.5, threshold=1.0, spike_grad=Triangular.apply, reset_mechanism="zero", reset_delay=False
            )

        super().__init__(T, neuron)

    def forward(self, images: Tensor) -> Tensor:
        neurons = [neuron for block in self.blocks for neuron in (block.act1, block.act2)] + [self.act]
        potentials = {neuron: neuron.reset_mem() for neuron in neurons}

        def spike(neuron: nn.Module) -> Callable[[Tensor], Tensor]:
            def run(x: Tensor) -> Tensor:
                spikes, potentials[neuron] = neuron(x, potentials[neuron])
                return spikes

            return run

        logits = []
        for _ in range(self.T):
            x = self.stem(images)
            for block in self.blocks:
                x = block(x, spike(block.act1), spike(block.act2))
            logits.append(self.fc(spike(self.act)(x).mean((2, 3))))
        return torch.stack(logits).mean(0)


class SpikingJellyNet(_Net):
    """SpikingJelly's way: multi-step neurons on (T, B, ...), other layers on time folded into the batch."""

    def __init__(self, T: int) -> None:
        from spikingjelly.activation_based import functional, neuron

        super().__init__(
            T,
            lambda: neuron.LIFNode(
                tau=2.0, decay_input=False, v_threshold=1.0, v_reset=0.0, surrogate_function=_surrogate(), step_mode="m"
            ),
        )
        self._reset_all = functional.reset_net

    def forward(self, images: Tensor) -> Tensor:
        self._reset_all(self)

        def spike(neuron: nn.Module) -> Callable[[Tensor], Tensor]:
            return lambda x: neuron(x.unflatten(0, (self.T, -1))).flatten(0, 1)

        x = self.stem(images.repeat(self.T, 1, 1, 1))
        for block in self.blocks:
            x = block(x, spike(block.act1), spike(block.act2))
        return self.fc(spike(self.act)(x).mean((2, 3))).unflatten(0, (self.T, -1)).mean(0)


def _surrogate() -> nn.Module:
    from spikingjelly.activation_based import surrogate

    return surrogate.PiecewiseQuadratic(alpha=1.0)  # the triangle of half width 1
