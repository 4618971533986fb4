r"""What attacked images do to networks: to their predictions, and to their features, layer by layer.

How far a layer's features drift from those of the clean images is :math:`1 - \mathrm{CKA}(X, X')`, with :math:`X` the
features of the clean images and :math:`X'` those of the attacked ones, in the same layer of the same network. It is 0
where nothing changes, and 1 where the features of the attacked images say nothing of which clean images are alike. All
images are in memory, for all sizes of the change, so that the clean ones go through each network once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from snnlib.loaders import batches, group_of
from snnlib.similarity import GROUP, compare_changed
from snnlib.spec import SpecError

Attack = Callable[[Tensor, Tensor, float], Tensor]  # images, labels, epsilon -> attacked images
EXAMPLES = 6  # images that are kept to be looked at


def evaluate(
    targets: Sequence[nn.Module],
    loader: Iterable[tuple[Tensor, Tensor]],
    attack: Attack,
    epsilons: Sequence[float],
    *,
    shown: Callable[[Tensor], Tensor] | None = None,
    groups: int = 0,
    measures: Sequence[str] = (),
    progress: bool = False,
) -> xr.Dataset:
    """Attack images once for each epsilon, and show the same images to every target.

    Args:
        targets: networks whose layers have the same names; they run in eval mode and are left as they were.
        loader: batches of (images, labels), at least 4 images (B, C, H, W) each.
        attack: makes attacked images; it holds the network that is followed. Not called for the clean images.
        epsilons: sizes of the change, in the unit of the loader's images.
        shown: what of the images the targets are given, such as `Normalised.normalise`; None for the images.
        groups: 0, or the number of groups of images to leave out one at a time, as in `similarity.compare_groups`.
        measures: others than CKA that features are compared by, names of `similarity.MEASURES`.
        progress: show a progress bar.

    Returns:
        Dataset over "epsilon" (0, the clean images, then `epsilons`) and "target", in the order of `targets`:
        "prediction" (target, epsilon, image), the class; "label" (image); "accuracy" (target, epsilon), a share;
        "cka" (target, epsilon, layer), of clean with attacked features, with the coordinates of layers;
        "images" (epsilon, example, channel, row, column), the first few in the loader's unit; with measures
        "similarity" (measure, target, epsilon, layer). With groups, "accuracy", "cka" and "similarity" have a dimension
        "group" before "target": 0 are all images, g all but those of the g-th group.

    Raises:
        SpecError: targets whose layers differ, an empty loader; and those of the attack.
    """
    given = list(batches(loader))
    if not given:
        raise SpecError("the loader gave no batch: its data set is empty, or it was used up before.")
    if any(batch.labels is None for batch in given):
        raise SpecError("the loader gives images alone, and an attack leads away from their classes: give labels too.")
    clean = [(batch.images, torch.as_tensor(batch.labels)) for batch in given]
    look = shown or (lambda images: images)
    forms = [clean, *(_attacked(clean, attack, epsilon, progress) for epsilon in epsilons)]
    seen = [[(look(images).cpu(), labels) for images, labels in form] for form in forms]
    found = _together([_effects(target, seen, groups, measures) for target in targets])
    found = found.transpose("measure", GROUP, "target", "epsilon", ..., missing_dims="ignore")
    found["label"] = "image", np.concatenate([labels.cpu().numpy() for _, labels in clean]).astype(np.int16)
    hits = found["prediction"] == found["label"]
    found["accuracy"] = (hits * (weights := _weights(clean, groups))).sum("image") / weights.sum("image")
    examples = np.stack([form[0][0][:EXAMPLES].cpu().numpy() for form in forms])
    found["images"] = ("epsilon", "example", "channel", "row", "column"), examples
    return found.assign_coords(epsilon=[0.0, *epsilons])


def _together(effects: list[xr.Dataset]) -> xr.Dataset:
    names = [tuple(effect["layer"].values.tolist()) for effect in effects]
    if len(set(names)) > 1:
        raise SpecError("the targets have different layers: evaluate networks of one structure together.")
    return xr.concat(effects, "target", combine_attrs="override")


def _attacked(clean: list[tuple[Tensor, Tensor]], attack: Attack, epsilon: float, progress: bool) -> list:
    shown: Iterable[tuple[Tensor, Tensor]] = clean
    if progress:
        from tqdm import tqdm

        shown = tqdm(clean, desc=f"attack, epsilon {epsilon:g}", unit="batch", delay=2)
    return [(attack(images, labels, epsilon).cpu(), labels) for images, labels in shown]


def _weights(clean: list[tuple[Tensor, Tensor]], groups: int) -> xr.DataArray:
    """1 for the images that count, 0 for those left out: over ("image"), with groups over ("group", "image")."""
    group = np.concatenate([group_of(len(labels), groups) for _, labels in clean]) if groups else None
    if group is None:
        return xr.DataArray(np.ones(sum(len(labels) for _, labels in clean)), dims="image")
    counts = np.arange(-1, groups)[:, None] != group  # no image is in group -1
    return xr.DataArray(counts.astype(float), dims=(GROUP, "image"))


def _effects(target: nn.Module, seen: list, groups: int, measures: Sequence[str]) -> xr.Dataset:
    """Predictions for every form of the images, and each layer's similarity with its features of the first, clean."""
    names = ("cka", *measures)
    found = compare_changed(target, seen[0], seen[1:], groups=groups, measures=names).rename(change="epsilon")
    if not groups:
        found = found.isel({GROUP: 0})
    by_measure = found["similarity"]
    found = found[["prediction"]].assign(cka=by_measure.sel(measure="cka", drop=True))
    return found.assign(similarity=by_measure.sel(measure=list(measures))) if measures else found
