"""The fingerprint of the code: blind to words, awake to meaning, the same on every Python."""

import ast

from snnlib.provenance import PACKAGE, RESULT_ROOMS, code_without_words

SOURCE = '''"""Doc."""


class A:
    """More."""

    def f(self, x):  # why
        "says what"
        return f"#{x}" + "# no comment"
'''


def test_what_is_left_of_a_source() -> None:
    assert code_without_words(SOURCE) == 'classA:deff(self,x):returnf"#{x}"+"#nocomment"'


def test_words_do_not_count_and_code_does() -> None:
    assert code_without_words(SOURCE.replace("More.", "Other\\n    words.").replace("# why", "")) == code_without_words(
        SOURCE
    )
    assert code_without_words(SOURCE.replace("{x}", "{x!r}")) != code_without_words(SOURCE)


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
    named = {room.removesuffix(".py") for room in RESULT_ROOMS}
    assert reached - {"spec", "provenance"} == named
