"""What every page keeps to: a criterion before its results, a caption before its charts, alike parameters, a ledger."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import altair as alt
import pandas as pd
import pytest
from chart_tables import vlc
from conftest import REPOSITORY, BuiltSite
from page_sources import (
    RESULTS,
    Cell,
    assignments,
    calls,
    cells_with_charts_of_results,
    claims_shown,
    drawing_cells,
    leads_to_a_page,
    ledger_rows,
    out_of_order,
    parameters_cell,
    read_cells,
    uncaptioned,
    without_origin,
)
from test_book import body, chart_specs, notebooks

from snnlib import parameters
from snnlib.claims import CLAIMS
from snnlib.parameters import Parameters

NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))
CELLS = {path.stem: read_cells(path) for path in NOTEBOOKS}
FUNCTIONS = ("criterion", "verdict")
WITH_CLAIMS = [name for name, cells in CELLS.items() if any(claims_shown(cells, function) for function in FUNCTIONS)]
WORDS = {"supported", "not supported", "undecided"}
COMMON = list(Parameters.model_fields)
ALIKE = ("data_root", "width", "seeds", "epochs", "recompute")  # what they mean is the same in all chapters


# ---- the sources


def test_every_claim_is_judged_on_some_page() -> None:
    judged = {claim for name in WITH_CLAIMS for claim in claims_shown(CELLS[name], "verdict")}
    assert judged == {claim.id for claim in CLAIMS}


@pytest.mark.parametrize("name", WITH_CLAIMS)
def test_criteria_stand_before_charts_of_results_and_verdicts_after(name: str) -> None:
    assert not out_of_order(CELLS[name])


@pytest.mark.parametrize("name", CELLS)
def test_a_caption_stands_before_every_chart(name: str) -> None:
    assert not uncaptioned(CELLS[name])


@pytest.mark.parametrize("name", CELLS)
def test_every_chart_says_where_it_comes_from(name: str) -> None:
    assert not without_origin(CELLS[name]), "show charts by snnlib.notebook.figure, with what they are drawn from"


def schema(name: str) -> type[Parameters] | None:
    """The parameters that a notebook hands to `begin`; None for one that trains nothing and has no run."""
    found = [call for cell in CELLS[name] for called, call in calls(cell.tree) if called == "begin"]
    if not found:
        return None
    (call,) = found
    return getattr(parameters, call.args[1].id) if len(call.args) > 1 else Parameters


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_parameters_stand_in_one_order(path: Path) -> None:
    given = assignments(parameters_cell(path))
    assert "preset" in given
    of_page = schema(path.stem)
    if of_page:
        assert list(given)[: len(COMMON)] == COMMON
        assert set(given) == set(of_page.model_fields), "a parameter without a line, or a line without a parameter"
        values = {name: ast.literal_eval(value) for name, value in given.items()}
        assert values == {name: known.default for name, known in of_page.model_fields.items()}


@pytest.mark.parametrize("name", ALIKE)
def test_parameters_that_all_chapters_have_are_explained_alike(name: str) -> None:
    chapters = [path for path in NOTEBOOKS if schema(path.stem) and not path.stem.startswith("a1")]  # VGG: other widths
    lines = {line for path in chapters for line in parameters_cell(path).splitlines() if line.startswith(f"{name} = ")}
    assert len(chapters) > 1
    assert len(lines) == 1, lines


# ---- the readers of the sources, on notebooks that were made up


def code(*sources: str) -> list[Cell]:
    """Cells of code; "# " begins one of markdown."""
    return [
        Cell("markdown", source.removeprefix("# ")) if source.startswith("# ") else Cell("code", source)
        for source in sources
    ]


STUDY = f"{RESULTS} = study.spatial(run)"


def test_a_criterion_after_a_chart_and_a_verdict_before_it_are_found() -> None:
    good = code(STUDY, "criterion(claims.C1)", f"charts.heatmap({RESULTS}.cross)", f"verdict(claims.c1({RESULTS}))")
    assert out_of_order(good) == []
    example = "charts.pictures(study.examples(run))"
    assert out_of_order([*code(example), *good]) == [], "a chart of images shows no results"
    late = [good[0], good[2], good[1], good[3]]
    assert out_of_order(late) == ["criterion of C1 after the chart in cell 1"]
    early = [good[0], good[1], good[3], good[2]]
    assert out_of_order(early) == ["verdict on C1 before the chart in cell 3"]
    assert out_of_order(good[:3]) == ["criteria for ['C1'], verdicts on []"]
    assert out_of_order([good[1], good[3]]) == [f"no chart of {RESULTS}"]


def test_what_is_computed_from_results_is_known_for_it() -> None:
    cells = code(
        STUDY,
        f"def along(name):\n    return tables.along({RESULTS}.cross, name)",
        "curves = along('SNN')\nother = 3",
        "charts.sweep(other)",
        "charts.depth_curve(curves)",
        "found = claims.c1(curves)",
        "verdict(found)",
    )
    assert cells_with_charts_of_results(cells) == [4]
    assert claims_shown(cells, "verdict") == {"C1": 6}


CAPTION = "# See whether both curves rise by more than their bars."


def test_charts_without_a_caption_are_found() -> None:
    cells = code(
        CAPTION,
        "charts.heatmap(cka)",
        "charts.sweep(table)",
        "def against(n):\n    return charts.sweep(n)",
        CAPTION,
        "against(3)",
        "against(4)",
        "drawn = charts.bars(table)",
        "drawn = charts.bars(table)\ndrawn",
        "charts.pictures(images) if images else Markdown('none')",
        "if rows:\n    display(charts.bars(rows))",
        "charts.theme.colours(names)",
        "figure(charts.bars(table), results)",
        CAPTION,
        "figure(against(3), results)\nfigure(drawn)\nrows",
        "figure(charts.bars(rows), results) if rows else Markdown('none')",
        "if rows:\n    figure(charts.bars(rows), results)",
        "drawn = charts.bars(table)\nfigure(drawn, results)",
        "figure(charts.bars(table), results)\ncharts.bars(rows)",
        "figure(controls, results)",
        "Explorer(maps)",
        "explorer = Explorer(maps)\nfigure(explorer, results)",
    )
    assert drawing_cells(cells) == [1, 2, 5, 6, 8, 9, 10, 12, 14, 15, 16, 17, 18, 19, 20, 21]
    assert uncaptioned(cells) == [2, 6, 8, 9, 10, 12, 15, 16, 17, 18, 19, 20, 21]
    assert without_origin(cells) == [1, 2, 5, 6, 8, 9, 10, 18, 20]


@pytest.mark.parametrize(
    ("said", "enough"),
    [
        ("## The heatmap\n\nSee whether the brightest cell of a row\nlies on the diagonal.", True),
        ("Each network against itself shows what one kind has alone:", True),
        ("Similarity again, now with depth:", False),
        ("Folded. By CKA. In one block. And so on. And on.", False),
        ("## A heading of many words that says all there is to say.", False),
        ("many words that are no sentence since nothing ends them", False),
        ("", False),
    ],
)
def test_a_caption_is_a_sentence_and_no_heading(said: str, enough: bool) -> None:
    cells = [Cell("markdown", said), Cell("code", "figure(charts.bars(table), results)")]
    assert uncaptioned(cells) == ([] if enough else [1])


# ---- the built site


def untitled(spec: dict[str, Any]) -> list[str]:
    """Scales of the axes that Vega draws without a title. An axis of names, such as networks, needs none."""
    found: list[str] = []

    def look(group: dict[str, Any], names: frozenset[str]) -> None:
        names |= {scale["name"] for scale in group.get("scales", ()) if scale.get("type") in ("band", "point")}
        for axis in group.get("axes", ()):
            only_a_grid = axis.get("grid") and axis.get("labels") is False
            if not (only_a_grid or axis.get("title") or axis["scale"] in names):
                found.append(axis["scale"])
        for mark in group.get("marks", ()):
            look(mark, names)

    look(vlc.vegalite_to_vega(spec), frozenset())
    return found


@pytest.mark.book
@pytest.mark.parametrize("page", notebooks())
def test_every_chart_on_a_page_has_a_text_alternative_and_titled_axes(built_site: BuiltSite, page: str) -> None:
    specs = chart_specs(body(built_site, page))
    assert specs or not drawing_cells(CELLS[Path(page).stem])
    for i, spec in enumerate(specs):
        assert spec.get("description", "").strip(), f"chart {i} has no text alternative"
        assert not untitled(spec), f"chart {i}: {spec['description']}"


@pytest.mark.book
def test_the_ledger_on_the_front_page(built_site: BuiltSite) -> None:
    """C1 to C8 in order, each with a verdict and links to the pages that hold its evidence."""
    page = built_site.html / "intro.html"
    rows = ledger_rows(page.read_text(encoding="utf8"))
    assert [row.claim for row in rows] == [f"C{i}" for i in range(1, 9)]
    for row in rows:
        assert verdict_word(row.verdict) in WORDS, row
        assert row.links, row
        assert all(leads_to_a_page(link, page, built_site.html) for link in row.links), row


def verdict_word(text: str) -> str:
    """The verdict without its sign."""
    return re.sub(r"^\W+", "", text).strip()


# ---- the readers of the site, on pages that were made up


def page_of(*drawn: alt.Chart) -> str:
    """A page with charts as a notebook's output has them."""
    parts = [chart._repr_mimebundle_()["text/html"] for chart in drawn]
    return f"<html><body><p>f({{}})</p>{'<hr>'.join(parts)}</body></html>"


