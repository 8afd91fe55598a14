"""Suggestions as items of Neovim's menu, which takes one line at a time."""

from __future__ import annotations

import pytest

from dragoman.completion.query import CompletionQuery, Suggestion
from dragoman.lsp.convert import line_list
from dragoman.lsp.documents import Document


def labels(text: str) -> list[str]:
    lines = Document("file:///a.py", "python", 1, "    x = \n").snapshot().lines
    query = CompletionQuery("file:///a.py", "python", 1, lines, 0, 8)
    return [item.label for item in line_list(query, [Suggestion("s1", text, 8, 8)], "utf-16").items]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("one\ntwo", ["one"]),
        ("one\r\ntwo", ["one"]),
        ("one\rtwo", ["one"]),
        ("one\f\u2028two", ["one\f\u2028two"]),
        ("\n    two", []),
        ("  \n    two", []),
    ],
)
def test_the_first_line_is_offered_when_it_has_text(text: str, shown: list[str]) -> None:
    assert labels(text) == shown
