r"""Features of every layer, call and time step, handed over while the network runs.

A layer that sees :math:`B` images at :math:`T` steps has features :math:`x_l[t] \in \mathbb{R}^{B \times p}`. They are
reduced on the spot, :math:`r_l = f(x_l[1], \dots, x_l[T])`, to a Gram matrix or a firing rate, and only :math:`r_l` is
kept: one layer's features are in memory at a time, however deep the network. It also means that an activation that
works in place cannot overwrite what the layer before it gave.

Which module calls make a layer:

* each call of a reused module is a layer of its own: `relu`, `relu#2`, ...;
* a network of :math:`T > 1` steps that calls a module :math:`kT` times with one step's features each is a single-step
  network in a loop over time: these are :math:`k` layers (one, mostly) seen at :math:`T` steps. Where :math:`k > 1`,
  the loop may go through the network, or each layer may have one of its own: the modules called in between tell.

Time comes first wherever several steps are in one tensor.

Hooks live for one forward pass and are removed even if it fails; no autograd graph is built; the network runs in eval
mode, and every module gets its own training mode back.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from copy import copy
from functools import partial
from typing import Any, TypeVar

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from snnlib.calls import check_steps, uses_of
from snnlib.layers import Layer, is_spiking, kind_of, layer_coords, select_layers, stage_and_block
from snnlib.loaders import Batch, batches, group_of
from snnlib.memory import in_memory_order
from snnlib.neurons import LIF
from snnlib.spec import SpecError

R = TypeVar("R")


class Recorder:
    """Runs a network and reduces the features of its layers, one layer at a time.

    Args:
        model: any torch module. Its `forward` should start from rest: the membrane potential that a neuron of another
            library keeps from one call to the next is not reset here.
        layers: names of modules; None for the default of `select_layers`.
        steps: time steps T of the network. None takes `model.T`; where that is missing or 1, the number of frames if
            the input is (T, B, C, H, W), else 1.

    Raises:
        SpecError: an unknown layer, or steps (or a `model.T`) that are no positive whole number; before any forward
            pass.
    """

    def __init__(self, model: nn.Module, layers: Iterable[str] | None = None, steps: int | None = None) -> None:
        self.model = model
        self.names = select_layers(model, layers)
        self.required = frozenset(() if layers is None else self.names)  # named by the user: must be called
        declared = getattr(model, "T", None)
        if steps is not None:
            self.steps: int | None = _whole(steps, "steps", "or None for the network's own T")
        else:
            self.steps = None if declared is None else _whole(declared, f"{type(model).__name__}.T", "or give steps")
            self.steps = None if self.steps == 1 else self.steps  # of frames, if it is given some
        self.says_steps = steps is not None or declared is not None

    def merged(self, other: Recorder) -> Recorder:
        """The recorder of both selections of layers, for two recorders of one network."""
        both = copy(self)
        both.names = list(dict.fromkeys([*self.names, *other.names]))
        both.required = self.required | other.required
        return both

    def __call__(self, batch: Batch, reduce: Callable[[Tensor, nn.Module], R]) -> dict[Layer, list[R]]:
        """One forward pass.

        Args:
            batch: its images are sent to the device of the network's parameters.
            reduce: (S, B, p) features of B images in p neurons at S steps, and their module -> what is to be kept of
                them. S is T, or 1 for a layer that is the same at every step. The neurons come in the order in which
                they lie in memory, the same for all images. `reduce` must leave the features as they are.

        Returns:
            The layers in the order of their calls, each with its reduced features: one item, or T items of one step
            each where the network loops over time.

        Raises:
            SpecError: an output whose shape is neither (T*B, ...), (T, B, ...) nor (B, ...), or that may be two of
                them; a spiking layer that does not come to T steps; calls of one module that are no T turns of a loop;
                a layer that was asked for by name and is never called, or no layer that is called.

        Warns:
            UserWarning: a spiking module is called several times in a network that says nothing of time steps.
        """
        frames = batch.images.shape[0] if batch.images.dim() == 5 and batch.images.shape[1] == batch.n else 1
        steps = self.steps or frames  # an ordinary network sees each frame by itself
        trace: list[str] = []  # of all layers: what is called between the calls of one tells loops over time apart
        calls: dict[int, tuple[int, R]] = {}  # place in the trace -> steps of the features, and what is kept of them

        def hook(name: str, module: nn.Module, args: Any, output: Any) -> None:
            if name in self.names:
                features = _by_step(name, module, _first_tensor(name, output), batch, steps)  # (S, B, p)
                calls[len(trace)] = len(features), reduce(features, module)
            trace.append(name)

        hooks = {name: partial(hook, name) for name in dict.fromkeys([*self.names, *select_layers(self.model)])}
        # no_grad, not inference_mode: what a stateful neuron keeps must stay usable in the user's next training step
        with torch.no_grad(), evaluating(self.model), _hooked(self.model, hooks):
            self.model(batch.images.to(device_of(self.model)))
        if not calls:
            raise SpecError(f"{type(self.model).__name__} calls none of its layers {', '.join(self.names[:3])}, ...")
        silent = self.required.difference(trace)
        if silent:
            raise SpecError(f"layer {min(silent)!r} is never called by {type(self.model).__name__}: leave it out.")
        return self._layers(trace, calls, steps)

    def _layers(self, trace: list[str], calls: dict[int, tuple[int, R]], steps: int) -> dict[Layer, list[R]]:
        """Module calls -> layers, in the order of their first call."""
        positions: dict[str, list[int]] = {}
        for position in calls:
            positions.setdefault(trace[position], []).append(position)
        found: list[tuple[int, Layer, list[R]]] = []
        for name, at in positions.items():
            module = self.model.get_submodule(name)
            single = all(calls[i][0] == 1 for i in at)
            looped = steps > 1 and len(at) % steps == 0 and single
            if is_spiking(module) and single and not looped:
                check_steps(name, len(at), steps, known=self.says_steps)
            kind = kind_of(module)
            for use, of_use in enumerate(uses_of(trace, at, steps if looped else 1)):
                layer = Layer(name, use + 1, kind, *stage_and_block(name))
                found.append((of_use[0], layer, [calls[i][1] for i in of_use]))
        return {layer: values for _, layer, values in sorted(found, key=lambda item: item[0])}


def _whole(value: Any, name: str, other: str) -> int:
    """A number of steps, of whatever type of whole numbers."""
    try:
        number = operator.index(value)
    except TypeError:
        number = 0
    if number < 1 or isinstance(value, bool):
        raise SpecError(f"{name} = {value!r} must be a whole number of at least 1, {other}.")
    return number


def device_of(model: nn.Module) -> torch.device:
    """Device of the first parameter, else of the first buffer, else the CPU."""
    tensor = next(model.parameters(), next(model.buffers(), None))
    return torch.device("cpu") if tensor is None else tensor.device


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Eval mode, then for each module the mode it had: a frozen batch norm in a network in training stays frozen."""
    before = {module: module.training for module in model.modules()}
    try:
        model.eval()
        yield
    finally:
        for module, training in before.items():
            module.training = training


