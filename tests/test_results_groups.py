"""What the store keeps of comparisons: groups of images for the jackknife, corresponding layers by all measures."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from snnlib.parameters import Parameters
from snnlib.run import Run
from snnlib.spec import MeasuresSpec, SpecError
from snnlib.store import Store


def untrained(run: Run, seed: int = 0, spiking: bool = True, **setting: object):
    return run.network(spiking=spiking, seed=seed, epochs=0, **setting)


def test_a_comparison_is_kept_with_its_groups_and_given_without_unless_asked(run, computed) -> None:
    a, b = untrained(run), untrained(run, 1, spiking=False)
    whole, groups = run.compare(a, b), run.compare(a, b, groups=True)
    assert whole.dims == ("layer_a", "layer_b")
    assert groups.sizes["group"] == 9
    np.testing.assert_array_equal(groups[0], whole)
    assert not np.allclose(groups[1], whole, equal_nan=True)
    assert len(computed) == 3  # two networks, one comparison
    assert run.rates(a).dims == ("layer", "step")
    assert run.rates(a, groups=True).sizes["group"] == 9


def test_with_too_few_images_there_are_no_groups(run) -> None:
    few = Run.of(Parameters(T=2, width=0.25, epochs=1, n_images=7))
    a = untrained(few)
    assert few.compare(a, a, groups=True).sizes["group"] == 1
    assert few.measures(a, a).sizes["group"] == 1
    assert few.rates(a, groups=True).sizes["group"] == 1


def test_measures_come_back_as_they_were(run, computed) -> None:
    a, b = untrained(run), untrained(run, 1, spiking=False)
    found = run.measures(a, b)
    spec = MeasuresSpec(a=a, b=b, n_images=32)
    xr.testing.assert_identical(Store().get(spec), found)
    assert computed.count(spec.name) == 1
    np.testing.assert_allclose(found.similarity.sel(measure="cka")[0], np.diag(run.compare(a, b)), atol=1e-5)
    assert found.similarity.attrs["n_images"] == 32
    null = run.measures(a, a, pairing="shuffled", jackknife=False)
    left_out = null.similarity.sel(layer="stem.conv")[:, 1:]
    assert np.isfinite(left_out.sel(measure=["cka", "rsa_pearson"])).all()
    assert left_out.sel(measure=["procrustes", "neighbours"]).isnull().all()
    assert abs(null.similarity.sel(measure="cka", layer="stem.conv")[0].item()) < 0.3
    assert np.isnan(null.accuracy_b).all()  # shuffled images come without labels


def test_layers_that_do_not_correspond_are_refused_by_the_spec(run) -> None:
    with pytest.raises(SpecError, match=r"a is a resnet20, b a resnet38: their layers do not correspond"):
        run.measures(untrained(run), untrained(run, depth=38))
