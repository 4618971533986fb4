"""The state of a training after its last finished epoch."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from tqdm import tqdm

from snnlib.provenance import TRAINING_ROOMS, code_fingerprint
from snnlib.spec import TrainSpec


class Checkpoint:
    """A file that is replaced whole, never half-written, and refused if it is of another run."""

    def __init__(self, path: Path, spec: TrainSpec, fabric: Fabric) -> None:
        self.path, self.fabric = path, fabric
        self.identity = {"spec": spec.canonical(), "code": code_fingerprint(TRAINING_ROOMS)}

    def save(self, state: dict[str, Any]) -> None:
        temporary = self.path.with_suffix(".tmp")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.fabric.save(temporary, {**state, "identity": self.identity})
        if self.fabric.is_global_zero:
            os.replace(temporary, self.path)
        self.fabric.barrier()

    def restore(self, state: dict[str, Any]) -> bool:
        """Fill `state` from the file, if there is one of the same spec and code; whether it was."""
        if not self.fabric.broadcast(self.fabric.is_global_zero and self._is_usable()):
            return False
        stateful = {key: value for key, value in state.items() if hasattr(value, "state_dict")}
        rest = self.fabric.load(self.path, stateful, strict=False)
        state |= {key: rest[key] for key in state if key not in stateful}
        if self.fabric.is_global_zero:
            tqdm.write(f"going on after epoch {state['epoch']}", file=sys.stderr)
        return True

    def _is_usable(self) -> bool:
        if not self.path.exists():
            return False
        if self._identity() != self.identity:
            tqdm.write(f"{self.path} is of another spec or other code: training starts over", file=sys.stderr)
            return False
        return True

    def _identity(self) -> dict[str, str] | None:
        try:
            return torch.load(self.path, map_location="cpu", weights_only=True)["identity"]
        except Exception as error:  # torch raises whatever its unpickler meets in a damaged file
            tqdm.write(f"{self.path} cannot be read ({error})", file=sys.stderr)
            return None
