"""The sweep: every network and every result that the chapters need under a preset, listed, forecast, and made."""

from snnlib.sweep.costs import Cost, Costs, measure
from snnlib.sweep.listing import CHAPTERS, listing
from snnlib.sweep.plan import Plan, papermill_options, plan_file, plan_text, read_plan
from snnlib.sweep.report import checks, hours_at, throughput, work_of_presets
from snnlib.sweep.runs import SPEEDS, Item, Sweep, note

__all__ = [
    "CHAPTERS",
    "SPEEDS",
    "Cost",
    "Costs",
    "Item",
    "Plan",
    "Sweep",
    "checks",
    "hours_at",
    "listing",
    "measure",
    "note",
    "papermill_options",
    "plan_file",
    "plan_text",
    "read_plan",
    "throughput",
    "work_of_presets",
]
