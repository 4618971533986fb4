"""What downloads share: finding out soon that there is no network, and giving up on a line that has gone silent."""

from __future__ import annotations

import socket
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

REACH_SECONDS = 8  # to find out that there is no network, name look-up included
STALL_SECONDS = 10  # a download may take long, but not without a byte


def reach(url: str) -> None:
    """Raise OSError unless the address answers soon: a slow name look-up and torchvision's second try would add up."""
    answer: list[BaseException | None] = []

    def ask() -> None:
        try:
            urllib.request.urlopen(url, timeout=REACH_SECONDS).close()
            answer.append(None)
        except Exception as error:
            answer.append(error)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(REACH_SECONDS)
    if not answer:
        raise TimeoutError(f"no answer within {REACH_SECONDS} seconds")
    if answer[0] is not None:
        raise OSError(getattr(answer[0], "reason", answer[0])) from answer[0]


@contextmanager
def stall_timeout(seconds: float = STALL_SECONDS) -> Iterator[None]:
    """Inside, a connection that brings no byte for so long is an error, also in libraries that set no time-out."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