@contextmanager
def _hooked(model: nn.Module, hooks: dict[str, Callable[..., None]]) -> Iterator[None]:
    with ExitStack() as stack:  # undoes what it holds, also if a later registration or the forward pass fails
        for name, hook in hooks.items():
            stack.callback(model.get_submodule(name).register_forward_hook(hook).remove)
        yield


def _first_tensor(name: str, output: Any) -> Tensor:
    """The output itself, or the first tensor of a tuple: snnTorch's neurons give (spikes, membrane potential)."""
    for item in output if isinstance(output, tuple | list) else [output]:
        if isinstance(item, Tensor):
            return item.detach()
    raise SpecError(
        f"layer {name!r} gave a {type(output).__name__}, not a tensor or a tuple with one: name the others in layers."
    )


def _by_step(name: str, module: nn.Module, output: Tensor, batch: Batch, steps: int) -> Tensor:
    """(T*B, ...), (T, B, ...) or, for a single step, (B, ...) -> (S, B, p) with S = T or 1."""
    shape, n = tuple(output.shape), batch.n
    time_first = shape[:2] == (steps, n)
    if time_first and steps == n > 1 and not isinstance(module, LIF):  # LIF is known to be time first
        raise SpecError(
            f"layer {name!r} gave shape {shape}: with {n} images at {steps} time steps it cannot be told apart whether"
            " time or the images come first; choose another batch size."
        )
    if time_first:
        return in_memory_order(output, leading=2)
    if shape[:1] == (steps * n,):
        return in_memory_order(output).view(steps, n, -1)
    if shape[:1] == (n,):
        return in_memory_order(output).view(1, n, -1)
    way_out = "leave the layer out by naming the others in layers"
    folded = shape[0] // n if shape and shape[0] % n == 0 else 0
    if ran := folded or (shape[0] if shape[1:2] == (n,) else 0):
        say = "say so with steps (of compare: steps_a, steps_b)"
        way_out = f"if the network runs {ran} time step{'s' * (ran > 1)}, {say}; else {way_out}"
    if batch.labels is None:
        way_out = f"if {n} is not the number of images, give labels with them, which count them; {way_out}"
    raise SpecError(
        f"layer {name!r} gave shape {shape}, but {n} images at {steps} time step{'s' * (steps > 1)} make (T*B, ...) ="
        f" ({steps * n}, ...), (T, B, ...) = ({steps}, {n}, ...) or (B, ...) = ({n}, ...): {way_out}."
    )


