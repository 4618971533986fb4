"""One entry of the store as files: a folder with a payload, its card, and the checksums of both.

<words>-<hash>/   payload, card.json, SHA256SUMS (as `sha256sum --check` reads it)
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snnlib import spec as specs
from snnlib.spec import Spec

CARD, SUMS = "card.json", "SHA256SUMS"
LAYERS = ("published", "cache")


class DamagedEntry(UserWarning):
    """A file of the store is missing or is not what its checksum says."""


class OtherCode(UserWarning):
    """An entry was made by code that computes differently from today's."""


@dataclass(frozen=True)
class Entry:
    """One stored model or result."""

    folder: Path
    layer: str  # of `LAYERS`
    card: dict[str, Any]

    @property
    def kind(self) -> str:
        return self.card["kind"]

    @property
    def spec(self) -> Spec:
        return getattr(specs, self.kind)(**self.card["spec"])

    @property
    def checksum(self) -> str:
        """SHA-256 of the payload: of a network's weights, of a result's values."""
        (payload,) = (found for name, found in listed(self.folder).items() if name != CARD)
        return payload


def listed(folder: Path) -> dict[str, str]:
    """File name -> SHA-256, as an entry's list of checksums gives them."""
    lines = (folder / SUMS).read_text().splitlines()
    return dict(reversed(line.split("  ", 1)) for line in lines)


def damage(folder: Path) -> str | None:
    """What is wrong with an entry's files, or None: every file must be there and have the checksum it was given."""
    try:
        expected_sums = listed(folder)
    except (OSError, ValueError) as error:
        return f"{folder / SUMS} cannot be read ({error})"
    if CARD not in expected_sums:
        return f"{folder / SUMS} does not list {CARD}"
    for name, expected in expected_sums.items():
        path = folder / name
        if not path.is_file():
            return f"{path} is missing"
        if _sha256(path) != expected:
            return f"{path} does not have the checksum that {SUMS} gives"
    return None


def look(folder: Path, layer: str) -> Entry | str:
    """The entry in a folder, or what is wrong with it: also that another process replaced it while it was read."""
    try:
        return damage(folder) or Entry(folder, layer, read_card(folder))
    except OSError as error:
        return f"{folder} cannot be read ({error})"


def changed_inputs(card: dict[str, Any], held: Callable[[str], Entry | None]) -> list[str]:
    """Names of the networks that a result was computed from and that are there with other weights now.

    Weights count as those that they were halved from to be published: they were published because they compute the
    same. A network that is not there does not count, nor one whose card does not say what it was halved from.

    Args:
        card: the result's.
        held: name -> the entry that is there, if any.
    """
    now = {name: entry for name in card.get("inputs", {}) if (entry := held(name))}
    return [name for name, entry in now.items() if _is_other(card["inputs"][name], entry)]


def _is_other(checksum: str, network: Entry) -> bool:
    """Whether a checksum is surely that of other weights than a network has, or had before it was halved."""
    if not is_halved(network):
        return checksum != network.checksum
    whole = network.card["half"].get("of")
    return whole is not None and checksum not in (whole, network.checksum)


def is_halved(entry: Entry) -> bool:
    """Whether the weights of a network are those of its training in half precision, as it was published."""
    return bool(entry.card.get("half", {}).get("taken"))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_card(folder: Path) -> dict[str, Any]:
    """The card of an undamaged entry."""
    return json.loads((folder / CARD).read_text(encoding="utf8"))


def seal(folder: Path, card: dict[str, Any]) -> None:
    """Write the card and the checksums beside a payload: the entry is complete.

    Numbers that are not finite, which JSON does not know, are null on the card.
    """
    text = json.dumps(_finite(card), indent=1, allow_nan=False)
    (folder / CARD).write_text(text + "\n", encoding="utf8")
    files = sorted(path for path in folder.iterdir() if path.name != SUMS)
    for path in files:
        path.chmod(0o644)  # some writers make private files
    (folder / SUMS).write_text("".join(f"{_sha256(path)}  {path.name}\n" for path in files), encoding="utf8")


def _finite(value: Any) -> Any:
    """The same, with None in place of numbers that are not finite."""
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


@contextmanager
def whole_folder(target: Path, scratch: Path) -> Iterator[Path]:
    """A folder that takes the name `target` only once it is complete; an older one of that name is replaced."""
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=scratch))
    temporary.chmod(0o755)  # mkdtemp's folders are private, the store's are like any other
    try:
        yield temporary
        if target.exists():
            retired = Path(tempfile.mkdtemp(prefix=f".{target.name}-old-", dir=scratch))
            os.replace(target, retired / "entry")
            os.replace(temporary, target)
            shutil.rmtree(retired)
        else:
            os.replace(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """A path to write to, which takes the name `target` only once it is complete, in place of an older file."""
    target = target.resolve()  # what a link leads to
    handle, name = tempfile.mkstemp(prefix=f".{target.name}-", dir=target.parent)
    os.close(handle)
    temporary = Path(name)
    temporary.chmod(0o644)  # mkstemp's files are private
    try:
        yield temporary
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def set_aside(folder: Path, room: Path) -> Path | None:
    """Move an entry out of the way, into a new folder of `room`, which is returned; None if another process did."""
    room.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f"{folder.name}-", dir=room))
    try:
        os.replace(folder, aside / folder.name)
    except FileNotFoundError:
        aside.rmdir()
        return None
    return aside
