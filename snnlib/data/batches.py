"""Batches of normalised images or frames of events, the same in every process that knows (seed, epoch).

All that is random in an epoch, its permutation and each image's crop and flip, is drawn at its start from generators
seeded by (seed, epoch). Nothing is carried from one epoch to the next, so a resumed run sees the very batches that an
undisturbed one does, and each of several ranks knows what the others get.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from snnlib.data.images import Split
from snnlib.spec import SpecError

PERMUTATION, AUGMENTATION = 0, 1  # streams of random numbers within (seed, epoch)


@dataclass(frozen=True)
class Augment:
    """Random crop out of an image with a black margin, and horizontal flip with probability 1/2, each per image."""

    crop_padding: int = 4  # pixels on each side
    flip: bool = True

    def __post_init__(self) -> None:
        if self.crop_padding < 0:
            raise SpecError(f"crop_padding = {self.crop_padding} is negative; 0 switches cropping off")

    @classmethod
    def preset(cls, dataset: str, image_size: int) -> Augment:
        """The paper's for CIFAR, its like for a folder and for recorded events; the digits only shift, since mirrored
        ones are other signs. Simulated events are treated as the images they come from."""
        if dataset in ("digits", "digit-variants", "moving-digits"):
            return cls(crop_padding=1, flip=False)
        if dataset.startswith("folder:") or dataset in ("cifar10-dvs", "n-caltech101"):
            return cls(crop_padding=image_size // 8, flip=True)
        return cls(crop_padding=4, flip=True)

    def draw(self, rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        """For n images: row and column at which the crop starts in the padded image, (n, 2); whether to flip, (n,)."""
        corners = rng.integers(0, 2 * self.crop_padding + 1, size=(n, 2))
        return corners, rng.random(n) < (0.5 if self.flip else 0.0)

    def apply(self, images: np.ndarray, corners: np.ndarray, flips: np.ndarray) -> np.ndarray:
        """Crop, then flip, with what `draw` returned: raw pixels (B, C, H, W), or frames (B, T, C, H, W), all of one
        stream alike -> the same shape."""
        if images.ndim == 5:
            together = images.reshape(len(images), -1, *images.shape[-2:])  # (B, T*C, H, W)
            return self.apply(together, corners, flips).reshape(images.shape)
        pad, (height, width) = self.crop_padding, images.shape[2:]
        padded = np.pad(images, ((0, 0), (0, 0), (pad, pad), (pad, pad)))  # (B, C, H + 2 pad, W + 2 pad)
        # a view with every possible crop: (B, C, 2 pad + 1, 2 pad + 1, H, W)
        crops = np.lib.stride_tricks.sliding_window_view(padded, (height, width), axis=(2, 3))
        out = crops[np.arange(len(images)), :, corners[:, 0], corners[:, 1]]  # (B, C, H, W)
        out[flips] = out[flips, ..., ::-1]
        return out


class Batches:
    """Re-iterable batches of a split: pairs of images float32 (B, C, H, W), normalised, and labels int64 (B,).

    Frames of events come time first, (T, B, C, H, W).

    mean, std: by channel, of pixels in 0..1. shuffle_seed: None keeps the split's order; else the order and the
    augmentation follow from it and from the epoch (`set_epoch`). drop_last: leave out a last batch that is not full.
    With world_size > 1, `batch_size` is that of all ranks together and a rank gets every world_size-th image of each
    batch; the last one may then be smaller on some ranks, so train with drop_last.
    Raises SpecError for a batch size that is not positive or that the ranks cannot share evenly.
    """

    def __init__(
        self,
        split: Split,
        batch_size: int,
        *,
        mean: Sequence[float],
        std: Sequence[float],
        shuffle_seed: int | None = None,
        augment: Augment | None = None,
        drop_last: bool = False,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        if batch_size < 1:
            raise SpecError(f"batch_size = {batch_size} is not positive")
        if not 0 <= rank < world_size:
            raise SpecError(f"rank = {rank} is not below world_size = {world_size}")
        if batch_size % world_size:
            raise SpecError(f"batch_size = {batch_size} cannot be shared evenly by {world_size} ranks; use a multiple")
        if augment is not None and shuffle_seed is None:
            raise SpecError("augmentation needs a shuffle_seed to draw its random numbers from")
        self.dataset = split
        self.batch_size = batch_size
        self.drop_last = drop_last
        self.shuffle_seed = shuffle_seed
        self.augment = augment
        self.rank, self.world_size = rank, world_size
        self.epoch = 0
        # (C, 1, 1), in units of raw pixels
        self._mean = torch.tensor(mean, dtype=torch.float32).mul(255).view(-1, 1, 1)
        self._std = torch.tensor(std, dtype=torch.float32).mul(255).view(-1, 1, 1)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, from 0, that the next iteration shows."""
        self.epoch = epoch

    def __len__(self) -> int:
        full, rest = divmod(len(self.dataset), self.batch_size)
        return full + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        n = len(self.dataset)
        order = np.arange(n) if self.shuffle_seed is None else self._rng(PERMUTATION).permutation(n)
        draws = self.augment and self.augment.draw(self._rng(AUGMENTATION), n)
        for batch in range(len(self)):
            # this rank's places in the epoch: what is drawn belongs to the place, whichever rank serves it
            places = slice(batch * self.batch_size + self.rank, (batch + 1) * self.batch_size, self.world_size)
            images = self.dataset.images[order[places]]  # (B, C, H, W) or (B, T, C, H, W) uint8, a copy
            if draws:
                images = self.augment.apply(images, *(drawn[places] for drawn in draws))
            normalised = torch.from_numpy(images).float().sub_(self._mean).div_(self._std)
            if normalised.dim() == 5:
                normalised = normalised.transpose(0, 1).contiguous()  # (B, T, C, H, W) -> (T, B, C, H, W)
            yield normalised, torch.from_numpy(self.dataset.labels[order[places]])

    def _rng(self, stream: int) -> np.random.Generator:
        return np.random.default_rng([self.shuffle_seed, self.epoch, stream])
