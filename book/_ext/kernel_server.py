"""A process that imports the modules it is given, and then forks a Jupyter kernel for every line on its standard input.

A line is JSON: the arguments, the environment and the folder of a kernel. The answer, on standard output, is the number
of its process. `preloaded` starts this file and speaks with it.
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
import traceback
from typing import NoReturn


def serve(arguments: list[str], env: dict[str, str], folder: str) -> NoReturn:
    """Be a kernel, in a process that is new."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()  # a group of its own, which jupyter_client interrupts and kills as a whole
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # the pipes are the server's
    os.dup2(2, 1)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(folder)
    sys.path.insert(0, folder)  # as -m does
    sys.argv = ["", *arguments, f"--IPKernelApp.parent_handle={os.getppid()}"]  # it ends when the server does
    ended = 1
    try:
        runpy.run_module("ipykernel_launcher", run_name="__main__", alter_sys=True)
        ended = 0
    except SystemExit:
        ended = 0
    except BaseException:
        traceback.print_exc()
    finally:
        atexit._run_exitfuncs()
        os._exit(ended)  # to take thousands of modules down one by one takes seconds


def main() -> NoReturn:
    del sys.path[0]  # the folder of this file, whose modules are not to be found by their bare names
    for module in sys.argv[1:]:
        with contextlib.suppress(Exception):  # a page that needs it will say so
            importlib.import_module(module)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # kernels that ended leave nothing behind
    for line in iter(sys.stdin.readline, ""):  # until whoever asks has ended
        pid = os.fork()
        if not pid:
            serve(**json.loads(line))
        print(pid, flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