def _per_neuron(spikes: Tensor) -> Tensor:
    """(S, B, p) spikes -> (S, B) spikes of a neuron, by image; float32 counts them exactly up to 2^24."""
    return spikes.sum(2, dtype=torch.float32).cpu().double() / spikes.shape[2]


def firing_rates(
    model: nn.Module,
    loader: Iterable[Any],
    steps: int | None = None,
    groups: int = 0,
    layers: Iterable[str] | None = None,
) -> xr.DataArray:
    r"""Firing rate of every spiking layer at every step, :math:`r_l[t] = \frac{1}{Np} \sum_{i,j} s_{ij}[t]`.

    Args:
        model: a network with spiking neurons: `snnlib.LIF`, or those of snnTorch, SpikingJelly or Norse.
        loader: batches of any size, as in `snnlib.loaders.batches`.
        steps: as in `Recorder`.
        groups: 0, or the number of groups of images to leave out one at a time, as in `similarity.compare_groups`.
        layers: names of modules that give spikes; None for all neurons that are known. Neurons of one's own are named
            here, or derive from `snnlib.LIF` or a neuron of these libraries.

    Returns:
        DataArray "firing_rate" over ("layer", "step"), steps counted from 1, in spikes per neuron and step, 0 to 1.
        With groups, over ("group", "layer", "step"): 0 are all images, g all but those of the g-th group.

    Raises:
        SpecError: a network without spiking neurons, an unknown layer, an empty loader.
    """
    neurons = [name for name in select_layers(model, layers) if layers or is_spiking(model.get_submodule(name))]
    if not neurons:
        raise SpecError(
            f"{type(model).__name__} has no spiking neurons that are known, and so no firing rates: build it with"
            " spiking=True, or with snnlib.LIF or the neurons of snnTorch, SpikingJelly or Norse; name neurons of your"
            " own in layers."
        )
    recorder = Recorder(model, neurons, steps)
    if layers is None:
        recorder.required = frozenset()  # a neuron that is never called has no rate, and is no error of the user's
    sums: dict[Layer, np.ndarray] = {}  # (G + 1, S)
    n_images = np.zeros(groups + 1)
    for batch in batches(loader):
        kept = np.ones((groups + 1, batch.n))
        if groups:
            kept[1:] = group_of(batch.n, groups) != np.arange(groups)[:, None]
        found = recorder(batch, lambda spikes, _: _per_neuron(spikes))  # (S, B)
        for layer, values in found.items():
            sums[layer] = sums.get(layer, 0.0) + kept @ torch.cat(values).numpy().T
        n_images += kept.sum(1)
    if not n_images[0]:
        raise SpecError("the loader gave no images: its data set is empty, or it was used up before.")
    if not n_images.all():
        raise SpecError(f"groups = {groups} leave no images of {n_images[0]:.0f}: ask for fewer groups.")
    n_steps = max(total.shape[1] for total in sums.values())
    rates = [np.broadcast_to(total / n_images[:, None], (groups + 1, n_steps)) for total in sums.values()]
    values = np.stack(rates, 1)  # (G + 1, L, S)
    return xr.DataArray(
        values if groups else values[0],
        dims=("group", "layer", "step") if groups else ("layer", "step"),
        coords={**layer_coords(sums), "step": np.arange(1, n_steps + 1)},
        name="firing_rate",
        attrs={"n_images": int(n_images[0])},
    )
