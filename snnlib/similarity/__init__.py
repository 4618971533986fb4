"""Similarity of representations: of two sets of features, and of all layers of two networks."""

from snnlib.similarity.cka import cka
from snnlib.similarity.compare import GROUP, GROUPS, compare, compare_groups, least_images
from snnlib.similarity.gram import gram

__all__ = ["GROUP", "GROUPS", "cka", "compare", "compare_groups", "gram", "least_images"]
