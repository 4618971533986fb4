"""The ledger: a verdict on each claim of the paper, under the preset of its chapter, and the table that shows them.

It asks the chapters' studies for what their claims are judged on, so a verdict here is the verdict there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from html import escape
from typing import Any

from IPython.display import HTML, Markdown

from snnlib import claims, provenance
from snnlib.claims import Verdict
from snnlib.parameters import (
    AdversarialParameters,
    EventParameters,
    ManyClassesParameters,
    Parameters,
    ResidualParameters,
    SpatialParameters,
    TemporalParameters,
    VggParameters,
)
from snnlib.run import Run
from snnlib.series import ANNS, KINDS, SNNS, UNTRAINED
from snnlib.studies import adversarial, appendix, events, residual, spatial, temporal
from snnlib.tables import percent

QUESTIONS = {
    1: "whether spiking networks learn other representations",
    2: "whether their time carries representation power of its own",
}
BESIDE = {"untrained": UNTRAINED, "two SNNs": SNNS, "two ANNs": ANNS}
SIGNS = {"supported": "✓", "not supported": "✗", "undecided": "?"}


@dataclass(frozen=True)
class Line:
    """A verdict and what it was obtained on."""

    verdict: Verdict
    runs: tuple[Run, ...]

    @property
    def data(self) -> str:
        """Titles of the data sets; a subset and a stand-in say so."""
        return ", ".join(dict.fromkeys(run.title for run in self.runs))


def ledger(**given: object) -> list[Line]:
    """The verdicts on all claims, in the order of the paper.

    Args:
        given: parameters that every chapter has, such as `preset`, `seeds` or `data_root`. What is not given is the
            default of the chapter's notebook; each has its own data set and sweeps.

    Raises:
        SpecError: as `Run.of`.
    """
    lines: list[Line] = []
    renewed: set[str] = set()  # chapters share networks
    for parameters, judge in SECTIONS:
        runs = tuple(Run.of(each(**given), renewed) for each in parameters)
        beside = tuple(COMPARED_WITH[type(run.given)](run) for run in runs if type(run.given) in COMPARED_WITH)
        lines += [Line(verdict, (*runs, *beside)) for verdict in judge(*runs)]
    return lines


def protocol(lines: list[Line]) -> Markdown:
    """Under which protocol the verdicts were obtained; the chapters have lines of their own.

    A sentence a preset, and one for verdicts that rest on chapters of different presets.
    """
    by_preset: dict[tuple[str, ...], list[Line]] = {}
    for line in lines:
        by_preset.setdefault(tuple(dict.fromkeys(run.given.preset for run in line.runs)), []).append(line)
    commit = provenance.git_commit()
    checkout = f"commit `{provenance.short(commit)}`" if commit else "no commit known"
    said = [_protocol(of_preset, name_claims=len(by_preset) > 1) for of_preset in by_preset.values()]
    return Markdown("\n\n".join([*said, f"The verdicts hold for that and for nothing else; {checkout}."]))


def _protocol(lines: list[Line], *, name_claims: bool) -> str:
    """The protocol of verdicts that were obtained under the same preset, or the same ones."""
    runs = list(dict.fromkeys(run for line in lines for run in line.runs))
    claimed = f" of {', '.join(line.verdict.claim.id for line in lines)}" * name_claims
    epochs, several = _each(run.value("epochs") for run in runs), any(len(run.seeds) > 1 for run in runs)
    cards = [card for run in runs for kind in _cards(run).values() for card in kind]
    machines = [provenance.machine(card["hardware"]) for card in cards]
    parts = [
        f"preset {_each(f'`{run.given.preset}` ({run.preset.title})' for run in runs)}",
        _each(run.networks for run in runs),
        f"{epochs} epoch{'s' * (epochs != '1')} (the paper: 300)",
        f"seed{'s' * several} {_each(', '.join(map(str, run.seeds)) for run in runs)}",
        f"test accuracy{', in brackets its range over seeds,' * several} {_each(map(_accuracy, runs), '; ')}",
        f"trained on {_each(machines)}",
    ]
    return f"**Protocol{claimed}:** {' · '.join(parts)}."


def answers(lines: list[Line]) -> Markdown:
    """What the verdicts say on the paper's two questions, claim by claim, and what other networks have of the same.

    No more than that.
    """
    said = []
    for question, about in QUESTIONS.items():
        words: dict[str, list[str]] = {}
        for verdict in (line.verdict for line in lines if line.verdict.claim.question == question):
            remark = f": {verdict.remark}" * bool(verdict.remark)
            words.setdefault(verdict.word, []).append(f"{verdict.claim.short} ({verdict.claim.id}{remark})")
        said.append(f"- **Question {question}**, {about}:")
        said += [f"  - **{word}**: {'; '.join(words[word])}" for word in SIGNS if word in words]
    if beside := [words for line in lines for words in _beside(line.verdict)]:
        said.append(
            "\n*Supported* is said of the claim; it need not be a yes to the question. Some of the effects were "
            "measured in other networks, too; their intervals are over images, and where there are several pairs over "
            "seeds as well. What untrained networks have as well is not learned; what two ANNs have as well takes no "
            "spikes; what two networks of one kind have as well is no difference between the kinds; what another task "
            "does as well need not be the doing of events:\n"
        )
    return Markdown("\n".join([*said, *beside]))


def _beside(verdict: Verdict) -> list[str]:
    """A line for each effect of a verdict that is known of other networks."""
    lines = []
    for i, bound in enumerate(verdict.bounds if verdict.beside else ()):
        others = ", ".join(f"{name} {effects[i].numbers()}" for name, effects in verdict.beside.items())
        lines.append(f"- {verdict.claim.id}, {bound.effect}; {others}.")
    if lines:
        lines[-1] += f" {_kept_beside(verdict)}"
    return lines


def _kept_beside(verdict: Verdict) -> str:
    """Which other networks would pass by the bounds of a claim."""
    passing = [
        name
        for name, effects in verdict.beside.items()
        if all(bound.is_kept_by(one) for bound, one in zip(verdict.bounds, effects, strict=True))
    ]
    return f"By the bounds of {verdict.claim.id} would pass: {', '.join(passing) or 'none of these'}."


def _accuracy(run: Run) -> str:
    """ "on CIFAR-10, ResNet-20: SNN 81.3 % (80.9–81.6 %), ANN 87.0 % (86.7–87.2 %)", as the cards of a run's networks
    say: mean and range over seeds."""
    found = {
        kind: [card["metrics"]["test_accuracy"] for card in cards if "test_accuracy" in card.get("metrics", {})]
        for kind, cards in _cards(run).items()
    }
    kinds = [f"{kind} {percent(shares)}" for kind, shares in found.items() if shares]
    return f"on {run.title}, {run.architecture}: {', '.join(kinds) or 'not known'}"


def _cards(run: Run) -> dict[str, list[dict[str, Any]]]:
    """By kind, the cards of a run's networks, as far as the store has them."""
    specs = {kind: [run.network(spiking=kind == "SNN", seed=seed) for seed in run.seeds] for kind in KINDS}
    return {kind: [entry.card for entry in map(run.store.find, of) if entry] for kind, of in specs.items()}


