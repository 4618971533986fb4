"""The command line as a real process: what it prints, what it keeps, how it ends."""

from io import StringIO

import pytest
import xarray as xr
from rich.console import Console
from sweep_costs import write_speeds

from snnlib import cli, terminal
from snnlib.training import TrainingDiverged

SMALL = ("--epochs", 1, "--width", 0.25, "--T", 2)


def test_train_twice_trains_once(snnlib):
    out, err = snnlib("train", *SMALL)
    assert "about" in err, "a forecast"
    assert "images/s" in err, "a progress bar"
    assert "digits-resnet20-snn-T2-w0.25-e1-s0" in out
    again, err = snnlib("train", *SMALL)
    assert again == out
    assert "about" not in err


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (("snn", "ann"), ("snn", 0, "ann", 1)),
        (("ann", "ann"), ("ann", 0, "ann", 1)),
        (("snn:1", "ann"), ("snn", 1, "ann", 0)),
        (("snn", "ann:0"), ("snn", 1, "ann", 0)),
        (("snn:0", "ann:0"), ("snn", 0, "ann", 0)),
    ],
)
def test_networks_without_a_seed_are_of_different_ones(run, given, meant):
    networks = cli._pair(run, *given)
    assert tuple(x for one in networks for x in ("snn" if one.model.spiking else "ann", one.seed)) == meant


def test_networks_of_one_seed_are_compared_with_a_word_on_it(snnlib):
    assert "start from equal weights" in snnlib("compare", "snn:0", "ann:0", *SMALL, "--n-images", 16)[1]


def test_compare_writes_what_it_found(snnlib):
    out, err = snnlib("compare", "snn", "ann:1", *SMALL, "--n-images", 16, "--out", "cka.nc")
    assert "n = 16" in out
    assert "equal weights" not in err
    cka = xr.load_dataarray(snnlib.root / "cka.nc")
    assert cka.sizes == {"layer_a": 74, "layer_b": 74}
    assert not list(snnlib.root.glob(".*"))


def test_store_lists_checks_and_publishes(snnlib):
    snnlib("train", *SMALL)
    listed, _ = snnlib("store", "list")
    rows = [line.split("\t") for line in listed.splitlines()]
    layer, kind, name, *_ = next(row for row in rows if row[2].startswith("digits-resnet20-snn"))
    assert (layer, kind) == ("cache", "TrainSpec")
    published, _ = snnlib("store", "publish", name)
    assert published == f"{snnlib.root / 'published' / name}\n"
    again, _ = snnlib("store", "publish", "--full", name)
    assert "published already: remove it to have it written anew" in again
    assert "published" in snnlib("store", "path")[0]
    assert " are as they were written" in snnlib("store", "check")[0]
    (snnlib.root / "published" / name / "card.json").write_text("{}")
    assert "card.json does not have the checksum" in snnlib("store", "check", status=1)[0]


def test_no_name_is_cut_on_a_narrow_terminal(monkeypatch):
    narrow = Console(soft_wrap=True, width=30, force_terminal=True, file=StringIO())
    monkeypatch.setattr(terminal, "console", narrow)
    name = "cka-" + "digits-resnet20-" * 5 + "0123456789ab"
    terminal.show(("item", "state"), [(name, "missing"), ("short", "cached")])
    assert any(name in line and "missing" in line for line in narrow.file.getvalue().splitlines())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("train", "--depth", "21"), "21 is not one of 20, 38, 56, 110, 164"),
        (("train", "--T", "0"), "T = 0"),
        (("train", "--dataset", "nosuch"), "'nosuch' is not known"),
        (("train", "--data-root", "/no/such/folder"), "/no/such/folder"),
        (("train", "--dataset", "folder:/no[/b]such"), "folder:/no[/b]such"),
        (("compare", "snn", "rnn"), "'rnn' names no network"),
        (("compare", "snn", "ann", "--out", "missing/cka.nc"), "there is no folder"),
        (("compare", "snn", "ann", "--out", "."), "this is a folder; name a file in it"),
        (("compare", "snn", "ann", "--out", "/dev/null"), "no file can be put there"),
        (("sweep", "--write", "missing/list.yaml"), "there is no folder"),
        (("sweep", "--write", "list.yaml", "--dry-run", "--only", "x"), "--write does nothing with --dry-run, --only"),
        (("sweep", "--measure", "--data-root", "."), "--measure does nothing with --data-root"),
        (("store", "publish", "nothing"), "'nothing' names no entry"),
    ],
)
def test_errors_are_one_sentence_and_status_2(snnlib, arguments, message):
    _, err = snnlib(*arguments, status=2)
    assert message in err
    assert "Traceback" not in err


def test_a_dry_run_says_of_which_machine_it_speaks_and_starts_no_team(snnlib):
    write_speeds(snnlib.root / "cache", "Far-GPU")
    said, _ = snnlib("sweep", "--preset", "quick", "--dry-run", "--machine", "Far-GPU", "--devices", 2)
    assert " on Far-GPU, one after the other" in said
    assert said.count("the rest takes about") == 1, "one process says it"


@pytest.mark.parametrize(
    ("error", "status"), [(TrainingDiverged("loss is nan; lower lr"), 2), (RuntimeError("a bug"), 0)]
)
def test_a_training_that_diverged_is_one_sentence_and_a_bug_is_not(monkeypatch, capsys, error, status):
    def failing() -> None:
        raise error

    monkeypatch.setattr(cli, "app", failing)
    with pytest.raises((SystemExit, RuntimeError)) as caught:
        cli.main()
    if status:
        assert caught.value.code == status
        assert capsys.readouterr().err == "error: loss is nan; lower lr\n"
    else:
        assert caught.value is error
