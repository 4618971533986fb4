"""Spiking neurons: `LIF`, and the surrogate gradients it is trained with."""

from snnlib.neurons.lif import LIF, Backend
from snnlib.neurons.surrogate import DSPIKE_GAMMA, Surrogate, dspike, triangular

__all__ = ["DSPIKE_GAMMA", "LIF", "Backend", "Surrogate", "dspike", "triangular"]
