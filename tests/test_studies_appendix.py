"""What the appendix asks of the store: which networks and comparisons, once, and what its curves are."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from snnlib import similarity
from snnlib.claims.appendix import c8
from snnlib.data.download import MissingData
from snnlib.data.images import Split
from snnlib.data.samples import samples
from snnlib.experiments import test_batches as batches_of
from snnlib.parameters import VggParameters
from snnlib.publish import publish
from snnlib.run import Run
from snnlib.spec import SamplesSpec, SpecError
from snnlib.store import Store
from snnlib.studies.appendix import by_operation, examples, further_case, in_words, measures_in_words, pairs_in_words


@pytest.fixture
def vgg(tmp_path, monkeypatch):
    """A run of small VGG networks on the digits, with an empty store of its own."""
    monkeypatch.setenv("SNNLIB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("SNNLIB_PUBLISHED", str(tmp_path / "published"))

    def of(**given):
        return Run.of(VggParameters(preset="quick", T=2, width=0.1, epochs=1, n_images=32, **given))

    return of


def test_a_case_has_its_nulls_and_ceilings_and_is_computed_once(vgg, computed):
    run = vgg()
    assert run.architecture == "VGG-11"
    found = further_case(run)
    kinds = [name.split("-")[0] for name in computed]
    assert (kinds.count("digits"), kinds.count("cka")) == (8, 10)  # networks trained and not; comparisons
    assert found.case.title == "VGG-11 on Digits"
    assert {network.spec.model.arch for network in found.networks} == {"vgg11"}
    assert set(found.curves["series"]) == {
        *("SNN × ANN", "ceiling, SNN × SNN", "ceiling, ANN × ANN", "untrained", "shuffled")
    }
    assert [bound.effect.seeds for bound in c8(found.case).bounds] == [2, 2, 2]

    # the curve is the mean over the two pairs of other seeds, compared here without store and study
    data = run.store.images(run.data)
    models = {(n.spec.model.spiking, n.spec.seed): n.model for n in found.networks}
    diagonals = [
        np.diag(similarity.compare(models[True, i], models[False, 1 - i], batches_of(data, 32, 256))) for i in (0, 1)
    ]
    curve = found.cka[found.cka["series"] == "SNN × ANN"]["value"]
    np.testing.assert_allclose(curve, np.mean(diagonals, axis=0), atol=1e-5)

    # the other measures have the same series, and the text the numbers of the curves
    by_measure = found.curves.groupby("measure")["series"].unique()
    assert len(by_measure) == len(similarity.MEASURES) > 1
    assert all(set(series) == set(found.cka["series"]) for series in by_measure)
    said = in_words(found)
    values = found.cka.pivot(index="position", columns="series", values="value").dropna()
    assert f"Averaged over {len(values)} layers" in said
    assert f"SNN × ANN is **{values['SNN × ANN'].mean():.2f} (" in said
    assert f"ANN × ANN {values['ceiling, ANN × ANN'].mean():.2f} (" in said
    assert f"its ceiling is SNN × SNN {values['ceiling, SNN × SNN'].mean():.2f} (" in said
    # pair by pair, the verdict's own numbers
    table = [row.strip("|").split(" | ") for row in pairs_in_words(found).splitlines() if re.match(r"\| \d", row)]
    assert [row[0].strip() for row in table] == ["1", "2"]
    acts = [i for i, layer in enumerate(found.cross["layer_a"].values) if found.cross["kind_a"].values[i] == "act"]
    case = found.case
    of_pair = (case.cross[0], case.untrained[0], case.shuffled[0], *case.ceilings[0])
    known = np.stack([np.diag(cka.values[0]) for cka in of_pair])
    means = known[:, [i for i in acts if np.isfinite(known[:, i]).all()]].mean(1)
    assert [float(cell.replace("−", "-")) for cell in table[0][1:6]] == pytest.approx(means, abs=0.00501)

    shares = [n.history[-1]["test_accuracy"] for n in found.networks if n.spec.model.spiking]
    assert f"SNN {100 * np.mean(shares):.1f} % (" in said
    assert said.endswith("n = 32 images, 2 pairs of networks (ceiling and shuffled images: one pair).")

    rows = found.cka[found.cka["series"] == "SNN × ANN"].reset_index()
    pooled = np.flatnonzero((rows["kind"] == "pool") & np.isfinite(rows["value"]))
    by_pair = [diagonal[pooled].mean() for diagonal in diagonals]
    value, low, high, layers = re.fullmatch(
        r"(\S+) \((\S+) to (\S+)\), (\d+) layers", by_operation(found)["pool"].replace("−", "-")
    ).groups()
    assert int(layers) == len(pooled) > 1
    assert float(value) == pytest.approx(np.mean(by_pair), abs=0.0051)
    of_seeds = stats.t.ppf(0.975, 1) * np.std(by_pair, ddof=1) / np.sqrt(2)
    assert (float(high) - float(low)) / 2 > of_seeds - 0.01  # to which the images add theirs

    told = measures_in_words(found)
    table = [row.strip("| ").split(" | ") for row in told.splitlines() if row.startswith("|")]
    series = table[0][1:]
    curves = found.curves.set_index(["measure", "series", "layer"])["value"].unstack("series")
    expected = curves[series].dropna().groupby("measure").mean()
    for name, *cells in table[2:]:
        assert [float(cell.replace("−", "-")) for cell in cells] == pytest.approx(expected.loc[name], abs=0.00501)
    no_more = {name for name, row in expected.iterrows() if row["SNN × ANN"] <= row["untrained"]}
    assert [row[0] for row in table[2:]] == list(found.curves["measure"].unique())
    assert set(re.split(", ", "".join(re.findall(r"^By (.*), SNN × ANN is no more", told, re.M)))) - {""} == no_more

    before = len(computed)
    further_case(vgg())
    assert len(computed) == before


def test_one_seed_has_no_ceiling(vgg, computed):
    found = further_case(vgg(seeds=1))
    assert not found.case.ceilings
    assert not found.curves["series"].str.startswith("ceiling").any()
    assert c8(found.case).word == "undecided"
    assert "its ceiling is unknown, for want of a second seed" in in_words(found)
    assert "1 pair of networks" in in_words(found)
    assert pairs_in_words(found) == ""


def test_samples_are_the_first_images_of_classes_that_have_some(vgg):
    run = vgg()
    data = run.store.images(run.data)
    kept = np.flatnonzero(np.isin(data.test.labels, [1, 4, 8]))
    few = replace(data, test=Split(data.test.images[kept], data.test.labels[kept]))
    for count, classes in ((2, ["1", "8"]), (8, ["1", "4", "8"])):
        shown = samples(few, count)
        assert shown["class"].values.tolist() == classes
        assert shown.dims == ("class", "channel", "row", "column")
        for image in shown:
            first = next(i for i, label in enumerate(few.test.labels) if label == int(image["class"]))
            assert np.array_equal(image, few.test.images[first])


def test_samples_of_a_folder_have_a_name_that_needs_no_quotes(vgg):
    data = vgg().data.model_copy(update={"dataset": "folder:/some where/my pictures"})
    assert SamplesSpec(data=data).slug == "samples-my_pictures"


def test_examples_are_test_images_of_their_class(vgg, tmp_path, monkeypatch):
    run = vgg()
    data = run.store.images(run.data)
    shown = examples(run)
    assert shown["class"].values.tolist() == ["0", "1", "3", "4", "5", "6", "8", "9"]
    for image in shown:
        (row,) = np.flatnonzero((data.test.images == image.values).all((1, 2, 3)))[:1]
        assert data.test.labels[row] == int(image["class"])

    def missing(*_):
        raise MissingData("not at hand")

    published = Store(cache=tmp_path / "elsewhere")
    publish(run.store, SamplesSpec(data=run.data))
    monkeypatch.setattr(Store, "images", missing)
    assert examples(replace(run, store=published)).equals(shown), "pictures of a published entry are not rounded"
    assert examples(replace(run, store=Store(tmp_path / "empty", tmp_path / "nothing"))) is None
    with pytest.raises(SpecError, match="moving-digits holds event streams; only still images have samples"):
        SamplesSpec(data=run.data.model_copy(update={"dataset": "moving-digits", "frames": 2}))
