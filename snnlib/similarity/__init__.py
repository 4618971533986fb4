"""Similarity of representations: of two sets of features, and of all layers of two networks."""

from snnlib.similarity.changed import compare_changed
from snnlib.similarity.cka import cka
from snnlib.similarity.compare import GROUP, GROUPS, compare, compare_groups, least_images
from snnlib.similarity.corresponding import compare_corresponding
from snnlib.similarity.gram import gram
from snnlib.similarity.measures import MEASURES, measure

__all__ = [
    "GROUP",
    "GROUPS",
    "MEASURES",
    "cka",
    "compare",
    "compare_changed",
    "compare_corresponding",
    "compare_groups",
    "gram",
    "least_images",
    "measure",
]
