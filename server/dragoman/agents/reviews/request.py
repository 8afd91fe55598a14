"""What a model is asked for a review: numbered lines and the form of the answer, in parts that fit into its window."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from dragoman.agents.prompts import read_prompt
from dragoman.agents.review_limits import (
    LINE_CHARS,
    PART_LINES_SHARED,
    PART_TOKENS_LEAST,
    REVIEW_ANSWER_TOKENS,
    REVIEW_CONTEXT_LINES,
    REVIEW_FRAME_TOKENS,
    REVIEW_WINDOW,
    REVIEW_WINDOW_MOST,
)
from dragoman.agents.reviews.anchors import NumberedText
from dragoman.context.tokens import rough
from dragoman.models.base import ChatMessage, ChatRequest

_PLACE: Final[Mapping[str, Any]] = {
    "type": "object",
    "properties": {"line": {"type": "integer"}, "message": {"type": "string"}},
    "required": ["line", "message"],
    "additionalProperties": False,
}
_FINDING: Final[Mapping[str, Any]] = {
    "type": "object",
    "properties": {
        "line": {"type": "integer"},
        "end_line": {"type": "integer"},
        "severity": {"type": "string", "enum": ["error", "warning", "information", "hint"]},
        "code": {"type": "string"},
        "message": {"type": "string"},
        "quote": {"type": "string"},
        "fix": {"type": ["string", "null"]},
        "related": {"type": "array", "items": _PLACE},
    },
    "required": ["line", "end_line", "severity", "code", "message", "quote", "fix", "related"],
    "additionalProperties": False,
}
SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "properties": {"findings": {"type": "array", "items": _FINDING}},
    "required": ["findings"],
    "additionalProperties": False,
}
"""The JSON schema of an answer, for models that can be held to one; an object around the list, as some servers want it."""


@dataclass(frozen=True, slots=True)
class ReviewPart:
    """One question of a review: ``rows`` are the lines that it shows, from 1, and ``request`` is what to send."""

    rows: tuple[int, ...]
    request: ChatRequest


def plan_review(
    path: str, text: str, *, window: int | None, changed: Sequence[range] | None = None, schema: bool = False
) -> tuple[ReviewPart, ...]:
    """Return the questions that have a text reviewed, or only its ``changed`` lines with some around them.

    ``window`` is the model's, in tokens; ``schema`` says whether it can be held to one.
    """
    read = min(window or REVIEW_WINDOW, REVIEW_WINDOW_MOST)
    answer = review_answer_tokens(window)
    system = ChatMessage("system", read_prompt("reviewer"))
    return tuple(
        ReviewPart(
            rows,
            ChatRequest(
                (system, ChatMessage("user", task)),
                max_tokens=answer,
                temperature=0.0,
                json_schema=SCHEMA if schema else None,
            ),
        )
        for rows, task in plan_tasks(path, text, read - answer, changed)
    )


def review_answer_tokens(window: int | None) -> int:
    """Return the tokens that are kept for the findings of one part."""
    return min(REVIEW_ANSWER_TOKENS, (window or REVIEW_WINDOW) // 4)


def plan_tasks(
    path: str, text: str, most: int, changed: Sequence[range] | None = None
) -> tuple[tuple[tuple[int, ...], str], ...]:
    """Return the rows and the words of each question, each prompt within ``most`` tokens."""
    lines = _lines(text)
    marked = None if changed is None else {row for part in changed for row in part if 0 < row <= len(lines)}
    shown = range(1, len(lines) + 1) if marked is None else _around(marked, len(lines))
    room = max(PART_TOKENS_LEAST, min(most, REVIEW_WINDOW_MOST) - REVIEW_FRAME_TOKENS - rough(path))
    return tuple(
        (tuple(rows), _word(path, lines, rows, marked))
        for rows in _cut(lines, shown, room)
        if any(lines[row - 1].strip() for row in rows) and not (marked is not None and marked.isdisjoint(rows))
    )


def _lines(text: str) -> list[str]:
    starts = NumberedText(text).starts
    lines = [text[start:end].rstrip("\r\n") for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]
    if len(lines) > 1 and not lines[-1]:
        lines.pop()
    return lines


def _around(rows: Iterable[int], last: int) -> Sequence[int]:
    near = range(-REVIEW_CONTEXT_LINES, REVIEW_CONTEXT_LINES + 1)
    return sorted({row + by for row in rows for by in near if 0 < row + by <= last})


def _cut(lines: Sequence[str], rows: Sequence[int], room: int) -> Iterable[Sequence[int]]:
    """Yield the rows in runs that have room; one that follows on begins with the last lines of the one before."""
    first = 0
    while first < len(rows):
        end, tokens = first, 0.0
        while end < len(rows):
            # Its number and its mark are some tokens each.
            cost = rough(lines[rows[end] - 1][:LINE_CHARS]) + 3
            if end > first and tokens + cost > room:
                break
            tokens += cost
            end += 1
        yield rows[first:end]
        if end == len(rows):
            return
        follows_on = rows[end] == rows[end - 1] + 1
        first = max(first + 1, end - PART_LINES_SHARED) if follows_on and end - first > 2 * PART_LINES_SHARED else end


def _word(path: str, lines: Sequence[str], rows: Sequence[int], marked: set[int] | None) -> str:
    width = len(str(rows[-1])) if rows else 1
    said = [f"Review {path!r}, which has {len(lines)} lines."]
    if marked is not None:
        said.append("Only the lines marked with > were changed: report mistakes in those lines, not in the others.")
    said.append("```")
    before = rows[0] - 1 if rows else 0
    for row in rows:
        if row != before + 1:
            said.append("…")
        before = row
        said.append(f"{row:>{width}}{'>' if marked and row in marked else '|'} {lines[row - 1][:LINE_CHARS]}")
    return "\n".join([*said, "```", "", read_prompt("review_form")])
