"""`make bench`: speed side by side, in one run, as medians with their spread. Prints a table, writes a JSON file.

python -m benchmarks [--out FILE] [--seconds S]     S: time for each measurement, 5 by default
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.utils.benchmark import Measurement, Timer

from snnlib import build_model, compare
from snnlib.provenance import RESULT_ROOMS, provenance


def training_step(batch: int, *, autocast: bool, **model: object) -> Callable[[], Tensor]:
    """Forward and backward of one batch of 32 x 32 images through ResNet-20, channels-last."""
    network = build_model("resnet20", **model).to(memory_format=torch.channels_last)
    images = torch.randn(batch, 3, 32, 32).to(memory_format=torch.channels_last)
    labels = torch.randint(10, (batch,))

    def step() -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            loss = cross_entropy(network(images).float(), labels)
        network.zero_grad()
        loss.backward()
        return loss

    return step


def comparison(n: int) -> Callable[[], object]:
    """CKA of all layers of an SNN and an ANN, forward passes included."""
    snn, ann = build_model("resnet20", spiking=True), build_model("resnet20", spiking=False)
    images = torch.randn(n, 3, 32, 32)
    return lambda: compare(snn, ann, [images])


def measurements(seconds: float) -> list[Measurement]:
    cases = {
        "training step, 64 images, T = 4": {
            "snnTorch, float32": training_step(64, autocast=False, spiking=True, T=4, backend="snntorch"),
            "fused, float32": training_step(64, autocast=False, spiking=True, T=4, backend="fused"),
            "snnTorch, bfloat16": training_step(64, autocast=True, spiking=True, T=4, backend="snntorch"),
            "fused, bfloat16": training_step(64, autocast=True, spiking=True, T=4, backend="fused"),
            "ReLU on 4 x 64 images, bfloat16": training_step(256, autocast=True, spiking=False),
        },
        "CKA of all layers, n = 256": {"snnlib.compare": comparison(256)},
    }
    found = []
    for label, alternatives in cases.items():
        for name, run in alternatives.items():
            run()  # the first call allocates
            threads = torch.get_num_threads()
            timer = Timer("run()", globals={"run": run}, label=label, sub_label=name, num_threads=threads)
            found.append(timer.blocked_autorange(min_run_time=seconds))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results.json"))
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    table, rows, base = Table("what", "how", "median s", "IQR s", "of the first"), [], {}
    for found in measurements(options.seconds):
        first = base.setdefault(found.task_spec.label, found.median)
        row = {
            "what": found.task_spec.label,
            "how": found.task_spec.sub_label,
            "median": found.median,
            "iqr": found.iqr,
            "ratio": found.median / first,
        }
        rows.append(row)
        table.add_row(row["what"], row["how"], f"{row['median']:.3f}", f"{row['iqr']:.3f}", f"{row['ratio']:.2f}")
    Console().print(table)
    temporary = options.out.with_suffix(".tmp")
    temporary.write_text(json.dumps({**provenance(RESULT_ROOMS), "rows": rows}, indent=1) + "\n")
    temporary.replace(options.out)
    print(options.out, file=sys.stderr)


if __name__ == "__main__":
    main()
