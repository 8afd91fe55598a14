"""An answer streams into hunks of a document that its user goes on with."""

from __future__ import annotations

import copy

import pytest

from dragoman.agents.edits.session import (
    EditEvent,
    EditSession,
    EditSessions,
    HunkConflict,
    HunkFinal,
    HunkProposed,
    Problem,
)
from dragoman.agents.tools.documents import TextEdit, apply_edits
from dragoman.errors import EditOverlapError

TEXT = "def one():\n    return 1\n\n\ndef two():\n    return 2\n\n\ndef three():\n    return 3\n"


def block(old: str, new: str, path: str = "") -> str:
    return f"{path}\n<<<<<<< SEARCH\n{old}\n=======\n{new}\n>>>>>>> REPLACE\n"


def of(events: list[EditEvent], kind: type) -> list[str]:
    return [
        event.message if isinstance(event, Problem) else event.hunk.id for event in events if isinstance(event, kind)
    ]


def test_a_hunk_is_final_as_soon_as_its_block_is_whole() -> None:
    session = EditSession(TEXT)
    answer = "I change two.\n" + block("    return 2", "    return 22") + block("    return 1", "    return 11")
    seen: list[tuple[int, str]] = []
    for at in range(len(answer)):
        events = session.feed(answer[at])
        seen += [(at, one) for one in of(events, HunkFinal)]
    ends = [at for at, one in enumerate(answer) if answer[:at].endswith(">>>>>>> REPLACE") and one == "\n"]
    assert seen == [(ends[0], "h1"), (ends[1], "h2")]
    assert session.finish() == []
    assert session.finish() == []
    assert session.prose.split() == ["I", "change", "two."]
    assert [(one.old, one.new, one.state) for one in session.hunks] == [
        ("    return 2\n", "    return 22\n", "final"),
        ("    return 1\n", "    return 11\n", "final"),
    ]
    edits = session.accept()
    assert [one.start for one in edits] == sorted(one.start for one in edits)
    assert (
        session.text
        == apply_edits(TEXT, edits)
        == TEXT.replace("return 1", "return 11").replace("return 2", "return 22")
    )
    assert session.accept() == ()
    assert apply_edits(session.text, session.undo()) == TEXT
    assert session.text == TEXT
    assert not session.is_open


def test_fenced_code_shows_its_hunks_while_it_grows() -> None:
    start = TEXT.index("def two")
    session = EditSession(TEXT, range=(start, len(TEXT)))
    session.feed("```python\ndef two():\n")
    grown = session.feed("    log(1)\n") + session.feed("    log(2)\n")
    assert [(one.hunk.id, one.hunk.new) for one in grown if isinstance(one, HunkProposed)] == [
        ("h1", "    log(1)\n"),
        ("h1", "    log(1)\n    log(2)\n"),
    ]
    assert session.accept() == ()
    # A line that stands there once shows what the new ones take the place of: nothing that follows changes that.
    final = session.feed("    return 2\n")
    assert of(final, HunkFinal) == ["h1"]
    assert session.accept(["h1"]) == (TextEdit(start + 11, start + 11, "    log(1)\n    log(2)\n"),)
    session.feed("\n\ndef three():\n    return 33\n")
    assert [one.id for one in session.pending] == ["h2"]
    assert of(session.feed("```\n"), HunkFinal) == ["h2"]
    assert session.finish() == []
    session.accept()
    assert session.text == TEXT.replace("    return 2", "    log(1)\n    log(2)\n    return 2").replace(
        "return 3", "return 33"
    )


@pytest.mark.parametrize(
    ("text", "selected", "code", "expected"),
    [
        # Without the last line end, as editors select.
        ("a\nb\nc\n", "a\nb", "a\nx", "a\nx\nc\n"),
        ("a\nb\nc\n", "a\nb", "a", "a\nc\n"),
        # From the first word on, answered with its blanks, and without.
        ("if x:\n    a()\n    b()\n", "a()\n    b()", "    c()\n    b()", "if x:\n    c()\n    b()\n"),
        ("if x:\n    a()\n    b()\n", "a()\n    b()", "c()\n    b()", "if x:\n    c()\n    b()\n"),
        # Answered without the indentation of all of it.
        (
            "if x:\n    a()\n    b()\n",
            "    a()\n    b()\n",
            "if y:\n    a()\n\nb()",
            "if x:\n    if y:\n        a()\n\n    b()\n",
        ),
        # A part of a line.
        ("x = f(1) + g(2)\n", "f(1)", "h(1, 2)", "x = h(1, 2) + g(2)\n"),
        ("a\r\nb\r\nc\r\n", "b\r\n", "x\ny", "a\r\nx\r\ny\r\nc\r\n"),
        ("a\nb\n", "a\nb\n", "", ""),
    ],
)
def test_a_selection_becomes_the_code(text: str, selected: str, code: str, expected: str) -> None:
    start = text.index(selected)
    session = EditSession(text, range=(start, start + len(selected)))
    session.feed(f"```\n{code}\n```\n" if code else "```\n```\n")
    assert of(session.finish(), Problem) == []
    session.accept()
    assert session.text == expected


