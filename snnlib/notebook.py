"""What every notebook calls: parameters in, a validated run out; criteria, verdicts, and figures that say whence."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Mapping
from typing import Any, TypeVar

from IPython.display import Markdown

from snnlib.claims import Claim, Verdict
from snnlib.figures import figure, open_page
from snnlib.parameters import PageParameters, Parameters
from snnlib.provenance import git_commit, short
from snnlib.run import Run
from snnlib.spec import SpecError

__all__ = ["begin", "criterion", "figure", "protocol", "validated", "verdict"]

P = TypeVar("P", Parameters, PageParameters)

MARK = "# Parameters"  # what our parameters cells, and the cells papermill injects, begin with


def begin(namespace: Mapping[str, Any], schema: type[Parameters] = Parameters) -> Run:
    """Validate the parameters of a notebook and resolve them.

    Args:
        namespace: the notebook's `globals()`.
        schema: the parameters this notebook has.

    Raises:
        SpecError: as `validated`, and where data are missing.
    """
    given = validated(namespace, schema)
    run = Run.of(given)
    open_page(given, run)
    return run


def validated(namespace: Mapping[str, Any], schema: type[P]) -> P:
    """The parameters of a notebook, checked, for one that trains nothing and so needs no run.

    Raises:
        SpecError: an unknown name, a wrong type or an impossible value, all in one sentence. papermill only warns of a
            name it does not know, and then runs with the default: here it stops the run.
    """
    known = list(schema.model_fields)
    for name in _assigned(namespace.get("In", ())):
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise SpecError(
                f"{name} = {namespace.get(name)!r}: there is no parameter {name}; {hint}"
                f"this notebook has {', '.join(known)}."
            )
    given = schema(**{name: namespace[name] for name in known if name in namespace})
    open_page(given)
    return given


def protocol(run: Run) -> Markdown:
    """What the numbers of a page hold for: one line that every notebook shows before its first result."""
    epochs, seeds = run.value("epochs"), run.seeds
    commit = git_commit()
    parts = [
        f"preset `{run.given.preset}` ({run.preset.title})",
        run.title,
        run.networks,
        f"{epochs} epoch{'s' * (epochs != 1)} (the paper: 300)",
        f"seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}",
        f"n = {run.value('n_images'):,} test images",
        f"commit `{short(commit)}`" if commit else "no commit known",
    ]
    alone = " One seed: SNN and ANN start from equal weights, there are no ceilings, and no verdict is given."
    return Markdown(f"**Protocol:** {' · '.join(parts)}.{alone * (len(seeds) == 1)}")


def criterion(claim: Claim) -> Markdown:
    """What a claim says and how it is judged, to stand before the result."""
    return Markdown(f"**{claim.id}.** {claim.statement}\n\n**Criterion.** {claim.criterion}")


def verdict(found: Verdict, on: str | None = None) -> Markdown:
    """The verdict, with every effect, its interval and the bound it is held to.

    `on`: the case that it is about, where a claim is judged on several and this is one of them.
    """
    about = f"{found.claim.id}, on {on}," if on else found.claim.id
    remark = f" ({found.remark})" * bool(found.remark)
    lines = [f"**{about} is {found.word}** under the protocol above{remark}.\n"]
    for bound in found.bounds:
        lines.append(f"- {bound} ({bound.effect.basis()})")
    if single := [bound.effect for bound in found.bounds if bound.effect.seeds < 2]:
        one = "pair of networks" if single[0].pairs else "network"
        lines.append(f"\nWhat comes from a single {one} says nothing of other seeds: it decides nothing.")
    return Markdown("\n".join(lines))


def _assigned(cells: Any) -> list[str]:
    """Names assigned in the executed parameters cells: the notebook's own and the one papermill injects.

    A cell may have been executed again, with a name put right: of cells with the same first line the latest counts.
    """
    marked = [cell.lstrip() for cell in cells if cell.lstrip().startswith(MARK)]
    latest = {cell.partition("\n")[0]: cell for cell in marked}
    names = []
    for cell in latest.values():
        targets = [node for node in ast.walk(ast.parse(cell)) if isinstance(node, ast.Name)]
        names += [node.id for node in targets if isinstance(node.ctx, ast.Store)]
    return list(dict.fromkeys(names))
