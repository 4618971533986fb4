"""The paper's claims as functions: results in, effects with intervals and a verdict out. One file for each section."""

from snnlib.claims.verdict import Bound, Claim, Verdict, judge

__all__ = ["Bound", "Claim", "Verdict", "judge"]