def test_a_line_that_names_the_file_is_no_code() -> None:
    session = EditSession(TEXT, range=(0, 24), path="src/a.py")
    session.feed("```python\n# src/a.py\ndef one():\n    return 11\n```\n")
    session.accept()
    assert session.text == TEXT.replace("return 1", "return 11")


def test_an_insertion_at_the_cursor() -> None:
    for text, at, expected in [("a\n\nb\n", 2, "a\nx\ny\nb\n"), ("a\nb\n", 2, "a\nx\ny\nb\n"), ("", 0, "x\ny")]:
        session = EditSession(text, range=(at, at))
        session.feed("```\nx\ny\n```\n")
        session.accept()
        assert session.text == expected


def test_what_is_cut_is_reported_and_never_made() -> None:
    session = EditSession(TEXT)
    session.feed(block("    return 1", "    return 11") + "<<<<<<< SEARCH\n    return 2\n=======\n    ret")
    assert "not whole" in of(session.finish(), Problem)[0]
    session.accept()
    assert session.text == TEXT.replace("return 1", "return 11")

    code = EditSession(TEXT, range=(0, len(TEXT)))
    code.feed("```\ndef one():\n    return 11\n\n\ndef two():\n    return 2\n\n\ndef th")
    assert "within its code" in of(code.finish(), Problem)[0]
    code.accept()
    assert code.text == TEXT.replace("return 1", "return 11")
    assert {one.state for one in code.hunks} == {"applied", "rejected"}


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (block("    return 4", "x"), "does not stand in 'src/a.py'"),
        (block("    return 1", "x", "b.py"), "is for 'b.py', not for 'src/a.py'"),
        (block("    return 1", "    return 1"), "changes nothing"),
        (block("    return 1", "x") + block("    return 1\n", "y\n"), "meet at line 2"),
        ("I cannot do that.", "has no edit"),
        ("```\nx = 1\n```\n", "does not say which lines"),
        ("`src/a.py`\n```\ndef one():\n    return 1\n# ... rest of the file unchanged\n```\n", "leaves lines out"),
        ("`b.py`\n```\nx\n```\n", "is for 'b.py'"),
        (f"a.py\n```\n{TEXT}```\n", "is the same"),
    ],
)
def test_what_cannot_be_used_is_said(answer: str, message: str) -> None:
    session = EditSession(TEXT, path="src/a.py")
    events = session.feed(answer) + session.finish()
    assert message in of(events, Problem)[0]
    assert len(of(events, Problem)) == 1


def test_a_whole_file_is_known_by_its_name_and_never_shortened_to_a_part() -> None:
    session = EditSession(TEXT, path="src/a.py")
    session.feed("src/a.py\n```python\n" + TEXT.replace("return 2", "return 22") + "```\n")
    assert [(one.old, one.new) for one in session.hunks] == [("    return 2\n", "    return 22\n")]
    long = EditSession(TEXT * 3, path="src/a.py")
    assert "only a part" in of(long.feed("src/a.py\n```python\ndef two():\n    return 22\n```\n"), Problem)[0]
    new = EditSession("", path="new.py")
    new.feed("```\nx = 1\n```\n")
    new.accept()
    assert new.text == "x = 1\n"


def test_a_hunk_moves_with_its_lines_and_stops_where_the_user_types() -> None:
    session = EditSession(TEXT)
    session.feed(block("    return 1", "    return 11") + block("    return 3", "    return 33"))
    assert session.document_changed([TextEdit(0, 0, "import os\n")]) == []
    line = session.text.index("    return 1") + 4
    events = session.document_changed([TextEdit(line, line, "x"), TextEdit(line + 1, line + 1, "y")])
    assert of(events, HunkConflict) == ["h1"]
    assert session.document_changed([TextEdit(line, line + 2, "")]) == []
    # What the model says of a line after the user changed it finds what it saw, and is too late all the same.
    at = session.text.index("two")
    session.document_changed([TextEdit(at, at + 3, "zwei")])
    late = session.feed(block("def two():", "def second():"))
    assert of(late, HunkConflict) == ["h3"]
    assert of(late, HunkFinal) == []
    (edit,) = session.accept()
    assert session.text[edit.start :].startswith("    return 33")
    assert session.text == "import os\n" + TEXT.replace("two", "zwei").replace("return 3", "return 33")


