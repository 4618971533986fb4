"""One case in a process of its own: `python -m benchmarks.measure CASE --seconds S` prints its rows as JSON."""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import gc
import json
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.cases import CASES, Case

STATUS = Path("/proc/self/status")


def memory(field: str) -> float | None:
    """VmRSS (now) or VmHWM (its peak) of this process in MB; None where there is no /proc."""
    if not STATUS.exists():
        return None
    for line in STATUS.read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1000
    return None


def memory_from_here() -> float | None:
    """Give back what is free, forget the peak so far, and return what is left (MB)."""
    gc.collect()
    if STATUS.exists():
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
        with contextlib.suppress(OSError):  # where the peak cannot be reset it stays that of the whole process
            Path("/proc/self/clear_refs").write_text("5")
    return memory("VmRSS")


def timed(run: Callable[[], object], seconds: float, least: int) -> list[float]:
    """Durations of as many runs as fit into `seconds`, at least `least`; the first, which warms up, is left out."""
    if least > 1:
        run()
    times: list[float] = []
    while len(times) < least or sum(times) < seconds:
        started = time.perf_counter()
        run()
        times.append(time.perf_counter() - started)
    return times


def rows(case: Case, seconds: float) -> list[dict]:
    found = []
    for settings in case.settings:
        run = case.make(**settings)
        before = memory_from_here()
        times = timed(run, seconds, case.least)
        peak = memory("VmHWM")
        more = None if before is None or len(case.settings) > 1 else peak - before
        scale = getattr(run, "scale", None)  # of a case that measures a sample of its work
        times = [scale(t) for t in times] if scale else times
        found.append({"group": case.group, "case": case.label, **settings, "times": times, "memory": more})
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("case", choices=[case.name for case in CASES])
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    case = next(case for case in CASES if case.name == options.case)
    print(json.dumps(rows(case, options.seconds)))


if __name__ == "__main__":
    main()
