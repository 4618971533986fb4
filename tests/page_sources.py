"""What the tests of the pages read from notebooks (cells, charts, claims) and from the built site (ledger, links)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat

from snnlib import charts

DRAWING = {name for name in charts.__all__ if name.islower()}
CAPTION_WORDS = 8  # a sentence of fewer names a chart and does not say what is to be seen in it
WIDGETS = {"Explorer"}
RESULTS = "results"  # what every notebook calls what its study found


@dataclass(frozen=True)
class Cell:
    """A cell of a notebook; `tree` is empty for markdown."""

    kind: str
    source: str

    @property
    def tree(self) -> ast.Module:
        return ast.parse(self.source if self.kind == "code" else "")


def read_cells(path: Path) -> list[Cell]:
    return [Cell(cell.cell_type, cell.source) for cell in nbformat.read(path, as_version=4).cells]


def parameters_cell(path: Path) -> str:
    cells = nbformat.read(path, as_version=4).cells
    return next(cell.source for cell in cells if "parameters" in cell.metadata.get("tags", []))


def assignments(source: str) -> dict[str, ast.expr]:
    """What a source assigns to plain names at its top level, in order."""
    found = {}
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.Assign):
            found |= {target.id: statement.value for target in statement.targets if isinstance(target, ast.Name)}
    return found


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """(name, call) of all calls, the name without what stands before its last dot."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (name := _last_name(node.func)):
            yield name, node


