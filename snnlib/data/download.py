"""What downloads share: one process at a time, finding out soon that there is no network, giving up on a line that has
gone silent, and saying what else can be done."""

from __future__ import annotations

import socket
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path

from filelock import FileLock

from snnlib.spec import SpecError

REACH_SECONDS = 8  # to find out that there is no network, name look-up included
STALL_SECONDS = 10  # a download may take long, but not without a byte


class MissingData(SpecError):
    """The images are not at hand and cannot be fetched."""


def fetch_once(
    dataset: str,
    root: Path,
    url: str,
    fetch: Callable[[], None],
    *,
    is_there: Callable[[], bool],
    allowed: bool,
    lacking: str,
) -> None:
    """Fetch a data set into the folder `root`, unless another process does so meanwhile, which is waited for.

    Args:
        dataset: its name.
        root: is made if it does not exist.
        url: an address that answers if the data set can be fetched.
        fetch: does it, whole or not at all.
        is_there: whether it has been done.
        allowed: whether to fetch at all.
        lacking: what has been looked for in `root`, each with "no" before it.

    Raises:
        MissingData: it is not there and cannot be fetched; the sentence names every way to get it.
    """
    reason, way_out = "downloading is switched off", "Allow the download"
    if allowed:
        try:
            reach(url)
            root.mkdir(parents=True, exist_ok=True)
            with FileLock(root / f".{dataset}.lock"), stall_timeout():
                if not is_there():
                    fetch()
            return
        except (OSError, RuntimeError, HTTPException) as error:
            way_out = "Connect to the network"
            reason = f"{url} cannot be fetched ({getattr(error, 'reason', None) or error})"
    raise MissingData(
        f"dataset = {dataset!r} is not at hand: {str(root)!r} has {lacking}, and {reason}. {way_out}, put one of these "
        "there, or set data_root (or the environment variable SNNLIB_DATA) to a folder that has one"
    )


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
