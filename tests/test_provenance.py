"""The fingerprint of the code: blind to words, awake to meaning, the same on every Python."""

import ast
import functools
import shutil

from snnlib import experiments, provenance
from snnlib.provenance import ATTACK_ROOMS, PACKAGE, code_fingerprint, code_without_words
from snnlib.spec import AttackSpec, CompareSpec, DataSpec, ModelSpec, SamplesSpec, StreamSpec, TrainSpec

SOURCE = '''"""Doc."""


class A:
    """More."""

    def f(self, x):  # why
        "says what"
        return f"#{x}" + "# no comment"
'''


def test_what_is_left_of_a_source() -> None:
    left = code_without_words(SOURCE).replace("\0", " ").replace("\n", " ")
    assert " ".join(left.split()) == 'class A : > def f ( self , x ) : > return f"#{x}" + "# no comment" < <'


def test_words_do_not_count_and_code_does() -> None:
    assert code_without_words(SOURCE.replace("More.", "Other\\n    words.").replace("# why", "")) == code_without_words(
        SOURCE
    )
    assert code_without_words(SOURCE.replace("    ", "  ").replace("(self, x)", "(self,\n  x)")) == code_without_words(
        SOURCE
    )
    without = SOURCE.replace('"""Doc."""', "").replace('    """More."""', "").replace('        "says what"\n', "")
    assert '"""' not in without and "says" not in without
    assert code_without_words(without) == code_without_words(SOURCE)
    for code, other in (("{x}", "{x!r}"), ("no comment", "nocomment"), ("#{x}", "# {x}")):
        assert code_without_words(SOURCE.replace(code, other)) != code_without_words(SOURCE)


LOOP = "def f(xs):\n    for x in xs:\n        g(x)\n{}h()\n"


def test_what_a_block_holds_is_meaning() -> None:
    inside, after = (code_without_words(LOOP.format(" " * indent)) for indent in (8, 4))
    assert inside != after
    nested = 'def f(x):\n    return f"{x:>{f\'{len(x)}\'}}" + f"""a\n  b{x}"""\n'
    assert code_without_words(nested).split("\0")[-5:-2] == ["f\"{x:>{f'{len(x)}'}}\"", "+", 'f"""a\n  b{x}"""']


def test_a_file_that_only_re_exports_has_no_say() -> None:
    assert code_without_words("from a import b\n__all__ = ['b']\n") == ""


def test_every_room_a_result_is_made_in_counts() -> None:
    """Whatever `experiments` imports of ours, directly or through others, bears on results; specs are in the hash."""
    reached, waiting = set(), ["experiments"]
    while waiting:
        room = waiting.pop()
        path = PACKAGE / room
        sources = sorted(path.rglob("*.py")) if path.is_dir() else [PACKAGE / f"{room}.py"]
        reached.add(room)
        for source in sources:
            for node in ast.walk(ast.parse(source.read_text(encoding="utf8"))):
                if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "snnlib":
                    parts = node.module.split(".")
                    rooms = [parts[1]] if len(parts) > 1 else [alias.name for alias in node.names]
                    waiting += [found for found in rooms if found not in reached]
    named = {room.split("/")[0].removesuffix(".py") for room in ATTACK_ROOMS}
    assert reached - {"spec", "provenance"} == named


BEARS_ON = {
    "attacks/methods.py": {"attack"},
    "similarity/compare.py": {"compare", "attack"},
    "training/loop.py": {"train", "compare", "attack"},
    "data/cache.py": {"train", "compare", "attack"},  # the order of images, their mean and deviation
    "data/batches.py": {"train", "compare", "attack"},
    # what comes of these is in the fingerprint of the images, and so in every hash; but a stream shows more of it
    "data/readers.py": {"stream"},
    "data/recorded.py": {"stream"},
    "data/simulate.py": {"stream"},
    "data/cifar.py": set(),
    "data/example.py": {"stream"},
    "data/samples.py": {"samples"},
    "devices.py": {"train", "compare", "attack"},
    "calls.py": {"compare", "attack"},
}


def small_specs() -> dict:
    data = DataSpec(dataset="digits", fingerprint="0" * 16, in_channels=1, num_classes=10, image_size=16)
    snn, ann = (
        TrainSpec(model=ModelSpec(spiking=kind, width=0.25, T=2), data=data, epochs=1, batch_size=4)
        for kind in (True, False)
    )
    attack = AttackSpec(source=snn, targets=(snn,), epsilons=(0.1,), steps=2, n_images=4)
    moving = data.model_copy(update={"dataset": "moving-digits", "frames": 2})
    return {
        "samples": SamplesSpec(data=data),
        "stream": StreamSpec(data=moving),
        "train": snn,
        "compare": CompareSpec(a=snn, b=ann, n_images=4),
        "attack": attack,
    }


def test_a_change_to_a_file_discards_what_it_bears_on(tmp_path, monkeypatch) -> None:
    copied = shutil.copytree(PACKAGE, tmp_path / "snnlib", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(provenance, "PACKAGE", copied)
    monkeypatch.setattr(provenance, "code_without_words", functools.cache(code_without_words))  # it takes a while
    specs = small_specs()

    def codes() -> dict[str, str]:
        return {kind: code_fingerprint.__wrapped__(experiments.rooms(spec)) for kind, spec in specs.items()}

    before, disturbed = codes(), {}
    for file in BEARS_ON:
        text = (copied / file).read_text(encoding="utf8")
        (copied / file).write_text(f"{text}\n\ndef one_more():\n    return 1\n", encoding="utf8")
        disturbed[file] = {kind for kind, code in codes().items() if code != before[kind]}
        (copied / file).write_text(text, encoding="utf8")
    assert disturbed == BEARS_ON
