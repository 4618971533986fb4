r"""A network on images that were changed, against itself on the images as they were, layer by layer.

With :math:`X_l` the features of a layer for the images and :math:`X'_l` those for the changed ones, every measure of
:math:`X_l` with :math:`X'_l`: what `compare` of the network with itself has on its diagonal. The images as they were go
through the network once, however many changes there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import xarray as xr
from torch import nn

from snnlib.layers import Layer, layer_coords
from snnlib.loaders import paired
from snnlib.memory import keep_freed_memory
from snnlib.recording import Recorder
from snnlib.similarity.compare import GROUP, GROUPS, least_images
from snnlib.similarity.corresponding import forward, kept_images, layer_terms, sizes_of
from snnlib.similarity.measures import known_measures, ratio
from snnlib.spec import SpecError


def compare_changed(
    model: nn.Module,
    loader: Iterable[Any],
    changed: Sequence[Iterable[Any]],
    *,
    groups: int = GROUPS,
    measures: Sequence[str] | None = None,
) -> xr.Dataset:
    """Measures of every layer between its features for images and for each changed form of them.

    In memory at a time are, for one batch of n images, 2 n^2 numbers a layer, however many changes there are.

    Args:
        model: a network with one output a class, (n, classes); it runs in eval mode and is left as it was.
        loader: batches as in `compare`, that can be read once for every change.
        changed: for each change the same batches, changed.
        groups: 0, or the number of groups of images to leave out one at a time, as in `compare_groups`.
        measures: names of `MEASURES`; None for all.

    Returns:
        Dataset of "similarity" over ("measure", "group", "change", "layer"), features flattened over time, and of
        "prediction", the class, over ("change", "image"). Change 0 are the images as they were.

    Raises:
        SpecError: an empty loader; changed images that do not fit the others, too small a batch (see `compare`); a
            network without outputs of classes; an unknown measure.
    """
    names = known_measures(measures)
    keep_freed_memory()
    least = least_images(groups)
    recorder = Recorder(model)
    terms: dict[Layer, np.ndarray] = {}  # (M, G + 1, E + 1, 3)
    predictions, sizes = [], []
    for pairs in zip(*(paired(loader, form, least) for form in changed), strict=True):
        clean, kept = pairs[0][0], kept_images(pairs[0][0].n, groups)
        grams, predicted = forward(recorder, clean, "concat")
        found = {layer: [layer_terms(k, k, kept, names)] for layer, k in grams.items()}
        decisions = [predicted]
        for _, batch in pairs:
            others, predicted = forward(recorder, batch, "concat")
            for layer, k in grams.items():
                found[layer].append(layer_terms(k, others.pop(layer), kept, names))
            decisions.append(predicted)
        if any(made is None for made in decisions):
            raise SpecError(f"{type(model).__name__} does not give (n, classes): there are no predictions to compare.")
        for layer, of_changes in found.items():
            terms[layer] = terms.get(layer, 0.0) + np.stack([of[:, :, 0, 0] for of in of_changes], axis=2)
        predictions.append(np.stack(decisions))
        sizes.append(clean.n)
    if not sizes:
        raise SpecError("the loader gave no batch: its data set is empty, or it was used up before.")
    values = ratio(np.stack(list(terms.values()), axis=3))  # (M, G + 1, E + 1, L)
    similarity = xr.Variable(("measure", GROUP, "change", "layer"), values, sizes_of(sizes))
    predicted = xr.Variable(("change", "image"), np.concatenate(predictions, axis=1).astype(np.int16))
    coords = {"measure": list(names), **layer_coords(terms)}
    return xr.Dataset({"similarity": similarity, "prediction": predicted}, coords, sizes_of(sizes))
