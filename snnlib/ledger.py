"""The ledger: a verdict on each claim of the paper, under the preset of its chapter, and the table that shows them.

It asks the chapters' studies for what their claims are judged on, so a verdict here is the verdict there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from html import escape

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
from snnlib.studies import adversarial, appendix, events, residual, spatial, temporal

QUESTIONS = {
    1: "whether spiking networks learn other representations",
    2: "whether their time carries representation power of its own",
}
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
    for parameters, judge in SECTIONS:
        runs = tuple(Run.of(each(**given)) for each in parameters)
        lines += [Line(verdict, runs) for verdict in judge(*runs)]
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
    epochs = _each(run.value("epochs") for run in runs)
    machines = [machine for run in runs for machine in _machines(run)]
    parts = [
        f"preset {_each(f'`{run.given.preset}` ({run.preset.title})' for run in runs)}",
        _each(run.networks for run in runs),
        f"{epochs} epoch{'s' * (epochs != '1')} (the paper: 300)",
        f"seed{'s' * any(len(run.seeds) > 1 for run in runs)} {_each(', '.join(map(str, run.seeds)) for run in runs)}",
        f"trained on {_each(machines)}",
    ]
    return f"**Protocol{claimed}:** {' · '.join(parts)}."


def answers(lines: list[Line]) -> Markdown:
    """What the verdicts say on the paper's two questions, claim by claim: no more than that."""
    said = []
    for question, about in QUESTIONS.items():
        words: dict[str, list[str]] = {}
        for verdict in (line.verdict for line in lines if line.verdict.claim.question == question):
            words.setdefault(verdict.word, []).append(verdict.claim.id)
        found = [f"{', '.join(ids)} {'is' if len(ids) == 1 else 'are'} {word}" for word, ids in words.items()]
        said.append(f"- **Question {question}**, {about}: {'; '.join(found)}.")
    return Markdown("\n".join(said))


def _machines(run: Run) -> list[str]:
    """What the networks of a run were trained on, as their cards say."""
    specs = [run.network(spiking=spiking, seed=seed) for spiking in (True, False) for seed in run.seeds]
    cards = [entry.card["hardware"] for entry in map(run.store.find, specs) if entry]
    return [provenance.machine(card) for card in cards]


def _each(values: Iterable[object]) -> str:
    """Every different value once."""
    return " or ".join(dict.fromkeys(map(str, values)))


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
    links = ", ".join(f"<a href='notebooks/{page}.html'>{page.replace('_', ' ')}</a>" for page in claim.pages)
    effects = "".join(f"<li>{escape(str(b.effect))}; wanted: {b.wanted}: {b.kept}</li>" for b in verdict.bounds)
    more = f"<summary>criterion and effects</summary><p>{escape(claim.criterion)}</p><ul>{effects}</ul>"
    basis = dict.fromkeys(bound.effect.basis() for bound in verdict.bounds)
    return (
        f"<tr id='{claim.id}'><th scope='row'><strong>{claim.id}</strong> {escape(claim.statement)}"
        f"<details>{more}</details></th>"
        f"<td><span class='verdict {name}'>{SIGNS[verdict.word]} {verdict.word}</span></td>"
        f"<td>{escape(line.data)}: {'; '.join(basis)}. {links}</td></tr>"
    )


def _spatial(run: Run) -> list[Verdict]:
    found = spatial.evidence(run)
    return [claims.c1(found.cross), claims.c2(found.cross, found.untrained, found.shuffled, found.ceilings)]


def _residual(run: Run) -> list[Verdict]:
    cka = residual.evidence(run)
    return [claims.c3(cka[residual.EVERYWHERE]), claims.c4(*residual.same_pairs(cka))]


def _temporal(run: Run) -> list[Verdict]:
    return [claims.c5(temporal.evidence(run))]


def _events(run: Run) -> list[Verdict]:
    return [claims.c6(events.evidence(run))]


def _adversarial(run: Run) -> list[Verdict]:
    return [claims.c7(adversarial.adversarial(run).white_box)]


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
