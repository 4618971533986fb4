"""`make bench`: speed and memory side by side with others, in one run. Prints tables, writes a JSON file.

Every case runs in a process of its own, the cases of a group in turn, several rounds of them: what a busy machine does
to one it does to its neighbours, and nobody inherits another's memory. Ratios are of medians over all rounds.

All of them compute on the processor, also where there is a GPU: what is written says so, and no memory but the
processor's is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

os.environ["CUDA_VISIBLE_DEVICES"] = ""  # before PyTorch looks for GPUs, here and in the processes of the cases

from benchmarks import report
from benchmarks.cases import CASES, Case
from snnlib.entries import whole_file
from snnlib.measurements import MEASURED, file_name

ROUNDS = 2


def run(case: Case, seconds: float) -> list[dict]:
    """Rows measured by one process; it says what it is about to do, since some take a minute."""
    command = [sys.executable, "-m", "benchmarks.measure", case.name, "--seconds", str(seconds)]
    started = time.perf_counter()
    process = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if process.returncode:
        raise SystemExit(f"benchmark {case.name!r} failed; its error stands above")
    print(f"{time.perf_counter() - started:6.0f} s  {case.name}", file=sys.stderr, flush=True)
    return json.loads(process.stdout.splitlines()[-1])


def in_turn(cases: list[Case], rounds: int) -> Iterator[Case]:
    """Group by group, each round once through the group; what costs a minute, or compiles for one, only once."""
    for group in dict.fromkeys(case.group for case in cases):
        for turn in range(rounds):
            yield from (case for case in cases if case.group == group and (turn == 0 or not case.once))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--out",
        type=Path,
        help="JSON file (default: one in benchmarks/results, named for the machine; with --only, none)",
    )
    parser.add_argument("--seconds", type=float, default=5.0, help="time for each case and round (default: 5)")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--only", default="", help="cases whose names contain this")
    options = parser.parse_args()
    cases = [case for case in CASES if options.only in case.name]
    if not cases:
        parser.error(f"--only {options.only!r} names none of: {', '.join(case.name for case in CASES)}")
    started = time.perf_counter()
    rows = [row for case in in_turn(cases, options.rounds) for row in run(case, options.seconds)]
    found = report.summary(rows) | {"minutes": (time.perf_counter() - started) / 60}
    report.show(found)
    out = options.out or (None if options.only else MEASURED / file_name(found["hardware"]))
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(out) as file:
            file.write_text(json.dumps(found, indent=1) + "\n")
        print(out, file=sys.stderr)


if __name__ == "__main__":
    main()