def test_charts_without_titles_and_text_are_found_on_a_page() -> None:
    table = pd.DataFrame({"x": [1, 2], "y": [3, 4], "name": ["a", "b"]})
    base = alt.Chart(table).mark_point()
    full = base.encode(x=alt.X("x:Q", title="n"), y=alt.Y("y:Q", title="CKA")).properties(description="Two points.")
    bare = base.encode(x=alt.X("x:Q", title=None), y=alt.Y("name:N", title=None))
    hidden = base.encode(x=alt.X("x:Q", axis=None), y=alt.Y("y:Q", axis=alt.Axis(title="CKA")))
    both = alt.hconcat(full, bare)
    specs = chart_specs(page_of(full, bare, hidden, both))
    assert [untitled(spec) for spec in specs[:3]] == [[], ["x"], []]
    assert [bool(spec.get("description")) for spec in specs[:3]] == [True, False, False]
    assert len(untitled(specs[3])) == 1


LEDGER = """
<table><tr><th scope='row'><a href='x.html'>C9</a></th></tr></table>
<table class='ledger'><caption>claims</caption><thead><tr><th scope='col'>claim</th></tr></thead><tbody>
<tr><th scope='row'><a href='notebooks/a.html'>C1</a> It &lt; that</th>
<td><span class='verdict supported'>✓ supported</span></td><td><ul><li>CKA: 0.3</li></ul></td></tr>
<tr><th scope="row"><a href="notebooks/b.html">C2</a>, <a href="notebooks/c.html">more</a></th>
<td><span class="verdict not-supported">✗ not supported</span></td></tr></tbody></table>
<a href='after.html'>after</a>
"""


