"""What `make bench` measured, as tables: the rows of its JSON file, and the ratios that are held to a limit."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from snnlib.provenance import PACKAGE
from snnlib.spec import SpecError

MEASURED = PACKAGE.parent / "benchmarks" / "results.json"  # by the maintainers, with the checkout

COLUMNS = ("group", "case", "median", "low", "high", "memory")  # seconds, and memory in MB


@dataclass(frozen=True)
class Measurements:
    """`rows` have `COLUMNS` and the settings of a case; `ratios` what, ratio, limit, holds."""

    rows: pd.DataFrame
    ratios: pd.DataFrame
    about: dict[str, Any]

    @property
    def machine(self) -> str:
        """Where it was measured, and with what, for people."""
        hardware, versions = self.about["hardware"], self.about["versions"]
        accelerators = f", {', '.join(hardware['accelerators'])}" if hardware["accelerators"] else ""
        return (
            f"{hardware['processor']}, {hardware['threads']} threads{accelerators}, {hardware['system']}; "
            f"torch {versions['torch']}, snntorch {versions['snntorch']}, spikingjelly {versions['spikingjelly']}, "
            f"torch_cka {versions['torch_cka']}, Python {versions['python']}"
        )

    def group(self, name: str, **settings: Any) -> pd.DataFrame:
        """The rows of a group with these settings."""
        fits = self.rows["group"] == name
        for key, value in settings.items():
            fits &= self.rows[key] == value
        return self.rows[fits].reset_index(drop=True)

    def growth(self, setting: str) -> pd.DataFrame:
        """Seconds by one setting, as `snnlib.charts.sweep` takes them."""
        rows = self.rows[(self.rows["group"] == "growth") & (self.rows["case"] == setting)]
        column = "arch" if setting == "depth" else setting
        values = [int(str(v).removeprefix("resnet")) if setting == "depth" else v for v in rows[column]]
        return rows.assign(setting=values, value=rows["median"], network="snnlib")


def load(path: Path | str | None = None) -> Measurements:
    """Read a file that `make bench` wrote; by default the one that came with the checkout.

    Raises:
        SpecError: no such file, or another kind of file.
    """
    path = Path(path or MEASURED)
    try:
        found = json.loads(path.read_text(encoding="utf8"))
        measured = Measurements(pd.DataFrame(found["rows"]), pd.DataFrame(found["ratios"]), found)
        # what the page shows of it
        (
            measured.machine,
            found["minutes"],
            measured.rows[list(COLUMNS)],
            measured.ratios[["what", "ratio", "limit", "holds"]],
        )
        return measured
    except OSError:
        raise SpecError(f"results = {str(path)!r}: there is no such file; `make bench` writes one.") from None
    except (ValueError, KeyError, TypeError):
        raise SpecError(f"results = {str(path)!r} is no file that `make bench` wrote.") from None
