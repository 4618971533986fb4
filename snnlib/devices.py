"""Where networks run when they may choose, and what float32 means there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from lightning_fabric import Fabric


def best_device() -> torch.device:
    """The device that training takes when it may choose."""
    return Fabric(accelerator="auto", devices=1).device


@contextmanager
def float32_in_full() -> Iterator[None]:
    """Convolutions in float32 keep its 24 bits on GPUs too, where cuDNN would by default round to the 11 of TF32.

    What a card calls "32-true" is then the same on every device. It does not bear on bfloat16.
    """
    cudnn = torch.backends.cudnn
    before, cudnn.allow_tf32 = cudnn.allow_tf32, False
    try:
        yield
    finally:
        cudnn.allow_tf32 = before
