"""The picture of an event stream: what it draws is what is in the stream and its frames."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from chart_tables import vlc

from snnlib import charts
from snnlib.data.events import EVENT

SPAN = (0, 300_000)


def made(n: int = 40, side: int = 8) -> np.ndarray:
    rng = np.random.default_rng(0)
    stream = np.zeros(n, dtype=EVENT)
    stream["t"] = np.sort(rng.integers(0, SPAN[1], n))
    for name, limit in (("x", side), ("y", side), ("p", 2)):
        stream[name] = rng.integers(0, limit, n)
    return stream


def counted(stream: np.ndarray, bins: int, side: int = 8) -> np.ndarray:
    frames = np.zeros((bins, 2, side, side), dtype=np.uint8)
    for t, x, y, p in stream.tolist():
        frames[t * bins // SPAN[1], p, y, x] += 1
    return frames


def picture(bins: int = 4, n: int = 40):
    stream = made(n)
    image = np.arange(64, dtype=np.uint8).reshape(8, 8)
    path = np.array([(-1, 0), (0, 1), (1, 0), (0, -1), (-1, 0)])
    return charts.event_picture(stream, counted(stream, bins), span=SPAN, image=image, path=path)


def speaking(chart) -> list[dict[str, str]]:
    """The marks of all layers, made to say what their tooltips show."""
    spec = chart.to_dict()
    for layer in spec["layer"]:
        layer["mark"]["aria"] = True
    svg = vlc.vegalite_to_svg(spec)
    texts = re.findall(r'<path[^>]*aria-label="([^"]*)"', svg)
    return [dict(part.rpartition(": ")[::2] for part in text.split("; ")) for text in texts]


def test_every_event_is_drawn_where_it_is() -> None:
    stream = made()
    _, events, _ = picture().charts
    marks = [mark for mark in speaking(events) if "the pixel became" in mark]
    have = sorted((int(m["column"]), int(m["row"]), m["the pixel became"]) for m in marks)
    assert have == sorted((int(x), int(y), "brighter" if p else "darker") for _, x, y, p in stream.tolist())


def test_the_frames_show_their_counts() -> None:
    frames = counted(made(), 4)
    *_, drawn = picture().charts
    marks = [mark for mark in speaking(drawn) if "frame" in mark and "events" in mark]
    assert len(marks) == np.count_nonzero(frames)
    for mark in marks:
        place = (
            int(mark["frame"]) - 1,
            int(mark["the pixel became"] == "brighter"),
            int(mark["row"]),
            int(mark["column"]),
        )
        assert frames[place] == int(mark["events"])


def test_panels_have_titles_axes_and_a_text_of_their_own() -> None:
    for chart in picture().charts:
        spec = chart.to_dict()
        assert len(spec["description"]) > 40 and spec["title"]["text"]
        axes = json.dumps([layer["encoding"] for layer in spec["layer"]])
        assert re.search(r"pixels|time \(ms\)|frame \(of 4\)", axes)
    assert "40 events" in str(picture().charts[1].to_dict()["title"])


def test_long_streams_and_many_frames_are_thinned_and_say_so() -> None:
    _, events, frames = picture(bins=10, n=5000).charts
    assert "5,000 events; 1 in 4 drawn" in str(events.to_dict()["title"])
    assert "4 of 10 frames" in frames.to_dict()["description"]
    assert len(json.dumps(events.to_dict())) < 70_000


def test_a_recording_has_neither_image_nor_path() -> None:
    stream = made()
    assert len(charts.event_picture(stream, counted(stream, 1), span=SPAN).charts) == 2


def test_what_cannot_be_drawn() -> None:
    with pytest.raises(ValueError, match="frames of shape"):
        charts.event_picture(made(), np.zeros((4, 8, 8)), span=SPAN)
    with pytest.raises(ValueError, match="without events"):
        charts.event_picture(made()[:0], counted(made(), 4), span=SPAN)
