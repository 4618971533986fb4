r"""CKA of all layers of two networks, debiased, streamed over minibatches.

Over minibatches :math:`b`, as in Nguyen, Raghu and Kornblith (ICLR 2021),

.. math::
    \mathrm{CKA} = \frac{\sum_b \mathrm{HSIC}_1(K_b, L_b)}
        {\sqrt{\sum_b \mathrm{HSIC}_1(K_b, K_b) \; \sum_b \mathrm{HSIC}_1(L_b, L_b)}}

with :math:`\mathrm{HSIC}_1` as in `snnlib.similarity.cka`, an inner product of U-centered Gram matrices. So a layer is
one Gram matrix, its U-centered upper triangle one vector, and all pairs of layers (and of time steps) are one matrix
product: the work grows with the number of layers times :math:`n^2 p`, and with the pairs only times :math:`n^2`.

A linear kernel of features flattened over time is the sum of the kernels of the steps: one pass serves both `concat`
and `each`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any, Literal, get_args

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from snnlib.layers import Layer, layer_coords
from snnlib.loaders import Batch, check_loaders, group_of, length, paired
from snnlib.memory import keep_freed_memory
from snnlib.neurons import LIF
from snnlib.recording import Recorder
from snnlib.similarity.gram import step_grams, u_centered_triangles
from snnlib.similarity.groups import grouped_products
from snnlib.spec import GROUP, MIN_IMAGES, SpecError

Time = Literal["concat", "each"]
Rows = dict[Layer, Tensor]  # layer -> (S, n(n-1)/2), one U-centered triangle a step, or one in all

GROUPS = 8  # usually
CHUNK = 1 << 16  # columns of the triangles that are in float64 at a time


def compare(
    model_a: nn.Module,
    model_b: nn.Module,
    loader: Iterable[Any],
    *,
    loader_b: Iterable[Any] | None = None,
    layers_a: Iterable[str] | None = None,
    layers_b: Iterable[str] | None = None,
    time: Time = "concat",
    steps_a: int | None = None,
    steps_b: int | None = None,
    progress: bool = False,
) -> xr.DataArray:
    """Debiased linear CKA of every layer of one network with every layer of another, in one pass over the images.

    In memory at a time are one layer's features and, for one batch of n images, n(n - 1)/2 numbers a layer (and step),
    however many batches there are. Every batch counts alike, so keep them of one size, and rather large: the estimate
    is noisier on small ones. The C library is told to keep freed memory for the next layer (`snnlib.memory`).

    Args:
        model_a, model_b: any torch modules; they run in eval mode and are left as they were. One network given twice
            runs once.
        loader: batches of (images, labels) or of images; images (B, C, H, W), or frames (T, B, C, H, W);
            images in another layout need labels, which say how many there are.
        loader_b: the same images in the same order in another form (as events, attacked) for model_b.
        layers_a, layers_b: names of the modules to compare; None for all of `snnlib.layers.select_layers`.
        time: "concat" flattens features over time; "each" compares every step of one with every step of the other.
        steps_a, steps_b: time steps of networks that do not say so in an attribute T, see `snnlib.recording.Recorder`.
        progress: show a progress bar.

    Returns:
        DataArray "cka" over ("layer_a", "layer_b"), with "each" over ("layer_a", "step_a", "layer_b", "step_b") with
        steps counted from 1, where a layer that is the same at every step (a static stem, an ordinary network) is
        repeated along the steps of the others. Values are never clipped: slightly negative ones estimate 0. A layer
        whose features are the same for all images (dead neurons), or are not finite, has no CKA: nan.

    Raises:
        SpecError: a layer that is unknown or never called, an unknown `time`, a batch of fewer than 4 images, no batch
            at all, loaders that differ in length, batch sizes or labels.
    """
    options = {"layers_a": layers_a, "layers_b": layers_b, "steps_a": steps_a, "steps_b": steps_b}
    sums = _sums(model_a, model_b, loader, loader_b=loader_b, time=time, progress=progress, **options)
    return sums.cka(time).isel({GROUP: 0})


def compare_groups(
    model_a: nn.Module, model_b: nn.Module, loader: Iterable[Any], *, groups: int = GROUPS, **options: Any
) -> xr.DataArray:
    """As `compare`, and once more without each group of images: for the jackknife of `snnlib.intervals`.

    The images of each batch are divided at random, but always alike, into groups of the same size. Forward passes and
    Gram matrices are those of `compare`; see `snnlib.similarity.groups` for what is computed of them.

    Args:
        model_a, model_b, loader, options: as in `compare`.
        groups: their number, at least 2. A batch needs as many images, and 4 that remain without the largest group:
            8 images for the usual 8 groups (`least_images`).

    Returns:
        As `compare` does, with a leading dimension "group" of size groups + 1: 0 are all images, g all but those of
        the g-th group of every batch. Where all images that remain give the same features there is no CKA: nan.

    Raises:
        SpecError: as `compare`; groups that are no whole number of at least 2; a batch of too few images for them.
    """
    if isinstance(groups, bool) or not isinstance(groups, int) or groups < 2:
        raise SpecError(f"groups = {groups!r} must be a whole number of at least 2.")
    return _sums(model_a, model_b, loader, groups=groups, **options).cka(options.get("time", "concat"))


def least_images(groups: int) -> int:
    """Images that a batch needs, so that there are so many groups of them and enough remain without any one."""
    if groups < 2:
        return MIN_IMAGES
    n = groups
    while n - math.ceil(n / groups) < MIN_IMAGES:
        n += 1
    return n


def _sums(
    model_a: nn.Module,
    model_b: nn.Module,
    loader: Iterable[Any],
    *,
    loader_b: Iterable[Any] | None = None,
    layers_a: Iterable[str] | None = None,
    layers_b: Iterable[str] | None = None,
    time: Time = "concat",
    steps_a: int | None = None,
    steps_b: int | None = None,
    progress: bool = False,
    groups: int = 0,
) -> _Sums:
    """The pass over the images that `compare` and `compare_groups` share."""
    if time not in get_args(Time):
        raise SpecError(f'time = {time!r} is unknown: choose "concat" or "each".')
    keep_freed_memory()
    least = least_images(groups)
    recorder_a, recorder_b = Recorder(model_a, layers_a, steps_a), Recorder(model_b, layers_b, steps_b)
    loader_b = None if loader_b is loader else loader_b  # an iterator read from both sides would be torn in two
    check_loaders(loader, loader_b, least)
    one_pass = model_a is model_b and loader_b is None and recorder_a.steps == recorder_b.steps
    if one_pass:
        triangles_a = triangles_b = _Triangles(recorder_a.merged(recorder_b), time)
    else:
        triangles_a, triangles_b = _Triangles(recorder_a, time), _Triangles(recorder_b, time)

    sums = _Sums(groups)
    for batch_a, batch_b in _with_progress(paired(loader, loader_b, least), loader, progress):
        if one_pass:
            both = triangles_a(batch_a)
            rows_a = {layer: rows for layer, rows in both.items() if layer.module in recorder_a.names}
            rows_b = {layer: rows for layer, rows in both.items() if layer.module in recorder_b.names}
        else:
            rows_a, rows_b = triangles_a(batch_a), triangles_b(batch_b)
        sums.add(rows_a, rows_b, batch_a.n)
    if not sums.batch_sizes:
        raise SpecError("the loader gave no batch: its data set is empty, or it was used up before.")
    return sums


class _Triangles:
    """Forward passes of one network, the features of each layer reduced to U-centered Gram triangles on the spot.

    A batch's triangles are written over those of the batch before. They outlive the features: new ones every time would
    come to lie between blocks that are free again, and the heap would grow from batch to batch.
    """

    def __init__(self, recorder: Recorder, time: Time) -> None:
        self.recorder, self.concat = recorder, time == "concat"
        self.kept: list[Tensor] = []  # in the order of the calls

    def __call__(self, batch: Batch) -> Rows:
        """The rows of one batch; they hold until the next call."""
        before, self.kept = self.kept, []

        def reduce(features: Tensor, module: nn.Module) -> Tensor:
            grams = step_grams(features, summed=self.concat, binary=isinstance(module, LIF))
            triangles, call = u_centered_triangles(grams), len(self.kept)
            if call < len(before) and before[call].shape == triangles.shape:
                triangles = before[call].copy_(triangles)
            self.kept.append(triangles)
            return triangles

        parts = self.recorder(batch, reduce)
        rows = {layer: torch.cat(each) if len(each) > 1 else each[0] for layer, each in parts.items()}
        if not self.concat:
            return rows
        return {layer: each.sum(0, keepdim=True) if len(each) > 1 else each for layer, each in rows.items()}


class _Sums:
    """HSIC_1 of all pairs of rows (a layer, or a layer at one step), summed over batches.

    The first dimension of the sums is that of the groups left out: 0 none, then each.
    """

    def __init__(self, groups: int = 0) -> None:
        self.groups = groups
        self.batch_sizes: list[int] = []
        self.shape: tuple[dict[Layer, int], dict[Layer, int]] = ({}, {})  # layers of a and b, and their rows
        self.ab = self.aa = self.bb = np.zeros(())

    def add(self, rows_a: Rows, rows_b: Rows, n: int) -> None:
        shape = tuple({layer: len(rows) for layer, rows in side.items()} for side in (rows_a, rows_b))
        if not self.batch_sizes:
            self.shape = shape
        for old, new in zip(self.shape, shape, strict=True):
            changed = [layer.name for layer, _ in old.items() ^ new.items()]
            if changed:
                raise SpecError(
                    f"layer {min(changed)!r} is not called alike in batch {len(self.batch_sizes) + 1} and before it:"
                    " leave it out by naming the others in layers_a and layers_b."
                )
        a, b = ([rows[layer] for layer in old] for rows, old in zip((rows_a, rows_b), self.shape, strict=True))
        remain = np.array([n])
        if self.groups:
            of = group_of(n, self.groups)
            ab, aa, bb = grouped_products(a, b, of)
            remain = np.array([n, *(n - np.bincount(of))])
        else:
            ab, aa, bb = (sums[None] for sums in _inner_products(a, b))
        scale = 2 / (remain * (remain - 3))
        self.ab = self.ab + scale[:, None, None] * ab
        self.aa, self.bb = self.aa + scale[:, None] * aa, self.bb + scale[:, None] * bb
        self.batch_sizes.append(n)

    def cka(self, time: Time) -> xr.DataArray:
        norms = np.sqrt(self.aa)[:, :, None] * np.sqrt(self.bb)[:, None, :]
        with np.errstate(invalid="ignore"):
            values = self.ab / np.where(norms == 0, np.nan, norms)  # (G + 1, rows, rows); nan: a constant layer
        most_a, most_b = (max(sizes.values()) for sizes in self.shape)
        # a network without time of its own is the same at all steps of the other
        steps = (most_a if most_a > 1 else most_b, most_b if most_b > 1 else most_a)
        at_a, at_b = (_row_numbers(sizes, s) for sizes, s in zip(self.shape, steps, strict=True))  # (L, S)
        values = values[:, at_a[:, :, None, None], at_b[None, None, :, :]]  # (G, rows, rows) -> (G, La, Sa, Lb, Sb)
        dims = [GROUP, "layer_a", "step_a", "layer_b", "step_b"]
        coords: dict[str, Any] = {**layer_coords(self.shape[0], "_a"), **layer_coords(self.shape[1], "_b")}
        attrs = {
            "n_images": sum(self.batch_sizes),
            "n_batches": len(self.batch_sizes),
            "batch_size": max(self.batch_sizes),
            "debiased": 1,
            "time": time,
            "measure": "linear CKA, HSIC1, minibatch",
        }
        if time == "concat":
            return xr.DataArray(
                values[:, :, 0, :, 0], dims=[GROUP, "layer_a", "layer_b"], coords=coords, name="cka", attrs=attrs
            )
        coords |= {"step_a": np.arange(1, steps[0] + 1), "step_b": np.arange(1, steps[1] + 1)}
        return xr.DataArray(values, dims=dims, coords=coords, name="cka", attrs=attrs)


def _inner_products(rows_a: list[Tensor], rows_b: list[Tensor]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All inner products between the rows of a and b, and the squared norms of each, in float64."""
    device, length = rows_a[0].device, rows_a[0].shape[1]
    ab, aa, bb = (0.0, 0.0, 0.0)
    for start in range(0, length, CHUNK):  # bounds the copy in float64
        a, b = (torch.cat([r[:, start : start + CHUNK].to(device).double() for r in rows]) for rows in (rows_a, rows_b))
        ab, aa, bb = ab + a @ b.T, aa + a.square().sum(1), bb + b.square().sum(1)
    return ab.cpu().numpy(), aa.cpu().numpy(), bb.cpu().numpy()


def _row_numbers(sizes: dict[Layer, int], steps: int) -> np.ndarray:
    """(L, S) numbers of the rows, those of a layer of a single row repeated along the steps."""
    starts = np.cumsum([0, *sizes.values()])[:-1]
    return np.stack([start + np.arange(steps) * (size > 1) for start, size in zip(starts, sizes.values(), strict=True)])


def _with_progress(pairs: Iterator[Any], loader: Iterable[Any], progress: bool) -> Iterable[Any]:
    if not progress:
        return pairs
    from tqdm import tqdm

    return tqdm(pairs, desc="CKA", unit="batch", total=length(loader), delay=2)
