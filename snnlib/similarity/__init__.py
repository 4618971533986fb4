"""Similarity of representations: of two sets of features, and of all layers of two networks."""

from snnlib.similarity.cka import cka
from snnlib.similarity.compare import compare
from snnlib.similarity.gram import gram

__all__ = ["cka", "compare", "gram"]
