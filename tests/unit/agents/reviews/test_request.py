"""A review's questions show every line that counts, with its number, and fit into the model's window."""

from __future__ import annotations

import json
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.agents.reviews.parsing import FindingParser
from dragoman.agents.reviews.request import SCHEMA, plan_review, plan_tasks
from dragoman.context.tokens import rough

TEXT = "".join(f"value_{number} = compute({number})\n" for number in range(1, 2_001))
_ROW = re.compile(r"^ *(\d+)([|>]) (.*)$", re.MULTILINE)


def test_a_short_text_is_one_question_with_the_form_of_the_answer() -> None:
    ((rows, task),) = plan_tasks("src/a b.py", "one\r\n\r\n```\r\n", 4_000)
    assert rows == (1, 2, 3)
    assert "1| one\n2| \n3| ```\n```" in task
    assert "'src/a b.py'" in task
    # The example that a model is shown is what we read.
    parser = FindingParser()
    assert [one.code for one in parser.feed(task[task.index('{"findings"') :])] == ["off-by-one"]
    assert parser.skipped == 0


@settings(max_examples=15, deadline=None)
@given(st.integers(1_500, 60_000))
def test_a_long_text_is_asked_about_in_parts_that_fit(window: int) -> None:
    parts = plan_review("a.py", TEXT, window=window)
    shown: set[int] = set()
    for part in parts:
        told = sum(rough(one.content) for one in part.request.messages)
        assert told + part.request.max_tokens <= window
        rows = {int(number): line for number, _, line in _ROW.findall(part.request.messages[1].content)}
        assert rows == {row: f"value_{row} = compute({row})" for row in part.rows}
        shown |= set(part.rows)
    assert shown == set(range(1, 2_001))


def test_only_changes_are_asked_about_with_what_is_around() -> None:
    (part,) = plan_review("a.py", TEXT, window=8_192, changed=[range(100, 102), range(1_500, 1_501)], schema=True)
    marked = [int(number) for number, mark, _ in _ROW.findall(part.request.messages[1].content) if mark == ">"]
    assert marked == [100, 101, 1_500]
    assert set(part.rows) == {*range(88, 114), *range(1_488, 1_513)}
    assert part.request.messages[1].content.count("\n…\n") == 1
    assert part.request.json_schema == json.loads(json.dumps(SCHEMA))
    assert plan_review("a.py", TEXT, window=8_192, changed=[range(5_000, 5_001)]) == ()
    assert plan_review("a.py", "\n\n", window=8_192) == ()
