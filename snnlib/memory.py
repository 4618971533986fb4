"""How tensors lie in memory, and how a process keeps the memory it works in."""

from __future__ import annotations

import ctypes
import sys

from torch import Tensor


def memory_order(x: Tensor, leading: int = 1) -> list[int]:
    """Dimensions of x from the outermost to the innermost in memory, the first `leading` ones in their own place."""
    return [*range(leading), *sorted(range(leading, x.dim()), key=lambda d: (-x.stride(d), d))]


def in_memory_order(x: Tensor, leading: int = 1) -> Tensor:
    """(a, b, ...) -> (a, b, p), the dimensions after the first `leading` flattened in the order in which they lie.

    A view where x is dense (contiguous, channels-last), a copy where it is not.
    """
    return x.permute(memory_order(x, leading)).reshape(*x.shape[:leading], x.shape[leading:].numel())


def keep_freed_memory() -> None:
    """Let the C library keep what a step frees for the next step, instead of giving it back to the system each time.

    PyTorch pools the memory of GPUs, not that of the CPU. Each step frees large blocks and asks for them again, and
    fresh pages cost time, up to a third where blocks are over 32 MB. Linux with glibc only; elsewhere nothing happens.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        trim_threshold, mmap_threshold, largest = -1, -3, 2**31 - 1
        mallopt(ctypes.c_int(mmap_threshold), ctypes.c_int(2**30)) or mallopt(
            mmap_threshold, 2**25
        )  # older glibc: 32 MB
        mallopt(ctypes.c_int(trim_threshold), ctypes.c_int(largest))