def test_the_rows_of_a_ledger_are_read() -> None:
    first, second = ledger_rows(LEDGER)
    assert (first.claim, verdict_word(first.verdict), first.links) == ("C1", "supported", ["notebooks/a.html"])
    assert (second.claim, verdict_word(second.verdict)) == ("C2", "not supported")
    assert second.links == ["notebooks/b.html", "notebooks/c.html"]
    assert verdict_word("✓ supported") in WORDS
    assert verdict_word("? who knows") not in WORDS
    assert ledger_rows("<p>no ledger</p>") == []


def test_links_that_lead_nowhere_are_found(tmp_path: Path) -> None:
    site = tmp_path / "site"
    (site / "notebooks").mkdir(parents=True)
    (tmp_path / "outside.html").write_text("", encoding="utf8")
    (site / "notebooks/a.html").write_text('<h2 id="the-verdict">', encoding="utf8")
    page = site / "intro.html"
    for link in ("notebooks/a.html", "notebooks/a.html#the-verdict", "./notebooks/../notebooks/a.html"):
        assert leads_to_a_page(link, page, site)
    for link in (
        "notebooks/b.html",
        "notebooks/a.html#nothing",
        "https://example.org/a.html",
        "../outside.html",
        "#x",
        "",
    ):
        assert not leads_to_a_page(link, page, site)
