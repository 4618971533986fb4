"""A process that imports the modules it is given, and then forks a Jupyter kernel for every line on its standard input.

A line is JSON: the arguments, the environment and the folder of a kernel. The answer, on standard output, is the number
of its process. `preloaded` starts this file and speaks with it.

No module may start a thread of Python's while it is imported, or use a GPU: a fork has neither. (The libraries below
NumPy and PyTorch know forks, and start their threads anew.)
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import json
import os
import runpy
import signal
import sys
import threading
import traceback
import warnings
from typing import NoReturn


def serve(arguments: list[str], env: dict[str, str], folder: str) -> None:
    """Be a kernel, in a process that is new, until it is shut down."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()  # a group of its own, which jupyter_client interrupts and kills as a whole
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # the lines are the server's
    os.environ.clear()
    os.environ.update(env)
    os.chdir(folder)
    sys.path.insert(0, folder)  # as -m does
    sys.argv = ["", *arguments, f"--IPKernelApp.parent_handle={os.getppid()}"]  # it ends when the server does
    if "numpy" in sys.modules:  # Python itself draws anew in a fork
        sys.modules["numpy"].random.seed()
    runpy.run_module("ipykernel_launcher", run_name="__main__", alter_sys=True)


def be_kernel(asked: str) -> NoReturn:
    ended = 0
    try:
        serve(**json.loads(asked))
    except SystemExit:
        pass
    except BaseException:
        ended = 1
        traceback.print_exc()
    # As at any end, but for taking thousands of modules down one by one, which takes seconds
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(ended)


def fork() -> int:
    with warnings.catch_warnings():  # from 3.12 on Python warns of threads, which other libraries may have
        warnings.filterwarnings("ignore", message=r".*fork\(\) may lead to deadlocks", category=DeprecationWarning)
        return os.fork()


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what modules and kernels print is no answer
    if not sys.flags.safe_path:
        del sys.path[0]  # the folder of this file, whose modules are not to be found by their bare names
    for module in sys.argv[1:]:
        with contextlib.suppress(Exception):  # a page that needs it will say so
            importlib.import_module(module)
    if threading.active_count() > 1:
        sys.exit(f"a module has started threads, so no kernels are forked: {threading.enumerate()}")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # kernels that ended leave nothing behind
    for line in iter(sys.stdin.readline, ""):  # until whoever asks has ended
        pid = fork()
        if not pid:
            os.close(answers.fileno())
            be_kernel(line)
        print(pid, file=answers, flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
