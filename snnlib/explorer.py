"""A widget that steps through pictures by T and quantity: in a static page through what is stored, in a live notebook
through any T.

The choice is linked to the pictures in the browser (jslink), so it moves with no kernel behind it. Below it, for a
reader with a kernel, a T of one's own is computed at the press of a button; a static page hides that part by its class
`live-only`.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Mapping
from html import escape

import ipywidgets
import numpy as np
import xarray as xr

from snnlib import charts
from snnlib.charts import layers_steps
from snnlib.evidence import number

Maps = Mapping[str, xr.DataArray]  # by quantity, such as "firing rate": (layer, step)
MOST = 16  # largest T that a reader may ask for


class Explorer(ipywidgets.VBox):
    """Heatmaps of all layers at all time steps: a slider chooses T, a menu the quantity.

    Args:
        maps: by T, and then by quantity, arrays over (layer, step); every T has the same quantities.
        another: computes those of a T that is not there; its errors are shown, not raised. None offers no other T.
        T: what is shown at first; the largest if it is not named.
        ranges: by quantity, the least range of its colours; without one it goes from 0 to the highest value.

    Public parts: `slider` and `menu` (the choice), `stack` (by T a stack of pictures by quantity); and, for another T,
    `wanted`, `button` and `status`.

    Raises:
        ValueError: no maps, other quantities at one T than at another, or a first T that is not there.
    """

    def __init__(
        self,
        maps: Mapping[int, Maps],
        another: Callable[[int], Maps] | None = None,
        *,
        T: int | None = None,
        ranges: Mapping[str, tuple[float, float]] | None = None,
    ) -> None:
        self._maps = {steps: dict(maps[steps]) for steps in sorted(maps)}
        self._another, self._ranges = another, ranges or {}
        if not self._maps:
            raise ValueError("Explorer got no maps: there is nothing to show")
        self._quantities = list(next(iter(self._maps.values())))
        for steps in self._maps:
            self._check(steps, self._maps[steps])
        if T is not None and T not in self._maps:
            raise ValueError(f"T = {T} is not among {', '.join(map(str, self._maps))}")
        self.slider = ipywidgets.SelectionSlider(
            description="T (time steps)",
            tooltip="number of time steps of the network; arrow keys move it",
            options=_options(self._maps),
            style={"description_width": "initial"},
        )
        self.menu = ipywidgets.Dropdown(
            description="shown",
            tooltip="what the colours mean",
            options=[(name.split(" (")[0], name) for name in self._quantities],  # units are in the pictures
            style={"description_width": "initial"},
        )
        self.slider.add_class("setting-T")
        self.menu.add_class("setting-shown")
        self.stack = ipywidgets.Stack()
        self._links = [ipywidgets.jslink((self.slider, "index"), (self.stack, "selected_index"))]
        self._draw()
        self._select(T or max(self._maps))
        choice = ipywidgets.Box([self.slider, self.menu], layout={"flex_flow": "row wrap"})
        choice.add_class("choice")
        super().__init__([choice, self.stack, *([self._live()] if another else [])])
        self.add_class("explorer")

    def _live(self) -> ipywidgets.Widget:
        """The part that needs a kernel."""
        self.wanted = ipywidgets.BoundedIntText(
            description="another T",
            tooltip="number of time steps of a network that is to be trained now",
            value=next((T for T in range(1, MOST + 1) if T not in self._maps), MOST),
            min=1,
            max=MOST,
            style={"description_width": "initial"},
        )
        self.button = ipywidgets.Button(description="Compute", tooltip="train this network, or take it from the store")
        self.status = ipywidgets.HTML()
        self.button.on_click(lambda _: self._compute(self.wanted.value))
        live = ipywidgets.VBox([ipywidgets.HBox([self.wanted, self.button]), self.status])
        live.add_class("live-only")
        return live

    def _compute(self, T: int) -> None:
        """Get the maps of T and show them; what goes wrong is said in one sentence."""
        if T in self._maps:
            self._say(f"T = {T} is shown above.")
            self._select(T)
            return
        self.button.disabled = True
        self._say(f"T = {T} is being computed …")
        try:
            with contextlib.redirect_stderr(_LastLine(self._say)):
                found = dict(self._another(T))
            self._check(T, found)
        except Exception as error:  # a callback's errors would end in a log that nobody reads
            self._say(f"T = {T} was not computed: {' '.join(str(error).split()) or type(error).__name__}")
        else:
            self._maps = dict(sorted({**self._maps, T: found}.items()))
            self._draw()
            self.slider.options = _options(self._maps)
            self._select(T)
            self._say(f"T = {T} is shown above.")
        finally:
            self.button.disabled = False

    def _draw(self) -> None:
        """Draw all pictures: the colours of a quantity mean the same at all T."""
        domains = {
            name: _domain([maps[name] for maps in self._maps.values()], self._ranges.get(name))
            for name in self._quantities
        }
        stacks = []
        for T, maps in self._maps.items():
            pictures = [ipywidgets.HTML(figure(T, name, maps[name], domains[name])) for name in self._quantities]
            stacks.append(ipywidgets.Stack(pictures, selected_index=self.menu.index))
        old, self.stack.children = self.stack.children, stacks
        links = [ipywidgets.jslink((self.menu, "index"), (inner, "selected_index")) for inner in stacks]
        for widget in [*self._links[1:], *old, *(picture for inner in old for picture in inner.children)]:
            widget.close()
        self._links[1:] = links

    def _select(self, T: int) -> None:
        self.slider.value = T
        self.stack.selected_index = self.slider.index  # as the link does in a browser

    def _say(self, text: str) -> None:
        self.status.value = f'<span role="status">{escape(text)}</span>'

    def _check(self, T: int, maps: Maps) -> None:
        if list(maps) != self._quantities:
            raise ValueError(f"T = {T} has {list(maps)}, not {self._quantities} like the others")


def figure(T: int, name: str, values: xr.DataArray, domain: tuple[float, float]) -> str:
    """One picture with its caption and its numbers, as HTML."""
    title = f"T = {T}: {name}"
    chart = charts.layers_by_steps(values, value_title=name, domain=domain)
    numbers = f"<details><summary>The numbers</summary>{_table(values)}</details>"
    caption = f"<figcaption><b>{escape(title)}.</b> {_ends(values)}</figcaption>"
    return f"<figure>{caption}{charts.still(chart)}{numbers}</figure>"


def _ends(values: xr.DataArray) -> str:
    """The means over layers at the first and at the last step, in words."""
    means = [number(mean) for mean in layers_steps.means_of_steps(values)]
    ends = {"step 1": means[0], f"step {len(means)}": means[-1]}
    return "Mean over layers: " + ", ".join(f"{mean} at {step}" for step, mean in ends.items()) + "."


def _table(values: xr.DataArray) -> str:
    """Layers down, steps to the right."""
    shown = values.transpose("layer", "step")
    head = "".join(f'<th scope="col">step {t + 1}</th>' for t in range(shown.sizes["step"]))
    rows = [
        f'<tr><th scope="row">{escape(str(layer))}</th>' + "".join(f"<td>{number(v)}</td>" for v in row) + "</tr>"
        for layer, row in zip(shown["layer"].values, shown.values, strict=True)
    ]
    table = f'<table><tr><th scope="col">layer</th>{head}</tr>{"".join(rows)}</table>'
    scrolls = 'class="numbers" style="overflow: auto" role="region" aria-label="The numbers" tabindex="0"'
    return f"<div {scrolls}>{table}</div>"


def _domain(values: list[xr.DataArray], least: tuple[float, float] | None) -> tuple[float, float]:
    """The range of the colours, ends rounded outwards: at least `least`, or from 0 on, and on to hold all values."""
    finite = np.concatenate([array.values[np.isfinite(array.values)] for array in values])
    low, high = (min([0.0, *finite]), max([0.0, *finite])) if least is None else (min([least[0], *finite]), least[1])
    digit = 10.0 ** (np.floor(np.log10(high)) - 1) if high > 0 else 1.0
    low, high = np.floor(low / digit + 0.01) * digit, np.ceil(max([high, *finite]) / digit - 0.01) * digit
    return round(float(low), 9), round(float(max(high, low + digit)), 9)


def _options(maps: Mapping[int, Maps]) -> list[tuple[str, int]]:
    return [(str(T), T) for T in maps]


class _LastLine(io.TextIOBase):
    """A stream whose newest line is handed on: what programs print of their progress."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say, self._line = say, ""

    def write(self, text: str) -> int:
        *done, self._line = (self._line + text).replace("\r", "\n").split("\n")
        newest = next((line for line in [self._line, *reversed(done)] if line.strip()), "")
        if newest:
            self._say(newest.strip())
        return len(text)
