"""What the section on residual connections says of its networks and results, as sentences and tables for the text."""

from __future__ import annotations

import numpy as np

from snnlib.claims.residual import jaggedness
from snnlib.evidence import effect
from snnlib.run import Run
from snnlib.series import CROSS
from snnlib.spec import STAGES
from snnlib.studies.residual import (
    EVERYWHERE,
    Residual,
    both_beside,
    by_shortcuts,
    by_stage,
    in_stages,
    jagged,
)


def stages_in_words(run: Run) -> str:
    """Which networks with shortcuts in some stages this run has, and how to ask for others."""
    kept = [in_stages(stages) for stages in run.value("shortcuts")]
    every = ",".join(map(str, STAGES))
    asked = f"`-p shortcuts {every}` asks for one of each stage's own, `-p shortcuts {STAGES[0]}{STAGES[1]}` for two."
    if not kept:
        return f"This run has networks with shortcuts everywhere and nowhere only; {asked}"
    missing = [stage for stage in STAGES if (stage,) not in run.value("shortcuts")]
    lacking = f"; stage{'s' * (len(missing) > 1)} {' and '.join(map(str, missing))} "
    lacking += f"ha{'ve' if len(missing) > 1 else 's'} no network of {'their' if len(missing) > 1 else 'its'} own"
    return f"Networks of this run that keep some shortcuts: {', '.join(kept)}{lacking * bool(missing)}. {asked}"


def pairs_in_words(run: Run) -> str:
    """How many pairs of networks without shortcuts this run has, where they are fewer than its seeds make."""
    pairs, plain = len(run.seeds), run.value("plain_pairs")
    if not plain or plain >= pairs:
        return ""
    of_these = f"{plain} pair{'s' * (plain > 1)} of networks without shortcuts, beside {pairs} with them"
    return (
        f"This run has {of_these}. Where CKA with shortcuts is set against CKA without, and in the verdict on C4, both "
        f"are of the same {plain} pair{'s' * (plain > 1)}; accuracies are of all these networks. "
        f"`-p plain_pairs {pairs}` trains the others."
    )


def rises_in_words(results: Residual) -> str:
    """The rise of the blocks of each stage as a table: of what the chart shows, and of ceilings and nulls."""
    compared = {f"{CROSS}, {name}": arrays for name, arrays in by_shortcuts(results).items()}
    compared |= {f"{name}, shortcuts {EVERYWHERE}": arrays for name, arrays in results.controls.items()}
    lines = []
    for name, arrays in compared.items():
        found = list(by_stage(arrays).values())
        lines.append(f"| {name} | {' | '.join(one.numbers() for one in found)} | {found[0].seeds} |")
    stages = [one.what for one in found]
    head = f"| rise (CKA, 95 % interval) | {' | '.join(stages)} | pairs of networks |"
    return "\n".join([head, "|---" * (2 + len(stages)) + "|", *lines])


def jagged_in_words(results: Residual) -> str:
    """The same as sentences; the last one follows the interval of the ratio."""
    with_, without, ratio = jagged(results)
    if not np.isfinite([with_.value, without.value]).all():
        return "In some network a layer has no CKA, so the jaggedness cannot be compared."
    said = (
        "How jagged the curves are, as the mean absolute second difference of CKA from place to place: "
        f"{with_.numbers()} with shortcuts and {without.numbers()} without ({with_.basis()})."
    )
    for name, both in both_beside(results).items():
        numbers = (effect("", float, jaggedness(cka)).numbers() for cka in both)
        said += f" For comparison, {name}: {' and '.join(numbers)}, of one pair."
    if not np.isfinite([ratio.value, ratio.low, ratio.high]).all():
        return said
    answer = "which of the two is the more jagged is open"
    if ratio.low > 1 or ratio.high < 1:
        answer = f"the curve with shortcuts is the {'more' if ratio.low > 1 else 'less'} jagged"
        answer += " (one pair of networks)" if ratio.seeds < 2 else ""
    return f"{said} Of SNN × ANN, the ratio of with to without is {ratio.numbers(2)}: {answer}."
