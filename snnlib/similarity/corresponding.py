"""Corresponding layers of two networks, by all measures: what it would be too dear to compute for all pairs of layers.

Layers correspond that have the same name and call. The terms of every measure (see `snnlib.similarity.measures`) are
summed over batches, as those of CKA are, so the CKA here is the one that `compare` finds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

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
from snnlib.similarity.measures import MEASURES, ratio, terms_of
from snnlib.spec import SpecError

Grams = dict[Layer, Tensor]  # layer -> (n, n) in float64, features flattened over time


def compare_corresponding(
    model_a: nn.Module,
    model_b: nn.Module,
    loader: Iterable[Any],
    *,
    loader_b: Iterable[Any] | None = None,
    groups: int = GROUPS,
    steps_a: int | None = None,
    steps_b: int | None = None,
) -> xr.Dataset:
    """All `MEASURES` of the corresponding layers of two networks, and how often the networks decide alike.

    In memory at a time are, for one batch of n images, n^2 numbers a layer and network.

    Args:
        model_a, model_b, loader, loader_b, steps_a, steps_b: as in `compare`.
        groups: 0, or the number of groups of images to leave out one at a time, as in `compare_groups`.

    Returns:
        Dataset of "similarity" over ("measure", "group", "layer"), nan where a layer is the same for all images or a
        measure needs more images; and over ("group",) of "agreement", the share of images for which both networks have
        the same largest output, "accuracy_a" and "accuracy_b", nan where there are no such outputs or no labels.

    Raises:
        SpecError: as `compare`; networks without a layer of the same name.
    """
    keep_freed_memory()
    least = least_images(groups)
    check_loaders(loader, loader_b, least)
    recorders = Recorder(model_a, None, steps_a), Recorder(model_b, None, steps_b)
    terms: dict[Layer, np.ndarray] = {}  # (M, G + 1, 3)
    counts = np.zeros((4, groups + 1))  # images, alike, right in a, right in b
    sizes = []
    for batches in paired(loader, loader_b, least):
        (grams_a, made_a), (grams_b, made_b) = (_pass(*both) for both in zip(recorders, batches, strict=True))
        n = batches[0].n
        kept = _kept(n, groups)
        for layer in _common(grams_a, grams_b):
            found = _terms(grams_a.pop(layer), grams_b.pop(layer), kept)
            terms[layer] = terms.get(layer, 0.0) + found
        counts += _counts(made_a, made_b, batches[0].labels, batches[1].labels, n) @ kept.T
        sizes.append(n)
    if not sizes:
        raise SpecError("the loader gave no batch: its data set is empty, or it was used up before.")
    return _dataset(terms, counts, sizes)


def _kept(n: int, groups: int) -> np.ndarray:
    """(G + 1, n) which images take part: all, then all but those of one group."""
    of = group_of(n, groups) if groups else np.zeros(n)
    return np.stack([np.ones(n, bool), *(of != g for g in range(groups))])


def _pass(recorder: Recorder, batch: Batch) -> tuple[Grams, np.ndarray | None]:
    """One forward pass: Gram matrices by layer, and what the network decides, (n,) or None."""

    def reduce(features: Tensor, module: nn.Module) -> Tensor:
        return step_grams(features, summed=True, binary=isinstance(module, LIF))[0].cpu().double()

    with _outputs(recorder.model) as outputs:
        grams = {layer: sum(parts) for layer, parts in recorder(batch, reduce).items()}
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


def _terms(k: Tensor, other: Tensor, kept: np.ndarray) -> np.ndarray:
    """(M, G + 1, 3) terms of every measure, by the group left out."""
    found = np.empty((len(MEASURES), len(kept), 3))
    for g, keep in enumerate(torch.from_numpy(kept)):
        parts = (k, other) if keep.all() else (k[keep][:, keep], other[keep][:, keep])
        for m, name in enumerate(MEASURES):
            found[m, g] = terms_of(name, *parts)
    return found


def _counts(a: Any, b: Any, labels_a: Any, labels_b: Any, n: int) -> np.ndarray:
    """(4, n): image, alike, right in a, right in b; nan where it is not known."""
    unknown = np.full(n, np.nan)
    right = [unknown if made is None or of is None else made == of for made, of in ((a, labels_a), (b, labels_b))]
    return np.stack([np.ones(n), unknown if a is None or b is None else a == b, *right]).astype(float)


def _dataset(terms: dict[Layer, np.ndarray], counts: np.ndarray, sizes: list[int]) -> xr.Dataset:
    attrs = {"n_images": sum(sizes), "n_batches": len(sizes), "batch_size": max(sizes)}
    values = ratio(np.stack(list(terms.values()), axis=2))  # (M, G + 1, L, 3) -> (M, G + 1, L)
    similarity = xr.Variable(("measure", GROUP, "layer"), values, attrs)
    shares = dict(zip(("agreement", "accuracy_a", "accuracy_b"), counts[1:] / counts[0], strict=True))
    variables = {"similarity": similarity, **{name: xr.Variable(GROUP, share, attrs) for name, share in shares.items()}}
    return xr.Dataset(variables, coords={"measure": list(MEASURES), **layer_coords(terms)}, attrs=attrs)
