"""Which calls of one module are a layer at several time steps, and which are several layers."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from itertools import pairwise

from snnlib.spec import SpecError


def uses_of(trace: Sequence[str], at: list[int], steps: int) -> list[list[int]]:
    """The calls of one module, put together by layer: `steps` calls each.

    In a loop over time through the network, what is called from the first to the last use is the same in every turn.
    Where each use has a loop of its own, what is called between its steps is the same from step to step.

    Args:
        trace: names of the modules of a network in the order of their calls, as many of them as can be: what is called
            in between is all that tells the two apart.
        at: places in the trace where the module is called, a multiple of `steps`.
        steps: time steps of the loop, 1 for none.

    Raises:
        SpecError: calls that are neither.
    """
    uses = len(at) // steps
    turns = [at[t * uses : (t + 1) * uses] for t in range(steps)]
    if steps == 1 or uses == 1 or len({tuple(trace[turn[0] : turn[-1]]) for turn in turns}) == 1:
        return [list(calls) for calls in zip(*turns, strict=True)]
    own = [at[use * steps : (use + 1) * steps] for use in range(uses)]
    if all(len({tuple(trace[i:j]) for i, j in pairwise(calls)}) == 1 for calls in own):
        return own
    raise SpecError(
        f"layer {trace[at[0]]!r} is called {len(at)} times in {steps} time steps, and what is called in between tells"
        " neither a loop over time through the network nor one in each layer: give every layer a module of its own."
    )


def check_steps(name: str, calls: int, steps: int, *, known: bool) -> None:
    """A spiking module that gives one step's features a call, and is not called at every step of a loop.

    Args:
        name: the module's.
        calls: how often it is called.
        steps: of the network.
        known: whether the network, or its user, says how many steps there are.

    Raises:
        SpecError: a network of several steps.

    Warns:
        UserWarning: several calls in a network that says nothing of steps.
    """
    times = f"{calls} time{'s' * (calls > 1)}"
    if steps > 1:
        raise SpecError(
            f"spiking layer {name!r} is called {times} with features without time, but the network runs {steps} time"
            " steps: call it once a step, or let it take all steps in one tensor, time first, (T, B, ...) or"
            " (T*B, ...); if the network runs another number of steps, say so with steps (in compare: steps_a, steps_b)"
        )
    if calls > 1 and not known:
        warnings.warn(
            f"spiking layer {name!r} is called {times}, and the network says nothing of time steps: the calls are taken"
            f" for {calls} layers. If they are steps, give the network an attribute T, or say steps={calls}.",
            stacklevel=2,
        )
