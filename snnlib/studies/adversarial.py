"""Adversarial images: what attacks on spiking and ordinary networks do to both, in accuracy and layer by layer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import xarray as xr

from snnlib import tables
from snnlib.run import Run
from snnlib.series import KINDS
from snnlib.spec import AttackSpec, TrainSpec
from snnlib.studies.rows import SECOND

# the released code's attack: PGD on normalised images, nothing kept to the range of pixels
RELEASED = {"method": "pgd", "epsilons": (0.01,), "steps": 20, "step": 0.1, "space": "normalised"}


@dataclass(frozen=True)
class Adversarial:
    """Results by (attacked on, shown to), each "SNN", "ANN" or "noise" on the left: one Dataset a pair of networks.

    `ceilings`: by kind of network, two of it that differ in their seed, on clean images: corresponding layers by the
    measures of the attacks. One seed: none.
    """

    found: dict[tuple[str, str], tuple[xr.Dataset, ...]]
    unit: str  # of epsilon
    ceilings: dict[str, xr.Dataset] = field(default_factory=dict)

    @property
    def epsilons(self) -> list[float]:
        return self.found["SNN", "SNN"][0]["epsilon"].values.tolist()

    @property
    def white_box(self) -> list[tuple[xr.Dataset, xr.Dataset]]:
        """An SNN and an ANN, each under attack on itself, for each pair: what the claim is judged by."""
        return list(zip(self.found["SNN", "SNN"], self.found["ANN", "ANN"], strict=True))

    @property
    def noise(self) -> list[tuple[xr.Dataset, xr.Dataset]]:
        """The same under noise: the null of the attacks."""
        return list(zip(*(self.found["noise", kind] for kind in KINDS), strict=True))


def evidence(run: Run) -> list[tuple[xr.Dataset, xr.Dataset]]:
    """What C7 is judged on, `Adversarial.white_box`: trains what is missing for it, and attacks it."""
    attacks = {key: spec for key, spec in _attacks(run).items() if key[0] in KINDS}
    run.make_all(_networks(run).values())  # now that nothing can be wrong with the attacks
    results = dict(zip(attacks, run.store.get_all(list(attacks.values())), strict=True))
    own = {key: result.isel(target=0) for key, result in results.items()}  # the first target is the source
    return [tuple(own[kind, k] for kind in KINDS) for k in range(len(own) // len(KINDS))]


def adversarial(run: Run) -> Adversarial:
    """Train the networks, attack the test images on each, and show them to it and to its partner."""
    networks, attacks = _networks(run), _attacks(run)
    run.make_all(networks.values())
    results = dict(zip(attacks, run.store.get_all(list(attacks.values())), strict=True))
    found: dict[tuple[str, str], tuple[xr.Dataset, ...]] = {}
    for source in (*KINDS, "noise"):
        for t, target in enumerate(KINDS[::-1] if source == "ANN" else KINDS):
            found[source, target] = tuple(
                result.isel(target=t) for (attacked, _), result in results.items() if attacked == source
            )
    ceilings = {}
    if len(run.seeds) > 1:
        for kind in KINDS:
            both = [networks[kind, seed] for seed in run.seeds[:2]]
            ceilings[kind] = run.measures(*both, measures=("cka", *SECOND))
    unit = "standard deviations of a channel" if run.given.released else "share of the range of pixels"
    return Adversarial(found, unit, ceilings)


def _networks(run: Run) -> dict[tuple[str, int], TrainSpec]:
    """By kind and seed."""
    return {(kind, seed): run.network(spiking=kind == "SNN", seed=seed) for kind in KINDS for seed in run.seeds}


def _attacks(run: Run) -> dict[tuple[str, int], AttackSpec]:
    """By what is attacked, a kind of network or, with noise, none, and the number of the pair of networks."""
    attack, common = _setting(run), {"n_images": run.value("n_images"), "measures": SECOND}
    noise = {name: attack[name] for name in ("epsilons", "space") if name in attack} | {"method": "noise", "start": 0}
    asked = {}
    for k, seeds in enumerate(tables.seed_pairs(run.seeds)):
        pair = run.pair(seeds)
        for source, targets in zip(KINDS, (pair, pair[::-1]), strict=True):
            asked[source, k] = AttackSpec(source=targets[0], targets=targets, **common, **attack)
        asked["noise", k] = AttackSpec(targets=pair, **common, **noise)
    return asked


def attack(run: Run) -> AttackSpec:
    """One of the attacks of a run, on an SNN: the others differ from it in their networks."""
    return next(iter(_attacks(run).values()))


def _setting(run: Run) -> dict[str, Any]:
    """The fields of `AttackSpec` that this run's parameters settle."""
    given = run.given
    if given.released:
        return dict(RELEASED)
    chosen: dict[str, Any] = {"method": given.method, "epsilons": run.value("epsilons")}
    if given.method == "pgd":
        chosen |= {"steps": run.value("attack_steps"), "start": 0 if given.random_start else None}
    return chosen
