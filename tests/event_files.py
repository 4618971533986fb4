"""Recordings in the formats of CIFAR10-DVS and N-Caltech101, written byte by byte from their descriptions."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

HEADER = (
    b"#!AER-DAT2.0\r\n"
    b"# This is a raw AE data file - do not edit\r\n"
    b"# Data format is int32 address, int32 timestamp (8 bytes total), repeated for each event\r\n"
    b"# Timestamps tick is 1 us\r\n"
)


def random_events(n: int, height: int, width: int, seed: int = 0, duration: int = 100_000) -> np.ndarray:
    """(n, 4) of t, x, y, p: upright, p = 1 brighter; in order of time, corners of the field and of time included."""
    rng = np.random.default_rng(seed)
    t = np.sort(rng.integers(0, duration, n))
    t[0], t[-1] = 0, duration - 1
    x, y, p = (rng.integers(0, limit, n) for limit in (width, height, 2))
    x[:2], y[:2] = (0, width - 1), (0, height - 1)
    return np.stack([t, x, y, p], axis=1)


def write_aedat(path: Path, events: np.ndarray, start: int = 5_000_000) -> Path:
    """AEDAT 2.0 of a DVS128 as it lay before the monitor: big-endian pairs of address and time in microseconds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    body = b"".join(
        struct.pack(">II", (127 - x) << 8 | (127 - y) << 1 | (1 - p), start + t) for t, x, y, p in events.tolist()
    )
    path.write_bytes(HEADER + body)
    return path


def write_bin(path: Path, events: np.ndarray) -> Path:
    """ATIS events of five bytes, big-endian: x (8 bits), y (8), polarity (1), time in microseconds (23).

    A y of 240 is no event: it tells that the clock has overflowed since, once for every 2^13 microseconds more.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join((x << 32 | y << 24 | p << 23 | t).to_bytes(5, "big") for t, x, y, p in events.tolist()))
    return path


def make_cifar10_dvs(home: Path, classes: tuple[str, ...], numbers: list[int], n: int = 200) -> dict[str, np.ndarray]:
    """A recording for each class and number; returns the events by stem."""
    made = {}
    for k, label in enumerate(classes):
        for i in numbers:
            stem = f"cifar10_{label}_{i}"
            made[stem] = random_events(n + i, 128, 128, seed=1000 * k + i)
            write_aedat(home / label / f"{stem}.aedat", made[stem])
    return made
