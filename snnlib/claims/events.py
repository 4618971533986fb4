r"""C6: event-stream input changes the comparison of spiking with ordinary networks.

What an input does to all networks alike is no change of the comparison *between kinds*: a harder input makes two SNNs
less similar, too. So the similarity is measured by how far it falls short of its ceiling. Over corresponding layers
:math:`l`, for one pair of seeds (i, j),

.. math:: d = \frac{1}{|l|} \sum_l \Bigl[\tfrac12 \bigl(\mathrm{CKA}(S_i, S_j) + \mathrm{CKA}(A_i, A_j)\bigr)
          - \mathrm{CKA}(S_i, A_j)\Bigr]_l, \qquad \Delta = d_\text{events} - d_\text{images}.

The claim names no direction, so :math:`|\Delta|` is judged, with the interval that follows from that of
:math:`\Delta`: from its end nearer to zero (or zero, where it holds zero) to the farther one. Networks on events and
networks on images are different ones, also where their seeds are equal, so there is nothing to pair: :math:`\Delta` is
the difference of two means over pairs of networks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import xarray as xr

from snnlib.claims.verdict import Bound, Claim, Verdict, judge
from snnlib.evidence import Effect, difference, magnitude, stretch_for_shared
from snnlib.tables import in_common, of_corresponding

MARGIN = 0.05  # in CKA: less is no change worth the name

Triple = tuple[xr.DataArray, xr.DataArray, xr.DataArray]
"""Similarities of one pair of seeds, SNN × ANN, SNN × SNN and ANN × ANN."""

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


def shortfall(cross: xr.DataArray, snn: xr.DataArray, ann: xr.DataArray) -> float:
    """The module's d of one pair, from (layer,): the mean of both ceilings minus SNN × ANN; nan of no layers."""
    return float(((snn + ann) / 2 - cross).mean())


def relative_shortfall(cross: xr.DataArray, snn: xr.DataArray, ann: xr.DataArray) -> float:
    """The share of the ceiling that SNN × ANN falls short of, the ceiling being the geometric mean of both kinds.

    Similarity of two noisy copies is the product of what they share and of how reliable each is (Spearman's correction
    for attenuation): inputs that lower all three by one factor leave this number where it is. nan where a ceiling is
    not above zero.
    """
    both = float(snn.mean()) * float(ann.mean())
    return 1 - float(cross.mean()) / math.sqrt(both) if both > 0 and float(snn.mean()) > 0 else float("nan")


def layered(*sides: Sequence[Triple], kind: str | None = None) -> list[list[Triple]]:
    """Comparisons of all layers with all, as those of corresponding layers that have a value in all: see `common`."""
    return common(*map(by_layer, sides), kind=kind)


def by_layer(side: Sequence[Triple]) -> list[Triple]:
    """Of comparisons of all layers with all those of corresponding layers, (group, layer)."""
    return [tuple(map(of_corresponding, triple)) for triple in side]


def common(*sides: Sequence[Triple], kind: str | None = None) -> list[list[Triple]]:
    """Comparisons over (group, layer), of those layers alone that have a value in all of all sides.

    A layer that is silent on one input alone would change what is averaged, and not the comparison. `kind`: layers of
    this kind alone, such as "sum" for block outputs.
    """
    known = iter(in_common(*(array for side in sides for triple in side for array in triple), kind=kind))
    return [[tuple(next(known) for _ in triple) for triple in side] for side in sides]


def change(
    events: Sequence[Triple],
    images: Sequence[Triple],
    how: Callable[..., float] = shortfall,
    what: str = "change of the shortfall from images to events (CKA)",
) -> Effect:
    """Δ with its sign: positive where events drive the two kinds of network further apart than images do.

    Args:
        events, images: for each pair of seeds the three similarities that `how` makes one number of; as `layered` gives
            them, or others over "group".
        how: what is taken for the shortfall of a pair.
        what: it in words.
    """
    stretch = tuple(stretch_for_shared(len(side), *list(zip(*side, strict=True))[1:]) for side in (events, images))
    return difference(what, how, events, images, stretch=stretch)


def beyond(events: Sequence[Triple], images: Sequence[Triple], other: Sequence[Triple]) -> tuple[Effect, Effect]:
    """What another task on still images changes, and by how much more events change it; both with their sign.

    Args:
        events, images, other: as `change` takes them.
    """
    by_task = change(other, images, what="change of the shortfall from images to another task (CKA)")
    return by_task, change(events, other, what="change by events beyond that by another task (CKA)")


def c6(
    events: Sequence[Triple], images: Sequence[Triple], controls: Mapping[str, Sequence[Triple]] | None = None
) -> Verdict:
    """The verdict on C6, from CKA of all layers, (group, layer_a, layer_b).

    Args:
        events, images: what it is judged on.
        controls: by its name, the same on still images of another task. What that changes stands beside the verdict,
            above zero where it goes the way that events go.
    """
    signed = change(*layered(events, images))
    beside = {
        name: (_towards(signed, beyond(*layered(events, images, control))[0]),)
        for name, control in (controls or {}).items()
    }
    found = judge(C6, [Bound(magnitude(signed), MARGIN)], beside)
    way = "further apart on events" if signed.value > 0 else "less apart on events"
    return replace(found, remark=way if signed.has_sign else "")


def _towards(signed: Effect, other: Effect) -> Effect:
    """The other effect, above zero where it has the sign of the first."""
    return other if signed.value >= 0 else replace(other, value=-other.value, low=-other.high, high=-other.low)
