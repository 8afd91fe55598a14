"""Findings are read from any stream that has them, however it is cut and whatever stands around."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.agents.reviews.parsing import FindingParser, RawFinding

ONE = {
    "line": 3,
    "end_line": 4,
    "severity": "error",
    "code": "off-by-one",
    "message": 'It ends {too} early: "]" is never read.',
    "quote": "for i in range(len(x) - 1):\n    use(x[i])",
    "fix": None,
}
TWO = {**ONE, "line": 9, "end_line": 9, "code": "leak", "quote": 'f = open("a{b")'}

FORMS = {
    "lines": f"{json.dumps(ONE)}\n{json.dumps(TWO)}\n",
    "array": json.dumps([ONE, TWO], indent=2),
    "frame": json.dumps({"findings": [ONE, TWO]}),
    "fenced": f"Here's what I found [1], {{sic}}:\n\n```json\n{json.dumps([ONE, TWO])}\n```\nThat's \"all\".",
    "apart": f"- {json.dumps(ONE, indent=1)}\n\nand also\n\n- {json.dumps(TWO)}",
    "ends": f"{json.dumps(ONE)}\n{json.dumps(TWO)}".replace("\\n", "\n"),
}


def read(text: str, cuts: list[int]) -> tuple[list[RawFinding], int]:
    parser = FindingParser()
    places = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    found = [one for start, end in itertools.pairwise(places) for one in parser.feed(text[start:end])]
    return [*found, *parser.finish()], parser.skipped


@given(st.sampled_from(sorted(FORMS)), st.lists(st.integers(0, 2_000), max_size=12))
def test_every_form_is_read_however_it_is_cut(form: str, cuts: list[int]) -> None:
    found, skipped = read(FORMS[form], cuts)
    assert [(one.line, one.end_line, one.code, one.message, one.quote) for one in found] == [
        (one["line"], one["end_line"], one["code"], one["message"], one["quote"]) for one in (ONE, TWO)
    ]
    assert skipped == 0


def test_a_finding_comes_with_its_last_brace_inside_of_a_frame_too() -> None:
    parser = FindingParser()
    text = '{"findings": [' + json.dumps(ONE)
    assert parser.feed(text[:-1]) == []
    assert [one.line for one in parser.feed("}")] == [3]
    assert parser.finish() == []
    assert parser.skipped == 0


@pytest.mark.parametrize(
    "broken",
    [
        '{"line": 1, "message": "never closed, "quote": "a}',
        '{"line": 1, "message": "never closed',
        '{"line": 1, "message": "no end", "quote": "a"',
        '{"line": 1, "message": 5, "quote": "a"}',
        '{"line": 1, "quote": "no message"}',
        '{"message": "no place"}',
        '{"line": 1, "message": "x", "quote": ["a"}',
        '{"line": 1, "message": "half \\ud800", "quote": "a"}',
        "{" * 30 + '"',
    ],
)
def test_a_broken_object_is_counted_and_the_next_one_is_read(broken: str) -> None:
    for cuts in ([], list(range(200))):
        found, skipped = read(f"{broken}\n{json.dumps(TWO)}\n", cuts)
        assert [one.line for one in found] == [9]
        assert skipped >= 1


def test_what_is_cut_off_is_counted_once_and_what_came_before_stays() -> None:
    found, skipped = read('{"findings": [\n' + json.dumps(ONE) + ',\n{"line": 4, "mess', [])
    assert [one.line for one in found] == [3]
    assert skipped == 1


def test_places_within_a_finding_are_no_findings() -> None:
    value = {**ONE, "related": [{"line": 1, "message": "see here", "quote": "x"}]}
    found, skipped = read(json.dumps(value), [])
    assert [(one.line, one.code) for one in found] == [(3, "off-by-one")]
    assert skipped == 0


def test_careless_values_are_put_right() -> None:
    value = {
        "line": "12",
        "severity": "Critical",
        "code": "SQL Injection!",
        "message": " a\x1b[31m ",
        "quote": "12| x = y",
    }
    ((found,), _) = read(json.dumps(value), [])
    assert (found.line, found.end_line, found.severity, found.code) == (12, 12, "error", "sql-injection")
    assert (found.message, found.quote) == ("a[31m", "x = y")


@given(st.text(alphabet='{}[]":,\\\n `a1', max_size=200), st.lists(st.integers(0, 200), max_size=5))
def test_nothing_is_too_odd_to_be_read(noise: str, cuts: list[int]) -> None:
    whole, whole_skipped = read(noise, [])
    cut, cut_skipped = read(noise, cuts)
    assert (whole, whole_skipped) == (cut, cut_skipped)
