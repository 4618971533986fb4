"""Kernels that are forked where modules are loaded: like any others, but for what they need not import."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import psutil
import pytest
from conftest import REPOSITORY
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager, start_new_kernel
from jupyter_client.provisioning import KernelProvisionerFactory

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="kernels are forked on Linux only")

Started = tuple[KernelManager, BlockingKernelClient]


@pytest.fixture
def preloaded(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(REPOSITORY / "book/_ext")
    module = importlib.import_module("preloaded")
    monkeypatch.setattr(module, "MODULES", ("ipykernel.kernelapp", "colorsys", "not_a_module"))
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
    begin = (
        "import os, sys; mine = 1; ['colorsys' in sys.modules, 'tabnanny' in sys.modules, os.getcwd(), os.getppid()]"
    )
    ppids = []
    for _ in range(2):
        manager, client = start(cwd=str(tmp_path), env={"PATH": "", "GIVEN": "by name"})
        loaded, other, folder, ppid = said(client, begin)
        assert (loaded, other, folder) == (True, False, str(tmp_path))
        assert said(client, "import os, tabnanny; sorted(set(os.environ) & {'GIVEN', 'HOME'})") == ["GIVEN"]
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


def test_chance_differs_from_kernel_to_kernel(start: Callable) -> None:
    drawn = [said(start()[1], "import random, uuid; [random.random(), str(uuid.uuid4())]") for _ in range(2)]
    assert drawn[0][0] != drawn[1][0]
    assert drawn[0][1] != drawn[1][1]


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


def test_kernels_end_with_their_server(start: Callable, preloaded: ModuleType) -> None:
    _, client = start()
    process = psutil.Process(said(client, "import os; os.getpid()"))
    server = preloaded.Preloaded.server.process
    server.kill()
    process.wait(20)
    with pytest.raises(RuntimeError, match=r"ended with -9"):
        start()
    preloaded.Preloaded.server = None


def test_the_kernel_of_another_python_is_started_as_ever(start: Callable) -> None:
    manager = KernelManager()
    argv = ["/usr/bin/env", sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    manager._kernel_spec = KernelSpec(argv=argv, display_name="another", language="python")
    with running(manager):
        assert isinstance(manager.provisioner.process, subprocess.Popen)


@contextmanager
def running(manager: KernelManager) -> Iterator[None]:
    manager.start_kernel()
    try:
        yield
    finally:
        manager.shutdown_kernel(now=True)
