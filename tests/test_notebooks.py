"""The notebooks as their users run them: a papermill process with other parameters, from another folder."""

import json
import re
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path

import nbformat
import numpy as np
import pytest
from conftest import REPOSITORY
from PIL import Image

from snnlib.notebook import validated
from snnlib.parameters import SpatialParameters
from snnlib.spec import SpecError

SPATIAL = REPOSITORY / "notebooks" / "02_spatial_cka.ipynb"
# one epoch, one pair of networks, no sweep: what is tested is the path, the book tests the rest
SWEEPS = ("-p", "widths", 0.25, "-p", "depths", 20, "-p", "n_images", 32)
SHORT = ("-p", "preset", "quick", "-p", "epochs", 1, *SWEEPS)


def charts(path: Path) -> list[dict]:
    """The Vega-Lite specs among a notebook's outputs, read from the HTML that Altair writes."""
    specs = []
    for cell in nbformat.read(path, as_version=4).cells:
        for output in cell.get("outputs", ()):
            html = output.get("data", {}).get("text/html", "")
            for part in html.split("})(")[1:]:
                if part.startswith("{"):
                    specs.append(json.JSONDecoder().raw_decode(part)[0])
    return specs


def text(path: Path) -> str:
    outputs = [o for cell in nbformat.read(path, as_version=4).cells for o in cell.get("outputs", ())]
    return "\n".join(o.get("data", {}).get("text/markdown", "") for o in outputs)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("parameters", "said", "layers"),
    [
        (("-p", "T", 3, "-p", "width", 0.25), "T = 3", 74),
        (("-p", "width", 0.25, "-p", "seeds", 1), "width 0.25", 74),
        (("-p", "depth", 38, "-p", "width", 0.25, "-p", "seeds", 1, "-p", "T", 2), "ResNet-38", 74 + 9 * 7),
    ],
)
def test_spatial_with_other_parameters(papermill, parameters, said, layers):
    done, out = papermill(SPATIAL, *SHORT, *parameters)
    assert done.returncode == 0, done.stderr[-3000:]
    assert said in text(out)
    heatmaps = [c for c in charts(out) if any(p.get("name") == "layers_a" for p in c.get("params", ()))]
    named = next(p["value"] for p in heatmaps[0]["params"] if p["name"] == "layers_a")
    assert len(named) == layers


@pytest.mark.slow
def test_spatial_on_a_folder_of_images(papermill, tmp_path):
    rng = np.random.default_rng(0)
    for split, count in (("train", 24), ("test", 16)):
        for label, brightness in (("dark", 40), ("light", 200)):
            folder = tmp_path / "SOME" / "IMAGES" / split / label
            folder.mkdir(parents=True)
            for i in range(count):
                pixels = rng.normal(brightness, 30, (16, 16, 3)).clip(0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(folder / f"{i}.png")
    done, out = papermill(
        SPATIAL, *SHORT, "-p", "dataset", "folder:SOME/IMAGES", "-p", "seeds", 1, "-p", "width", 0.25
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert "IMAGES" in text(out)


ADVERSARIAL = REPOSITORY / "notebooks" / "06_adversarial.ipynb"


@pytest.mark.slow
def test_adversarial_with_tiny_settings_and_with_the_released_one(papermill):
    tiny = ("-p", "preset", "quick", "-p", "epochs", 1, "-p", "n_images", 32, "-p", "width", 0.25, "-p", "T", 2)
    own = ("-p", "epsilons", "0.1,0.3", "-p", "attack_steps", 2)
    released = ("-p", "released", True, "-p", "seeds", 1)
    for chosen, said in (
        (own, "PGD, 2 steps of 1 ε, no random start, ε = 0.1, 0.3"),
        (released, "PGD, 20 steps of 0.1 ε, no random start, ε = 0.01"),
    ):
        done, out = papermill(ADVERSARIAL, *tiny, *chosen)
        assert done.returncode == 0, done.stderr[-3000:]
        assert said in text(out)
        assert re.search(r"\*\*C7 is (supported|not supported|undecided)\*\*", text(out))
        drawn = charts(out)
        assert sum("image" in str(layer.get("mark")) for c in drawn for layer in c["layer"]) == 6
        assert all(c["description"] for c in drawn)


NO_NETWORK = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}  # nothing listens there


def test_a_bad_parameter_is_found_before_torch_is_imported():
    code = (
        "import sys; from snnlib.notebook import begin; from snnlib.parameters import SpatialParameters\n"
        "try:\n    begin({'T': 0}, SpatialParameters)\nfinally:\n    print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True)
    assert "T = 0 cannot be used" in done.stderr
    assert done.stdout.split() == ["False"]


def test_a_name_that_was_put_right_in_a_live_notebook_counts_no_more():
    wrong, right = "# Parameters: of the page\nwidht = 2", "# Parameters: of the page\nwidth = 2"
    given = {"width": 2}
    with pytest.raises(SpecError, match="widht"):
        validated({**given, "widht": 2, "In": ["", wrong]}, SpatialParameters)
    assert validated({**given, "widht": 2, "In": ["", wrong, right]}, SpatialParameters).width == 2
    with pytest.raises(SpecError, match="widht"):  # papermill's own cell stands beside the notebook's
        validated({**given, "widht": 2, "In": ["", right, "# Parameters\nwidht = 2"]}, SpatialParameters)


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        (("T", 0), "T = 0 cannot be used: it should be at least 1"),
        (("T", "four"), "T = 'four' cannot be used: it should be a whole number"),
        (("Tt", 4), "Tt = 4: there is no parameter Tt; did you mean T?"),
        (("depth", 21), "21 is not one of 20, 38, 56, 110, 164"),
        (("dataset", "nosuch"), "'nosuch' is not known"),
        (("dataset", "cifar10"), "data_root"),
    ],
)
def test_a_bad_parameter_stops_the_run_with_one_sentence(papermill, tmp_path, parameters, sentence):
    cache = tmp_path / "cache"
    done, out = papermill(
        SPATIAL, "-p", *parameters, cache=cache, SNNLIB_PUBLISHED=str(tmp_path / "none"), **NO_NETWORK
    )
    assert done.returncode != 0
    ((cell, error),) = [
        (cell, output)
        for cell in nbformat.read(out, as_version=4).cells
        for output in cell.get("outputs", ())
        if output.output_type == "error"
    ]
    assert "run = begin(globals()" in cell.source, "the first cell that does anything"
    assert error.ename in ("SpecError", "MissingData")
    assert sentence in error.evalue
    assert "\n" not in error.evalue
    assert error.traceback == [f"{error.ename}: {error.evalue}"], "the sentence, and no traceback"
    assert str(parameters[1]) in error.evalue, "names the value"
    left = [p for p in tmp_path.rglob("*") if p.is_file() and p != out and p.suffix != ".lock"]
    assert not left


