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

The order is that in which things are made. A list may be cut short, put into another order, or written by hand: a
network has any name there, and one of the data may be a folder of images, `folder:/path/to/it`.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from snnlib.data.images import EVENTS
from snnlib.parameters import PageParameters
from snnlib.provenance import PACKAGE
from snnlib.spec import (
    AttackSpec,
    CompareSpec,
    DataSpec,
    MeasuresSpec,
    RatesSpec,
    SamplesSpec,
    Spec,
    SpecError,
    StreamSpec,
    TrainSpec,
    networks_among,
)
from snnlib.sweep.listing import CHAPTERS
from snnlib.words import papermill_words

FOLDER = PACKAGE.parent / "workflow" / "presets"
RESULTS = (AttackSpec, CompareSpec, MeasuresSpec, RatesSpec, SamplesSpec, StreamSpec)
KINDS = {kind.__name__: kind for kind in RESULTS}
PARTS = ("preset", "data", "networks", "results")  # of a file; "parameters" may be left out
NETWORKS = ("a", "b", "network", "source", "targets")  # fields of results that hold networks
HEAD = """\
# Every network and every result that the chapters need under this preset, in the order in which they are made.
# Written by `snnlib sweep --preset {preset} --write FILE`, which asks the studies; see snnlib/sweep/plan.py.
"""


@dataclass(frozen=True)
class Plan:
    """What a file says. `data` has the arguments of `open_images` by name; the entries are as they stand there."""

    preset: str
    parameters: dict[str, Any]
    data: dict[str, dict[str, int]]
    networks: list[dict[str, Any]]
    results: list[dict[str, Any]]

    @property
    def folder(self) -> str | None:
        """The one data set that is a folder of images, as it stands there."""
        return next(filter(_is_folder, self.data), None)

    def given(self, data_root: Path | None = None) -> dict[str, Any]:
        """What every chapter is given: the preset, the list's parameters, and where data sets lie."""
        place = {"data_root": str(data_root)} if data_root else {}
        return {"preset": self.preset, **self.parameters, **place}

    def trained(self, data: Mapping[str, DataSpec]) -> dict[str, TrainSpec]:
        """The networks by the names that they have in the list.

        Raises:
            SpecError: an entry that describes none, or has another's name; it says which.
        """
        found: dict[str, TrainSpec] = {}
        for number, entry in enumerate(self.networks, 1):
            with _naming("network", number, entry):
                name, dataset, _, fields = _parts(entry, "name", "data", "chapters")
                if name in found:
                    raise SpecError(f"network {list(found).index(name) + 1} has this name, too; give it another")
                found[name] = TrainSpec(data=_data(data, dataset), **fields)
        return found

    def specs(self, data: Mapping[str, DataSpec], n_test: Mapping[str, int]) -> dict[Spec, tuple[str, ...]]:
        """Every spec -> the chapters that need it, given what the data sets hold. Networks come first.

        Of a data set with fewer test images than the list asks for, all are taken, as the chapters do.

        Raises:
            SpecError: an entry that describes nothing that can be made; it says which.
        """
        trained = self.trained(data)
        most = {data[name]: count for name, count in n_test.items()}
        asked: list[tuple[Spec, dict[str, Any]]] = [*zip(trained.values(), self.networks, strict=True)]
        for number, entry in enumerate(self.results, 1):
            with _naming("result", number, entry):
                asked.append((_result(entry, trained, data, most), entry))
        found: dict[Spec, tuple[str, ...]] = {}
        for spec, entry in asked:  # two entries may say the same in other words
            found[spec] = tuple(dict.fromkeys((*found.get(spec, ()), *entry["chapters"])))
        return found


