"""What `make bench` measured, as tables: the rows of a JSON file, and the ratios that are held to a limit.

There is a file for each machine, since the ratios are of both the code and the machine.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from snnlib.provenance import PACKAGE
from snnlib.spec import SpecError

MEASURED = PACKAGE.parent / "benchmarks" / "results"  # a file a machine; some come with the checkout

NO_BREAK = "\u00a0"
COLUMNS = ("group", "case", "median", "low", "high", "memory")  # seconds, and memory in MB


@dataclass(frozen=True)
class Measurements:
    """`rows` have `COLUMNS` and the settings of a case; `ratios` what, ratio, limit, holds."""

    rows: pd.DataFrame
    ratios: pd.DataFrame
    about: dict[str, Any]

    @property
    def heading(self) -> str:
        """The machine in few words, with the precision that training has there, and the day."""
        mixed = (self.rows["case"] == "snnlib, float32").any()  # measured for comparison, where it is not the choice
        hardware, precision = self.about["hardware"], "bfloat16" if mixed else "float32"
        return f"{processor_name(hardware)}, {hardware['threads']} threads, {precision}, {self.about['made'][:10]}"

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


def processor_name(hardware: dict[str, Any]) -> str:
    """A processor without trade marks: "Intel Xeon Processor"."""
    return re.sub(r"\((?:R|TM)\)", "", hardware["processor"], flags=re.IGNORECASE)


def file_name(hardware: dict[str, Any]) -> str:
    """Name of the file of a machine: "intel-xeon-processor-2-threads.json"."""
    words = re.findall(r"[a-z0-9]+", processor_name(hardware).lower())
    return f"{'-'.join(words)}-{hardware['threads']}-threads.json"


def measured(path: Path | str | None = None) -> list[Measurements]:
    """The file that is named, else all that came with the checkout, the newest first.

    Raises:
        SpecError: no such file, none at all, or another kind of file.
    """
    files = [path] if path else MEASURED.glob("*.json")
    found = sorted(map(load, files), key=lambda table: table.about["made"], reverse=True)
    if not found:
        raise SpecError(f"{MEASURED} has no measurements; `make bench` makes some.")
    return found


def limits(found: list[Measurements]) -> pd.DataFrame:
    """Every ratio that is held to a limit, with a column for each machine: "0.34", or "0.34, missed"."""
    tables = [
        table.ratios.assign(limit=table.ratios["limit"].str.replace(" ", NO_BREAK))
        .set_index(["what", "limit"])
        .apply(lambda row: f"{row['ratio']:.2f}{'' if row['holds'] else ', missed'}", axis="columns")
        for table in found
    ]
    columns = pd.concat(tables, axis="columns", keys=[table.heading for table in found])
    return columns.fillna("–").reset_index()


def load(path: Path | str) -> Measurements:
    """Read a file that `make bench` wrote.

    Raises:
        SpecError: no such file, or another kind of file.
    """
    path = Path(path)
    try:
        found = json.loads(path.read_text(encoding="utf8"))
        table = Measurements(pd.DataFrame(found["rows"]), pd.DataFrame(found["ratios"]), found)
        # what the page shows of it
        (
            table.machine,
            table.heading,
            found["made"],
            found["minutes"],
            table.rows[list(COLUMNS)],
            table.ratios[["what", "ratio", "limit", "holds"]],
        )
        return table
    except OSError:
        raise SpecError(f"results = {str(path)!r}: there is no such file; `make bench` writes one.") from None
    except (ValueError, KeyError, TypeError):
        raise SpecError(f"results = {str(path)!r} is no file that `make bench` wrote.") from None
