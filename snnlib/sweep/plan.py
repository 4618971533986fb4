"""The list as a file: YAML that names every network and every result, and nothing of one machine.

    preset: quick
    parameters: {}       # given to every chapter beside the preset
    data:                # by name; what they hold is looked up where the list is used
      digits: {}
      moving-digits: {frames: 4}
    networks:            # a `TrainSpec` each, without what is its default
    - {name: ..., data: digits, model: {...}, epochs: 10, batch_size: 64, chapters: [02_spatial_cka, ...]}
    results:             # the spec named by `kind`, its networks by their names
    - {kind: CompareSpec, a: ..., b: ..., n_images: 352, chapters: [...]}

The order is that in which things are made. A list may be cut short, or put into another order, by hand.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from snnlib import spec as specs
from snnlib.provenance import PACKAGE
from snnlib.spec import DataSpec, Spec, SpecError, TrainSpec, networks_among
from snnlib.sweep.listing import CHAPTERS
from snnlib.words import papermill_words

FOLDER = PACKAGE.parent / "workflow" / "presets"
NETWORKS = ("a", "b", "network", "source", "targets")  # fields of results that hold networks
HEAD = """\
# Every network and every result that the chapters need under this preset, in the order in which they are made.
# Written by `snnlib sweep --preset {preset} --write FILE`, which asks the studies; see snnlib/sweep/plan.py.
"""


@dataclass(frozen=True)
class Plan:
    """What a file says. `data` has the arguments of `open_images` by name; `wanted` the entries as they stand there."""

    preset: str
    parameters: dict[str, Any]
    data: dict[str, dict[str, int]]
    networks: list[dict[str, Any]]
    results: list[dict[str, Any]]

    def specs(self, data: Mapping[str, DataSpec], n_test: Mapping[str, int]) -> dict[Spec, tuple[str, ...]]:
        """Every spec -> the chapters that need it, given what the data sets hold. Networks come first.

        Of a data set with fewer test images than the list asks for, all are taken, as the chapters do.
        """
        trained: dict[str, TrainSpec] = {}
        found: dict[Spec, tuple[str, ...]] = {}
        for entry in self.networks:
            name, chapters, dataset, fields = _parts(entry, "name", "chapters", "data")
            trained[name] = TrainSpec(data=_data(data, dataset), **fields)
            found[trained[name]] = tuple(chapters)
        for entry in self.results:
            kind, chapters, fields = _parts(entry, "kind", "chapters")
            for field in NETWORKS:
                if field in fields:
                    fields[field] = _named(trained, fields[field])
            if "data" in fields:
                fields["data"] = _data(data, fields["data"])
            if "n_images" in fields:
                first = next(networks_among(fields.values()))
                fields["n_images"] = min(fields["n_images"], n_test[first.data.dataset])
            found[getattr(specs, kind)(**fields)] = tuple(chapters)
        return found


def papermill_options(plan: Plan, chapter: str, data_root: Path | None = None) -> str:
    """What `papermill` is told of the list when it runs a chapter, whatever the notebook says itself."""
    given = {"preset": plan.preset, **plan.parameters}
    if chapter not in CHAPTERS:  # a page that trains nothing of the study's, and has parameters of its own
        given = {"preset": plan.preset}
    elif data_root:
        given["data_root"] = str(data_root)
    return shlex.join(papermill_words(given))


def plan_file(preset: str) -> Path:
    """The file of a preset, or the file that is named.

    Raises:
        SpecError: there is none.
    """
    path = FOLDER / f"{preset}.yaml"
    if Path(preset).suffix in (".yaml", ".yml"):
        path = Path(preset)
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in FOLDER.glob("*.yaml"))) or "none, outside of a checkout"
        raise SpecError(
            f"preset = {preset!r} has no list ({path}); there are {known}, or name a file that ends in .yaml"
        )
    return path


def read_plan(path: Path) -> Plan:
    """The list that a file holds.

    Raises:
        SpecError: it holds no list.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf8"))
        data = {name: how or {} for name, how in content["data"].items()}
        given = content.get("parameters") or {}
        return Plan(content["preset"], given, data, content["networks"] or [], content["results"] or [])
    except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise SpecError(f"{path} holds no list of networks and results: {error}") from None


def plan_text(preset: str, asked: Mapping[Spec, list[str]], given: Mapping[str, Any] | None = None) -> str:
    """The file for what `listing` found: trained networks, then untrained ones, then results."""
    networks = [spec for spec in asked if isinstance(spec, TrainSpec)]
    networks.sort(key=lambda spec: spec.epochs == 0)
    data = {spec.data.dataset: _how(spec.data) for spec in networks}
    lines = [HEAD.format(preset=preset) + f"preset: {preset}", f"parameters: {_line(dict(given or {}))}", "data:"]
    lines += [f"  {name}: {_line(how)}" for name, how in data.items()]
    lines += ["networks:"]
    for spec in networks:
        fields = spec.model_dump(mode="json", exclude_defaults=True)
        entry = {"name": spec.slug, **fields, "data": spec.data.dataset, "chapters": sorted(asked[spec])}
        lines.append(f"- {_line(entry)}")
    lines += ["results:"]
    for spec in asked:
        if not isinstance(spec, TrainSpec):
            lines.append(f"- {_line({'kind': type(spec).__name__, **_by_name(spec), 'chapters': sorted(asked[spec])})}")
    return "\n".join(lines) + "\n"


def _line(value: Any) -> str:
    return yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10**6, allow_unicode=True).strip()


def _how(data: DataSpec) -> dict[str, int]:
    """What a data set is opened with beside its name."""
    if not data.frames:
        return {}
    size = {} if data.dataset.startswith("moving-") else {"size": data.image_size}
    return {"frames": data.frames, **size}


def _by_name(spec: Spec) -> dict[str, Any]:
    fields = spec.model_dump(mode="json", exclude_defaults=True)
    if "data" in fields:
        fields["data"] = fields["data"]["dataset"]
    for field in NETWORKS:
        value = getattr(spec, field, None)
        if isinstance(value, TrainSpec):
            fields[field] = value.slug
        elif value:
            fields[field] = [one.slug for one in value]
    return fields


def _parts(entry: Mapping[str, Any], *names: str) -> tuple[Any, ...]:
    """Some values of an entry, then the rest of it."""
    try:
        return *(entry[name] for name in names), {k: v for k, v in entry.items() if k not in names}
    except KeyError as error:
        raise SpecError(f"{dict(entry)} in the list lacks {error}") from None


def _data(known: Mapping[str, DataSpec], name: str) -> DataSpec:
    if name not in known:
        raise SpecError(f"{name!r} is asked for in the list, but its data are {', '.join(known) or 'none'}")
    return known[name]


def _named(trained: Mapping[str, TrainSpec], value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_named(trained, one) for one in value)
    if value not in trained:
        raise SpecError(f"{value!r} is compared in the list, but not among its networks")
    return trained[value]
