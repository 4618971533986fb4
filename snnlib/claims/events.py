r"""C6: event-stream input changes the comparison of spiking with ordinary networks.

What an input does to all networks alike is no change of the comparison *between kinds*: a harder input makes two SNNs
less similar, too. So the similarity is measured by how far it falls short of its ceiling. Over corresponding layers
:math:`l`, for one pair of seeds (i, j),

.. math:: d = \frac{1}{|l|} \sum_l \Bigl[\tfrac12 \bigl(\mathrm{CKA}(S_i, S_j) + \mathrm{CKA}(A_i, A_j)\bigr)
          - \mathrm{CKA}(S_i, A_j)\Bigr]_l, \qquad \Delta = d_\text{events} - d_\text{images}.

The claim names no direction, so :math:`|\Delta|` is judged, with the interval that follows from that of
:math:`\Delta`: from its end nearer to zero (or zero, where it holds zero) to the farther one.
"""

from __future__ import annotations

from collections.abc import Sequence

import xarray as xr

from snnlib.claims.verdict import Bound, Claim, Verdict, judge
from snnlib.evidence import Effect, allowing_for_shared, effect, magnitude
from snnlib.tables import means_in_common

MARGIN = 0.05  # in CKA: less is no change worth the name
CEILINGS = (1, 2, 4, 5)  # places among the six arrays of a pair

C6 = Claim(
    id="C6",
    short="events change the comparison",
    statement="Event-stream input changes the comparison of spiking with ordinary networks.",
    criterion=(
        "The shortfall is how far SNN × ANN lies below its ceiling, the mean of SNN × SNN and ANN × ANN of other "
        "seeds, averaged over corresponding layers. The claim is supported if the shortfall on events differs from "
        f"that on images, up or down, by at least {MARGIN} in CKA with the whole 95 % interval of the difference; it "
        f"is not supported if the interval lies wholly between −{MARGIN} and {MARGIN}; else it is undecided."
    ),
    where="input section",
    pages=("05_event_data",),
)


def mean_shortfall(triples: Sequence[tuple[xr.DataArray, ...]]) -> Effect:
    """The module's d over pairs of networks: for each SNN x ANN, SNN x SNN and ANN x ANN."""
    found = effect("shortfall below the ceiling (CKA)", shortfall, triples)
    return allowing_for_shared(found, *([arrays[i] for arrays in triples] for i in (1, 2)))


def shortfall(*arrays: xr.DataArray) -> float:
    """The module's d: by how much CKA of SNN × ANN falls short of its ceiling, the mean of SNN × SNN and ANN × ANN."""
    cross, snn, ann = means_in_common(*arrays)
    return (snn + ann) / 2 - cross


def changed(*arrays: xr.DataArray) -> float:
    """The module's Δ of one pair: cross, SNN and ANN on events, then the same on images.

    Over the layers that have a value in all six: one that is silent on events alone would not change the comparison but
    what is averaged.
    """
    cross, snn, ann, cross_still, snn_still, ann_still = means_in_common(*arrays)
    return (snn + ann) / 2 - cross - ((snn_still + ann_still) / 2 - cross_still)


def change(pairs: Sequence[tuple[xr.DataArray, ...]]) -> Effect:
    """Δ with its sign: positive where events drive the two kinds of network further apart than images do."""
    found = effect("change of the shortfall from images to events (CKA)", changed, pairs)
    return allowing_for_shared(found, *([arrays[i] for arrays in pairs] for i in CEILINGS))


def c6(pairs: Sequence[tuple[xr.DataArray, ...]]) -> Verdict:
    """The verdict on C6.

    Args:
        pairs: for each pair of seeds six arrays of CKA by layer: SNN × ANN, SNN × SNN and ANN × ANN on events, then the
            same three on the images behind them.
    """
    return judge(C6, [Bound(magnitude(change(pairs)), MARGIN)])