def _last_name(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _names(node: ast.AST) -> set[str]:
    return {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}


# ---- charts


def uncaptioned(cells: list[Cell]) -> list[int]:
    """Numbers of the cells that show a chart and have no markdown cell with a sentence directly before them."""
    return [i for i in drawing_cells(cells) if i == 0 or not _is_caption(cells[i - 1])]


def _is_caption(cell: Cell) -> bool:
    """Whether markdown says something, in a sentence that is no heading and has `CAPTION_WORDS` words or more."""
    prose = " ".join(line for line in cell.source.splitlines() if not line.lstrip().startswith("#"))
    sentences = re.findall(r"(.+?[.:?!])(?=\s|$)", prose)
    return cell.kind == "markdown" and any(len(sentence.split()) >= CAPTION_WORDS for sentence in sentences)


def drawing_cells(cells: list[Cell]) -> list[int]:
    """Numbers of the cells that show a chart: as their last expression, by `display` or by `figure`."""
    return [i for i, drawn in enumerate(_shown_charts(cells)) if drawn]


def without_origin(cells: list[Cell]) -> list[int]:
    """Numbers of the cells that show a chart otherwise than by `figure`, which says where it comes from."""
    return [i for i, drawn in enumerate(_shown_charts(cells)) if not all(by_figure for _, by_figure in drawn)]


def _shown_charts(cells: list[Cell]) -> Iterator[list[tuple[ast.expr, bool]]]:
    """For every cell the charts that it shows, each with whether `figure` shows it."""
    makers: set[str] = set()  # functions of the notebook's own that return a chart
    for cell in cells:
        body = cell.tree.body
        held = {name for name, value in assignments(cell.source if body else "").items() if _is_chart(value, makers)}
        last = [body[-1].value] if body and isinstance(body[-1], ast.Expr) else []
        by_figure = [call.args[0] for name, call in calls(cell.tree) if name == "figure" and call.args]
        displayed = [arg for name, call in calls(cell.tree) if name == "display" for arg in call.args]
        for function in (node for node in body if isinstance(node, ast.FunctionDef)):
            returned = [node.value for node in ast.walk(function) if isinstance(node, ast.Return) and node.value]
            if any(_is_chart(value, makers) for value in returned):
                makers.add(function.name)
        bare = [value for value in (*last, *displayed) if _is_chart(value, makers) or _last_name(value) in held]
        yield [*((value, False) for value in bare), *((value, True) for value in by_figure)]


def _is_chart(node: ast.expr, makers: set[str]) -> bool:
    if isinstance(node, ast.IfExp):
        return _is_chart(node.body, makers) or _is_chart(node.orelse, makers)
    if not isinstance(node, ast.Call):
        return False
    function = node.func
    if isinstance(function, ast.Attribute):
        of_ours = isinstance(function.value, ast.Name) and function.value.id == "charts" and function.attr in DRAWING
        return of_ours or _is_chart(function.value, makers)  # charts.sweep(…).properties(…)
    return isinstance(function, ast.Name) and (function.id in makers or function.id in WIDGETS)


# ---- claims


def claims_shown(cells: list[Cell], function: str) -> dict[str, int]:
    """Claim ("C3") -> number of the cell that calls `criterion(claims.C3)` or `verdict(claims.c3(…))`."""
    assigned: dict[str, ast.expr] = {}
    found: dict[str, int] = {}
    for i, cell in enumerate(cells):
        if cell.kind != "code":
            continue
        assigned |= assignments(cell.source)
        for name, call in calls(cell.tree):
            if name == function and call.args:
                argument = call.args[0]
                if isinstance(argument, ast.Name) and argument.id in assigned:
                    argument = assigned[argument.id]
                claim = _last_name(argument.func if isinstance(argument, ast.Call) else argument).upper()
                found.setdefault(claim, i)
    return found


def cells_with_charts_of_results(cells: list[Cell]) -> list[int]:
    """Numbers of the cells that call a chart and use what the study found, or something computed from it."""
    of_results = {RESULTS}
    found = []
    for i, cell in enumerate(cells):
        body = cell.tree.body
        for statement in body:
            if isinstance(statement, ast.Assign) and _names(statement.value) & of_results:
                of_results |= {name for target in statement.targets for name in _names(target)}
            elif isinstance(statement, ast.FunctionDef) and _names(statement) & of_results:
                of_results.add(statement.name)
        called = {name for name, call in calls(cell.tree) if _is_chart(call, set())}
        if called and _names(cell.tree) & of_results:
            found.append(i)
    return found


def out_of_order(cells: list[Cell]) -> list[str]:
    """What of "criteria, then charts of results, then verdicts" a notebook with claims does not keep."""
    criteria, verdicts = claims_shown(cells, "criterion"), claims_shown(cells, "verdict")
    shown = cells_with_charts_of_results(cells)
    problems = []
    if criteria.keys() != verdicts.keys():
        problems.append(f"criteria for {sorted(criteria)}, verdicts on {sorted(verdicts)}")
    if not shown:
        return [*problems, f"no chart of {RESULTS}"]
    problems += [f"criterion of {c} after the chart in cell {shown[0]}" for c, i in criteria.items() if i >= shown[0]]
    problems += [f"verdict on {c} before the chart in cell {shown[0]}" for c, i in verdicts.items() if i <= shown[0]]
    return problems


# ---- the built site


@dataclass
class LedgerRow:
    """One claim on the front page."""

    name: str = ""
    verdict: str = ""
    links: list[str] = field(default_factory=list)

    @property
    def claim(self) -> str:
        found = re.search(r"\bC\d+\b", self.name)
        return found[0] if found else ""


class _Ledger(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.rows: list[LedgerRow] = []
        self.inside, self.field = False, ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        classes = (given.get("class") or "").split()
        if tag == "table":
            self.inside = "ledger" in classes
        if not self.inside:
            return
        if tag == "th" and given.get("scope") == "row":
            self.rows.append(LedgerRow())
            self.field = "name"
        elif tag == "span" and "verdict" in classes:
            self.field = "verdict"
        elif tag == "a" and self.rows:
            self.rows[-1].links.append(given.get("href") or "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "table":
            self.inside = False
        if tag in ("th", "span"):
            self.field = ""

    def handle_data(self, data: str) -> None:
        if self.inside and self.field and self.rows:
            setattr(self.rows[-1], self.field, getattr(self.rows[-1], self.field) + data)


def ledger_rows(html: str) -> list[LedgerRow]:
    """The rows of the claims ledger of a page, in order."""
    reader = _Ledger()
    reader.feed(html)
    return reader.rows


def leads_to_a_page(link: str, page: Path, site: Path) -> bool:
    """Whether a link on a page ends at a page of the site, and at a place that this page has."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc or not parts.path:
        return False
    target = (page.parent / unquote(parts.path)).resolve()
    if target.suffix != ".html" or not target.is_relative_to(site.resolve()) or not target.is_file():
        return False
    return not parts.fragment or f'id="{parts.fragment}"' in target.read_text(encoding="utf8")
