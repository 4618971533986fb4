"""Training: one network from its spec, as fast as the machine allows, resumed after a crash."""

from snnlib.training.checkpoint import Checkpoint
from snnlib.training.loop import Network, Stopped, TrainingDiverged, build, evaluate, train

__all__ = ["Checkpoint", "Network", "Stopped", "TrainingDiverged", "build", "evaluate", "train"]
