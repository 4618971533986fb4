"""Adversarial images: how they are made, and what they do to networks."""

from snnlib.attacks.evaluate import evaluate
from snnlib.attacks.methods import Normalised, fgsm, noise, pgd

__all__ = ["Normalised", "evaluate", "fgsm", "noise", "pgd"]
