"""What `make bench` wrote, read for the page on speed; and the ratios that it is held to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks import peers, report
from benchmarks.cases import CASES
from snnlib import build_model, measurements
from snnlib.spec import SpecError


def row(group: str, case: str, times: list[float], memory: float | None = None, **settings: Any) -> dict[str, Any]:
    return {"group": group, "case": case, **settings, "times": times, "memory": memory}


def test_rounds_are_merged_and_ratios_are_of_medians(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "PEERS", ())
    at = {"T": 4, "batch": 64}
    found = report.summary(
        [
            row("step", "snnlib", [1.0, 3.0], 100.0, **at),
            row("step", "snnTorch", [8.0], 400.0, **at),
            row("step", "ReLU", [2.0], **at),
            row("step", "ReLU, compiled", [1.6], **at),
            row("step", "snnlib", [2.0], 120.0, **at),
            row("cka", "snnlib", [2.0], n=256),
            row("cka", "torch_cka 0.21", [30.0], n=256),
        ]
    )
    ours = found["rows"][0]
    assert (ours["median"], ours["low"], ours["high"], ours["memory"]) == (2.0, 1.0, 3.0, 120.0)
    ratios = {ratio["what"]: (round(ratio["ratio"], 3), ratio["holds"]) for ratio in found["ratios"]}
    assert ratios == {
        "step, batch 64: snnlib / snnTorch": (0.25, True),
        "step, T = 4, batch 64: snnlib / ReLU on T x batch": (1.25, True),  # of the faster one
        "memory of a step, batch 64: snnlib / snnTorch": (0.3, True),
        "CKA, n = 256: torch_cka / snnlib": (15.0, False),
    }


def test_every_case_has_a_name_of_its_own() -> None:
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names)


def test_the_snntorch_network_computes_what_ours_does() -> None:
    """In evaluation, where batch norm does not see that one takes its statistics over time and the other does not."""
    torch.manual_seed(0)
    ours, theirs = build_model("resnet20", spiking=True, T=3), peers.SnnTorchNet(3)
    for module in ours.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 2.0)
    names = [name for name in theirs.state_dict() if ".act" not in name and not name.startswith("act.")]  # no settings
    theirs.load_state_dict(dict(zip(names, ours.state_dict().values(), strict=True)), strict=False)
    images = 2 * torch.randn(2, 3, 32, 32)
    logits = []
    for network in (ours.eval(), theirs.eval()):
        logits.append(network(images))
        logits[-1].square().sum().backward()
    torch.testing.assert_close(logits[1], logits[0])
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(other.grad, mine.grad, rtol=1e-3, atol=1e-4)
    assert sum(p.grad.abs().sum() for p in ours.stem.parameters()) > 0


@pytest.mark.parametrize("path", sorted(measurements.MEASURED.glob("*.json")), ids=lambda path: path.stem)
def test_the_files_of_the_checkout_have_what_the_page_shows(path: Path) -> None:
    found = measurements.load(path)
    assert path.name == measurements.file_name(found.about["hardware"])
    assert "torch" in found.machine
    assert set(found.group("step", T=4, batch=64)["case"]) >= {"snnlib", "snnTorch", "SpikingJelly", "ReLU"}
    for setting in ("T", "depth", "width", "n", "layers"):
        growth = found.growth(setting)
        assert growth["setting"].is_monotonic_increasing
        assert len(growth) > 2
    assert len(found.ratios)


@pytest.mark.parametrize("content", ["no json", "[]", json.dumps({"rows": []})])
def test_another_file_is_refused_by_name(tmp_path: Path, content: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(content)
    with pytest.raises(SpecError, match=r"other\.json.*is no file that `make bench` wrote"):
        measurements.load(path)
    with pytest.raises(SpecError, match=r"missing\.json.*there is no such file"):
        measurements.load(tmp_path / "missing.json")


@pytest.mark.parametrize("lost", ["accelerators", "versions", "minutes", "made", "group", "holds"])
def test_a_file_without_what_the_page_shows_is_refused(tmp_path: Path, lost: str) -> None:
    found = json.loads(next(measurements.MEASURED.glob("*.json")).read_text(encoding="utf8"))
    for part in (found, found["hardware"], *found["rows"], *found["ratios"]):
        part.pop(lost, None)
    path = tmp_path / "other.json"
    path.write_text(json.dumps(found))
    with pytest.raises(SpecError, match=r"other\.json.*is no file that `make bench` wrote"):
        measurements.load(path)


EPYC = "amd-epyc-2-threads.json"


def written(folder: Path, processor: str, made: str, ratio: float, *cases: str) -> None:
    """A file of a machine on which `make bench` found one ratio, limited to 0.5."""
    hardware = {"processor": processor, "threads": 2, "accelerators": [], "system": "Linux"}
    versions = dict.fromkeys(("torch", "snntorch", "spikingjelly", "torch_cka", "python"), "1")
    rows = [row("step", case, [1.0]) | dict.fromkeys(("median", "low", "high"), 1.0) for case in cases]
    ratios = [{"what": "ours / theirs", "ratio": ratio, "limit": "≤ 0.5", "holds": ratio <= 0.5}]
    found = {"made": made, "minutes": 1, "hardware": hardware, "versions": versions, "rows": rows, "ratios": ratios}
    (folder / measurements.file_name(hardware)).write_text(json.dumps(found), encoding="utf8")


def test_every_machine_has_a_file_and_a_column(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measurements, "MEASURED", tmp_path)
    with pytest.raises(SpecError, match="has no measurements; `make bench` makes some"):
        measurements.measured()
    written(tmp_path, "AMD EPYC", "2026-01-01", 0.4, "snnlib", "snnlib, float32")
    written(tmp_path, "Intel(R) Xeon(R) Processor @ 2.0GHz", "2026-01-02", 0.6, "snnlib", "snnlib, bf16")
    assert sorted(path.name for path in tmp_path.iterdir()) == [EPYC, "intel-xeon-processor-2-0ghz-2-threads.json"]
    found = measurements.measured()
    assert [table.heading for table in found] == [
        "Intel Xeon Processor @ 2.0GHz, 2 threads, float32, 2026-01-02",
        "AMD EPYC, 2 threads, bfloat16, 2026-01-01",
    ]
    assert measurements.limits(found).to_dict("records") == [
        {"what": "ours / theirs", "limit": "≤\u00a00.5", found[0].heading: "0.60, missed", found[1].heading: "0.40"}
    ]
    assert [table.about["made"] for table in measurements.measured(tmp_path / EPYC)] == ["2026-01-01"]
