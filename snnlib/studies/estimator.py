r"""The estimators on data whose answer is known; no network, no store.

The truth with something in common: :math:`X = Z`, :math:`Y = Z + \sigma E` with independent standard Gaussian
:math:`Z, E \in \mathbb{R}^{n \times p}`. Of infinitely many images, linear CKA is
:math:`\lVert \Sigma_{XY} \rVert_F^2 / (\lVert \Sigma_X \rVert_F \lVert \Sigma_Y \rVert_F) = 1 / (1 + \sigma^2)`
(Kornblith et al. 2019), whatever :math:`p`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch

from snnlib.intervals import interval
from snnlib.similarity import GROUPS, MEASURES, cka, measure
from snnlib.similarity.corresponding import kept_images
from snnlib.similarity.measures import ratio, terms_of

TRUTH = 0.5  # CKA with sigma = 1
CHANGED = (64, 12)  # images and features, in the test of what a measure must not see
COVERED = (256, 8)  # images and features, in the test of the interval


def invariances(n: int = CHANGED[0], p: int = CHANGED[1], seed: int = 0) -> pd.DataFrame:
    """By how much each measure moves at most, of two related sets of features, when one of them is changed.

    Columns measure, change, moved, and seen: whether the measure should see it.
    """
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, p)) * np.arange(1, p + 1)
    y = x[:, p // 2 :] + rng.normal(size=(n, p - p // 2))
    changed = {
        "rotation": x @ np.linalg.qr(rng.normal(size=(p, p)))[0],
        "permutation": x[:, rng.permutation(p)],
        "scale": 1e-3 * x,
        "shift": x + rng.normal(size=p),
        "scale of one feature": x * np.r_[30, np.ones(p - 1)],
        "order of images": x[rng.permutation(n)],
    }
    return pd.DataFrame(
        {
            "measure": about.title,
            "change": change,
            "moved": abs(measure(name, other, y) - measure(name, x, y)),
            "seen": change not in about.invariances,
        }
        for name, about in MEASURES.items()
        for change, other in changed.items()
    )


def nulls(n: int, features: Sequence[int], repeats: int, seed: int = 0) -> pd.DataFrame:
    """Every measure of independent Gaussian features: columns measure, features, value, low, high, expected.

    Mean and 95 % interval over repeats; expected is the null that the measure declares, nan where it has none.
    """
    rows = []
    for p in features:
        rng = np.random.default_rng([seed, n, p])
        draws = [(rng.normal(size=(n, p)), rng.normal(size=(n, p))) for _ in range(repeats)]
        for name, about in MEASURES.items():
            expected = about.null(n) if about.null else np.nan
            rows.append(
                {"measure": about.title, "features": p, **_summary([measure(name, x, y) for x, y in draws])}
                | {"expected": expected}
            )
    return pd.DataFrame(rows)


def bias(sizes: Sequence[int], features: Sequence[int], repeats: int, seed: int = 0) -> pd.DataFrame:
    """Biased and debiased CKA where the truth is 0, and where it is `TRUTH`, by n and p.

    Columns truth, n, p, estimator, value, low, high: mean and its 95 % interval over repeats.
    """
    rows = []
    for n in sizes:
        for p in features:
            rng = np.random.default_rng([seed, n, p])
            values: dict[tuple[float, str], list[float]] = {}
            for _ in range(repeats):
                x, e = rng.normal(size=(n, p)), rng.normal(size=(n, p))
                for truth, y in ((0.0, e), (TRUTH, x + e)):
                    for name, debiased in (("biased", False), ("debiased", True)):
                        values.setdefault((truth, name), []).append(cka(x, y, debiased))
            rows += [
                {"truth": truth, "n": n, "p": p, "estimator": name, **_summary(found)}
                for (truth, name), found in values.items()
            ]
    return pd.DataFrame(rows)


def coverage(repeats: int, seed: int = 0) -> pd.DataFrame:
    """How often the book's 95 % intervals hold the truth: columns what, covered, repeats.

    First the jackknife over images, of debiased CKA of `COVERED` images and features. Then intervals over images and
    seeds together, of normal errors that are alike, with 2, 3 and 5 pairs of networks.
    """
    rng = np.random.default_rng([seed, 1])
    n, p = COVERED
    kept = torch.from_numpy(kept_images(n, GROUPS))
    hits = 0
    for _ in range(repeats):
        x = rng.normal(size=(n, p))
        y = x + rng.normal(size=x.shape)
        whole, *left = ratio(terms_of("cka", torch.from_numpy(x @ x.T), torch.from_numpy(y @ y.T), kept))
        low, high = interval([whole], [left])
        hits += low <= TRUTH <= high
    rows = [{"what": f"images (CKA, n = {n}, p = {p})", "covered": hits / repeats, "repeats": repeats}]
    for pairs in (2, 3, 5):
        hits, many = 0, 10 * repeats
        for _ in range(many):
            images = rng.normal(size=GROUPS)  # an error of each group, the same for all pairs
            seeds = rng.normal(size=pairs) * np.sqrt(pairs / GROUPS)  # so that both variances of the mean are alike
            left = [(images.sum() - images) / (GROUPS - 1) + s for s in seeds]
            low, high = interval(images.mean() + seeds, left)
            hits += low <= 0 <= high
        rows.append({"what": f"images and seeds, {pairs} pairs", "covered": hits / many, "repeats": many})
    return pd.DataFrame(rows)


def _summary(values: Sequence[float]) -> dict[str, float]:
    low, high = interval(values)
    return {"value": float(np.mean(values)), "low": low, "high": high}
