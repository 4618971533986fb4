"""How fast a training will go, and what makes it go faster on the machine it runs on."""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from snnlib import kernels, provenance
from snnlib.data.batches import Batches
from snnlib.neurons import LIF
from snnlib.spec import TrainSpec

COMPILER_SECONDS = 20  # what the compiler takes, where it has to begin from nothing
COMPILER_SAVES = 0.3  # share of a spiking network's step that compiled kernels save, at least


@dataclass(frozen=True)
class Pace:
    """Seconds that a whole training takes, and whether its kernels are compiled."""

    seconds: float
    compiled: bool


def forecast(
    spec: TrainSpec,
    model: nn.Module,
    training: Batches,
    looked_at: int,
    fabric: Fabric,
    *,
    epochs: int | None = None,
    siblings: int = 1,
    compiled: bool | None = None,
) -> Pace:
    """Time a step on a scratch copy of the network, uncompiled and, where that may pay, compiled.

    Args:
        looked_at: images that are looked at after every epoch.
        epochs: those still to come; all of them by default.
        siblings: networks that are trained together with this one and use what is compiled for it.
        compiled: the choice made before, by the run that is resumed. None chooses: a short training, in which waiting
            for a compiler would cost more than it saves, goes uncompiled.
    """
    epochs = spec.epochs if epochs is None else epochs
    if epochs == 0:
        return Pace(0.0, bool(compiled))
    batch = next(iter(training))

    def seconds(compiled: bool) -> float:
        with kernels.compiled(compiled):
            step = _step_seconds(model, batch, fabric)
        # forward only takes about a third of the time
        return epochs * step * (len(training) + looked_at / len(batch[1]) / 3)

    if compiled is None:
        plain = seconds(compiled=False)
        spiking = any(isinstance(module, LIF) and module.backend == "auto" for module in model.modules())
        if not spiking or siblings * plain * COMPILER_SAVES < COMPILER_SECONDS:
            return Pace(plain, compiled=False)
        faster = seconds(compiled=True)
        return min(Pace(plain, compiled=False), Pace(faster, compiled=True), key=lambda pace: pace.seconds)
    return Pace(seconds(compiled), compiled)


def _step_seconds(model: nn.Module, batch: tuple[Tensor, Tensor], fabric: Fabric) -> float:
    scratch = copy.deepcopy(model).to(fabric.device).train()
    layout = {"memory_format": torch.channels_last} if batch[0].dim() == 4 else {}  # frames are (T, B, C, H, W)
    images = batch[0].to(fabric.device, next(scratch.parameters()).dtype, **layout)
    labels = batch[1].to(fabric.device)
    step = 0.0
    for _ in range(2):  # the first step pays for allocations, and for the compiler
        started = time.perf_counter()
        with fabric.autocast():
            loss = cross_entropy(scratch(images).float(), labels)
        loss.backward()
        loss.item()  # waits for the device
        step = time.perf_counter() - started
    return step


def as_text(seconds: float) -> str:
    """A duration as a person would say it."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def precision_here(precision: str) -> str:
    """Mixed precision where this machine computes faster in bfloat16 than in float32, else float32."""
    if precision != "bf16-mixed":
        return precision
    if torch.cuda.is_available():
        return precision if torch.cuda.is_bf16_supported(including_emulation=False) else "32-true"
    if torch.backends.mps.is_available():
        return precision
    return precision if _cpu_is_faster_in_bfloat16() else "32-true"


def _cpu_is_faster_in_bfloat16() -> bool:
    """On x86, AMX or AMD's AVX-512; on ARM, oneDNN's own word. Where PyTorch cannot tell, no.

    A rule and no measurement, so that one spec gives one network on one machine. Intel's AVX-512 multiplies bfloat16 no
    faster than float32, and has to convert: there a step of ResNet-20 took 1.3 times as long in mixed precision.
    """
    if _supports("_is_amx_tile_supported"):
        return True
    if _supports("_is_avx512_bf16_supported"):
        return "AMD" in provenance.processor()
    support = getattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", None)
    return torch.backends.cpu.get_cpu_capability() not in ("AVX2", "AVX512", "DEFAULT") and bool(support and support())


def _supports(check: str) -> bool:
    """One of PyTorch's questions to the processor, which not every version asks."""
    return hasattr(torch.cpu, check) and getattr(torch.cpu, check)()
