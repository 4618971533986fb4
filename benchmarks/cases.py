"""What is measured. `make` prepares a case in a fresh process and returns what is timed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from benchmarks import similarity, steps


@dataclass(frozen=True)
class Case:
    """`settings`: one row is measured for each. `least`: runs at least. `once`: not in every round."""

    group: str
    label: str
    make: Callable[..., Callable[[], Any]]
    settings: list[dict[str, Any]] = field(default_factory=lambda: [{}])
    least: int = 3
    once: bool = False

    @property
    def name(self) -> str:
        values = [f"{key}={value}" for key, value in self.settings[0].items()] if len(self.settings) == 1 else []
        return " ".join([self.group, self.label, *values])


def _steps() -> list[Case]:
    cases = []
    for T, batch in ((4, 64), (4, 128), (8, 64), (16, 64)):
        one = partial(Case, "step", settings=[{"T": T, "batch": batch}])
        if T == 4:
            cases += [one("snnTorch", steps.snntorch), one("SpikingJelly", steps.spikingjelly)]
        cases += [one("ReLU", steps.relu), one("snnlib", steps.snnlib)]
    sizes = [{"T": T, "batch": batch} for T, batch in ((4, 64), (4, 128), (8, 64), (16, 64))]
    cases.append(Case("step", "ReLU, compiled", steps.relu_compiled, sizes, once=True))
    one = partial(Case, "step", settings=[{"T": 4, "batch": 64}], once=True)
    # what else a user may choose: not in the ratios
    cases += [
        one("snnTorch, bf16 channels-last", partial(steps.snntorch, bf16=True)),
        one("SpikingJelly, bf16 channels-last", partial(steps.spikingjelly, bf16=True)),
        one("snnlib, uncompiled", partial(steps.snnlib, compiled=False)),
        one(f"snnlib, {'float32' if steps.MIXED else 'bf16'}", partial(steps.snnlib, bf16=not steps.MIXED)),
    ]
    return cases


CASES = [
    *_steps(),
    Case("cka", "snnlib", similarity.snnlib, [{"n": 256}]),
    Case("cka", "snnlib, each step", similarity.snnlib_each, [{"n": 256}]),
    Case("cka", "forward passes + one product a layer", similarity.plain, [{"n": 256}]),
    Case("cka", "torch_cka 0.21", similarity.torch_cka, [{"n": 256}], least=1, once=True),
    Case("cka large", "snnlib", similarity.snnlib, [{"n": 1024}], least=1, once=True),
    Case("cka large", "forward passes + one product a layer", similarity.plain, [{"n": 1024}], least=1, once=True),
    Case("cka large", "released algorithm", similarity.released, [{"n": 1024}], least=1, once=True),
    Case("cka memory", "snnlib", similarity.snnlib, [{"n": 128, "batches": 2}], least=1, once=True),
    Case("cka memory", "snnlib", similarity.snnlib, [{"n": 128, "batches": 20}], least=1, once=True),
    Case("growth", "T", steps.snnlib, [{"T": T, "batch": 64} for T in (1, 2, 4, 8, 16)], once=True),
    Case("growth", "depth", steps.snnlib, [{"arch": f"resnet{d}", "batch": 64} for d in (20, 38, 56)], once=True),
    Case("growth", "width", steps.snnlib, [{"width": w, "batch": 64} for w in (0.5, 1.0, 2.0)], once=True),
    Case("growth", "n", similarity.snnlib, [{"n": n} for n in (64, 128, 256, 512)], once=True),
    Case("growth", "layers", similarity.snnlib, [{"n": 256, "layers": k} for k in (10, 20, 40, 74)], once=True),
]