def papermill_options(plan: Plan, chapter: str, data_root: Path | None = None) -> str:
    """What `papermill` is told of the list when it runs a chapter, whatever the notebook says itself."""
    # a page that trains nothing of the study's has parameters of its own
    given = plan.given(data_root) if chapter in CHAPTERS else {"preset": plan.preset}
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
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SpecError(f"{path} holds no list of networks and results: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict) or (lacking := [part for part in PARTS if part not in content]):
        what = f"it lacks {', '.join(lacking)}" if isinstance(content, dict) else "it has no names before colons"
        raise SpecError(f"{path} holds no list of networks and results: {what}; see the files in {FOLDER}")
    try:
        if odd := [str(part) for part in content if part not in (*PARTS, "parameters")]:
            raise SpecError(f"{', '.join(odd)} is no part of a list, which has {', '.join(PARTS)} and parameters")
        preset = PageParameters(preset=content["preset"]).preset
        parameters = _fields("parameters", content.get("parameters") or {})
        networks, results = (_entries(part, content[f"{part}s"] or []) for part in ("network", "result"))
        return Plan(preset, parameters, _data_sets(content["data"] or {}), networks, results)
    except SpecError as error:
        raise SpecError(f"{path}: {error}") from None


def _entries(part: str, value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list):
        raise SpecError(f"{part}s = {value!r} should be a list: an entry a line, each after a dash")
    return [_fields(f"{part} {number}", entry) for number, entry in enumerate(value, 1)]


def _fields(where: str, value: Any) -> dict[str, Any]:
    if isinstance(value, dict) and all(isinstance(name, str) for name in value):
        return value
    raise SpecError(f"{where} is {value!r} and should be fields with their values, as in {{name: value}}")


def _data_sets(value: Any) -> dict[str, dict[str, int]]:
    found = {name: _fields(f"{name} in data", how or {}) for name, how in _fields("data", value).items()}
    for name, how in found.items():
        if how and name not in EVENTS:
            raise SpecError(f"{name} in data takes no {', '.join(how)}, write {{}}: frames have {', '.join(EVENTS)}")
        for key, count in how.items():
            if key not in ("frames", "size") or not isinstance(count, int) or isinstance(count, bool) or count < 1:
                raise SpecError(f"{name} in data has {key} = {count!r}; give frames, and size, as whole numbers")
    folders = [name for name in found if _is_folder(name)]
    if relative := [name for name in folders if not Path(name.partition(":")[2]).expanduser().is_absolute()]:
        raise SpecError(f"{relative[0]} in data is looked for from where a job runs; write its whole path")
    if len(folders) > 1:
        raise SpecError(f"data has {' and '.join(folders)}: write a list for each folder of images")
    return found


def _is_folder(name: str) -> bool:
    return name.startswith("folder:")


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


@contextmanager
def _naming(part: str, number: int, entry: Mapping[str, Any]) -> Iterator[None]:
    """Let an error say of which entry it is."""
    try:
        yield
    except SpecError as error:
        name = entry.get("name", entry.get("kind"))
        raise SpecError(f"{part} {number}{f' ({name!r})' if name else ''} in the list: {error}") from None


def _result(
    entry: Mapping[str, Any],
    trained: Mapping[str, TrainSpec],
    data: Mapping[str, DataSpec],
    most: Mapping[DataSpec, int],
) -> Spec:
    """The spec of a result; `most`: the images that a data set has to test with."""
    kind, _, fields = _parts(entry, "kind", "chapters")
    if kind not in KINDS:
        raise SpecError(f"kind = {kind!r} is not one of {', '.join(KINDS)}")
    for field in NETWORKS:
        if field in fields:
            fields[field] = _named(trained, fields[field])
    if "data" in fields:
        fields["data"] = _data(data, fields["data"])
    if isinstance(fields.get("n_images"), int):  # what is none, the spec will say
        known = [most[network.data] for network in networks_among(fields.values()) if most.get(network.data)]
        fields["n_images"] = min([fields["n_images"], *known])
    return KINDS[kind](**fields)


def _parts(entry: Mapping[str, Any], *names: str) -> tuple[Any, ...]:
    """Some values of an entry, which are text or, "chapters", a list of it; then the rest of the entry."""
    for name in names:
        if name not in entry:
            raise SpecError(f"it lacks {name!r}: add it")
        texts = entry[name] if name == "chapters" else [entry[name]]
        if not (isinstance(texts, list | tuple) and all(isinstance(text, str) for text in texts)):
            wanted = "a list of names in brackets" if name == "chapters" else "a name"
            raise SpecError(f"{name} = {entry[name]!r} should be {wanted}")
    return *(entry[name] for name in names), {k: v for k, v in entry.items() if k not in names}


def _data(known: Mapping[str, DataSpec], name: Any) -> DataSpec:
    if not isinstance(name, str) or name not in known:
        raise SpecError(f"{name!r} is asked for in the list, but its data are {', '.join(known) or 'none'}")
    return known[name]


def _named(trained: Mapping[str, TrainSpec], value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_named(trained, one) for one in value)
    if not isinstance(value, str) or value not in trained:
        raise SpecError(f"{value!r} is compared in the list, but not among its networks; add it, or correct the name")
    return trained[value]
