"""Tensor functions that a compiler may fuse: written once, run by PyTorch as they stand or compiled by `torch.compile`.

PyTorch runs an elementwise formula one operation at a time, each of them a trip through memory; compiled, the whole
formula is one trip. The first use of a kernel waits for the compiler, seconds to a quarter of a minute, later ones and
later processes do not (`torch.compile` keeps what it made on disk). So kernels run uncompiled unless someone who knows
that it pays says `with kernels.compiled():`, as training does for long runs.

A compiler that is missing or fails costs speed, never the result: the kernel runs uncompiled, after one warning.
"""

from __future__ import annotations

import functools
import threading
import types
import warnings
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor

_wanted: ContextVar[bool] = ContextVar("compiled kernels are wanted", default=False)
_failure: str | None = None  # why this process does without a compiler
_compiling = threading.RLock()


class NoCompiler(UserWarning):
    """Kernels run uncompiled, though compiled ones were asked for."""


@contextmanager
def compiled(wanted: bool = True) -> Iterator[None]:
    """Inside, kernels are compiled at their first use and run compiled; `wanted=False` undoes an outer `compiled()`."""
    token = _wanted.set(wanted)
    try:
        yield
    finally:
        _wanted.reset(token)


def are_compiled() -> bool:
    """Whether kernels called here run compiled: asked for, and no compiler has failed in this process."""
    return _wanted.get() and _failure is None


class Kernel:
    """A function of tensors and settings that computes the same, compiled or not. Made by the decorator `kernel`.

    It is compiled once for each combination of settings, dtypes, and lengths of first dimensions (loops over time are
    unrolled); the other sizes vary freely. No gradient flows through it: autograd is its caller's business.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.plain = function
        self._compiled: dict[Hashable, Callable[..., Any]] = {}
        functools.update_wrapper(self, function)

    def __call__(self, *arguments: Any) -> Any:
        """Run compiled on `arguments`; uncompiled where there is no compiler."""
        # inside a network that its user compiles as a whole, the plain formula becomes part of that
        if _failure is not None or torch.compiler.is_compiling():
            return self.plain(*arguments)
        arguments = tuple(a.detach() if isinstance(a, Tensor) else a for a in arguments)
        device = next(a.device.type for a in arguments if isinstance(a, Tensor))
        with torch.no_grad(), torch.autocast(device, enabled=False):
            variant = _variant(arguments)
            try:
                if variant in self._compiled:
                    return self._compiled[variant](*arguments)
                with _compiling:
                    run = self._compiled.get(variant) or self._compile()  # another thread may have been faster
                    result = run(*arguments)  # the first call is what compiles
                    self._compiled[variant] = run
                    return result
            except torch.cuda.OutOfMemoryError:  # says nothing about the compiler
                raise
            except Exception as error:  # a missing g++, a broken one, an unsupported device: each raises its own
                result = self.plain(*arguments)  # raises by itself if the arguments are at fault
                _give_up(error)
                return result

    def _compile(self) -> Callable[..., Any]:
        # torch.compile gives up on a code object after a few variants, so each gets a code object of its own
        code = self.plain.__code__.replace(co_name=f"{self.plain.__name__}_{len(self._compiled)}")
        function = types.FunctionType(code, self.plain.__globals__, code.co_name, self.plain.__defaults__)
        return torch.compile(function, dynamic=True, fullgraph=True)


def _variant(arguments: tuple[Any, ...]) -> Hashable:
    """All that `torch.compile` specialises on, where it may differ from call to call."""
    tensors = [a for a in arguments if isinstance(a, Tensor)]
    kinds = tuple((a.dtype, a.device.type, len(a), tuple(n == 1 for n in a.shape), a.is_inference()) for a in tensors)
    settings = tuple(a for a in arguments if not isinstance(a, Tensor))
    return kinds, settings, torch.get_num_threads(), torch.is_inference_mode_enabled()


def _give_up(error: Exception) -> None:
    """Remember that this process does without a compiler, and say so once."""
    global _failure
    with _compiling:
        if _failure is not None:
            return
        _failure = f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0]}"
    warnings.warn(
        f"torch.compile does not work here ({_failure[:300]}), so kernels run uncompiled: the same numbers, more"
        " slowly. On a CPU it needs a C++ compiler: install g++ or clang++, or name one in CXX.",
        NoCompiler,
        stacklevel=3,
    )


def kernel(function: Callable[..., Any]) -> Kernel:
    """Make a function of tensors a `Kernel`."""
    return Kernel(function)
