"""Keys grouped into edits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.completion.next_edit.history import History
from dragoman.completion.next_edit.tokens import compare
from dragoman.lsp.documents import Change, Document


class Paper:
    """A document whose changes a history hears of."""

    def __init__(self, text: str) -> None:
        self.now = 0.0
        self.history = History(lambda: self.now)
        self.document = Document("file:///a.py", "python", 1, text)
        self.history.changed(self.document.uri, self.document.lines, 1, 0, self.document.lines.line_count - 1)

    def change(self, start: tuple[int, int], end: tuple[int, int], text: str) -> None:
        touched = self.document.apply([Change(text, start, end)], self.document.version + 1, "utf-32")
        self.history.changed(self.document.uri, self.document.lines, self.document.version, touched.first, touched.last)

    def edits(self) -> list[tuple[int, str, str]]:
        return [(edit.first, edit.before, edit.after) for edit in self.history.edits()]


def test_keys_in_one_line_are_one_edit() -> None:
    paper = Paper("a\nb\nc\n")
    for index, char in enumerate("xyz"):
        paper.change((1, index), (1, index), char)
    assert paper.edits() == [(1, "b\n", "xyzb\n")]
    paper.change((1, 0), (1, 3), "")
    assert paper.edits() == []


def test_another_line_or_a_pause_begins_another_edit() -> None:
    paper = Paper("a\nb\nc\n")
    paper.change((0, 1), (0, 1), "1")
    paper.change((2, 1), (2, 1), "2")
    assert paper.edits() == [(2, "c\n", "c2\n"), (0, "a\n", "a1\n")]
    paper.now += 60
    paper.change((2, 2), (2, 2), "3")
    assert paper.edits()[:2] == [(2, "c2\n", "c23\n"), (2, "c\n", "c2\n")]


def test_edits_move_with_their_lines() -> None:
    paper = Paper("a\nb\nc\nd\n")
    paper.change((2, 1), (2, 1), "1")
    paper.change((0, 0), (0, 0), "x\ny\n")
    assert paper.edits() == [(0, "a\n", "x\ny\na\n"), (4, "c\n", "c1\n")]
    paper.change((0, 0), (2, 0), "")
    assert paper.edits() == [(2, "c\n", "c1\n")]


def test_pastes_and_whole_texts_are_no_edits() -> None:
    paper = Paper("a\nb\nc\n")
    paper.change((0, 1), (0, 1), "1")
    paper.change((1, 0), (1, 0), "line\n" * 100)
    assert paper.edits() == []
    paper.change((0, 1), (0, 1), "1")
    paper.document.apply([Change("new\ntext\n")], 9, "utf-32")
    paper.history.changed(paper.document.uri, paper.document.lines, 9, 0, 2)
    assert paper.edits() == []


def test_a_line_of_megabytes_is_not_compared() -> None:
    paper = Paper("x" * 10_000_000 + "\na\n")
    paper.change((0, 5), (0, 6), "y")
    assert paper.edits() == []
    paper.change((1, 0), (1, 1), "b")
    assert paper.edits() == [(1, "a\n", "b\n")]


TEXTS = st.text(st.sampled_from("ab \n\r\x0c😀"), max_size=12)


@st.composite
def changes(draw: st.DrawFn) -> list[tuple[int, int, int, int, str]]:
    return draw(st.lists(st.tuples(*[st.integers(0, 6)] * 4, TEXTS), max_size=12))


@given(TEXTS, changes(), st.booleans())
def test_what_an_edit_says_stands_there_and_stood_there(
    text: str, made: list[tuple[int, int, int, int, str]], slow: bool
) -> None:
    paper = Paper(text)
    seen = [text]
    for line, at, to_line, to, new in made:
        start, end = sorted(((line, at), (to_line, to)))
        paper.change(start, end, new)
        paper.now += 10 * slow
        seen.append(paper.document.lines.text())
        found = paper.history.edits()
        # White space alone is no edit: what is found then is an older one, whose lines may have been indented since.
        if found and seen[-1].split() != seen[-2].split():
            lines = [paper.document.lines.line(n) for n in range(paper.document.lines.line_count)]
            assert "".join(lines[found[0].first :]).startswith(found[0].after)
            assert any(found[0].before in one for one in seen)
            assert found[0].before != found[0].after


@pytest.mark.parametrize(
    ("before", "after", "hunks"),
    [
        ("a = count", "a = total", [("count", "total")]),
        ("f(a)", "f(a, b)", [("", ", b")]),
        ("f(a, b)", "f(b)", [("a, ", "")]),
        ("x y", "x  y", [("", " ")]),
        ("", "new", [("", "new")]),
        ("same", "same", []),
    ],
)
def test_what_changed_between_two_lines(before: str, after: str, hunks: list[tuple[str, str]]) -> None:
    found = compare(before, after)
    assert found is not None
    assert [("".join(one.old), "".join(one.new)) for one in found] == hunks
    for one in found:
        assert after[one.at :].startswith("".join(one.new))
        assert before[one.old_at :].startswith("".join(one.old))


def test_a_rewritten_text_is_not_compared() -> None:
    assert compare("a " * 1000, "b " * 1000) is None
