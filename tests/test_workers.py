"""Tasks side by side: really at once, in order, and all ended when one fails."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from snnlib.workers import how_many, side_by_side

LONG = 60  # seconds after which a task that waits for another gives up


@pytest.fixture(autouse=True)
def two_threads(monkeypatch):
    """A processor with two cores, and no GPU."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def threads_here_and_in_a_new_thread():
    with ThreadPoolExecutor(1) as pool:
        return torch.get_num_threads(), pool.submit(torch.get_num_threads).result()


def test_results_come_in_the_order_of_the_tasks():
    second_is_done = threading.Event()

    def first(stop):
        assert second_is_done.wait(LONG)
        return "first"

    def second(stop):
        second_is_done.set()
        return "second"

    assert side_by_side([first, second, lambda stop: "third"], [1, 1, 1]) == ["first", "second", "third"]


def test_tasks_run_at_the_same_time_with_a_thread_each():
    meeting = threading.Barrier(2)

    def task(stop):
        meeting.wait(LONG)
        return torch.get_num_threads(), threading.get_ident(), stop.is_set()

    (one, thread, stopped), (other, other_thread, also_stopped) = side_by_side([task, task], [1, 1])
    assert one == other == 1
    assert thread != other_thread
    assert not stopped
    assert not also_stopped


def test_one_after_the_other_with_all_threads_where_that_is_sooner():
    running = threading.Lock()

    def task(stop):
        assert running.acquire(blocking=False)
        running.release()
        return torch.get_num_threads()

    assert side_by_side([task, task], [4, 1]) == [2, 2]
    assert side_by_side([task], [1]) == [2]
    assert side_by_side([], []) == []


def test_the_first_error_is_raised_and_the_others_are_told_to_stop():
    started, told = threading.Event(), []

    def obeys(stop):
        started.set()
        told.append(stop.wait(LONG))
        raise InterruptedError("told to stop")

    def fails(stop):
        assert started.wait(LONG)
        raise KeyError("at fault")

    with pytest.raises(KeyError, match="at fault"):
        side_by_side([obeys, fails, obeys, obeys], [1, 1, 1, 1])
    assert told
    assert all(told)


def test_an_error_ends_what_runs_one_after_the_other():
    ran = []

    def fails(stop):
        raise KeyError

    with pytest.raises(KeyError):
        side_by_side([fails, lambda stop: ran.append(1)], [4, 1])
    assert not ran


@pytest.mark.parametrize("fails", [False, True])
def test_threads_of_torch_are_as_before(fails):
    def task(stop):
        if fails:
            raise KeyError
        return torch.get_num_threads()

    if fails:
        with pytest.raises(KeyError):
            side_by_side([task, task], [1, 1])
    else:
        assert side_by_side([task, task], [1, 1]) == [1, 1]
    assert threads_here_and_in_a_new_thread() == (2, 2)


# A task on t threads goes t^0.55 as fast: 1.46 with 2, 1.83 with 3, 2.14 with 4, 3.14 with 8.
@pytest.mark.parametrize(
    ("sizes", "threads", "workers"),
    [
        ([1, 1, 1, 1], 2, 2),  # 4 / 1.46 = 2.7 one after the other, 2 side by side
        ([4, 1], 2, 1),  # 5 / 1.46 = 3.4, against 4 of the long one alone
        ([2, 1], 2, 2),  # 3 / 1.46 = 2.05, against 2
        ([1], 2, 1),
        ([], 2, 1),
        ([1, 1, 1, 1], 1, 1),
        ([1, 1, 1], 2, 2),  # 3 / 1.46 = 2.05, against 2 (the third waits)
        ([1, 1, 1], 4, 3),  # 3 / 2.14 = 1.40; 2 / 1.46 = 1.37 by two; 1 by three, a thread idle
        ([1, 1], 4, 2),  # 2 / 2.14 = 0.93; 1 / 1.46 = 0.68
        ([1] * 8, 8, 8),  # 8 / 3.14 = 2.5; 4 / 2.14 = 1.9; 2 / 1.46 = 1.4 by four; 1
        ([3, 1, 1, 1], 4, 2),  # 6 / 2.14 = 2.8; 3 / 1.46 = 2.05 by two; 3 by three or four
    ],
)
def test_how_many_workers_end_soonest(sizes, threads, workers):
    assert how_many(sizes, threads) == workers
