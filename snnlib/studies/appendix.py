"""The appendix: a further case, VGG networks or a data set of many classes, compared as the residual network is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd
import xarray as xr

from snnlib import tables
from snnlib.claims.appendix import Case
from snnlib.claims.spatial import means_judged
from snnlib.evidence import Effect, effect, number
from snnlib.run import Run
from snnlib.series import CEILINGS, CROSS, SHUFFLED, UNTRAINED, networks_compared
from snnlib.similarity import MEASURES
from snnlib.spec import SamplesSpec, SpecError, TrainSpec
from snnlib.studies import spatial
from snnlib.studies.rows import accuracy_in_words
from snnlib.studies.spatial import all_measures, by_all_measures
from snnlib.training import Network


@dataclass(frozen=True)
class FurtherCase:
    """Everything the appendix shows of a case: its networks, its comparisons, and each network within itself."""

    networks: list[Network]
    case: Case
    within: dict[str, xr.DataArray]  # "SNN" and "ANN" -> all layers of one network with one another
    measures: dict[str, list[xr.Dataset]]  # series -> corresponding layers by all measures, of one pair
    n_test: int  # test images that accuracies are shares of

    @property
    def cross(self) -> xr.DataArray:
        """SNN × ANN of the first pair of networks, on all images."""
        return tables.all_images(self.case.cross[0])

    @property
    def comparisons(self) -> dict[str, list[xr.DataArray]]:
        """Series of the chart along depth -> CKA of all layers, of every pair, or of the first for what they share."""
        case = self.case
        found = {CROSS: list(case.cross)}
        for both in case.ceilings[:1]:
            found |= {name: [ceiling] for name, ceiling in zip(CEILINGS, both, strict=True)}
        return found | {UNTRAINED: list(case.untrained), SHUFFLED: [case.shuffled[0]]}

    @cached_property
    def curves(self) -> pd.DataFrame:
        """Corresponding layers along depth by all measures, means over pairs; copy it to change it."""
        return by_all_measures(self.comparisons, self.measures)

    @property
    def cka(self) -> pd.DataFrame:
        """The curves of CKA alone."""
        curves = self.curves
        return curves[curves["measure"] == MEASURES["cka"].title]

    @property
    def size(self) -> str:
        """How many images and pairs of networks the numbers rest on, in words."""
        pairs = len(self.case.cross)
        return f"n = {self.cross.attrs['n_images']:,} images, {pairs} pair{'s' * (pairs > 1)} of networks"


def evidence(run: Run) -> Case:
    """What C8 is judged on in this case: trains what is missing for it, of all seeds, and compares it."""
    found = spatial.evidence(run)
    title = f"{run.architecture} on {run.title}"
    return Case(title, found.cross, found.untrained, found.shuffled, found.ceilings)


def further_case(run: Run) -> FurtherCase:
    """The evidence, and all else that the page of a case shows."""
    snn, ann = _networks(run)
    networks = run.train_all([*snn.values(), *ann.values()])
    case = evidence(run)
    (first, second), *_ = tables.seed_pairs(run.seeds)
    within = {
        "SNN": run.compare(snn[first], snn[first]),
        "ANN": run.compare(ann[second], ann[second]),
    }
    initial = run.pair((first, second), epochs=0)
    kinds = [run.one_kind((first, second))] if first != second else []
    measures = all_measures(run, [(snn[first], ann[second])], initial, kinds, jackknife=False)
    return FurtherCase(networks, case, within, measures, run.n_test)


def _networks(run: Run) -> tuple[dict[int, TrainSpec], dict[int, TrainSpec]]:
    """SNNs and ANNs by seed."""
    snn, ann = ({seed: run.network(spiking=kind, seed=seed) for seed in run.seeds} for kind in (True, False))
    return snn, ann


def in_words(results: FurtherCase) -> str:
    """Accuracies, and the mean CKA of corresponding layers beside its nulls and ceilings, for the page of a case."""
    curves = results.cka
    by_layer = curves.pivot(index="layer", columns="series", values="value").dropna()
    # over the layers that have a value in every series
    means = {name: _mean(arrays, by_layer.index).numbers(2) for name, arrays in results.comparisons.items()}
    silent = curves["layer"].nunique() - len(by_layer)
    left_out = f" ({silent} without a value in some series are left out)" if silent else ""
    ceilings = [f"{networks_compared(name)} {value}" for name, value in means.items() if name in CEILINGS]
    return (
        f"{accuracy_in_words(results.networks, results.n_test)} Averaged over {len(by_layer)} layers{left_out}, CKA "
        f"of SNN × ANN is **{means[CROSS]}**; its ceiling is "
        f"{' and '.join(ceilings) or 'unknown, for want of a second seed'}; untrained networks have "
        f"{means[UNTRAINED]}, shuffled images {means[SHUFFLED]}. {results.size}"
        f"{' (ceiling and shuffled images: one pair)' * (len(results.case.cross) > 1)}."
    )


def measures_in_words(results: FurtherCase) -> str:
    """The means of all measures as a table, and by which of them SNN × ANN is no more alike than untrained networks."""
    by_series = results.curves.pivot_table(
        index=["measure", "layer"], columns="series", values="value", dropna=False, sort=False
    ).dropna()
    means = by_series.groupby("measure", sort=False).mean()
    lines = [f"| {name} | {' | '.join(number(value, 2) for value in row)} |" for name, row in means.iterrows()]
    head = f"| mean over layers | {' | '.join(means.columns)} |"
    said = "\n".join([head, "|---" * (1 + len(means.columns)) + "|", *lines])
    if below := means.index[means[CROSS] <= means[UNTRAINED]].tolist():
        these = "this measure" if len(below) == 1 else "these measures"
        said += (
            f"\n\nBy {', '.join(below)}, SNN × ANN is no more alike than the untrained networks: by {these} what they "
            "share need not have been learned. (These are means without intervals.)"
        )
    return f"By all measures, those other than CKA of the first pair:\n\n{said}"


def pairs_in_words(results: FurtherCase) -> str:
    """What the verdict is made of, pair by pair of networks, as a table; "" without ceilings, which it needs."""
    rows = []
    case = results.case
    for k, both in enumerate(case.ceilings):
        found = (case.cross[k], case.untrained[k], case.shuffled[k], *both)
        cross, untrained, shuffled, *ceilings = means_judged(*map(tables.all_images, found))
        ceiling = sum(ceilings) / len(ceilings)
        way = f"{100 * (cross - untrained) / (ceiling - untrained):.0f} %" if ceiling > untrained else "–"
        numbers = " | ".join(number(value, 2) for value in (cross, untrained, shuffled, *ceilings))
        rows.append(f"| {k + 1} | {numbers} | {way} |")
    if not rows:
        return ""
    head = "| pair | SNN × ANN | untrained | shuffled | SNN × SNN | ANN × ANN | of the way from untrained to ceiling |"
    return (
        "Pair by pair, mean CKA of the layers that the claim is judged on, as far as they have a value in all of these "
        "comparisons. The verdict's first bound asks that the last column be at least 50 %, with its whole interval:"
        "\n\n" + "\n".join([head, "|---" * 7 + "|", *rows])
    )


def by_operation(results: FurtherCase) -> dict[str, str]:
    """Kind of operation -> mean CKA of SNN × ANN, its interval and the number of layers that it is over, in words."""
    curves = results.cka
    said = {}
    for kind, rows in curves[curves["series"] == CROSS].groupby("kind", sort=False):
        names = rows.dropna(subset="value")["layer"]
        layers = f", {len(names)} layer{'s' * (len(names) != 1)}"
        said[str(kind)] = _mean(results.comparisons[CROSS], names).numbers(2) + layers if len(names) else "no value"
    return said


def _mean(comparisons: Sequence[xr.DataArray], layers: Sequence[str]) -> Effect:
    """The mean CKA of some corresponding layers, over pairs of networks."""
    of_layers = [tables.of_corresponding(cka).sel(layer=list(layers)) for cka in comparisons]
    return effect("CKA of corresponding layers", lambda cka: float(cka.mean(skipna=False)), of_layers)


def examples(run: Run) -> xr.DataArray | None:
    """Test images of some classes, (class, channel, row, column), 0 to 255; None where stored results stand for images
    that are not at hand."""
    samples = SamplesSpec(data=run.data)
    try:
        return run.store.get(samples)
    except SpecError:  # missing, or others of the same name
        return None
