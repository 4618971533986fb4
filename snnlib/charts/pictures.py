"""Pictures of images in rows and columns, drawn pixel by pixel."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence

import altair as alt
import numpy as np
from PIL import Image

from snnlib.charts import parts, theme

SIDE, GAP, LINE = 82, 8, 15  # pixels: a picture, what is between two, a line of text; three columns on a phone


def pictures(
    rows: Mapping[str, Sequence[np.ndarray]],
    captions: Mapping[str, Sequence[str]] | None = None,
    *,
    text: str,
) -> theme.Panels:
    """Draw rows of images, one panel a column, so that a narrow page shows fewer columns beside each other.

    Args:
        rows: name of the row -> its images, (C, H, W) with one channel or three and values in 0..1; what lies outside
            is drawn as the nearest of them.
        captions: name of a row -> a line under each of its images, such as the class that is seen in it.
        text: text alternative; what is seen in the whole.

    Raises:
        ValueError: no images, rows of different length, or images of other shapes.
    """
    lengths = {len(images) for images in rows.values()}
    if len(lengths) != 1 or 0 in lengths:
        raise ValueError(f"pictures takes rows of the same number of images, at least one, not {sorted(lengths)}")
    under = captions or {}
    return theme.Panels(
        [
            _column({name: images[i] for name, images in rows.items()}, {k: v[i] for k, v in under.items()}, text)
            for i in range(lengths.pop())
        ],
        min_width=SIDE + 2 * GAP,
    )


def _column(images: Mapping[str, np.ndarray], captions: Mapping[str, str], text: str) -> alt.LayerChart:
    data, y = [], 0
    for name, image in images.items():
        caption = captions.get(name, "")
        said = f"{name}: {caption}" if caption else name
        data.append({"name": name, "url": _png(image), "y": y + LINE, "top": y, "caption": caption, "said": said})
        y += SIDE + LINE + GAP + (LINE if caption else 0)
    for row in data:
        row["under"] = row["y"] + SIDE + 3
    base = alt.Chart(parts.inline(data))
    scale = alt.Scale(domain=[0, y], range=[0, y], nice=False, zero=False)

    def at(field: str) -> alt.Y:
        return alt.Y(f"{field}:Q", scale=scale, axis=None)

    word = {"limit": SIDE + GAP + 4, "align": "left", "baseline": "top", "fontSize": 11, "aria": False}
    tips = [alt.Tooltip("name:N", title="image"), alt.Tooltip("caption:N", title="class")]
    shown = base.mark_image(width=SIDE, height=SIDE, align="left", baseline="top").encode(
        x=alt.value(0), y=at("y"), url="url:N", description="said:N", tooltip=tips
    )
    heads = base.mark_text(fontWeight=600, **word).encode(x=alt.value(0), y=at("top"), text="name:N")
    lines = base.mark_text(**word).encode(x=alt.value(0), y=at("under"), text="caption:N")
    chart = alt.layer(shown, heads, lines).properties(width=SIDE + GAP, height=y)
    said = "; ".join(row["said"] for row in data)
    return theme.finish(chart, f"{text} {said}.")


def _png(image: np.ndarray) -> str:
    """The image as a data address, its pixels enlarged to squares, so that no browser blurs them."""
    pixels = np.asarray(image, dtype=float)
    if pixels.ndim != 3 or pixels.shape[0] not in (1, 3):
        raise ValueError(f"pictures takes images (C, H, W) with one channel or three, not of shape {pixels.shape}")
    whole = np.rint(np.clip(np.nan_to_num(pixels), 0, 1) * 255).astype(np.uint8).transpose(1, 2, 0)
    times = max(1, 2 * SIDE // max(whole.shape[:2]))
    whole = whole.repeat(times, 0).repeat(times, 1)
    picture = Image.fromarray(whole[..., 0] if whole.shape[2] == 1 else whole)
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