@pytest.mark.parametrize(
    ("change", "conflict"),
    [
        (TextEdit(11, 11, "    # a line above\n"), False),
        (TextEdit(15, 15, "# a line above, as an editor sends it\n    "), False),
        (TextEdit(0, len(TEXT), "#\n" + TEXT), False),
        (TextEdit(24, 24, "# behind it\n"), False),
        (TextEdit(11, 11, "x"), True),
        (TextEdit(10, 11, ""), True),
        (TextEdit(23, 24, ""), False),  # One of two line ends: the blank line is gone.
        (TextEdit(22, 24, ""), True),
        (TextEdit(23, 23, "0"), True),
        (TextEdit(0, 40, ""), True),
    ],
)
def test_typing_beside_a_hunk_is_not_typing_into_it(change: TextEdit, conflict: bool) -> None:
    assert TEXT[11:24] == "    return 1\n"
    session = EditSession(TEXT)
    session.feed(block("    return 1", "    return 11"))
    assert of(session.document_changed([change]), HunkConflict) == (["h1"] if conflict else [])


def test_where_a_hunk_meets_what_the_user_typed() -> None:
    end = EditSession("a\nb")
    end.feed(block("b", "c"))
    assert of(end.document_changed([TextEdit(3, 3, "\n")]), HunkConflict) == []
    assert of(end.document_changed([TextEdit(3, 3, "x")]), HunkConflict) == ["h1"]
    between = EditSession("a\nb\n")
    between.feed(block("a\nb", "a\nnew\nb"))
    between.document_changed([TextEdit(2, 2, "typed\n")])
    between.accept()
    assert between.text == "a\nnew\ntyped\nb\n"


def test_only_what_the_user_left_alone_is_taken_back() -> None:
    session = EditSession(TEXT)
    session.feed(block("    return 1", "    return 11") + block("    return 2", "    return 22"))
    session.accept()
    at = session.text.index("22")
    session.document_changed([TextEdit(0, 0, "#\n"), TextEdit(at + 3, at + 3, "0")])
    (edit,) = session.undo()
    assert edit.text == "    return 1\n"
    assert session.text == "#\n" + TEXT.replace("return 2", "return 202")
    assert [one.state for one in session.hunks] == ["rejected", "applied"]


def test_a_fix_may_lie_beyond_the_selection() -> None:
    answer = block("    return 1", "    return 11") + block("    return 3", "    return 33")
    strict, wide = EditSession(TEXT, range=(0, 24)), EditSession(TEXT, range=(0, 24), beyond=True)
    assert "lines 1 to 2 of the text" in of(strict.feed(answer), Problem)[0]
    assert [one.id for one in strict.hunks] == ["h1"]
    assert of(wide.feed(answer), HunkFinal) == ["h1", "h2"]
    alike = "def load_a(path, mode):\n    return read(path, mode)\n\n\ndef load_b(path, mode):\n    return read(path, mode)\n"
    nearer = EditSession(alike, range=(0, 30), beyond=True)
    nearer.feed(block("def load_b(path, mode):", "def load_c(path, mode):"))
    nearer.accept()
    assert nearer.text == alike.replace("load_b", "load_c")


def test_what_is_rejected_stays_so_and_makes_room() -> None:
    session = EditSession(TEXT)
    session.feed(block("    return 1", "    return 11"))
    session.reject(["h1", "none"])
    assert session.accept(["h1"]) == ()
    session.feed(block("    return 1", "    return 12"))
    session.reject()
    assert session.pending == ()
    assert session.text == TEXT


def test_a_copy_is_a_session_of_its_own() -> None:
    session = EditSession(TEXT, range=(0, 24))
    session.feed("```\ndef one():\n    return ")
    before = copy.deepcopy(session)
    session.feed("11\n```\n")
    session.accept()
    before.feed("12\n```\n")
    before.accept()
    assert (session.text.count("return 11\n"), before.text) == (1, TEXT.replace("return 1\n", "return 12\n"))


def test_several_sessions_work_on_one_document() -> None:
    sessions = EditSessions(TEXT)
    first = sessions.open(range=(0, 24))
    second = sessions.open(range=(TEXT.index("def three"), len(TEXT)))
    for span in ((4, 4), (23, 30), None):
        with pytest.raises(EditOverlapError, match="at line 1"):
            sessions.open(range=span)
    for session, number in ((first, 1), (second, 3)):
        session.feed(f"```\ndef {['', 'one', '', 'three'][number]}():\n    x()\n    return {number}\n```\n")
        session.finish()
    sessions.document_changed([TextEdit(0, 0, "#\n")])
    assert sessions.accept(first) == (TextEdit(13, 13, "    x()\n"),)
    assert sessions.accept(second) == (TextEdit(len(second.text) - 21, len(second.text) - 21, "    x()\n"),)
    assert first.text == second.text == sessions.text
    assert sessions.text.count("x()") == 2
    sessions.open(range=(2, 10))
    sessions.undo(second)
    assert sessions.text == "#\n" + TEXT.replace("():\n    return 1", "():\n    x()\n    return 1")
    sessions.close(second)
    assert second not in list(sessions)
