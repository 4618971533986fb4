"""Where a result comes from: versions, hardware, commit, and a fingerprint of the code that bears on it."""

from __future__ import annotations

import ast
import functools
import hashlib
import io
import os
import platform
import subprocess
import tokenize
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, distributions, metadata, requires, version
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PACKAGE = Path(__file__).parent
PACKAGES = ("torch", "torchvision", "snntorch", "numpy", "lightning-fabric", "xarray", "snnlib")
# What bears on a network, and on a result of networks; what a spec says is in its hash already. So is what images were
# found, read, or simulated, by their fingerprint: of data only what becomes of images after that counts.
DATA_FILES = ("data/batches.py", "data/cache.py", "data/images.py")
TRAINING_ROOMS = ("kernels.py", "memory.py", "devices.py", "neurons", "models", *DATA_FILES, "training")
RESULT_ROOMS = (*TRAINING_ROOMS, "layers.py", "loaders.py", "calls.py", "recording.py", "similarity", "experiments.py")
ATTACK_ROOMS = (*RESULT_ROOMS, "attacks")
# No network bears on examples of a data set: the choice of images does, or how events are simulated or read.
SAMPLE_ROOMS = ("data/samples.py",)
STREAM_ROOMS = tuple(f"data/{name}.py" for name in ("events", "example", "readers", "recorded", "simulate"))
ROOMS = (TRAINING_ROOMS, RESULT_ROOMS, ATTACK_ROOMS, SAMPLE_ROOMS, STREAM_ROOMS)


def provenance(rooms: tuple[str, ...]) -> dict[str, Any]:
    """Everything a card says of the circumstances, `rooms` being the code that bears on it. JSON types only."""
    return {
        "made": now(),
        "commit": git_commit(),
        "code": code_fingerprint(rooms),
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}},
        "hardware": hardware(),
    }


def note_code() -> None:
    """Read the code of all rooms now, when this process has just imported it: later somebody may have edited it."""
    for rooms in ROOMS:
        code_fingerprint(rooms)


def now() -> str:
    """The time, as cards have it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def git_commit() -> str | None:
    """Commit of the checkout that this package runs from, with "+changes" if it was edited; None outside of one."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(PACKAGE), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=10).stdout.strip()

    try:
        git(
            "ls-files", "--error-unmatch", "__init__.py"
        )  # a checkout that merely contains our site-packages is not ours
        return git("rev-parse", "HEAD") + ("+changes" if git("status", "--porcelain", "--", ".") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def short(commit: str | None) -> str:
    """A commit for people: "1234567890+changes"."""
    return commit[:10] + commit[40:] if commit else "unknown"


def machine(hardware: Mapping[str, Any]) -> str:
    """What computed, for people, of what `hardware` says: the accelerators, else the processor."""
    return ", ".join(hardware["accelerators"]) or f"{hardware['processor']} ({hardware['cores']} cores)"


@functools.cache
def code_fingerprint(rooms: tuple[str, ...]) -> str:
    """Hash of some rooms of this package, blind to comments, docstrings, layout, and files that only re-export.

    A room is a folder or a file. A cached result made by other code is thereby noticed; a mended comment does not
    disturb it. The same on every version of Python: it is the hash of source text, not of what one version parses it
    to.
    """
    digest = hashlib.sha256()
    for room in rooms:
        path = PACKAGE / room
        for source in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            if meaning := code_without_words(source.read_text(encoding="utf8")):
                digest.update(f"{source.relative_to(PACKAGE).as_posix()}\0{meaning}\0".encode())
    return digest.hexdigest()[:12]


def code_without_words(source: str) -> str:
    """The tokens of source text and its blocks, without comments and docstrings; empty if it defines no function and
    no class."""
    tree = ast.parse(source)
    if not any(isinstance(node, ast.FunctionDef | ast.ClassDef) for node in ast.walk(tree)):
        return ""
    docstrings = {
        (node.body[0].lineno, node.body[0].col_offset)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and ast.get_docstring(node, clean=False) is not None
    }
    words: list[str] = []
    for kind, text, start in _tokens(source):
        if start in docstrings and kind == tokenize.STRING:
            continue
        if kind == tokenize.NEWLINE:
            if words and words[-1] not in ("\n", "\n>"):  # a docstring leaves none behind
                words.append("\n")
        elif kind in (tokenize.INDENT, tokenize.DEDENT):  # which statements a block holds, however far it is indented
            words.append("\n>" if kind == tokenize.INDENT else "<")
        elif kind not in (tokenize.COMMENT, tokenize.NL, tokenize.ENDMARKER):
            words.append(text)
    return "\0".join(words)


def _tokens(source: str) -> Iterator[tuple[int, str, tuple[int, int]]]:
    """Kind, text and start of every token; an f-string is one, which it is before Python 3.12 only."""
    lines, depth, begin = io.StringIO(source).readlines(), 0, (0, 0)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        name = tokenize.tok_name[token.type]
        if name == "FSTRING_START":
            begin, depth = (begin if depth else token.start), depth + 1
        elif name == "FSTRING_END":
            depth -= 1
            if not depth:
                yield tokenize.STRING, _between(lines, begin, token.end), begin
        elif not depth:
            yield token.type, token.string, token.start


def _between(lines: list[str], begin: tuple[int, int], end: tuple[int, int]) -> str:
    """Source text from one (row, column) to another, rows counted from 1."""
    (first, left), (last, right) = begin, end
    if first == last:
        return lines[first - 1][left:right]
    return "".join([lines[first - 1][left:], *lines[first : last - 1], lines[last - 1][:right]])


def hardware() -> dict[str, Any]:
    """Processor, threads and accelerators, as far as torch and the system tell."""
    import torch

    accelerators = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return {
        "system": platform.system(),
        "machine": platform.machine(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "accelerators": accelerators,
    }


def processor() -> str:
    """Name of the processor, as the system tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or "unknown"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:  # run from a checkout that is not installed
        return None


def built_with() -> dict[str, str]:
    """Name -> version of the packages that this one, its notebooks and its book ask for, as far as they are there.

    Raises:
        PackageNotFoundError: this package is not installed, so nobody knows what it asks for.
    """
    wanted = set(metadata("snnlib").get_all("Provides-Extra", ())) - {"test", "bench", "dev"}
    asked = (Requirement(line) for line in requires("snnlib") or ())
    names = {
        canonicalize_name(each.name)
        for each in asked
        if each.marker is None or any(each.marker.evaluate({"extra": extra}) for extra in ("", *wanted))
    } - {"snnlib"}
    # Under the name a package gives itself: the build may write "pyyaml" where PyYAML is asked for.
    return {name: version for name, version in installed().items() if canonicalize_name(name) in names}


def installed() -> dict[str, str]:
    """Name -> version of all packages that are installed beside this one."""
    found: dict[str, str] = {}
    for each in distributions():
        # the first on the path is the one that is imported; setuptools puts copies of others at its end
        found.setdefault(each.metadata["Name"], each.version)
    return dict(sorted(found.items(), key=lambda pair: pair[0].lower()))
