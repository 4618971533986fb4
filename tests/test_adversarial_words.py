"""What is told of attacks, on made-up results with known answers."""

from __future__ import annotations

import numpy as np
import pytest
from attack_results import SAME, attacked, made_up, pair
from scipy.stats import binomtest

from snnlib.claims.adversarial import (
    differences,
    differences_by_block,
)
from snnlib.studies import adversarial as study
from snnlib.studies import adversarial_tables as tabled
from snnlib.studies import adversarial_words as words


def test_blocks_of_opposite_sign_are_told_though_they_cancel_in_the_mean():
    def apart(shift):
        snn, ann = pair(([0, 0.4, 0.6], SAME), ([0, 0.4, 0.6], SAME), shift)
        moved = ann["cka"].copy()
        moved[1:, 1] -= 0.1  # the first block drifts further in the ANN
        moved[1:, 2] += 0.1
        return snn, ann.assign(cka=moved)

    pairs = [apart(shift) for shift in (0.0, 0.01, -0.01)]
    assert [one.value for one in differences_by_block(pairs).values()] == pytest.approx([0.1, -0.1])
    assert [one.value for one in differences(pairs)] == pytest.approx([0, 0], abs=1e-9)
    said = words.signs_in_words(attacked(pairs))
    assert "wholly above zero in 1 of 2 blocks (farthest in `l1`, 0.100 (0.100 to 0.100))" in said
    assert "wholly below zero in 1 of 2 blocks (farthest in `l2`, −0.100 (−0.100 to −0.100))" in said
    assert said.endswith("cancels in the means that the verdict is on.")
    assert "At equal loss it is above zero in 1 of 2 and below in 1." in said
    assert "could not come of that" not in said
    little = [pair(([0, 0.01, 0.02], SAME), ([0, 0.02, 0.03], SAME), shift) for shift in (0.0, 0.001, -0.001)]
    assert "could not come of that" in words.signs_in_words(attacked(little))
    never = ([0, 0.01, 0.02], [0.8, 0.8, 0.8])  # keeps its accuracy throughout the sweep
    for kinds in ((never, ([0, 0.01, 0.02], SAME)), (([0, 0.01, 0.02], SAME), never)):
        said = words.signs_in_words(attacked([pair(*kinds, shift) for shift in (0.0, 0.001)]))
        assert "At equal loss" not in said
    grouped = [tuple(one.expand_dims(group=3).copy() for one in two) for two in pairs]
    assert list(differences_by_block(grouped)) == list(differences_by_block(pairs))
    alike = [pair(([0, 0.4, 0.8], SAME), ([0, 0.4, 0.8], SAME))] * 2
    assert "above zero in 0 of 2 blocks and wholly below zero in 0 of 2 blocks." in words.signs_in_words(
        attacked(alike)
    )


def test_texts_tell_what_was_lost_and_what_was_not():
    reached, robust = ([0, 0.2, 0.6], [0.8, 0.5, 0.1]), ([0, 0.2, 0.6], [0.8, 0.7, 0.6])
    found = {("SNN", "SNN"): [], ("ANN", "ANN"): []}
    for ann in (robust, reached):
        for kind, one in zip(("SNN", "ANN"), pair(reached, ann), strict=True):
            found[kind, kind].append(one)
    told = words.loss_in_words(study.Adversarial({key: tuple(pairs) for key, pairs in found.items()}, ""))
    assert "The SNN has lost 50 % of its clean accuracy at ε = 0.1250 (0.1250 to 0.1250)" in told
    assert "drifted by 0.300 (0.300 to 0.300) on average" in told
    assert "the ANN does not lose 50 % of its clean accuracy within the sweep in 1 of 2 pairs of networks" in told
    assert told.endswith("n = 100 images, 2 pairs of networks.")


@pytest.mark.parametrize(
    ("transfer", "answer"),
    [
        (
            [(0.8, 0.5), (0.81, 0.52)],
            "more by 20.5 (14.1 to 26.9) points, and up to 21.0 (8.3 to 33.7) points. The gradient of the ANN is no",
        ),
        ([(0.8, 0.1), (0.81, 0.1)], "is below zero at ε = 0.2 (-20.0 (-20.0 to -20.0) points): there the gradient"),
        (
            [(0.8, 0.5), (0.5, 0.5)],
            "whether its own gradient misleads at ε = 0.1 (5.0 (-185.6 to 195.6) points): interv",
        ),
        ([(0.8, 0.5)], "misleads at ε = 0.1 (20.0 (no interval) points), 0.2 (20.0 (no interval) points): one pair"),
    ],
)
def test_whether_a_gradient_misleads_has_three_answers(transfer, answer):
    """Of two pairs, half the interval is 12.7 times half their distance: 12.7 * 15 points for 20 and -10."""
    white_box = made_up([0, 0, 0], [0.9, 0.6, 0.3])
    found = {("SNN", "SNN"): (white_box,) * len(transfer)}
    found["ANN", "SNN"] = tuple(made_up([0, 0, 0], [0.9, *accuracies]) for accuracies in transfer)
    told = words._guide_in_words(study.Adversarial(found, "share"), "SNN")
    assert answer.replace("-", "−") in told
    below = words.transfer_minus_white_box(study.Adversarial(found, "share"), "SNN", 0.2)
    assert (below.value, below.n_images) == (pytest.approx(np.mean([b for _, b in transfer]) - 0.3), 100)


def test_the_table_of_accuracies_tells_what_was_attacked():
    """Keys of results are what an attack was made on, and what it was shown to."""
    clean_of = {"SNN": 0.8, "ANN": 0.9}
    shown = {"SNN": {"SNN": 0.1, "ANN": 0.2, "noise": 0.3}, "ANN": {"ANN": 0.4, "SNN": 0.5, "noise": 0.6}}
    found = {
        (source, target): (made_up([0, 0, 0], [clean_of[target], 0.7, at]).assign(label=("image", np.zeros(100, int))),)
        * 2
        for target, sources in shown.items()
        for source, at in sources.items()
    }
    head, _, *rows = words.accuracy_in_words(study.Adversarial(found, "share")).split("\n\n")[0].splitlines()
    assert head == "| accuracy (95 % interval) | SNN | ANN |"
    cells = {
        what.split(",")[0].strip(): [float(cell.split()[0]) for cell in of]
        for _, what, *of, _ in (r.split("|") for r in rows)
    }
    assert cells == {
        "clean": [80, 90],
        "noise": [30, 60],
        "attacked on the other kind (transfer)": [20, 50],
        "attacked on the network itself (white box)": [10, 40],
    }


def test_accuracies_are_tabled_with_their_interval():
    """Two networks of the same accuracy are as sure as Wilson's interval of their images; else less so."""

    def table(*accuracies):
        found = tuple(
            made_up([0, 0, 0], [0.9, at, 0.1]).assign(label=("image", np.zeros(100, int))) for at in accuracies
        )
        results = study.Adversarial({("SNN", "SNN"): found}, "share")
        return tabled.accuracy(results, {("SNN", "SNN"): "SNN"}).set_index("setting").loc[0.1]

    alike, apart = table(0.6, 0.6), table(0.5, 0.7)
    wilson = binomtest(60, 100).proportion_ci(method="wilson")
    assert alike["value"] == pytest.approx(60)
    assert (alike["low"], alike["high"]) == pytest.approx((100 * wilson.low, 100 * wilson.high), abs=0.2)
    assert apart["value"] == pytest.approx(60)
    assert apart["low"] < alike["low"] - 5
    assert apart["high"] > alike["high"] + 5
