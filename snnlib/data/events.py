r"""What an event stream is, and its frames.

A pixel of an event camera reports every change of its log intensity by a threshold: an event :math:`(t, x, y, p)`, with
polarity :math:`p = 1` where it became brighter, 0 where darker. Networks get a stream as frames, its events counted in
:math:`T` bins of equal duration,

.. math:: F[k, p, i, j] = \#\{\text{events of polarity } p \text{ at } (i, j) \text{ with }
          \lfloor T\,(t - t_0) / (t_1 - t_0) \rfloor = k\}.
"""

from __future__ import annotations

import numpy as np

from snnlib.spec import SpecError

EVENT = np.dtype([("t", np.int64), ("x", np.int32), ("y", np.int32), ("p", np.int8)])  # t in microseconds
POLARITIES = 2  # channels of a frame: 0 darker, 1 brighter
MOST = np.iinfo(np.uint8).max


def frames(
    events: np.ndarray,
    bins: int,
    *,
    sensor: tuple[int, int],
    size: int | None = None,
    span: tuple[int, int] | None = None,
) -> np.ndarray:
    """Count events in time bins and pixels.

    Args:
        events: of dtype `EVENT`, in any order.
        bins: number of frames T.
        sensor: height and width of the field that x and y count, in pixels.
        size: side of the frames; the field is centred in a square and scaled to it, events that fall into one pixel
            add up. None keeps a square field's own.
        span: first moment, and the one after the last, in microseconds; default: those of the events.

    Returns:
        uint8 (T, 2, size, size). Every event is in one pixel of one frame; counts end at 255, so that their sum falls
        short of the number of events by those that are lost to it.

    Raises:
        SpecError: no bins; an event outside of the field or the span.
    """
    if bins < 1:
        raise SpecError(f"frames = {bins} must be at least 1")
    height, width = sensor
    side = max(height, width)
    size = size or side
    counts = np.zeros((bins, POLARITIES, size, size), dtype=np.int64)
    if not len(events):
        return counts.astype(np.uint8)
    t, x, y = (events[name].astype(np.int64) for name in "txy")
    start, stop = span or (int(t.min()), int(t.max()) + 1)
    for name, values, low, high in (("x", x, 0, width), ("y", y, 0, height), ("t", t, start, stop)):
        if values.min() < low or values.max() >= high:
            odd = values.min() if values.min() < low else values.max()
            raise SpecError(f"an event has {name} = {odd}, outside of {low} to {high - 1}: the recording is damaged")
    at = (
        (t - start) * bins // (stop - start),
        events["p"].astype(np.int64),
        (y + (side - height) // 2) * size // side,
        (x + (side - width) // 2) * size // side,
    )
    np.add.at(counts, at, 1)
    return np.minimum(counts, MOST).astype(np.uint8)
