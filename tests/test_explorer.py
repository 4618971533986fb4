"""The explorer of layers and steps: what its pictures hold, and what its button does, without a browser."""

from __future__ import annotations

import re
import subprocess
import sys
from html import unescape
from html.parser import HTMLParser

import ipywidgets
import nbformat
import numpy as np
import pytest
import xarray as xr

from snnlib import charts
from snnlib.explorer import Explorer
from snnlib.studies import temporal as study

QUANTITIES = ("firing rate (spikes per neuron and step)", "CKA")


class Numbers(HTMLParser):
    """Reads the table of a picture: by layer, its values as they are written."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: dict[str, list[str]] = {}
        self.inside = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.inside = "layer" if dict(attributes).get("scope") == "row" else tag if tag == "td" else ""

    def handle_data(self, data: str) -> None:
        if self.inside == "layer":
            self.rows[data] = []
        elif self.inside == "td":
            list(self.rows.values())[-1].append(data)
        self.inside = ""


def numbers(picture: ipywidgets.HTML) -> dict[str, list[float]]:
    read = Numbers(picture.value).rows
    return {k: [float(v.replace("−", "-").replace("no value", "nan")) for v in row] for k, row in read.items()}


def made_up(T: int, layers: int = 5) -> dict[str, xr.DataArray]:
    """Values that tell their place: layer 2 at step 3 of T = 4 is 0.423."""
    values = T / 10 + np.add.outer(np.arange(layers) / 100, np.arange(1, T + 1) / 1000)
    coords = {"layer": [f"l{i}" for i in range(layers)], "stage": ("layer", [-1, 1, 1, 2, 2]), "step": np.arange(T) + 1}
    first = xr.DataArray(values, dims=("layer", "step"), coords=coords)
    return dict(zip(QUANTITIES, (first, first / 2), strict=True))


def shown(explorer: Explorer) -> ipywidgets.HTML:
    """The picture that a browser shows: what the two links make of the choice."""
    return explorer.stack.children[explorer.slider.index].children[explorer.menu.index]


# ---- pictures


def luminances(svg: str) -> np.ndarray:
    """How bright the coloured rectangles are to the eye, in drawing order."""
    found = re.findall(r'<path d="M[^"]*" fill="rgb\((\d+), (\d+), (\d+)\)"', svg)
    return np.array(found, dtype=float) @ [0.2126, 0.7152, 0.0722]


def test_a_picture_has_a_cell_for_every_layer_and_step_and_viridis_climbs_with_its_values() -> None:
    values = made_up(4)["CKA"]
    values[1, 2] = np.nan
    svg = charts.still(charts.layers_by_steps(values, value_title="CKA", domain=(0.2, 0.25)))
    brightness = luminances(svg)
    known = values.values.ravel()[np.isfinite(values.values.ravel())]
    assert len(brightness) == len(known) == 19
    assert (np.diff(brightness[np.argsort(known, kind="stable")]) > 0).all()
    assert svg.count('fill="#B4B4B4"') == 1, "no value is grey"


def test_a_picture_stands_alone_and_takes_the_colour_of_the_page() -> None:
    first, second = (
        charts.still(charts.layers_by_steps(made_up(T)["CKA"], value_title="CKA < 1", domain=(0, 1))) for T in (2, 3)
    )
    assert first.startswith("<svg ")
    head = first[: first.index(">")]
    assert 'role="img"' in head
    assert "Heatmap of CKA &lt; 1: 5 layers (to the right) by 2 time steps" in head
    assert "max-width: 100%" in head
    assert not re.search(r'fill="(white|black|#000|#fff)', first), "a colour that one of the two modes hides"
    assert 'fill="currentColor"' in first
    names = [set(re.findall(r'\bid="([^"]+)"', svg)) for svg in (first, second)]
    assert names[0]
    assert not names[0] & names[1], "two pictures on a page share a name"
    assert set(re.findall(r"url\(#([^)]+)\)", first)) <= names[0]


def test_a_domain_that_does_not_ascend_is_named() -> None:
    with pytest.raises(ValueError, match=r"must ascend, not \(1, 1\)"):
        charts.layers_by_steps(made_up(2)["CKA"], value_title="CKA", domain=(1, 1))


# ---- the widget


def test_every_setting_has_its_picture() -> None:
    explorer = Explorer({T: made_up(T) for T in (4, 1, 2)}, T=2)
    assert explorer.slider.value == 2
    for T in (1, 2, 4):
        explorer.slider.value = T
        for quantity, factor in zip(QUANTITIES, (1, 0.5), strict=True):
            explorer.menu.value = quantity
            expected = made_up(T)[QUANTITIES[0]].values * factor
            assert np.allclose(list(numbers(shown(explorer)).values()), expected, atol=0.00051)
            assert f"T = {T}: {quantity}" in shown(explorer).value
    assert explorer.stack.selected_index == 1, "a browser links them; a kernel alone does not"


def fills(picture: ipywidgets.HTML) -> list[str]:
    return re.findall(r'<path d="M[^"]*" fill="(rgb[^"]*)"', picture.value)


def column(*values: float) -> dict[str, xr.DataArray]:
    return {"CKA": xr.DataArray([[v] for v in values], dims=("layer", "step"), coords={"layer": list("abc")})}


def test_a_colour_means_the_same_at_all_T() -> None:
    explorer = Explorer({1: column(0.92, 0.95, 1), 2: column(0.95, 0.31, 0)}, lambda T: column(0.95, 1.4, 1))
    first, second = (fills(inner.children[0]) for inner in explorer.stack.children)
    assert first[1] == second[0] != first[0]
    explorer.wanted.value = 3
    explorer.button.click()
    wider = [fills(inner.children[0]) for inner in explorer.stack.children]
    assert wider[0][1] == wider[1][0] == wider[2][0], "also with a T that widens the range"
    assert wider[2][1] != wider[2][2]

    narrow = Explorer({1: column(0.92, 0.95, 1)}, ranges={"CKA": (0.9, 1)})
    luminance = luminances(shown(narrow).value)
    assert luminance[2] - luminance[0] > np.ptp(luminances(explorer.stack.children[0].children[0].value))


def links() -> set[tuple[str, str]]:
    """(source, target) of the links in the state that a notebook is saved with, each as "IPY_MODEL_id.trait"."""
    models = ipywidgets.Widget.get_manager_state()["state"].values()
    saved = [model["state"] for model in models if model["model_name"] == "LinkModel"]
    return {(".".join(state["source"]), ".".join(state["target"])) for state in saved}


def test_the_choice_is_linked_to_the_pictures_in_the_browser() -> None:
    explorer = Explorer({T: made_up(T) for T in (1, 2)}, made_up)
    explorer.wanted.value = 3
    explorer.button.click()
    assert len(explorer.stack.children) == 3

    def end(widget: ipywidgets.Widget, trait: str) -> str:
        return f"IPY_MODEL_{widget.model_id}.{trait}"

    wanted = {(end(explorer.slider, "index"), end(explorer.stack, "selected_index"))}
    wanted |= {(end(explorer.menu, "index"), end(inner, "selected_index")) for inner in explorer.stack.children}
    assert wanted <= links()


def test_another_T_takes_its_place_and_is_shown() -> None:
    asked = []

    def another(T: int) -> dict[str, xr.DataArray]:
        asked.append((T, explorer.button.disabled))
        print("epoch 1\repoch 2", end="", file=sys.stderr)
        said.append(explorer.status.value)
        return made_up(T)

    said: list[str] = []
    explorer = Explorer({T: made_up(T) for T in (1, 4)}, another)
    explorer.menu.value = QUANTITIES[1]
    explorer.wanted.value = 2
    explorer.button.click()
    assert asked == [(2, True)], "disabled while it computes"
    assert "epoch 2" in said[0]
    assert "epoch 1" not in said[0], "the newest line only"
    assert not explorer.button.disabled
    assert [label for label, _ in explorer.slider.options] == ["1", "2", "4"]
    assert explorer.slider.value == 2
    assert explorer.stack.selected_index == explorer.slider.index
    assert numbers(shown(explorer))["l4"] == [0.121, 0.121], "half of 0.241 and 0.242"
    explorer.button.click()
    assert len(asked) == 1, "what is there is not computed again"


def test_an_error_is_one_sentence_in_the_widget_and_changes_nothing() -> None:
    def another(T: int) -> dict[str, xr.DataArray]:
        raise ValueError(f"T = {T}\nis <too> large")

    explorer = Explorer({2: made_up(2)}, another)
    before = explorer.stack.children
    explorer.button.click()
    assert "T = 1 was not computed: T = 1 is &lt;too&gt; large" in explorer.status.value
    assert explorer.stack.children == before
    assert not explorer.button.disabled

    strange = Explorer({2: made_up(2)}, lambda T: {"other": made_up(T)["CKA"]})
    strange.button.click()
    assert "T = 1 has ['other'], not" in unescape(strange.status.value)


def test_the_part_that_needs_a_kernel_can_be_hidden() -> None:
    with_kernel, without = Explorer({2: made_up(2)}, made_up), Explorer({2: made_up(2)})
    live = [child for child in with_kernel.children if "live-only" in child._dom_classes]
    assert len(live) == 1
    inside = str(live[0].children)
    assert "Button" in inside
    assert "BoundedIntText" in inside
    assert not [child for child in without.children if "live-only" in child._dom_classes]


@pytest.mark.parametrize(
    ("maps", "T", "says"),
    [
        ({}, None, "got no maps"),
        ({2: made_up(2), 3: {"CKA": made_up(3)["CKA"]}}, None, "T = 3 has"),
        ({2: made_up(2)}, 3, "T = 3 is not among 2"),
    ],
)
def test_what_cannot_be_shown_is_named(maps, T, says) -> None:
    with pytest.raises(ValueError, match=says):
        Explorer(maps, T=T)


def test_the_button_computes_through_the_store(run, computed) -> None:
    """What is shown of a T that nobody had computed is what the store now holds of it."""
    from snnlib.parameters import TemporalParameters
    from snnlib.run import Run

    given = run.given.model_dump(exclude={"seeds"})
    temporal = Run.of(TemporalParameters(**given, seeds=1))
    first = dict.fromkeys((study.RATE, study.SETTLED, study.AS_ANN), made_up(2)["CKA"])
    explorer = Explorer({2: first}, lambda T: study.layers_and_steps_of(temporal, T))
    explorer.wanted.value = 3
    explorer.button.click()
    assert "T = 3 is shown" in explorer.status.value
    snn = temporal.network(spiking=True, T=3, tau=0.5, alpha=1.0)
    assert snn.name in computed

    computed.clear()
    rates = temporal.rates(snn)
    within = temporal.compare(snn, snn, time="each")
    across = temporal.compare(snn, temporal.network(spiking=False), time="each")
    assert not computed, "all of it is in the store"
    for quantity in first:
        explorer.menu.value = quantity
        found = numbers(shown(explorer))
        assert list(found) == [str(layer) for layer in rates["layer"].values]
        for i, (layer, row) in enumerate(found.items()):
            at = {"layer_a": layer, "layer_b": layer}
            expected = {
                study.RATE: rates.values[i],
                study.SETTLED: within.sel(at).values[:, -1],
                study.AS_ANN: across.sel(at).values[:, 0],
            }[quantity]
            assert np.allclose(row, expected, atol=0.00051, equal_nan=True), (quantity, layer)


# ---- saved with a notebook


def test_papermill_keeps_the_widget_and_its_state(tmp_path) -> None:
    source = (
        "import numpy as np, xarray as xr\n"
        "from snnlib.explorer import Explorer\n"
        "maps = {T: {'CKA': xr.DataArray(np.full((3, T), T / 10), dims=('layer', 'step'),\n"
        "                                coords={'layer': list('abc')})} for T in (1, 2)}\n"
        "Explorer(maps, lambda T: maps[1])"
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(notebook, tmp_path / "in.ipynb")
    command = [sys.executable, "-m", "papermill", "in.ipynb", "out.ipynb"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-3000:]
    executed = nbformat.read(tmp_path / "out.ipynb", as_version=4)
    (output,) = [o for o in executed.cells[0].outputs if o.output_type == "execute_result"]
    root = output.data["application/vnd.jupyter.widget-view+json"]["model_id"]
    state = executed.metadata.widgets["application/vnd.jupyter.widget-state+json"]["state"]
    assert state[root]["state"]["_dom_classes"] == ["explorer"]
    pictures = [model["state"]["value"] for model in state.values() if model["model_name"] == "HTMLModel"]
    assert sum("<svg" in value for value in pictures) == 2
    assert sum(model["model_name"] == "LinkModel" for model in state.values()) == 3
