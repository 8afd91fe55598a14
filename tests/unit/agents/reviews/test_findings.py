"""Findings stand where their quote does, move with the text, go stale with it, and are never shown twice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.agents.reviews.anchors import squeeze
from dragoman.agents.reviews.dismissals import Dismissals
from dragoman.agents.reviews.findings import FileFindings, Finding, ReviewSession, link_of
from dragoman.agents.tools.documents import TextEdit, apply_edits

TEXT = """\
def total(items):
    result = 0
    for i in range(len(items) - 1):
        result += items[i]
    return result


def mean(items):
    return total(items) / len(items)


def last(items):
    result = 0
    return items[len(items)]
"""


def said(line: int, quote: str, message: str = "It is wrong.", fix: str | None = None, code: str = "bug") -> str:
    return json.dumps({"line": line, "severity": "error", "code": code, "message": message, "quote": quote, "fix": fix})


def find(line: int, quote: str, fix: str | None = None, text: str = TEXT) -> list[Finding]:
    return ReviewSession("a.py", text).feed(said(line, quote, fix=fix))


@pytest.mark.parametrize(
    ("line", "quote", "expected"),
    [
        (9, "return total(items) / len(items)", 9),
        (2, "return total(items) / len(items)", 9),
        (2, "    result = 0", 2),
        (11, "result = 0", 13),
        (5, "return   total( items )/len(items)", 9),
        (9, "return total(items) / len(itms)", 9),
        (9, "", 9),
    ],
)
def test_a_quote_stands_where_it_is_nearest(line: int, quote: str, expected: int) -> None:
    (finding,) = find(line, quote)
    assert finding.line == expected
    assert TEXT[finding.start : finding.end] == finding.quote == TEXT.split("\n")[expected - 1].strip()


def test_of_many_places_the_nearest_is_found_on_either_side() -> None:
    text = "for x in y:\n    passing()\n    pass\n" * 1_000
    for line, expected in ((1_498, 1_497), (1_499, 1_500), (1, 3), (9_999, 3_000)):
        (finding,) = find(line, "pass", text=text)
        assert finding.line == expected


def test_quotes_over_lines_keep_both_ends() -> None:
    (finding,) = find(1, "for i in range(len(items) - 1):\nresult += items[i]")
    assert (finding.line, finding.end_line) == (3, 4)


@pytest.mark.parametrize("quote", ["return nothing_like_it()", "esult = 0", "return total(items) / len(itms)"])
def test_a_quote_that_stands_nowhere_is_lost(quote: str) -> None:
    session = ReviewSession("a.py", TEXT)
    # The last one is like a line, but not near by.
    assert session.feed(said(1000, quote)) == []
    assert session.lost == 1


def test_a_finding_is_told_once_and_not_when_it_was_dismissed_or_is_elsewhere() -> None:
    session = ReviewSession("a.py", TEXT)
    (first,) = session.feed(said(9, "return total(items) / len(items)"))
    assert session.feed(said(8, "  return total(items)/len(items)", "Said again.")) == []
    again = ReviewSession("a.py", "\n\n" + TEXT, dismissed=frozenset({first.fingerprint}))
    assert again.feed(said(11, "return total(items) / len(items)")) == []
    part = ReviewSession("a.py", TEXT, lines=[range(2, 4)])
    assert part.feed(said(9, "return total(items) / len(items)")) == []
    assert [one.line for one in part.feed(said(3, "for i in range(len(items) - 1):"))] == [3]
    assert (part.left_out, part.lost) == (1, 0)


@pytest.mark.parametrize(
    ("line", "quote", "fix", "expected"),
    [
        (3, "for i in range(len(items) - 1):", "for i in range(len(items)):", "    for i in range(len(items)):\n"),
        (
            3,
            "    for i in range(len(items) - 1):",
            "    for i in range(len(items)):",
            "    for i in range(len(items)):\n",
        ),
        (3, "len(items) - 1", "len(items)", "    for i in range(len(items)):\n"),
        (3, "range(len(items) - 1)", "for i in range(len(items)):", "    for i in range(len(items)):\n"),
        (
            14,
            "return items[len(items)]",
            "if items:\n    return items[-1]",
            "    if items:\n        return items[-1]\n",
        ),
        (
            14,
            "return items[len(items)]",
            "if items:\n        return items[-1]",
            "    if items:\n        return items[-1]\n",
        ),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_fix_becomes_an_edit(line: int, quote: str, fix: str, expected: str, newline: str) -> None:
    text = TEXT.replace("\n", newline)
    (finding,) = find(line, quote, fix, text)
    assert finding.fix is not None
    lines = TEXT.split("\n")
    wanted = "\n".join([*lines[: line - 1], *expected.split("\n")[:-1], *lines[line:]]).replace("\n", newline)
    assert apply_edits(text, finding.fix) == wanted


@pytest.mark.parametrize(
    ("quote", "fix"),
    [
        ("for i in range(len(items) - 1):", "for i in range( len(items) - 1 ):"),
        ("for i in range(len(itemz) - 1):", "for i in range(len(items)):"),
        ("len(items) - 1", "len(items)\nmore"),
        ("len(items) - 1", "  "),
    ],
)
def test_a_fix_that_does_not_fit_is_none(quote: str, fix: str) -> None:
    (finding,) = find(3, quote, fix)
    assert finding.fix is None


def reviewed(*told: str, text: str = TEXT) -> FileFindings:
    findings = FileFindings(text)
    findings.begin()
    for one in ReviewSession("a.py", text).feed("\n".join(told)):
        findings.add(one)
    findings.complete()
    return findings


LOOP = said(3, "for i in range(len(items) - 1):", fix="for i in range(len(items)):")
LAST = said(14, "return items[len(items)]", fix="return items[-1]")


def test_the_next_review_takes_the_place_of_the_last_one_when_it_is_complete() -> None:
    findings = reviewed(LOOP, LAST)
    kept, stale = findings.current()
    findings.begin()
    (again,) = ReviewSession("a.py", TEXT).feed(said(3, "for i in range(len(items) - 1):", "In other words."))
    assert findings.add(again)
    assert [one.message for one in findings.current()] == ["In other words.", "It is wrong."]
    assert again.fingerprint == kept.fingerprint
    findings.complete()
    assert stale not in findings.current()
    assert findings.current() == (again,)


def test_edits_elsewhere_move_a_finding_and_its_fix() -> None:
    findings = reviewed(LOOP, LAST)
    assert findings.document_changed([TextEdit(0, 0, "# begins\n"), TextEdit(len(TEXT), len(TEXT), "# ends\n")])
    text = "# begins\n" + TEXT + "# ends\n"
    loop, last = findings.current()
    assert (loop.line, last.line) == (4, 15)
    assert loop.fix is not None
    assert "    for i in range(len(items)):\n" in apply_edits(text, loop.fix)
    assert not findings.document_changed([TextEdit(len(text), len(text), "more")])


def test_changed_text_goes_stale_and_indented_text_does_not() -> None:
    findings = reviewed(LOOP, LAST)
    at = TEXT.index(" - 1")
    assert findings.document_changed([TextEdit(at, at + 4, "")])
    (last,) = findings.current()
    text = TEXT.replace(" - 1", "", 1)
    start = text.index("    return items[")
    assert findings.document_changed([TextEdit(start, start, "    ")])
    (moved,) = findings.current()
    assert moved.start == last.start + 4
    # A whole document may come for one letter.
    text = text[:start] + "    " + text[start:]
    assert findings.document_changed([TextEdit(0, len(text), "#\n" + text)])
    assert [one.start for one in findings.current()] == [moved.start + 2]
    assert findings.document_changed([TextEdit(0, len(text) + 2, "")])
    assert findings.current() == ()


def test_a_finding_about_an_older_text_is_taken_in_where_it_stands_now() -> None:
    (finding,) = find(14, "return items[len(items)]", "return items[-1]")
    findings = FileFindings("# new\n" + TEXT)
    findings.begin()
    assert findings.add(finding, [TextEdit(0, 0, "# new\n")])
    assert [(one.line, one.fix is not None) for one in findings.current()] == [(15, True)]
    # One change over everything: the text itself says where it is.
    other = FileFindings("#" + TEXT + "#")
    assert other.add(finding, [TextEdit(0, len(TEXT), "#" + TEXT + "#")])
    gone = FileFindings("")
    assert not gone.add(finding, [TextEdit(0, len(TEXT), "")])
    assert gone.current() == ()


def test_a_dismissed_finding_stays_away() -> None:
    findings = reviewed(LOOP, LAST)
    loop, last = findings.current()
    findings.dismiss(loop.fingerprint)
    assert not findings.add(loop)
    assert findings.current() == (last,)


@given(st.data())
def test_whatever_is_typed_a_finding_is_about_its_text_or_gone(data: st.DataObject) -> None:
    findings, text = reviewed(LOOP, LAST), TEXT
    for _ in range(data.draw(st.integers(1, 5))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 60)))
        change = TextEdit(start, end, data.draw(st.text(alphabet="ab (\n", max_size=8)))
        untouched = {
            one.fingerprint for one in findings.current() if change.end <= one.start or change.start >= one.end
        }
        findings.document_changed([change])
        assert untouched <= {one.fingerprint for one in findings.current()}
        text = apply_edits(text, [change])
        for one in findings.current():
            assert text[one.start : one.end] == one.quote
            assert squeeze(one.quote) in {"foriinrange(len(items)-1):", "returnitems[len(items)]"}
            assert text.count("\n", 0, one.start) + 1 == one.line
            if one.fix is not None:
                assert squeeze("range(len(items))" if one.quote[0] == "f" else "items[-1]") in squeeze(
                    apply_edits(text, one.fix)
                )


def test_dismissals_are_kept_for_each_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRAGOMAN_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr("dragoman.agents.reviews.dismissals.DISMISSED", 2)
    here, there = Dismissals.of_workspace(tmp_path / "here"), Dismissals.of_workspace(tmp_path / "there")
    for name in ("a", "b", "a", "c"):
        here.add(name)
    assert Dismissals.of_workspace(tmp_path / "here").fingerprints() == {"a", "c"}
    assert there.fingerprints() == frozenset()
    here.path.write_text("[broken")
    assert here.fingerprints() == frozenset()
    here.add("d")
    assert here.fingerprints() == {"d"}


def test_other_places_are_found_and_move_along() -> None:
    related = [
        {"line": 2, "message": "It starts here."},
        {"line": 99, "quote": "    return result", "message": "It ends here."},
        {"line": 400, "message": "Nowhere."},
        {"line": 1},
        "odd",
    ]
    told = json.dumps({**json.loads(said(3, "for i in range(len(items) - 1):")), "related": related})
    (finding,) = ReviewSession("a.py", TEXT).feed(told)
    assert [(one.line, one.message) for one in finding.related] == [(2, "It starts here."), (5, "It ends here.")]
    standing = FileFindings(TEXT)
    standing.add(finding)
    standing.document_changed([TextEdit(0, 0, "import math\n\n")])
    (moved,) = standing.current()
    assert [one.line for one in moved.related] == [4, 7]


@pytest.mark.parametrize(
    ("code", "number"), [("cwe-89", "89"), ("cwe79", "79"), ("cwe-022", "22"), ("off-by-one", None), ("cwe-", None)]
)
def test_weaknesses_are_explained_in_public(code: str, number: str | None) -> None:
    link = None if number is None else f"https://cwe.mitre.org/data/definitions/{number}.html"
    assert link_of(code) == link
