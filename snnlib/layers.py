"""What counts as a layer of a network: which modules, what kind of operation each is, and where it stands."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from torch import nn

from snnlib.neurons import LIF
from snnlib.spec import SpecError

# torch's own layers, by the file that defines them; subclasses in other libraries are found through their bases
KINDS = {
    "torch.nn.modules.conv": "conv",
    "torch.nn.modules.batchnorm": "bn",
    "torch.nn.modules.instancenorm": "bn",
    "torch.nn.modules.normalization": "bn",
    "torch.nn.modules.activation": "act",
    "torch.nn.modules.pooling": "pool",
    "torch.nn.modules.linear": "linear",
}
# base classes of the neurons of other libraries, which need not be installed
SPIKING_BASES = {
    ("snntorch", "SpikingNeuron"),
    ("snntorch", "LeakyParallel"),  # takes all steps at once, and has another base
    ("spikingjelly", "BaseNode"),
    ("norse", "SNN"),
    ("norse", "SNNCell"),
}
# in eval mode they pass on the features they get
PASS_ON = (nn.modules.dropout._DropoutNd, nn.Identity, nn.Flatten, nn.Unflatten)


@dataclass(frozen=True)
class Layer:
    """One call of one module. `call` counts from 1; `stage` and `block` are -1 where the module's name has none."""

    module: str
    call: int
    kind: str
    stage: int
    block: int

    @property
    def name(self) -> str:
        """Unique in its network: the module's name, with "#2", "#3" for a later call."""
        return self.module if self.call == 1 else f"{self.module}#{self.call}"


def is_spiking(module: nn.Module) -> bool:
    """Whether the module is a spiking neuron: `snnlib.LIF`, or one of snnTorch, SpikingJelly or Norse."""
    bases = {(cls.__module__.split(".")[0], cls.__name__) for cls in type(module).__mro__}
    return isinstance(module, LIF) or not bases.isdisjoint(SPIKING_BASES)


def kind_of(module: nn.Module) -> str:
    """One of conv, bn (any norm), act, pool, linear, sum (a block: a module made of others, its output), other."""
    if is_spiking(module):
        return "act"
    # the first two are defined in torch's files of activations and linear layers
    if isinstance(module, nn.MultiheadAttention | nn.Identity) or is_container(module):
        return "other"
    for cls in type(module).__mro__:
        if cls.__module__ in KINDS:
            return KINDS[cls.__module__]
    return "sum" if next(module.children(), None) is not None else "other"


def is_container(module: nn.Module) -> bool:
    """Whether the module only holds others: its output, if it has one, is that of its last child."""
    plain = isinstance(module, nn.Sequential) and type(module).forward is nn.Sequential.forward
    return plain or isinstance(module, nn.ModuleList | nn.ModuleDict)


def stage_and_block(name: str) -> tuple[int, int]:
    """First two adjacent integers of a dotted name: `layer1.0.conv1` and `stages.1.0` give (1, 0); (-1, -1) if none."""
    found = re.search(r"(\d+)\.(\d+)(?=\.|$)", name)
    return (int(found[1]), int(found[2])) if found else (-1, -1)


def select_layers(model: nn.Module, layers: Iterable[str] | None = None) -> list[str]:
    """Names of the modules to record.

    Args:
        model: any torch module.
        layers: names of any modules. None takes all leaves (a neuron or a layer of torch is one, whatever it is made
            of) but dropout, identity and flatten, and all blocks: modules made of others, except the model itself and
            the containers `Sequential`, `ModuleList` and `ModuleDict`.

    Raises:
        SpecError: a name that is no module of the model (with the closest ones), or no layer at all.
    """
    if layers is None:
        names = [name for name, module in _walk(model) if not isinstance(module, PASS_ON)]
        if not names:
            raise SpecError(f"{type(model).__name__} has no modules inside it to record; wrap it in nn.Sequential.")
        return names
    names = [layers] if isinstance(layers, str) else list(dict.fromkeys(layers))
    if not names:
        raise SpecError("layers is empty: name at least one module, or leave it at None for all of them.")
    known = [name for name, _ in model.named_modules(remove_duplicate=False) if name]
    for name in names:
        module, _, call = str(name).partition("#")
        if module in known and call.isdecimal():
            raise SpecError(f"layer {name!r} is a call of module {module!r}: name that; the result has all its calls.")
        if name not in known:
            close = difflib.get_close_matches(str(name), known, n=3) or known[:3]
            raise SpecError(
                f"layer {name!r} is no module of {type(model).__name__}; closest: {', '.join(close)}."
                " snnlib.layers.select_layers(model) lists the usual ones."
            )
    return names


def _walk(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Leaves and blocks below the model, each module once; nothing inside a leaf (the parametrization of a weight)."""
    seen: set[nn.Module] = set()

    def below(module: nn.Module, prefix: str) -> Iterator[tuple[str, nn.Module]]:
        for name, child in module.named_children():
            if child in seen:
                continue
            seen.add(child)
            container = is_container(child)
            if container or kind_of(child) == "sum":
                yield from below(child, f"{prefix}{name}.")
            if not container:
                yield f"{prefix}{name}", child

    return below(model, "")


def layer_coords(layers: Iterable[Layer], suffix: str = "") -> dict[str, tuple[str, list[Any]]]:
    """The coordinates of layers in `xarray`: layer (the dimension), module, call, stage, block, kind; each + suffix."""
    layers = list(layers)
    fields = {"layer": "name", "module": "module", "call": "call", "stage": "stage", "block": "block", "kind": "kind"}
    dim = f"layer{suffix}"
    return {f"{key}{suffix}": (dim, [getattr(layer, field) for layer in layers]) for key, field in fields.items()}
