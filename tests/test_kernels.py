"""Compiled kernels: the same numbers without a compiler, in threads, and after errors."""

import json
import os
import subprocess
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from snnlib import kernels

NO_COMPILER = """
import json, warnings, torch
from snnlib import LIF, kernels

def of(backend, x):
    x = x.clone().requires_grad_()
    spikes = LIF(tau=0.3, backend=backend)(x)
    return spikes, torch.autograd.grad((spikes * torch.arange(40)).sum(), x)[0]

same = []
with warnings.catch_warnings(record=True) as seen, kernels.compiled():
    warnings.simplefilter("always")
    wanted_at_first = kernels.are_compiled()
    for dtype in (torch.float32, torch.bfloat16):
        for steps in (4, 2, 4):
            x = torch.randn(steps, 40, generator=torch.Generator().manual_seed(0)).to(dtype)
            for backend in ("compiled", "auto"):
                same += [torch.equal(*pair) for pair in zip(of(backend, x), of("fused", x))]
    compiled_at_last = kernels.are_compiled()
warned = [str(w.message) for w in seen if w.category is kernels.NoCompiler]
print(json.dumps([same, warned, wanted_at_first, compiled_at_last]))
"""


@pytest.fixture
def formula():
    """A kernel of its own for each test: nothing of it is compiled yet."""

    @kernels.kernel
    def formula(x, y):
        return (torch.tanh(x) @ y).square() + 1

    return formula


def tensors(seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(9, 33, generator=generator), torch.randn(33, 5, generator=generator)


def in_a_thread(function):
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result()


def test_without_a_compiler_the_numbers_are_the_same_after_one_warning(tmp_path):
    environment = {**os.environ, "CXX": str(tmp_path / "no-such-compiler"), "TORCHINDUCTOR_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", NO_COMPILER]
    process = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    assert process.returncode == 0, process.stderr
    same, warned, wanted_at_first, compiled_at_last = json.loads(process.stdout.splitlines()[-1])
    assert same == [True] * 24
    assert len(warned) == 1
    assert "needs a C++ compiler" in warned[0]
    assert (wanted_at_first, compiled_at_last) == (True, False)


def test_compiled_computes_what_the_formula_says(formula):
    for seed in range(3):
        x, y = tensors(seed)
        torch.testing.assert_close(formula(x, y), (x.tanh() @ y) ** 2 + 1)
        double = formula(x.double(), y.double())
        torch.testing.assert_close(double, (x.double().tanh() @ y.double()) ** 2 + 1, rtol=1e-12, atol=1e-12)


def test_an_error_of_the_callers_is_raised_and_the_compiler_still_trusted(formula):
    x, y = tensors(0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(2):
            with pytest.raises(RuntimeError, match=r"shape|size"):
                formula(x, y.T)
        torch.testing.assert_close(formula(x, y), formula.plain(x, y))
        with kernels.compiled():
            assert kernels.are_compiled()


def test_compiled_nests_and_is_undone_after_an_exception():
    assert not kernels.are_compiled()
    with kernels.compiled():
        assert kernels.are_compiled()
        with kernels.compiled(False):
            assert not kernels.are_compiled()
            with kernels.compiled(True):
                assert kernels.are_compiled()
            assert not kernels.are_compiled()
        with pytest.raises(KeyError), kernels.compiled(False):
            raise KeyError
        assert kernels.are_compiled()
    with pytest.raises(KeyError), kernels.compiled():
        raise KeyError
    assert not kernels.are_compiled()


def test_a_thread_has_a_choice_of_its_own():
    with kernels.compiled():
        assert not in_a_thread(kernels.are_compiled)
    inside, leave = threading.Event(), threading.Event()

    def chooses():
        with kernels.compiled():
            inside.set()
            assert leave.wait(60)
            return kernels.are_compiled()

    with ThreadPoolExecutor(1) as pool:
        chosen = pool.submit(chooses)
        assert inside.wait(60)
        try:
            assert not kernels.are_compiled()
        finally:
            leave.set()
        assert chosen.result()


def test_two_threads_at_the_same_time_get_what_each_would_alone(formula):
    together = threading.Barrier(2)

    def several(seed):
        together.wait(60)  # both meet the kernel before it is compiled
        return [formula(*tensors(seed + i)) for i in range(20)]

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(several, (0, 100)))
    for first, results in zip((0, 100), found, strict=True):
        for i, result in enumerate(results):
            # close, not equal: the last bit of a matrix product depends on how its factors lie in memory
            torch.testing.assert_close(result, formula.plain(*tensors(first + i)))
