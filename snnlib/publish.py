"""Publishing: entries of the cache become files of the repository; and the check that they can be made again.

The weights of a network are published in half precision, if the halved network computes the same: debiased CKA with the
full one above 0.9999 in every layer, on test images. Else they stay as they are. The card says which, and how near.

Numbers of a result that have fractions are published as 16-bit multiples of a step, 1/32,000 of the largest number of
their variable, which is far finer than what images and seeds leave open, and compressed. The card says the steps.
"""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from snnlib import similarity
from snnlib.devices import best_device
from snnlib.entries import Entry
from snnlib.experiments import RESULT, WEIGHTS, test_batches
from snnlib.spec import CompareSpec, DataSpec, MeasuresSpec, RatesSpec, Spec, SpecError, TrainSpec, networks_of
from snnlib.store import Store

STEPS = 32_000  # of a published number: as many as 16 bits hold on either side of zero
SAME = 0.9999  # least CKA with the full network, of every layer of the halved one
IMAGES, BATCH = 1024, 256  # that the two are compared on
# How far a result may be off that is computed again: on another processor sums are rounded otherwise, and a rounding
# error near the threshold is a spike more or less.
TOLERANCES: dict[type[Spec], float] = {CompareSpec: 0.005, RatesSpec: 0.005, MeasuresSpec: 0.01}


def publish(store: Store, spec: Spec, *, full: bool = False) -> Path:
    """Copy the entry of `spec` into the published layer, weights and numbers in 16 bits as the module's text says.

    Args:
        full: leave weights and numbers as they are.

    Returns:
        Its folder there.

    Raises:
        SpecError: neither layer has it; or a network is to be halved, and its images are not at hand.
    """
    if full:
        return store.publish(spec)
    if not isinstance(spec, TrainSpec):
        return store.publish(spec, lambda folder, entry: entry.card | {"rounded_to": packed(folder / RESULT)})

    def with_half(folder: Path, entry: Entry) -> dict[str, Any]:
        weights = halved(load_file(folder / WEIGHTS))
        least = least_cka(store, spec, weights)
        if least > SAME:
            save_file(weights, folder / WEIGHTS)
        n_images = min(IMAGES, len(store.images(spec.data).test))
        half = {"taken": least > SAME, "least_cka": least, "n_images": n_images, "of": entry.checksum}
        return entry.card | {"half": half}

    return store.publish(spec, with_half)


def packed(path: Path) -> dict[str, float]:
    """Write the floating-point numbers of a result's file as 16-bit integers, and compress all variables.

    Missing numbers stay missing. A variable that has an infinite number, or none but zeros, keeps its numbers.

    Returns:
        Variable -> the step that its numbers are multiples of.
    """
    found = xr.load_dataset(path, engine="h5netcdf").drop_encoding()
    steps, encoding = {}, {}
    for name, values in found.data_vars.items():
        if not (values.size and np.issubdtype(values.dtype, np.number)):
            continue
        encoding[name] = {"zlib": True, "complevel": 9, "shuffle": True}
        if np.issubdtype(values.dtype, np.floating):
            step = float(np.abs(values).max()) / STEPS  # nan where all are missing
            if 0 < step < np.inf:
                steps[name] = step
                encoding[name] |= {"dtype": "int16", "_FillValue": np.iinfo(np.int16).min, "scale_factor": step}
    found.to_netcdf(path, engine="h5netcdf", encoding=encoding)
    return steps


def halved(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Floating-point weights in 16 bits, the others as they are."""
    return {name: value.half() if value.is_floating_point() else value for name, value in weights.items()}


def least_cka(store: Store, spec: TrainSpec, weights: dict[str, Tensor]) -> float:
    """The lowest CKA, over layers, of a network and the same with other weights, on test images; nan if one has none.

    A layer that is silent in both networks, so that neither has a CKA with itself, is the same in both.
    """
    network = store.get(spec).model.to(best_device())
    other = copy.deepcopy(network)
    other.load_state_dict(weights)
    images = store.images(spec.data)
    batches = test_batches(images, min(IMAGES, len(images.test)), BATCH)
    cross, one, two = (_own(a, b, batches) for a, b in ((network, other), (network, network), (other, other)))
    alike = xr.where(one.isnull() & two.isnull(), 1.0, cross)
    return float(alike.min(skipna=False))


def _own(a: nn.Module, b: nn.Module, batches: Any) -> xr.DataArray:
    """CKA of every layer of `a` with the same layer of `b`."""
    found = similarity.compare(a, b, batches)
    values = np.diagonal(found.values)
    return xr.DataArray(values, dims="layer", coords={"layer": found["layer_a"].values})


@dataclass(frozen=True)
class Check:
    """A published result, and how far from it what was computed again lies at most."""

    entry: Entry
    difference: float

    @property
    def passed(self) -> bool:
        return self.difference <= TOLERANCES[type(self.entry.spec)]


def verifiable(store: Store) -> list[Entry]:
    """Published results whose trained networks are published, too. Attacks are left out, since they amplify
    rounding, and so are examples of the data, which no network bears on."""
    entries = [entry for entry in store.entries() if entry.layer == "published"]
    names = {entry.folder.name for entry in entries}

    def has_networks(spec: Spec) -> bool:
        return all(network.epochs == 0 or network.name in names for network in networks_of(spec))

    return [entry for entry in entries if type(entry.spec) in TOLERANCES and has_networks(entry.spec)]


def at_hand(store: Store, entries: list[Entry]) -> tuple[list[Entry], dict[DataSpec, SpecError]]:
    """Those of published results whose images are at hand or can be downloaded, and what is wrong with other images.

    A data set of the same name may hold other images: all of them where the results are of a subset.
    """
    data = [next(networks_of(entry.spec)).data for entry in entries]
    missing = {}
    for one in dict.fromkeys(data):
        try:
            store.images(one)
        except SpecError as error:
            missing[one] = error
    return [entry for entry, one in zip(entries, data, strict=True) if one not in missing], missing


def verify(store: Store, entries: Iterable[Entry]) -> list[Check]:
    """Compute published results again from the published weights, and compare.

    What the cache has of the same networks plays no part, be it newer.

    Raises:
        SpecError: their images are not at hand.
    """
    with tempfile.TemporaryDirectory() as scratch, torch.random.fork_rng(devices=[]):
        alone = store.without_cache(Path(scratch))
        return [Check(entry, largest_difference(store.read(entry), alone.compute(entry.spec))) for entry in entries]


def largest_difference(one: Any, other: Any) -> float:
    """Between two results of one kind, over all numbers; infinite where only one has a value, or shapes differ."""
    if isinstance(one, xr.Dataset):
        names = [name for name in one.data_vars if np.issubdtype(one[name].dtype, np.floating)]
        return max(largest_difference(one[name], other[name]) for name in names)
    if one.dims != other.dims or one.shape != other.shape:
        return float("inf")
    a, b = one.values, other.values
    if (np.isnan(a) != np.isnan(b)).any():
        return float("inf")
    return float(np.nanmax(np.abs(a - b), initial=0.0))