CIFAR10 = REPOSITORY.parent / "shared" / "data" / "cifar10.zip"


@pytest.mark.slow
@pytest.mark.skipif(not CIFAR10.exists(), reason=f"needs the real images of {CIFAR10.name} beside the repository")
def test_spatial_on_real_cifar10_images(papermill, tmp_path):
    """The preset `laptop` on real images, as image files below data_root; a few hundred, so that it takes a minute."""
    kept = Counter()
    with zipfile.ZipFile(CIFAR10) as archive:
        for name in archive.namelist():
            folder = name.rsplit("/", 1)[0]
            if not name.endswith("/") and kept[folder] < (26 if "/train/" in name else 8):
                kept[folder] += 1
                archive.extract(name, tmp_path / "data")
    narrow = ("-p", "width", 0.25, "-p", "seeds", 1, "-p", "epochs", 1)
    arguments = ("-p", "dataset", "cifar10", "-p", "data_root", "data", "-p", "preset", "laptop", *narrow, *SWEEPS)
    done, out = papermill(SPATIAL, *arguments)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "CIFAR-10 (subset)" in text(out)
    assert "1 epoch " in text(out)


ESTIMATOR = REPOSITORY / "notebooks" / "a4_estimator.ipynb"


def test_the_estimators_page_with_other_sizes(papermill):
    done, out = papermill(ESTIMATOR, "-p", "sizes", "16,32", "-p", "features", "4,64", "-p", "repeats", 2)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "n = 16, 32 images · p = 4, 64 features · 2 draws" in text(out)
    assert len(charts(out)) == 5


def test_the_estimators_page_stops_at_a_name_it_does_not_have(papermill):
    done, _ = papermill(ESTIMATOR, "-p", "size", 32)
    assert done.returncode != 0
    assert "size = 32: there is no parameter size; did you mean sizes?" in done.stderr


BRING_YOUR_OWN = REPOSITORY / "notebooks" / "b1_bring_your_own.ipynb"


@pytest.mark.slow
def test_own_networks_of_a_single_step_on_few_images(papermill):
    """Where the page's errors and measures are least sure to hold: T = 1, and as few images as groups need."""
    done, out = papermill(BRING_YOUR_OWN, "-p", "T", 1, "-p", "epochs", 0, "-p", "n_images", 8)
    assert done.returncode == 0, done.stderr[-3000:]
    said = text(out)
    assert "The same 8 images" in said
    assert "no error" not in said.split("what was wrong")[1]
    assert re.search(r"\| permuted images \| .* to ", said)