def _each(values: Iterable[object], between: str = " or ") -> str:
    """Every different value once."""
    return between.join(dict.fromkeys(map(str, values)))


def as_table(lines: list[Line]) -> HTML:
    """The ledger for the front page: claim, verdict, data and links; the effects unfold."""
    head = "".join(f"<th scope='col'>{name}</th>" for name in ("claim", "verdict", "evidence"))
    rows = "".join(_row(line) for line in lines)
    caption = "The paper's claims, each judged by a criterion that its chapter states before the result"
    return HTML(
        f"<div class='ledger-box' tabindex='0' role='region' aria-label='Claims ledger'><table class='ledger'>"
        f"<caption>{caption}</caption><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _row(line: Line) -> str:
    verdict, claim = line.verdict, line.verdict.claim
    name = verdict.word.replace(" ", "-")
    links = ", ".join(f"<a href='notebooks/{page}.html'>{TITLES[page]}</a>" for page in claim.pages)
    remarks = ["the effect is there, below the margin"] * verdict.falls_short + [verdict.remark] * bool(verdict.remark)
    small = "".join(f"<br><small>{escape(remark)}</small>" for remark in remarks)
    effects = "".join(f"<li>{escape(str(bound))}</li>" for bound in verdict.bounds)
    more = f"<summary>criterion and effects</summary><p>{escape(claim.criterion)}</p><ul>{effects}</ul>"
    basis = " and ".join(dict.fromkeys(bound.effect.basis() for bound in verdict.bounds))
    return (
        f"<tr id='{claim.id}'><th scope='row'><strong>{claim.id}</strong> {escape(claim.statement)}"
        f"<details>{more}</details></th>"
        f"<td><span class='verdict {name}'>{SIGNS[verdict.word]} {verdict.word}</span>{small}</td>"
        f"<td>{escape(line.data)}: {basis}. {links}</td></tr>"
    )


def _spatial(run: Run) -> list[Verdict]:
    found = spatial.evidence(run)
    of_kind = dict(zip(("two SNNs", "two ANNs"), zip(*found.ceilings[:1], strict=True), strict=False))
    grid = claims.c1(found.cross, {"untrained": found.untrained, **of_kind})
    return [grid, claims.c2(found.cross, found.untrained, found.shuffled, found.ceilings)]


def _residual(run: Run) -> list[Verdict]:
    cka, controls = residual.evidence(run), residual.controls(run)
    beside = {name: controls[series] for name, series in BESIDE.items() if series in controls}
    return [claims.c3(cka[residual.EVERYWHERE], beside), claims.c4(*residual.same_pairs(cka))]


def _temporal(run: Run) -> list[Verdict]:
    return [claims.c5(temporal.evidence(run), {"untrained": [temporal.untrained(run)]})]


def _events(run: Run) -> list[Verdict]:
    return [claims.c6(*events.evidence(run))]


def _adversarial(run: Run) -> list[Verdict]:
    return [claims.c7(adversarial.evidence(run))]


def _appendix(vgg: Run, many_classes: Run) -> list[Verdict]:
    return [claims.c8(appendix.evidence(vgg), appendix.evidence(many_classes))]


SECTIONS: tuple[tuple[tuple[type[Parameters], ...], Callable[..., list[Verdict]]], ...] = (
    ((SpatialParameters,), _spatial),
    ((ResidualParameters,), _residual),
    ((TemporalParameters,), _temporal),
    ((EventParameters,), _events),
    ((AdversarialParameters,), _adversarial),
    ((VggParameters, ManyClassesParameters), _appendix),
)
COMPARED_WITH: dict[type[Parameters], Callable[[Run], Run]] = {EventParameters: events.still_run}
TITLES = {schema.notebook: schema.title for schemas, _ in SECTIONS for schema in schemas}  # of the chapters
