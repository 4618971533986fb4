"""Several independent computations side by side, in threads that share the processor's cores.

PyTorch spreads one operation over all cores, which small networks use badly: two trainings with a core each get done
sooner than one after the other with two cores each. PyTorch releases Python's lock while it computes, so threads do.
"""

from __future__ import annotations

import heapq
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import TypeVar

import torch

R = TypeVar("R")

SCALING = 0.55  # two threads are 1.46 times as fast as one on the networks of preset quick


def how_many(sizes: Sequence[float], threads: int) -> int:
    """The number of workers with which tasks of these sizes, begun in this order, end soonest.

    Each worker gets its share of the threads and takes the next task whenever it is done with one. A task on t threads
    is t^0.55 as fast as on one, which is what small networks reach (two threads: 1.46 times).
    """

    def seconds(workers: int) -> float:
        busy = [0.0] * workers
        for size in sizes:
            heapq.heapreplace(busy, busy[0] + size)
        return max(busy) / (threads // workers) ** SCALING

    return min(range(1, max(1, min(threads, len(sizes))) + 1), key=seconds)


def side_by_side(tasks: Sequence[Callable[[threading.Event], R]], sizes: Sequence[float]) -> list[R]:
    """Run all tasks, started in their order; returns their results in that order.

    Each task is given an event that is set as soon as the others are pointless, after an error or an interrupt: it
    should then end by itself, soon. It is waited for, so that none goes on unseen. The first error that is not such an
    end is raised. `sizes` are the tasks' amounts of work, in any unit. A GPU takes one task after the other.
    """
    stop = threading.Event()
    threads = torch.get_num_threads()
    on_gpu = torch.cuda.is_available() or torch.backends.mps.is_available()
    workers = 1 if on_gpu else how_many(sizes, threads)
    if workers == 1:
        return [task(stop) for task in tasks]
    failed: list[BaseException] = []  # in the order in which they fail: who is told to stop fails after that

    def noted(task: Callable[[threading.Event], R]) -> R:
        try:
            return task(stop)
        except BaseException as error:
            failed.append(error)
            raise

    pool = ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(threads // workers,))
    futures: list[Future[R]] = []
    try:
        futures += [pool.submit(noted, task) for task in tasks]
        wait(futures, return_when=FIRST_EXCEPTION)
    finally:
        stop.set()
        pool.shutdown(wait=False, cancel_futures=True)
        if running := sum(not future.done() for future in futures):
            print(f"stopping: what was begun beside it ends first ({running})", file=sys.stderr, flush=True)
        pool.shutdown(wait=True)
        torch.set_num_threads(threads)  # a worker's setting is also the default of threads that are yet to come
    if failed:
        raise failed[0]
    return [future.result() for future in futures]
