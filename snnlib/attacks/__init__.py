"""Adversarial images: how they are made, and what they do to networks."""

from snnlib.attacks.evaluate import Attack, evaluate
from snnlib.attacks.methods import PIXELS, Normalised, Range, fgsm, noise, pgd

__all__ = ["PIXELS", "Attack", "Normalised", "Range", "evaluate", "fgsm", "noise", "pgd"]
