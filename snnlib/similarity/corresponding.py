"""Corresponding layers of two networks, by all measures: what it would be too dear to compute for all pairs of layers.

Layers correspond that have the same name and call. The terms of every measure (see `snnlib.similarity.measures`) are
summed over batches, as those of CKA are, so the CKA here is the one that `compare` finds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, get_args

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from snnlib.layers import Layer, layer_coords
from snnlib.loaders import Batch, check_loaders, group_of, paired
from snnlib.memory import keep_freed_memory
from snnlib.neurons import LIF
from snnlib.recording import Recorder
from snnlib.similarity.compare import GROUP, GROUPS, least_images
from snnlib.similarity.gram import step_grams
from snnlib.similarity.measures import MEASURES, known_measures, ratio, terms_of
from snnlib.spec import SpecError

Time = Literal["concat", "each", "same"]
Grams = dict[Layer, Tensor]  # layer -> (S, n, n) in float64: one a step, or one of features flattened over time


def compare_corresponding(
    model_a: nn.Module,
    model_b: nn.Module,
    loader: Iterable[Any],
    *,
    loader_b: Iterable[Any] | None = None,
    groups: int = GROUPS,
    time: Time = "concat",
    measures: Sequence[str] | None = None,
    thorough: bool = True,
    steps_a: int | None = None,
    steps_b: int | None = None,
) -> xr.Dataset:
    """All `MEASURES` of the corresponding layers of two networks, and how often the networks decide alike.

    In memory at a time are, for one batch of n images, n^2 numbers a layer and network, but for "concat" also a step.

    Args:
        model_a, model_b, loader, loader_b, steps_a, steps_b: as in `compare`.
        time: "concat" and "each" as in `compare`; "same" leaves out the different steps of two, which are nan.
        groups: 0, or the number of groups of images to leave out one at a time, as in `compare_groups`.
        measures: names of `MEASURES`; None for all.
        thorough: False leaves groups out of measures only that are sums over pairs of images, which costs next to
            nothing; the others are nan without a group.

    Returns:
        Dataset of "similarity" over ("measure", "group", "layer"), nan where a layer is the same for all images or a
        measure needs more images; but for "concat" also over ("step_a", "step_b"), as in `compare`; and over ("group",)
        of "agreement", the share of images for which both networks have the same largest output, "accuracy_a" and
        "accuracy_b", nan where there are no such outputs or no labels.

    Raises:
        SpecError: as `compare`; networks without a layer of the same name; a measure that is unknown.
    """
    if time not in get_args(Time):
        raise SpecError(f'time = {time!r} is unknown: choose "concat", "each" or "same".')
    names = known_measures(measures)
    keep_freed_memory()
    least = least_images(groups)
    check_loaders(loader, loader_b, least)
    recorders = Recorder(model_a, None, steps_a), Recorder(model_b, None, steps_b)
    alone = model_a is model_b and loader_b is None and steps_a == steps_b
    terms: dict[Layer, np.ndarray] = {}  # (M, G + 1, S_a, S_b, 3)
    counts = np.zeros((4, groups + 1))  # images, alike, right in a, right in b
    sizes = []
    for batches in paired(loader, loader_b, least):
        grams_a, made_a = forward(recorders[0], batches[0], time)
        grams_b, made_b = (dict(grams_a), made_a) if alone else forward(recorders[1], batches[1], time)
        n = batches[0].n
        kept = kept_images(n, groups)
        for layer in _common(grams_a, grams_b):
            options = {"thorough": thorough, "same": time == "same"}
            found = layer_terms(grams_a.pop(layer), grams_b.pop(layer), kept, names, **options)
            terms[layer] = terms.get(layer, 0.0) + found
        counts += _counts(made_a, made_b, batches[0].labels, batches[1].labels, n) @ kept.T
        sizes.append(n)
    if not sizes:
        raise SpecError("the loader gave no batch: its data set is empty, or it was used up before.")
    return _dataset(terms, counts, sizes, names, time)


def kept_images(n: int, groups: int) -> np.ndarray:
    """(G + 1, n) 1 for the images that take part: all, then all but those of one group."""
    of = group_of(n, groups) if groups else np.zeros(n)
    return np.stack([np.ones(n), *(of != g for g in range(groups))])


def forward(recorder: Recorder, batch: Batch, time: Time) -> tuple[Grams, np.ndarray | None]:
    """One forward pass: Gram matrices by layer, and what the network decides, (n,) or None."""
    concat = time == "concat"

    def reduce(features: Tensor, module: nn.Module) -> Tensor:
        return step_grams(features, summed=concat, binary=isinstance(module, LIF)).cpu().double()

    with _outputs(recorder.model) as outputs:
        parts = recorder(batch, reduce)
    grams = {layer: sum(each) if concat else torch.cat(each) for layer, each in parts.items()}
    logits = outputs[-1]
    is_decision = isinstance(logits, Tensor) and logits.dim() == 2 and len(logits) == batch.n
    return grams, logits.argmax(1).cpu().numpy() if is_decision else None


@contextmanager
def _outputs(model: nn.Module) -> Iterator[list[Any]]:
    found: list[Any] = []
    handle = model.register_forward_hook(lambda module, args, output: found.append(output))
    try:
        yield found
    finally:
        handle.remove()


def _common(a: Grams, b: Grams) -> list[Layer]:
    """Layers of the same name in both, in the order of a."""
    names = {layer.name for layer in b}
    common = [layer for layer in a if layer.name in names and layer in b]
    if not common:
        raise SpecError("the two networks have no layer of the same name: there are no corresponding layers.")
    return common


def layer_terms(
    a: Tensor, b: Tensor, kept: np.ndarray, names: Sequence[str], *, thorough: bool = True, same: bool = False
) -> np.ndarray:
    """(S, n, n) Gram matrices -> (M, G + 1, S_a, S_b, 3) terms of every measure, by the group left out.

    `same`: of two that both have steps, nan for different ones. `thorough`: as in `compare_corresponding`.
    """
    found = np.full((len(names), len(kept), len(a), len(b), 3), np.nan)
    for m, name in enumerate(names):
        subsets = torch.from_numpy(kept if thorough or MEASURES[name].sums else kept[:1])
        for s, k in enumerate(a):
            for t, other in enumerate(b):
                if same and s != t and len(a) > 1 < len(b):
                    continue
                if a is b and t < s:  # the same two matrices the other way round
                    found[m, :, s, t] = found[m, :, t, s][:, [0, 2, 1]]
                else:
                    found[m, : len(subsets), s, t] = terms_of(name, k, other, subsets)
    return found


def _counts(a: Any, b: Any, labels_a: Any, labels_b: Any, n: int) -> np.ndarray:
    """(4, n): image, alike, right in a, right in b; nan where it is not known."""
    unknown = np.full(n, np.nan)
    right = [unknown if made is None or of is None else made == of for made, of in ((a, labels_a), (b, labels_b))]
    return np.stack([np.ones(n), unknown if a is None or b is None else a == b, *right]).astype(float)


def _dataset(
    terms: dict[Layer, np.ndarray], counts: np.ndarray, sizes: list[int], names: Sequence[str], time: Time
) -> xr.Dataset:
    attrs = sizes_of(sizes)
    values = [ratio(of_layer) for of_layer in terms.values()]  # (M, G + 1, S_a, S_b) each
    dims, coords = ["measure", GROUP, "layer"], {"measure": list(names), **layer_coords(terms)}
    if time == "concat":
        values = [of_layer[:, :, 0, 0] for of_layer in values]
    else:
        most_a, most_b = (max(of_layer.shape[axis] for of_layer in values) for axis in (2, 3))
        # as in `compare`, a network without time of its own is the same at all steps of the other
        steps = {"step_a": most_a if most_a > 1 else most_b, "step_b": most_b if most_b > 1 else most_a}
        values = [np.broadcast_to(of_layer, (*of_layer.shape[:2], *steps.values())) for of_layer in values]
        dims, coords = [*dims, *steps], coords | {side: np.arange(1, count + 1) for side, count in steps.items()}
    similarity = xr.Variable(dims, np.stack(values, axis=2), attrs)
    shares = dict(zip(("agreement", "accuracy_a", "accuracy_b"), counts[1:] / counts[0], strict=True))
    variables = {"similarity": similarity, **{name: xr.Variable(GROUP, share, attrs) for name, share in shares.items()}}
    return xr.Dataset(variables, coords=coords, attrs=attrs)


def sizes_of(sizes: list[int]) -> dict[str, int]:
    """What a result says of the batches, n images each, that it was computed from."""
    return {"n_images": sum(sizes), "n_batches": len(sizes), "batch_size": max(sizes)}
