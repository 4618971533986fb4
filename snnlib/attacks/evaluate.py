r"""What attacked images do to networks: to their predictions, and to their features, layer by layer.

How far a layer's features drift from those of the clean images is :math:`1 - \mathrm{CKA}(X, X')`, with :math:`X` the
features of the clean images and :math:`X'` those of the attacked ones, in the same layer of the same network. It is 0
where nothing changes, and 1 where the features of the attacked images say nothing of which clean images are alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from snnlib.attacks.methods import predictions
from snnlib.loaders import group_of
from snnlib.similarity import GROUP, compare, compare_groups
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
        progress: show a progress bar.

    Returns:
        Dataset over "epsilon" (0, the clean images, then `epsilons`) and "target", in the order of `targets`:
        "prediction" (target, epsilon, image), the class; "label" (image); "accuracy" (target, epsilon), a share;
        "cka" (target, epsilon, layer), of clean with attacked features, with the coordinates of layers;
        "images" (epsilon, example, channel, row, column), the first few in the loader's unit. With groups, "accuracy"
        and "cka" have a leading dimension "group": 0 are all images, g all but those of the g-th group.

    Raises:
        SpecError: targets whose layers differ, an empty loader; and those of the attack.
    """
    clean = [(images, labels) for images, labels in loader]
    if not clean:
        raise SpecError("the loader gave no batch: its data set is empty, or it was used up before.")
    look = shown or (lambda images: images)
    seen_clean = [(look(images).cpu(), labels) for images, labels in clean]
    levels, examples = [], []
    for epsilon in (0.0, *epsilons):
        attacked = clean if epsilon == 0 else _attacked(clean, attack, epsilon, progress)
        seen = seen_clean if epsilon == 0 else [(look(images).cpu(), labels) for images, labels in attacked]
        levels.append(_together([_effect(target, seen_clean, seen, groups) for target in targets]))
        examples.append(attacked[0][0][:EXAMPLES].cpu().numpy())
    found = xr.concat(levels, "epsilon", combine_attrs="override").transpose(
        *([GROUP] if groups else []), "target", "epsilon", ...
    )
    found["label"] = "image", np.concatenate([labels.cpu().numpy() for _, labels in clean]).astype(np.int16)
    hits = found["prediction"] == found["label"]
    found["accuracy"] = (hits * (weights := _weights(clean, groups))).sum("image") / weights.sum("image")
    found["images"] = ("epsilon", "example", "channel", "row", "column"), np.stack(examples)
    return found.assign_coords(epsilon=[0.0, *epsilons])


def _together(effects: list[xr.Dataset]) -> xr.Dataset:
    names = [tuple(effect["layer"].values.tolist()) for effect in effects]
    if len(set(names)) > 1:
        raise SpecError("the targets have different layers: evaluate networks of one structure together.")
    return xr.concat(effects, "target", combine_attrs="override")


def _attacked(clean: list[tuple[Tensor, Tensor]], attack: Attack, epsilon: float, progress: bool) -> list:
    batches = clean
    if progress:
        from tqdm import tqdm

        batches = tqdm(clean, desc=f"attack, epsilon {epsilon:g}", unit="batch", delay=2)
    return [(attack(images, labels, epsilon).cpu(), labels) for images, labels in batches]


def _weights(clean: list[tuple[Tensor, Tensor]], groups: int) -> xr.DataArray:
    """1 for the images that count, 0 for those left out: over ("image"), with groups over ("group", "image")."""
    group = np.concatenate([group_of(len(labels), groups) for _, labels in clean]) if groups else None
    if group is None:
        return xr.DataArray(np.ones(sum(len(labels) for _, labels in clean)), dims="image")
    counts = np.arange(-1, groups)[:, None] != group  # no image is in group -1
    return xr.DataArray(counts.astype(float), dims=(GROUP, "image"))


def _effect(
    target: nn.Module, clean: list[tuple[Tensor, Tensor]], seen: list[tuple[Tensor, Tensor]], groups: int
) -> xr.Dataset:
    """Predictions for the images seen, and CKA of each layer's features of them with those of the clean images."""
    options = {"loader_b": None if seen is clean else seen, **({"groups": groups} if groups else {})}
    cka = (compare_groups if groups else compare)(target, target, clean, **options)
    predicted = torch.cat([predictions(target, images) for images, _ in seen]).numpy().astype(np.int16)
    coords = {
        name.removesuffix("_a"): ("layer", cka[name].values) for name in map(str, cka.coords) if name[-2:] == "_a"
    }
    # of all pairs of layers the diagonal: each with itself
    drift = xr.DataArray(np.diagonal(cka.values, axis1=-2, axis2=-1), coords, (*cka.dims[:-2], "layer"))
    return xr.Dataset({"cka": drift, "prediction": ("image", predicted)}, attrs=cka.attrs)
