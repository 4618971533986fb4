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
    convolutions = getattr(torch.backends.cudnn, "conv", None)  # since PyTorch 2.9; then the older name may be refused
    setting, name, full = (
        (convolutions, "fp32_precision", "ieee")
        if hasattr(convolutions, "fp32_precision")
        else (torch.backends.cudnn, "allow_tf32", False)
    )
    before = getattr(setting, name)
    setattr(setting, name, full)
    try:
        yield
    finally:
        setattr(setting, name, before)
