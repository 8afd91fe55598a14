"""Where a search text stands: exactly once, or an error that says where it might."""

from __future__ import annotations

import pytest

from dragoman.agents.edits.blocks import Block
from dragoman.agents.edits.lines import Lines
from dragoman.agents.edits.matching import Matcher
from dragoman.agents.tools.documents import apply_edits
from dragoman.errors import EditMismatchError

CODE = """\
class Store:
    def get(self, key):
        if key in self.items:
            return self.items[key]
        raise KeyError(key)

    def put(self, key, value):
        self.items[key] = value
        self.changed = True

    def drop(self, key):
        del self.items[key]
        self.changed = True
""".replace("= value\n", "= value   \n")

PUT = "    def put(self, key, val):\n        self.items[key] = value\n        self.changed = True\n\n    def drop(self, key):"


def edit(text: str, old: str, new: str, *, line: int = 0, rows: tuple[int, int] | None = None) -> str:
    lines = Lines(text)
    matcher = Matcher(lines, first=rows[0] if rows else 0, last=rows[1] if rows else None, shown="a.py")
    halves = (tuple(old.split("\n")) if old else (), tuple(new.split("\n")) if new else ())
    return apply_edits(text, matcher.place(Block("", (halves,), line)))


@pytest.mark.parametrize(
    ("old", "new", "gone", "came"),
    [
        (
            "        raise KeyError(key)",
            "        return None",
            "        raise KeyError(key)\n",
            "        return None\n",
        ),
        # Blanks at the ends of lines; the line that stays keeps its own.
        (
            "        self.items[key] = value\n        self.changed = True\n",
            "        self.items[key] = value\n        self.count += 1\n",
            "value   \n        self.changed = True\n",
            "value   \n        self.count += 1\n",
        ),
        # Written without the indentation, and deeper lines than those that were searched for.
        (
            "if key in self.items:\n    return self.items[key]",
            "if key in self.items:\n    if key:\n        return 1",
            "            return self.items[key]\n",
            "            if key:\n                return 1\n",
        ),
        # Too deep.
        (
            "                raise KeyError(key)",
            "                raise KeyError(key) from None\n            x()",
            "        raise KeyError(key)\n",
            "        raise KeyError(key) from None\n    x()\n",
        ),
        # A word is wrong in a line that stays: it stays as it stands.
        (
            PUT,
            PUT.replace("True", "1"),
            "        self.changed = True\n\n    def drop",
            "        self.changed = 1\n\n    def drop",
        ),
        # A blank line too many.
        (
            "class Store:\n\n    def get(self, key):\n        if key in self.items:",
            "class Shop:\n\n    def get(self, key):\n        if key in self.items:",
            "class Store:",
            "class Shop:",
        ),
        # Blank lines around.
        ("\n\n    def drop(self, key):\n\n", "\n\n    def pop(self, key):\n\n", "def drop(", "def pop("),
        # Only taken away.
        ("        raise KeyError(key)\n", "", "        raise KeyError(key)\n\n", ""),
    ],
)
def test_what_is_meant_is_found(old: str, new: str, gone: str, came: str) -> None:
    assert CODE.count(gone) == 1
    assert edit(CODE, old, new) == CODE.replace(gone, came)


def test_tabs_and_spaces_are_turned_into_each_other() -> None:
    text = "func f() {\n\tif x {\n\t\ty()\n\t}\n}\n"
    done = edit(text, "    if x {\n        y()\n    }", "    if x {\n        for {\n            y()\n        }\n    }")
    assert done == "func f() {\n\tif x {\n\t\tfor {\n\t\t\ty()\n\t\t}\n\t}\n}\n"
    back = edit("def f():\n    if x:\n        y()\n", "\tif x:\n\t\ty()", "\tif x:\n\t\twhile z:\n\t\t\ty()")
    assert back == "def f():\n    if x:\n        while z:\n            y()\n"


