"""Sphinx extension: the kernels that run the notebooks begin with PyTorch and the like already imported.

These imports are the same for every page, and take longer than many a page does. So each process that reads pages
starts one server (`kernel_server`), which imports them once and is asked for kernels: a kernel is a fork of the server,
and knows nothing of the pages before. Its arguments, environment and folder are those it would have been started with;
what is read from the environment when Python or a library starts, such as the number of threads, is the first kernel's.

Where processes cannot be forked, a notebook's kernel is not this Python's, or the server has ended, kernels are started
as ever.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning import KernelProvisionerFactory, LocalProvisioner
from sphinx.application import Sphinx
from sphinx.util import logging

logger = logging.getLogger(__name__)

NAME = "preloaded"
FORKS = hasattr(os, "fork") and sys.platform != "darwin"  # the system libraries of macOS do not survive it
LAUNCHER = [sys.executable, "-m", "ipykernel_launcher"]
FOR_DEBUGGERS = "-Xfrozen_modules=off"  # some versions of ipykernel write it into the command
# What nearly every page needs, PyTorch above all. None of it may start threads while it is imported: `kernel_server`.
MODULES = ("ipykernel.kernelapp", "snnlib.ledger", "snnlib.charts", "snnlib.notebook")


class Server:
    """Forks kernels; ends with the process that started it."""

    def __init__(self, env: dict[str, str]) -> None:
        self.owner = os.getpid()
        command = [sys.executable, str(Path(__file__).with_name("kernel_server.py")), *MODULES]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        # in a session of its own, so that Ctrl-C reaches Sphinx alone, which then shuts its kernel down
        self.process = subprocess.Popen(command, env=env, start_new_session=True, **pipes)

    def fork(self, arguments: list[str], env: dict[str, str], folder: str) -> Kernel:
        """A new kernel.

        Raises:
            RuntimeError: the server has ended.
        """
        try:
            asked = json.dumps({"arguments": arguments, "env": env, "folder": folder})
            print(asked, file=self.process.stdin, flush=True)
            return Kernel(int(self.process.stdout.readline()))
        except (OSError, ValueError):  # a pipe that is closed, or no line any more
            self.process.kill()
            raise RuntimeError(f"the server of kernels ended with {self.process.wait()}") from None


class Kernel:
    """A forked kernel, as far as `LocalProvisioner` uses a `subprocess.Popen`. How it ended only the server knows."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def send_signal(self, number: int) -> None:
        with suppress(ProcessLookupError):  # it has ended
            os.kill(self.pid, number)

    def poll(self) -> int | None:
        """None while it runs."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return 0
        return None

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def wait(self) -> int:
        """Only asked once it has ended."""
        return 0


class Preloaded(LocalProvisioner):
    """Has its kernels from this process's server, which it starts with the first."""

    server: Server | None = None

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        arguments = [part for part in cmd if part != FOR_DEBUGGERS]
        if arguments[: len(LAUNCHER)] != LAUNCHER:
            return await super().launch_kernel(cmd, **kwargs)
        env, folder = dict(kwargs.get("env") or os.environ), str(kwargs.get("cwd") or Path.cwd())
        if self.server is None or self.server.owner != os.getpid():  # Sphinx's processes are forks, too
            Preloaded.server = Server(env)
        try:
            self.process = self.server.fork(arguments[len(LAUNCHER) :], env, folder)
        except RuntimeError as error:
            logger.warning("%s; this page's kernel is started as ever", error)
            Preloaded.server = None  # the next page tries again
            return await super().launch_kernel(cmd, **kwargs)
        self.pid = self.pgid = self.process.pid
        self.cwd = folder
        return self.connection_info


def preload(app: Sphinx) -> None:
    """Let kernels that ask for no other provisioner have this one, in this process and in its forks."""
    if not FORKS:
        return
    factory = KernelProvisionerFactory.instance()
    factory.provisioners[NAME] = EntryPoint(NAME, f"{__name__}:Preloaded", "jupyter_client.kernel_provisioners")
    factory.default_provisioner_name = NAME


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("builder-inited", preload)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
