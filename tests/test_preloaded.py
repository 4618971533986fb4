"""Kernels that are forked where modules are loaded: like any others, but for what they need not import."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import psutil
import pytest
import torch
from conftest import REPOSITORY
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager, start_new_kernel
from jupyter_client.provisioning import KernelProvisionerFactory
from test_book import load_extension

EXTENSION = load_extension("preloaded")
MODULES = EXTENSION.MODULES
pytestmark = pytest.mark.skipif(not EXTENSION.FORKS, reason="processes are not forked here: the extension does nothing")

Started = tuple[KernelManager, BlockingKernelClient]


@pytest.fixture
def preloaded(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(REPOSITORY / "book/_ext")
    module = importlib.import_module("preloaded")
    monkeypatch.setattr(module, "MODULES", ("ipykernel.kernelapp", "this", "not_a_module"))  # `this` prints a text
    KernelProvisionerFactory.clear_instance()
    module.preload(None)
    yield module
    KernelProvisionerFactory.clear_instance()
    if module.Preloaded.server:
        module.Preloaded.server.process.stdin.close()
        assert module.Preloaded.server.process.wait(10) == 0, "it ends when nobody asks any more"
        module.Preloaded.server.process.stdout.close()
        module.Preloaded.server = None
    sys.modules.pop("preloaded")


@pytest.fixture
def start(preloaded: ModuleType) -> Iterator[Callable[..., Started]]:
    started: list[Started] = []

    def begin(**options: object) -> Started:
        started.append(start_new_kernel(**options))
        return started[-1]

    yield begin
    for manager, client in started:
        client.stop_channels()
        if manager.has_kernel:
            manager.shutdown_kernel(now=True)


def said(client: BlockingKernelClient, code: str) -> object:
    """What the last expression of some code is, by way of JSON."""
    texts: list[str] = []

    def hear(message: dict) -> None:
        if message["msg_type"] == "stream":
            texts.append(message["content"]["text"])

    *before, last = code.split("; ")
    client.execute_interactive("; ".join([*before, f"import json; print(json.dumps({last}))"]), output_hook=hear)
    return json.loads("".join(texts))


def test_kernels_begin_alike_and_know_nothing_of_one_another(start: Callable, tmp_path: Path) -> None:
    begin = "import os, sys; ['this' in sys.modules, 'tabnanny' in sys.modules, os.getcwd(), os.getppid()]"
    ppids = []
    for name in ("one", "other"):
        folder = tmp_path / name
        folder.mkdir()
        manager, client = start(cwd=str(folder), env={"PATH": "", name: "given"})
        loaded, another, at, ppid = said(client, begin)
        assert (loaded, another, at) == (True, False, str(folder))
        assert said(client, "import os, tabnanny; sorted(set(os.environ) & {'one', 'other', 'HOME'})") == [name]
        ppids.append(ppid)
        manager.shutdown_kernel()
        assert not manager.has_kernel
    assert len(set(ppids)) == 1, "one server for both"


def test_what_a_fresh_kernel_would_have(start: Callable) -> None:
    """The same modules' path and name of the main module as in a kernel that is started as ever."""
    main, group = "sys.modules['__main__'].__dict__ is globals()", "os.getpgid(0) == os.getpid()"
    asked = f"import os, sys; [sys.path, __name__, {main}, {group}]"
    _, forked = start()
    KernelProvisionerFactory.instance().default_provisioner_name = "local-provisioner"
    manager, fresh = start()
    assert isinstance(manager.provisioner.process, subprocess.Popen)
    assert said(forked, asked) == said(fresh, asked)


def test_chance_differs_from_kernel_to_kernel(
    start: Callable, preloaded: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preloaded, "MODULES", ("numpy",))
    draw = "import numpy, random, uuid; [random.random(), float(numpy.random.random()), str(uuid.uuid4())]"
    one, other = (said(start()[1], draw) for _ in range(2))
    assert not set(one) & set(other)