def test_line_ends_and_the_end_of_the_file_stay_as_they_are() -> None:
    assert edit("a\r\nb\r\nc", "b\nc", "x\ny\nz") == "a\r\nx\r\ny\r\nz"
    assert edit("a\r\nb\r\nc", "b\nc", "b\nc\nd") == "a\r\nb\r\nc\r\nd"
    assert edit("a\nb", "a\nb", "a") == "a"
    assert edit("a\x0cb\nc\u2028d\n", "c\u2028d", "e") == "a\x0cb\ne\n"
    assert edit("", "", "a\nb") == "a\nb\n"


@pytest.mark.parametrize(
    ("old", "lines", "hint"),
    [
        ("        self.changed = True", (9, 13), "until it stands only once"),
        ("self.changed = True", (9, 13), "until it stands only once"),
        ("    def getter(self, keys, more):\n        pass", (2,), "    def get(self, key):\n"),
        ("        return other.something(entirely)", (), "Read the file"),
        ("        del self.items[kez]", (12,), "del self.items[key]"),
        ("   ", (), "Give lines"),
    ],
)
def test_missing_and_ambiguous_texts_are_errors_with_the_places(old: str, lines: tuple[int, ...], hint: str) -> None:
    with pytest.raises(EditMismatchError) as caught:
        edit(CODE, old, "pass")
    assert caught.value.lines == lines
    assert hint in caught.value.hint


def test_likeness_alone_never_chooses_between_two() -> None:
    text = "".join(f"def load_{name}(path):\n    data = read(path)\n    return parse(data)\n\n" for name in ("a", "b"))
    wanted = "def load_x(path):\n    data = read(path)\n    return parse(data)"
    with pytest.raises(EditMismatchError) as caught:
        edit(text, wanted, wanted + "[0]")
    assert caught.value.lines == (1, 5)


def test_lines_that_the_model_has_not_seen_are_never_taken_away() -> None:
    text = (
        "def work(first, second):\n    prepare(first)\n    keep_this()\n    finish(first, second)\n    return first\n"
    )
    old = text.replace("    keep_this()\n", "").rstrip("\n")
    assert edit(text, old, old.replace("return first", "return second")) == text.replace(
        "return first", "return second"
    )
    with pytest.raises(EditMismatchError):
        edit(text, old, "def work(first, second):\n    all_new()\n    return first")


def test_only_the_selected_lines_are_searched() -> None:
    assert edit(CODE, "        self.changed = True", "        x()", rows=(10, 13)).endswith(
        "del self.items[key]\n        x()\n"
    )
    with pytest.raises(EditMismatchError, match=r"lines 11 to 13 of 'a\.py'"):
        edit(CODE, "class Store:", "class Shop:", rows=(10, 13))


def test_a_number_of_a_diff_decides_between_two_that_are_the_same() -> None:
    assert edit("x\ny\nx\n", "x", "z", line=3) == "x\ny\nz\n"
    with pytest.raises(EditMismatchError):
        edit("x\ny\nx\n", "x", "z", line=2)


def test_the_divider_is_where_the_old_lines_stand() -> None:
    text = "Title\n=======\n\nText\n"
    body = ("Title", "=======", "", "Text", "=======", "Name", "=======", "", "Text")
    halves = tuple((body[:at], body[at + 1 :]) for at in (6, 4, 1))
    assert apply_edits(text, Matcher(Lines(text)).place(Block("", halves))) == "Name\n=======\n\nText\n"


def test_a_long_file_of_lines_that_are_alike_takes_no_time() -> None:
    text = "    item = make(one, two)\n" * 5_000
    with pytest.raises(EditMismatchError):
        edit(text, "\n".join(["    item = make(one, two)"] * 30 + ["    other(thing)"]), "x")


@pytest.mark.parametrize(
    ("text", "old"),
    [
        ("PAGES = 10\n", "PAGES = 100"),
        (
            "def share(total, people):\n    return total * people\n",
            "def share(total, people):\n    return total / people",
        ),
        ("if first_number_of_items <= second_number_of_items:\n", "if first_number_of_items < second_number_of_items:"),
    ],
)
def test_another_number_or_operator_is_another_statement(text: str, old: str) -> None:
    with pytest.raises(EditMismatchError, match="does not stand"):
        edit(text, old, "x = 1")
