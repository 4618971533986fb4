"""The line under a figure that unfolds, as HTML; it needs no style sheet, and every text in it is escaped."""

from __future__ import annotations

from html import escape

from snnlib import provenance
from snnlib.entries import is_halved
from snnlib.figures.command import command
from snnlib.figures.html import WRAP, each, table, terms
from snnlib.figures.origin import Origin
from snnlib.figures.settings import settings
from snnlib.parameters import PageParameters, Parameters
from snnlib.spec import PRESETS
from snnlib.words import written

DIGITS = 12  # of a checksum that are shown


def line(
    given: Parameters | PageParameters,
    title: str | None,
    found: Origin,
    in_effect: Parameters | PageParameters | None = None,
) -> str:
    """What a figure is made of, folded into one line.

    Args:
        given: the parameters of the page, as its reader gave them.
        title: of the page's data set, for people.
        found: what the figure is drawn from.
        in_effect: the parameters that its run settled on, such as fewer images where there are no more.
    """
    head = f"How this figure was made{_in_short(found)}"
    said = [*_settings(in_effect or given, title, found), *_circumstances(found), *_again(given), *_made(found)]
    return f'<details class="provenance"><summary>{escape(head)}</summary>{terms(said)}</details>'


def _in_short(found: Origin) -> str:
    parts = [_count(len(found.networks), "network"), _count(len(found.results), "result")]
    parts += ["n = " + " and ".join(f"{n:,}" for n in found.n_images)] if found.n_images else []
    parts = [part for part in parts if part]
    return f": {', '.join(parts)}" if parts else ""


def _settings(given: Parameters | PageParameters, title: str | None, found: Origin) -> list[tuple[str, str]]:
    values = ", ".join(f"{name} = {written(value).rstrip(',')}" for name, value in settings(given).items())
    preset = f"preset <code>{escape(given.preset)}</code> ({escape(PRESETS[given.preset].title)})"
    said = [("Settings of the page", f"{preset}; {escape(values)}" if values else preset)]
    data = [f"<code>{escape(one.dataset)}</code> (content <code>{one.fingerprint}</code>)" for one in found.data]
    if title or data:
        said.append(("Data of the page", "; ".join([*([escape(title)] if title else []), *data])))
    seeds = sorted({spec.seed for spec in found.networks.values()})
    if seeds:
        said.append(("Seeds of the networks", ", ".join(map(str, seeds))))
    if found.n_images:
        said.append(("Test images compared on", " and ".join(f"{n:,}" for n in found.n_images)))
    return said


def _made(found: Origin) -> list[tuple[str, str]]:
    """Tables of networks and of results, with checksums and seconds."""
    said = []
    for name, what, specs in (
        ("Networks", "weights, SHA-256", found.networks),
        ("Results", "values, SHA-256", found.results),
    ):
        if specs:
            said.append((name, table(("entry of the store", what, "time"), (_row(found, one) for one in specs))))
    if changed := found.changed_since():
        names = ", ".join(f"<code>{escape(name)}</code>" for name in changed)
        said.append(("Beware", f"computed from other weights than the store has now: {names}"))
    return said


def _row(found: Origin, name: str) -> tuple[str, str, str]:
    entry = found.entries[name]
    if entry is None:
        return f"<code>{escape(name)}</code>", "not in the store", ""
    digest = f"<code>{entry.checksum[:DIGITS]}</code>" + " (16-bit)" * is_halved(entry)
    return f"<code>{escape(name)}</code>", digest, _duration(entry.card["duration"])


def _circumstances(found: Origin) -> list[tuple[str, str]]:
    """Run time, commits, code, machine and versions: as the cards say, or of this page where there are none."""
    networks, results = found.cards(found.networks), found.cards(found.results)
    cards = [*networks, *results, *found.measured] or [provenance.provenance(())]
    spent = [
        (sum(card["duration"] for card in of), word) for of, word in ((networks, "training"), (results, "computing"))
    ]
    spent += [(60 * about["minutes"], "measuring") for about in found.measured]
    commits = each(provenance.short(card["commit"]) for card in cards)
    codes = each(card["code"] for card in [*networks, *results])
    made = f"commit {commits}" + (f"; fingerprint of the code {codes}" if codes else "")
    now = f"; drawn at commit <code>{escape(provenance.short(provenance.git_commit()))}</code>"
    versions = (
        ", ".join(f"{name} {version}" for name, version in card["versions"].items() if version) for card in cards
    )
    said = [("Run time", "; ".join(f"{_duration(seconds)} of {word}" for seconds, word in spent if seconds))]
    said.append(("Made at", made + now * bool(networks or results or found.measured)))
    said.append(("Made on", "; ".join(dict.fromkeys(escape(provenance.machine(card["hardware"])) for card in cards))))
    said.append(("Versions", "; or ".join(dict.fromkeys(map(escape, versions)))))
    return [(name, content) for name, content in said if content]


def _again(given: Parameters | PageParameters) -> list[tuple[str, str]]:
    words = command(given)
    if not words:
        return []
    code = f'<code style="{WRAP}; user-select: all">{escape(words)}</code>'
    return [("Make it again", f'<div class="highlight"><pre style="{WRAP}">{code}</pre></div>')]


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'s' * (number > 1)}" if number else ""


def _duration(seconds: float) -> str:
    from snnlib.training.pace import as_text

    return as_text(seconds) if seconds >= 10 else f"{seconds:.1f} s"  # many a result takes less than a second
