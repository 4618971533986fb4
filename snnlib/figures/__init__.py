"""Where a figure comes from, said under it: settings, networks, results, and the command that makes it again."""

from snnlib.figures.build import build_table
from snnlib.figures.command import command
from snnlib.figures.page import figure, open_page

__all__ = ["build_table", "command", "figure", "open_page"]
