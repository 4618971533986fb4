"""A chart as a picture: SVG that takes the colour of the page, for where no script draws charts."""

from __future__ import annotations

import hashlib
import re
from html import escape
from typing import Any

import altair as alt


def still(chart: Any) -> str:
    """The chart as an `<svg>` element, as wide as it was drawn or as narrow as the page, with its text alternative.

    Names inside it are made its own, so that several can stand on one page.

    Raises ImportError without vl-convert-python.
    """
    import vl_convert

    spec = chart.to_dict()
    version = ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
    svg = vl_convert.vegalite_to_svg({**spec, "background": "transparent"}, vl_version=version)
    own = hashlib.sha256(svg.encode()).hexdigest()[:8]
    svg = re.sub(r'\bid="([^"]+)"', rf'id="\1-{own}"', svg)
    svg = re.sub(r"url\(#([^)]+)\)", rf"url(#\1-{own})", svg)
    head, inside = re.fullmatch(r"\s*<svg([^>]*)>(.*)", svg, flags=re.DOTALL).groups()
    (width,) = re.findall(r'\bwidth="([\d.]+)"', head)
    (box,) = re.findall(r'\bviewBox="([^"]+)"', head)
    inside = re.sub(r' (?:role|aria-[a-z]+)="[^"]*"', "", inside)  # the text alternative stands for all of it
    style = f"width: {width}px; max-width: 100%; height: auto"
    text = escape(spec["description"])
    named = f'xmlns="http://www.w3.org/2000/svg" viewBox="{box}" role="img" aria-label="{text}" style="{style}"'
    return f"<svg {named}>{inside.strip()}"
