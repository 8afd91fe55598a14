"""The same rewrite at two places, and where it applies exactly."""

from __future__ import annotations

import pytest

from tests.support.next_edits import Desk

# Two lines are edited; the rest says what is due, line by line.
CASES = {
    "a call by another name": (
        [("print(1)", "log(1)"), ("print(a, b)", "log(a, b)")],
        [
            ("print(c)", "log(c)"),
            ("x = print(d)", "x = log(d)"),
            ("# print(e)", None),
            ("printer(f)", None),
            ("print", None),
        ],
    ),
    "an assertion": (
        [
            ("self.assertEqual(a, b)", "assert a == b"),
            ("self.assertEqual(f(x, y), c)", "assert f(x, y) == c"),
        ],
        [
            ("self.assertEqual(len(z), 3)", "assert len(z) == 3"),
            ("    self.assertEqual(d, [1, 2])", "    assert d == [1, 2]"),
            ("self.assertEqual(a, b, 'why')", None),
            ("self.assertEquals(a, b)", None),
            ("assert a == b", None),
        ],
    ),
    "a trailing argument": (
        [("foo(a)", "foo(a, True)"), ("foo(b)", "foo(b, True)")],
        [("x = foo(c(1))", "x = foo(c(1), True)"), ("foo(d, True)", None), ("foo()", None), ("bar.foo(e)", None)],
    ),
    "self": (
        [("a = count", "a = self.count"), ("bb = count", "bb = self.count")],
        [("c = count", "c = self.count"), ("d = self.count", None), ("e = counts", None), ("f = other.count", None)],
    ),
    "the very same line": (
        [("    return None", "    return 1"), ("    return None", "    return 1")],
        [("        return None", "        return 1"), ("x = None", None)],
    ),
    "an import": (
        [("from old.one import a", "from new.one import a"), ("from old.two import b, c", "from new.two import b, c")],
        [("from old.three import d", "from new.three import d"), ("from older import old", None)],
    ),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("file", ["a.py", "a.txt"])
def test_a_rewrite_at_two_places_is_due_at_the_others(name: str, file: str) -> None:
    examples, others = CASES[name]
    before = [old for old, _ in examples] + ["pass"] + [old for old, _ in others]
    desk = Desk()
    desk.open(file, "\n".join(before) + "\n")
    for line, (old, new) in enumerate(examples):
        desk.change(file, (line, 0), (line, len(old)), new)
    desk.apply_all(file, (1, 0))
    after = [new for _, new in examples] + ["pass"] + [old if new is None else new for old, new in others]
    if file == "a.txt":
        # Nobody knows where a comment begins there.
        after = [line.replace("# print(e)", "# log(e)") for line in after]
    assert desk.text(file).splitlines() == after
    assert desk.due(file) == []


@pytest.mark.parametrize(
    "examples",
    [
        [("a = 1", "a = 2"), ("b = 3", "b = 4")],  # different things
        [("a = 1", "a = 2"), ("b = 1", "b = 2")],  # a number has no name
        [("", "x = 1"), ("", "x = 1")],  # new lines
        [("(", "(("), ("(", "((")],  # nothing to tell other places by
    ],
)
def test_no_rewrite(examples: list[tuple[str, str]]) -> None:
    desk = Desk(a__py="\n".join([old for old, _ in examples] + ["a = 1", "c = 1", "", "(", ""]))
    for line, (old, new) in enumerate(examples):
        desk.change("a.py", (line, 0), (line, len(old)), new)
    assert desk.due("a.py") == []


def test_one_example_is_not_enough() -> None:
    desk = Desk(a__py="print(1)\nprint(2)\nprint(3)\n")
    desk.replace("a.py", "print", "log")
    assert desk.due("a.py") == []


def test_ghost_text_shows_what_is_to_be_inserted_here() -> None:
    desk = Desk(a__py="a = count\nbb = count\nc = count\nd = count\n")
    desk.replace("a.py", "count", "self.count")
    assert desk.ghost("a.py", (2, 4)) is None
    desk.replace("a.py", "= count", "= self.count")
    assert desk.ghost("a.py", (2, 4)) == "self."
    assert desk.ghost("a.py", (2, 5)) is None
    assert desk.ghost("a.py", (1, 5)) is None


def test_line_endings_stay() -> None:
    desk = Desk(a__py="print(1)\r\nprint(2)\r\nprint(3)\r\nprint(4)")
    desk.replace("a.py", "print", "log")
    desk.replace("a.py", "print", "log")
    desk.apply_all("a.py")
    assert desk.text("a.py") == "log(1)\r\nlog(2)\r\nlog(3)\r\nlog(4)"
