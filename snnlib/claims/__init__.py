"""The paper's claims as functions: results in, effects with intervals and a verdict out. One file for each section."""

from snnlib.claims.adversarial import C7, c7
from snnlib.claims.appendix import C8, c8
from snnlib.claims.events import C6, c6
from snnlib.claims.residual import C3, C4, c3, c4
from snnlib.claims.spatial import C1, C2, c1, c2
from snnlib.claims.temporal import C5, c5
from snnlib.claims.verdict import Bound, Claim, Verdict, judge

CLAIMS = (C1, C2, C3, C4, C5, C6, C7, C8)

__all__ = [
    "C1",
    "C2",
    "C3",
    "C4",
    "C5",
    "C6",
    "C7",
    "C8",
    "CLAIMS",
    "Bound",
    "Claim",
    "Verdict",
    "c1",
    "c2",
    "c3",
    "c4",
    "c5",
    "c6",
    "c7",
    "c8",
    "judge",
]
