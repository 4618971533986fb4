"""C7, on made-up results with known answers."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from attack_results import SAME, attacked, made_up, pair

from snnlib.claims.adversarial import (
    LEAST,
    at_loss,
    beyond_noise,
    c7,
    differences,
    drift,
    noise_at_loss,
    of_blocks,
)
from snnlib.studies import adversarial_words as words


def test_drift_is_averaged_over_blocks_alone():
    found = made_up([0, 0.2, 0.6], SAME)
    assert of_blocks(drift(found)).values == pytest.approx([0, 0.2, 0.6])
    with pytest.raises(ValueError, match="no block outputs"):
        of_blocks(drift(made_up([0, 0, 0], SAME, kinds=("conv", "bn"))))


def test_equal_loss_lies_between_two_epsilons():
    found = made_up([0, 0.2, 0.6], [0.8, 0.5, 0.1])  # half of 0.8 is a quarter of the way from 0.5 to 0.1
    there = at_loss(found)
    assert float(there["epsilon"]) == pytest.approx(0.125)
    assert float(of_blocks(there)) == pytest.approx(0.3)
    assert float(of_blocks(at_loss(found, lost=1 - 0.5 / 0.8))) == pytest.approx(0.2)
    never = at_loss(made_up([0, 0.2, 0.6], [0.8, 0.7, 0.6]))
    assert np.isnan(never).all()
    assert np.isnan(never["epsilon"])


def test_noise_is_of_the_size_that_the_attack_has_at_equal_loss():
    """Half of 0.9 is lost halfway from 0.1 to 0.2: there noise, too, is halfway between its drifts."""
    snn, ann = ([0, 0.4, 0.6], SAME), ([0, 0.3, 0.4], SAME)
    results = attacked([pair(snn, ann), pair(snn, ann, 0.01)], (0, 0.02, 0.06), (0, 0.01, 0.01))
    noise, found = results.found["noise", "SNN"][0], results.white_box[0][0]
    assert noise_at_loss(noise, found).sel(layer="l1").item() == pytest.approx(0.04)
    assert beyond_noise(results.white_box, results.noise).value == pytest.approx((0.35 - 0.01) - (0.5 - 0.04))
    said = words.signs_in_words(results)
    assert "by 0.040 (0.040 to 0.040) in the SNN and by 0.010 (0.010 to 0.010) in the ANN" in said
    assert "without that, ANN − SNN at equal loss is −0.120 (−0.120 to −0.120)" in said
    groups = xr.concat([found, found.assign(accuracy=found["accuracy"].copy(data=[0.9, 0.45, 0.3]))], "group")
    both = noise_at_loss(xr.concat([noise, noise], "group"), groups)  # each group of images at its own size
    assert both.dims == ("group", "layer")
    assert both.sel(layer="l2").values == pytest.approx([0.04, 0.02])
    never = made_up([0, 0.2, 0.6], [0.8, 0.7, 0.6])
    assert np.isnan(noise_at_loss(noise, never)).all()


def test_a_margin_larger_than_any_drift_is_told_beside_the_word():
    little = [pair(([0, 0.01, 0.02], SAME), ([0, 0.02, 0.03], SAME), shift) for shift in (0.0, 0.001, -0.001)]
    assert c7(little).remark == "at equal loss no network drifts as far as the margin"
    more = [pair(([0, 0.01, 0.02], SAME), ([0, 0.3, 0.4], SAME), shift) for shift in (0.0, 0.001, -0.001)]
    assert not c7(more).remark


def test_equal_loss_is_found_for_every_group_of_images_as_for_that_group_alone():
    parts = [
        made_up([0, drift, 0.6], accuracies)
        for drift, accuracies in (
            (0.2, [0.8, 0.5, 0.1]),
            (0.3, [0.8, 0.3, 0.1]),
            (0.4, [0.8, 0.7, 0.6]),
            (0.5, [0, 0, 0]),
        )
    ]
    together = at_loss(xr.concat(parts, "group", combine_attrs="override"))
    assert together.dims == ("group", "layer")
    for group, part in enumerate(parts):
        alone = at_loss(part)
        assert together[group].values == pytest.approx(alone.values, nan_ok=True)
        assert float(together["epsilon"][group]) == pytest.approx(float(alone["epsilon"]), nan_ok=True)
    assert np.isnan(together["epsilon"].values).tolist() == [False, False, True, True]


def test_networks_of_other_blocks_and_sweeps_of_other_epsilons_are_not_subtracted():
    one = made_up([0, 0.2, 0.6], SAME)
    for other in (
        made_up([0, 0.2, 0.6], SAME, kinds=("conv", "sum", "sum", "sum")),
        made_up([0, 0.2, 0.6], SAME, epsilons=(0, 0.2, 0.4)),
    ):
        with pytest.raises(ValueError, match="exact"):
            differences([(one, other)] * 2)
    with pytest.raises(ValueError, match="no results"):
        differences([])


def test_supported_where_one_kind_drifts_further_both_ways():
    more, less = ([0, 0.4, 0.8], SAME), ([0, 0.1, 0.3], SAME)
    for snn, ann, further in ((less, more, "the ANN further"), (more, less, "the SNN further")):
        verdict = c7([pair(snn, ann, shift) for shift in (0.0, 0.01, -0.01)])
        assert verdict.word == "supported"
        equal, lost = (bound.effect for bound in verdict.bounds)
        assert further in equal.what
        assert equal.value == pytest.approx(0.4)  # mean of 0.3 and 0.5
        # half of 0.9 is half way from 0.6 to 0.3
        assert lost.value == pytest.approx(0.4)
        assert (equal.n_images, equal.seeds) == (100, 3)


def test_not_supported_where_both_drift_alike():
    alike = ([0, 0.4, 0.8], SAME), ([0, 0.41, 0.8], SAME)
    assert c7([pair(*alike, shift) for shift in (0.0, 0.01, -0.01)]).word == "not supported"


def test_not_supported_where_only_the_attack_on_one_kind_is_stronger():
    """At equal epsilon the ANN drifts further, but only since its attack does more harm: at equal loss they agree."""
    weak, strong = ([0, 0.2, 0.4], [0.8, 0.6, 0.4]), ([0, 0.4, 0.8], [0.8, 0.4, 0.0])
    verdict = c7([pair(weak, strong, shift) for shift in (0.0, 0.001, -0.001)])
    assert [bound.word for bound in verdict.bounds] == ["supported", "not supported"]
    assert verdict.word == "not supported"


def test_not_supported_where_the_two_ways_disagree_in_direction():
    """The ANN drifts further at equal epsilon, the SNN at equal loss."""
    snn, ann = ([0, 0.3, 0.5], [0.8, 0.8, 0.0]), ([0, 0.5, 0.7], [0.8, 0.0, 0.0])
    verdict = c7([pair(snn, ann, shift) for shift in (0.0, 0.001, -0.001)])
    equal, lost = verdict.bounds
    assert (equal.effect.value, lost.effect.value) == pytest.approx((0.2, 0.15))
    assert "the ANN further" in equal.effect.what and "the SNN further" in lost.effect.what
    assert (equal.kept, lost.kept, verdict.word) == ("kept", "kept", "not supported")


@pytest.mark.parametrize("nudge", [1e-4, -1e-4])
def test_the_direction_does_not_hang_on_a_difference_of_nothing(nudge):
    """At equal epsilon the two drift alike but for a hair, at equal loss far apart: the hair must not decide."""
    snn, ann = ([0, 0.3, 0.5], [0.8, 0.8, 0.0]), ([0, 0.3, 0.5 + nudge], [0.8, 0.0, 0.0])
    verdict = c7([pair(snn, ann, shift) for shift in (0.0, 0.001, -0.001)])
    assert [bound.word for bound in verdict.bounds] == ["not supported", "supported"]
    assert verdict.word == "not supported"


def test_undecided_where_seeds_scatter_or_the_sweep_ends_too_soon_or_one_pair_is_all():
    more, less = ([0, 0.4, 0.8], SAME), ([0, 0.1, 0.3], SAME)
    assert c7([pair(less, more), pair(more, less), pair(less, more)]).word == "undecided"
    assert c7([pair(less, more)]).word == "undecided"
    robust = [0.9, 0.8, 0.7]
    early = [pair((less[0], robust), (more[0], robust), shift) for shift in (0.0, 0.01)]
    assert [bound.word for bound in c7(early).bounds] == ["supported", "undecided"]


def test_a_loss_that_the_sweep_does_not_reach_is_said_to_be_out_of_reach():
    reached, robust = ([0, 0.4, 0.8], SAME), ([0, 0.4, 0.8], [0.9, 0.8, 0.7])

    def told(*pairs):
        return c7(list(pairs)).bounds[1].effect.what

    assert "reach" not in told(pair(reached, reached), pair(reached, reached))
    assert told(pair(reached, robust), pair(reached, reached)).endswith(
        "(the sweep does not reach this loss in the ANN)"
    )
    assert told(pair(robust, robust)).endswith("(the sweep does not reach this loss in the SNN and the ANN)")
    known = pair(reached, reached)
    barely = xr.concat([known[0], pair(robust, reached)[0]], "group", combine_attrs="override")
    assert told((barely, known[1])).endswith(
        "(the sweep does not reach this loss in the SNN, without some of the images)"
    )


def test_groups_of_images_widen_the_interval():
    """The same pairs; with results that also tell what each group of images does to them."""
    more, less = ([0, 0.4, 0.8], SAME), ([0, 0.1, 0.3], SAME)
    pairs = [pair(less, more, shift) for shift in (0.0, 0.01)]
    rng = np.random.default_rng(0)

    def grouped(found: xr.Dataset) -> xr.Dataset:
        parts = [found, *(found.assign(cka=found["cka"] + rng.normal(0, 0.05)) for _ in range(8))]
        return xr.concat(parts, "group", combine_attrs="override")

    plain = c7(pairs).bounds[0].effect
    wide = c7([(grouped(snn), grouped(ann)) for snn, ann in pairs]).bounds[0].effect
    assert wide.value == pytest.approx(plain.value)
    assert wide.high - wide.low > plain.high - plain.low
    assert plain.low > LEAST