def test_a_kernel_can_be_interrupted_and_starts_processes(start: Callable) -> None:
    manager, client = start()
    code = "import time; print('now', flush=True); time.sleep(60)"
    running = client.execute(code, stop_on_error=False)  # what is asked next is not dropped for the error
    while client.get_iopub_msg(timeout=20)["msg_type"] != "stream":
        pass
    manager.interrupt_kernel()
    reply = client.get_shell_msg(timeout=20)
    assert reply["parent_header"]["msg_id"] == running
    assert reply["content"]["ename"] == "KeyboardInterrupt"
    assert said(client, "import subprocess, sys; subprocess.run([sys.executable, '-c', 'exit(3)']).returncode") == 3


def test_a_killed_kernel_is_known_to_be_dead(start: Callable) -> None:
    manager, client = start()
    process = psutil.Process(said(client, "import os; os.getpid()"))
    assert manager.is_alive()
    process.kill()
    process.wait(10)
    assert not manager.is_alive()


def test_kernels_end_with_their_server_and_the_next_is_started_as_ever(start: Callable, preloaded: ModuleType) -> None:
    _, client = start()
    process = psutil.Process(said(client, "import os; os.getpid()"))
    preloaded.Preloaded.server.process.kill()
    deadline = time.monotonic() + 60
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline:
        time.sleep(0.1)  # nobody may be there to take notice of its end
    assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    manager, client = start()
    assert isinstance(manager.provisioner.process, subprocess.Popen)
    assert said(client, "1") == 1
    assert not isinstance(start()[0].provisioner.process, subprocess.Popen), "then there is a new server"


def test_a_module_that_starts_threads_is_not_forked(
    start: Callable, preloaded: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "threaded.py").write_text("import threading; threading.Timer(600, print).start()")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(preloaded, "MODULES", ("threaded",))
    manager, _ = start()
    assert isinstance(manager.provisioner.process, subprocess.Popen)


def test_pytorch_computes_in_a_fork_as_elsewhere(
    start: Callable, preloaded: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the threads that it starts then, forward and backward."""
    monkeypatch.setattr(preloaded, "MODULES", MODULES)
    code = "import torch; torch.set_num_threads(2); x = torch.arange(1e6).reshape(1000, 1000).div(1e6).requires_grad_()"
    code += "; (x @ x).relu().sum().backward(); [torch.get_num_threads(), float(x.grad.double().mean())]"
    threads, mean = said(start()[1], code)
    x = torch.arange(1e6).reshape(1000, 1000).div(1e6).double()
    assert threads == 2
    assert mean == pytest.approx(float((x.sum(0)[:, None] + x.sum(1)[None, :]).mean()), rel=1e-5)


@pytest.mark.parametrize(
    ("command", "forked"),
    [
        ([sys.executable, "-m", "ipykernel_launcher"], True),
        ([sys.executable, "-Xfrozen_modules=off", "-m", "ipykernel_launcher"], True),
        (["/usr/bin/env", sys.executable, "-m", "ipykernel_launcher"], False),
    ],
)
def test_the_kernel_of_another_python_is_started_as_ever(
    preloaded: ModuleType, command: list[str], forked: bool
) -> None:
    manager = KernelManager()
    argv = [*command, "-f", "{connection_file}"]
    manager._kernel_spec = KernelSpec(argv=argv, display_name="another", language="python")
    with running(manager):
        assert isinstance(manager.provisioner.process, preloaded.Kernel) == forked
        assert isinstance(manager.provisioner.process, subprocess.Popen) != forked


def test_where_processes_cannot_be_forked_nothing_changes(
    preloaded: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preloaded, "FORKS", False)
    KernelProvisionerFactory.clear_instance()
    before = KernelProvisionerFactory.instance().default_provisioner_name
    preloaded.preload(None)
    assert KernelProvisionerFactory.instance().default_provisioner_name == before != preloaded.NAME


@contextmanager
def running(manager: KernelManager) -> Iterator[None]:
    manager.start_kernel()
    try:
        yield
    finally:
        manager.shutdown_kernel(now=True)
