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
from dataclasses import replace

import numpy as np
import xarray as xr

from snnlib.claims.verdict import Bound, Claim, Verdict, judge
from snnlib.evidence import Effect, effect
from snnlib.tables import corresponding

MARGIN = 0.05  # in CKA: less is no change worth the name

C6 = Claim(
    id="C6",
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


def shortfall(cross: xr.DataArray, snn: xr.DataArray, ann: xr.DataArray) -> float:
    """The module's d: by how much CKA of SNN × ANN falls short of its ceiling, mean over corresponding layers."""
    tables = [corresponding(array, "").set_index("layer")["value"] for array in (cross, snn, ann)]
    between, within_snn, within_ann = tables
    return float(np.nanmean((within_snn + within_ann) / 2 - between))  # a layer that never fires has no CKA


def changed(*arrays: xr.DataArray) -> float:
    """The module's Δ of one pair: cross, SNN and ANN on events, then the same on images."""
    return shortfall(*arrays[:3]) - shortfall(*arrays[3:])


def magnitude(signed: Effect) -> Effect:
    """The absolute value of an effect, with the interval that follows."""
    nearest = max(0.0, signed.low, -signed.high) if np.isfinite([signed.low, signed.high]).all() else float("nan")
    farthest = max(abs(signed.low), abs(signed.high))
    return replace(signed, what=f"size of the {signed.what}", value=abs(signed.value), low=nearest, high=farthest)


def change(pairs: Sequence[tuple[xr.DataArray, ...]]) -> Effect:
    """Δ with its sign: positive where events drive the two kinds of network further apart than images do."""
    return effect("change of the shortfall from images to events (CKA)", changed, pairs)


def c6(pairs: Sequence[tuple[xr.DataArray, ...]]) -> Verdict:
    """The verdict on C6.

    Args:
        pairs: for each pair of seeds six arrays of CKA by layer: SNN × ANN, SNN × SNN and ANN × ANN on events, then the
            same three on the images behind them.
    """
    return judge(C6, [Bound(magnitude(change(pairs)), MARGIN)])
