"""The book's charts, in Altair: they take xarray, pandas and numpy, and import no torch.

Every chart carries a text alternative (`description`), the names and units of its axes, tooltips, and colours that
colour-blind readers tell apart; it takes the colour of the page, light or dark, and narrows with it.
"""

from __future__ import annotations

from snnlib.charts.bars import bars
from snnlib.charts.blocks import block_profile
from snnlib.charts.choice import heatmap_choice
from snnlib.charts.curves import accuracy_dots, sweep, training_curves
from snnlib.charts.depth import depth_curve, firing_rates
from snnlib.charts.events import event_picture
from snnlib.charts.explain import lif_trace, surrogate_shape
from snnlib.charts.gram import gram_pair
from snnlib.charts.heatmap import heatmap, heatmaps_row
from snnlib.charts.layers_steps import layers_by_steps
from snnlib.charts.linked import linked_heatmap
from snnlib.charts.pictures import pictures
from snnlib.charts.settings import heatmap_by_setting
from snnlib.charts.steps import step_curve, step_heatmap
from snnlib.charts.still import still
from snnlib.charts.theme import NETWORKS, Panels

__all__ = [
    "NETWORKS",
    "Panels",
    "accuracy_dots",
    "bars",
    "block_profile",
    "depth_curve",
    "event_picture",
    "firing_rates",
    "gram_pair",
    "heatmap",
    "heatmap_by_setting",
    "heatmap_choice",
    "heatmaps_row",
    "layers_by_steps",
    "lif_trace",
    "linked_heatmap",
    "pictures",
    "step_curve",
    "step_heatmap",
    "still",
    "surrogate_shape",
    "sweep",
    "training_curves",
]
