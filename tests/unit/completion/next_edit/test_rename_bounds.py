"""Renames in odd, huge and outdated texts."""

from __future__ import annotations

from typing import Any

from tests.support.next_edits import Desk


def due_count(text: str, **files: Any) -> int:
    desk = Desk(a__py=text, **files)
    return len(desk.due("a.py", desk.replace("a.py", "width", "breadth")))


def test_odd_texts() -> None:
    body = "def f(width):\n    a = '😀' + width\n    return width\n"
    assert due_count(body) == 2
    assert due_count(body.replace("\n", "\r\n")) == 2
    assert due_count(body.replace("    return", "\x0c\n    return")) == 2
    assert due_count(body.rstrip("\n")) == 2
    assert due_count(body.replace("    return width", "    return (width")) == 2
    assert due_count(body + "'''" + "unclosed width") == 2


def test_huge_documents_and_lines_are_left_out() -> None:
    body = "def f(width):\n    return width\n"
    assert due_count(body + "x = 1\n" * 20_000) == 1
    assert due_count(body + "y = 'width'\n" * 1_000_000) == 0  # 12 MB
    assert due_count(f"z = '{'width ' * 10_000}'\n{body}") == 0  # the first occurrence is in a line that nobody typed


def test_a_text_replaced_as_a_whole_begins_anew() -> None:
    desk = Desk(a__py="def f(width):\n    return width\n")
    desk.replace("a.py", "width", "breadth")
    desk.open("a.py", "def f(breadth):\n    return width\n")
    assert desk.due("a.py") == []


def test_a_version_that_is_not_the_current_one_gets_nothing() -> None:
    desk = Desk(a__py="def f(width):\n    return width\n")
    desk.replace("a.py", "width", "breadth")
    uri = desk.uri("a.py")
    assert desk.next_edits.next_edit(uri, 0, 0, 2) is not None
    assert desk.next_edits.next_edit(uri, 0, 0, 1) is None
    assert desk.next_edits.next_edit(desk.uri("unknown.py"), 0, 0) is None


def test_memory_is_bounded() -> None:
    desk = Desk(a__py="x = 1\n" * 100)
    for number in range(500):
        desk.change("a.py", (number % 90, 0), (number % 90, 1), "y" if number % 2 else "x")
    assert len(desk.next_edits._history.edits()) <= 9
    for number in range(300):
        desk.open(f"file{number}.py", "x = 1\n")
    assert len(desk.next_edits._history.uris) <= 200
