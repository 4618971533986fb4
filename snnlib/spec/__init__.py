"""What to train and what to compare, as validated, hashable descriptions.

A *spec* says everything that bears on a result, and nothing else: not where files lie, not which device computes.
Two specs that are equal have the same canonical form and so the same hash, which is the name the store keeps a
model or a result under. The presets `quick`, `laptop` and `paper` are the values a spec takes when a user says none.
"""

from snnlib.spec.attacks import AttackSpec
from snnlib.spec.base import (
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Spec,
    SpecError,
    UnitFloat,
    explain,
)
from snnlib.spec.networks import (
    DEPTHS,
    STAGES,
    VGG_DEPTHS,
    DataSpec,
    ModelSpec,
    TrainSpec,
    networks_among,
    networks_of,
)
from snnlib.spec.presets import PRESETS, Preset
from snnlib.spec.results import GROUP, MIN_IMAGES, CompareSpec, MeasuresSpec, RatesSpec, SamplesSpec, StreamSpec

__all__ = [
    "DEPTHS",
    "GROUP",
    "MIN_IMAGES",
    "PRESETS",
    "STAGES",
    "VGG_DEPTHS",
    "AttackSpec",
    "CompareSpec",
    "DataSpec",
    "MeasuresSpec",
    "ModelSpec",
    "NonNegativeInt",
    "PositiveFloat",
    "PositiveInt",
    "Preset",
    "RatesSpec",
    "SamplesSpec",
    "Spec",
    "SpecError",
    "StreamSpec",
    "TrainSpec",
    "UnitFloat",
    "explain",
    "networks_among",
    "networks_of",
]
