"""CKA by its definition, in float64, of features that hooks of its own read; and small networks to compare."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import snntorch
import torch
from torch import Tensor, nn

from snnlib.models import build_model


def hsic1(k: np.ndarray, other: np.ndarray) -> float:
    """Equation 5 of Song et al. (2012), term by term."""
    n = len(k)
    k, other = k - np.diag(np.diag(k)), other - np.diag(np.diag(other))
    one = np.ones(n)
    terms = np.trace(k @ other)
    terms += (one @ k @ one) * (one @ other @ one) / ((n - 1) * (n - 2))
    terms -= 2 / (n - 2) * (one @ k @ other @ one)
    return terms / (n * (n - 3))


def naive(xs: list[np.ndarray], ys: list[np.ndarray]) -> float:
    """Minibatch CKA of features (n, p) and (n, q), one array a batch."""
    grams = [(x @ x.T, y @ y.T) for x, y in zip(xs, ys, strict=True)]
    ab, aa, bb = (sum(hsic1(g[i], g[j]) for g in grams) for i, j in ((0, 1), (0, 0), (1, 1)))
    return ab / np.sqrt(aa * bb)


Features = dict[str, list[list[np.ndarray]]]  # layer -> batch -> step -> (n, p)


def features_of(model: nn.Module, loader: Iterable[Tensor], names: list[str], steps: int) -> Features:
    """Features in float64 by hooks of its own. Knows shapes (T*B, ...), (T, B, ...), (B, ...) and loops of T calls."""
    found: Features = {name: [] for name in names}
    model.eval()
    for images in loader:
        n, outputs = len(images), {name: [] for name in names}

        def hook(out: Tensor, into: list, n: int = n) -> None:
            out = (out[0] if isinstance(out, tuple) else out).detach().double().numpy().copy()
            if out.shape[0] == steps * n:
                into += [out[t * n : (t + 1) * n].reshape(n, -1) for t in range(steps)]
            elif out.shape[:2] == (steps, n):
                into += [out[t].reshape(n, -1) for t in range(steps)]
            else:
                into.append(out.reshape(n, -1))

        handles = [
            model.get_submodule(name).register_forward_hook(lambda m, a, out, into=outputs[name]: hook(out, into))
            for name in names
        ]
        model(images)
        for handle in handles:
            handle.remove()
        for name in names:
            found[name].append(outputs[name])
    return found


def centered(batches: list[list[np.ndarray]]) -> list[list[np.ndarray]]:
    """HSIC_1 does not see shifts, but float64 does where they are large."""
    return [[x - x.mean(0) for x in steps] for steps in batches]


def naive_concat(a: list[list[np.ndarray]], b: list[list[np.ndarray]]) -> float:
    return naive([np.concatenate(steps, 1) for steps in a], [np.concatenate(steps, 1) for steps in b])


def naive_each(a: list[list[np.ndarray]], b: list[list[np.ndarray]], s: int, t: int) -> float:
    """Steps from 0; a layer of one step is the same at all."""
    return naive([x[s if len(x) > 1 else 0] for x in a], [y[t if len(y) > 1 else 0] for y in b])


def image_batches(count: int = 2, n: int = 8, size: int = 8, seed: int = 1) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(n, 3, size, size, generator=generator) for _ in range(count)]


class Loop(nn.Module):
    """A single-step snnTorch network in a loop over three time steps."""

    T = 3

    def __init__(self) -> None:
        super().__init__()
        self.flatten, self.fc, self.lif = nn.Flatten(), nn.Linear(192, 16), snntorch.Leaky(beta=0.9, threshold=0.3)
        self.out = nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        current, mem, logits = self.fc(self.flatten(x)), self.lif.init_leaky(), 0.0
        for _ in range(self.T):
            spk, mem = self.lif(current, mem)
            logits = logits + self.out(spk)
        return logits


def alive(model: nn.Module) -> nn.Module:
    """Batch-norm statistics from real features, so that spikes reach the deep layers of an untrained network."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        model.train()(torch.randn(32, 3, 8, 8))
    return model.eval()


LAYERS_A = ["stem.bn", "stage1.0.act1", "stage1.0", "stage2.0.shortcut.pool", "stage2.1.conv2", "pool", "fc"]
LAYERS_B = ["stem.conv", "stage1.2.act2", "stage3.0", "act", "fc"]


def snn(steps: int = 3) -> nn.Module:
    torch.manual_seed(3)
    return alive(build_model("resnet20", spiking=True, T=steps, width=0.25, v_threshold=0.5))


def ann() -> nn.Module:
    torch.manual_seed(4)
    return alive(build_model("resnet20", spiking=False, width=0.25))


def mlp() -> nn.Module:
    torch.manual_seed(5)
    return nn.Sequential(nn.Flatten(), nn.Linear(192, 12), nn.ReLU(), nn.Dropout(), nn.Linear(12, 5))
