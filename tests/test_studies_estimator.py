"""The page that tests the estimators says what theory says; and its parameters are checked."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from snnlib.parameters import EstimatorParameters
from snnlib.similarity import MEASURES
from snnlib.spec import SpecError
from snnlib.studies import estimator


def test_bias_is_that_of_theory() -> None:
    table = estimator.bias([40], [5, 2000], repeats=20).set_index(["truth", "estimator", "p"])["value"]
    assert table[0.0, "debiased", 2000] == pytest.approx(0, abs=0.03)
    # H K H of n images is then nearly p times the identity of n - 1 dimensions, for both: tr KL / |K||L| with
    # E tr KL = p^2 (n - 1) and E tr KK = p^2 (n - 1) + p (n - 1)^2 + p (n - 1)
    m, p = 39, 2000
    assert table[0.0, "biased", p] == pytest.approx(p * p * m / (p * p * m + p * m * m + p * m), abs=0.005)
    for p in (5, 2000):
        assert table[0.5, "debiased", p] == pytest.approx(0.5, abs=0.05)
        assert table[0.5, "biased", p] > table[0.5, "debiased", p] + 0.02


def test_nulls_hold_what_is_declared() -> None:
    table = estimator.nulls(40, [5, 400], repeats=30)
    assert set(table["measure"]) == {about.title for about in MEASURES.values()}
    known = table.dropna(subset=["expected"])
    assert len(known) == 2 * (len(MEASURES) - 1)
    half = (known["high"] - known["low"]) / 2
    assert ((known["value"] - known["expected"]).abs() < 2.5 * half).all()
    unknown = table[table["expected"].isna()].set_index("features")["value"]
    assert unknown[400] > unknown[5] + 0.3


def test_invariances_move_nothing_and_the_rest_does() -> None:
    table = estimator.invariances()
    assert table.loc[~table["seen"], "moved"].max() < 1e-6
    assert table.loc[table["seen"], "moved"].min() > 0.01
    assert set(table.loc[table["seen"], "change"]) == {"order of images", "scale of one feature"}


def test_coverage_is_counted() -> None:
    table = estimator.coverage(20).set_index("what")
    assert table["repeats"].tolist() == [20, 200, 200, 200]
    assert table["covered"].between(0.75, 1).all()
    five = table["covered"].iloc[-1]
    assert binomtest(round(five * 200), 200, 0.94).pvalue > 1e-3
    assert np.isfinite(table["covered"]).all()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"sizes": "8,32"}, "sizes = 8 .* at least 12"),
        ({"features": 0}, "features = 0 .* at least 1"),
        ({"repeats": 1}, "repeats = 1 .* at least 2"),
        ({"size": 3}, "size = 3: EstimatorParameters has no such parameter"),
    ],
)
def test_parameters_name_the_value(given: dict, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        EstimatorParameters(**given)


def test_parameters_may_come_as_text() -> None:
    assert EstimatorParameters(sizes="12, 64", features=8).sizes == (12, 64)
