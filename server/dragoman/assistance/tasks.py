"""What a model is asked for each action of an editor: the place in its file, and what is wanted there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from dragoman.lsp.services import Span

LINES_AROUND: Final = 120
"""Lines before and behind the place that are shown along; a function and its neighbours."""

WHOLE_LINES: Final = 400
"""A file of so many lines is shown whole."""

LINE_CHARS: Final = 400
"""A longer line is data; it is not shown whole, so no edit can touch it."""


@dataclass(frozen=True, slots=True)
class Action:
    """What an action is: who does it, in which words, and whether it changes the document."""

    agent: str
    title: str
    wish: str
    edits: bool = False
    beyond: bool = False
    """Whether lines outside of the selection may be changed too."""
    tools: bool = False


ACTIONS: Final[dict[str, Action]] = {
    "explain": Action("explainer", "Explain", "Explain what the selected lines do and why."),
    "edit": Action("editor", "Edit", "", edits=True),
    "fix": Action(
        "fixer", "Fix", "Repair what is reported, with the smallest change that is right.", edits=True, beyond=True
    ),
    "document": Action(
        "documenter",
        "Document",
        "Write the documentation comments that the selected lines lack, in the style of the file. Change nothing else.",
        edits=True,
    ),
    "simplify": Action(
        "editor", "Simplify", "Make the selected lines simpler and keep exactly what they do.", edits=True
    ),
    "test": Action(
        "tester",
        "Write tests",
        "Write tests for the selected lines. Look where this project keeps its tests and how they are written.",
        tools=True,
    ),
}

EDIT_FORM: Final = """\
Answer with one or more blocks of this form and nothing else:
<<<<<<< SEARCH
lines exactly as they stand in the file, enough of them to stand only once
=======
the lines as they shall be
>>>>>>> REPLACE"""


def word_task(action: Action, instruction: str, *, path: str, language: str, text: str, span: Span | None) -> str:
    """Return what the agent is asked: the file around the place, the selected lines, and the wish."""
    lines = text.replace("\r\n", "\n").split("\n")
    first, last = _selected(span, lines)
    begin, end = 0, len(lines)
    if len(lines) > WHOLE_LINES:
        begin, end = max(0, first - LINES_AROUND), min(len(lines), last + 1 + LINES_AROUND)
    shown = "\n".join(_short(line) for line in lines[begin:end])
    part = "" if (begin, end) == (0, len(lines)) else f", lines {begin + 1} to {end} of {len(lines)}"
    told = [f"File {path}{part}:", _fenced(shown, language)]
    if span is not None:
        selected = "\n".join(lines[first : last + 1])
        told += [f"Selected, lines {first + 1} to {last + 1}:", _fenced(selected, language)]
    told.append(action.wish)
    if instruction.strip():
        told.append(f"{'Reported' if action.agent == 'fixer' else 'Wanted'}: {instruction.strip()}")
    if action.edits:
        told.append(EDIT_FORM)
    return "\n\n".join(one for one in told if one)


def _selected(span: Span | None, lines: list[str]) -> tuple[int, int]:
    """Return the first and the last selected line; a selection that ends before a line's first letter does not hold it."""
    if span is None:
        return 0, len(lines) - 1
    first, last = span.start[0], span.end[0]
    if span.end[1] == 0 and last > first:
        last -= 1
    most = len(lines) - 1
    return min(first, most), min(last, most)


def selected_lines(span: Span, text: str) -> tuple[int, int]:
    """Return the offsets of the selected lines, whole, without the last one's end."""
    lines = text.split("\n")
    first, last = _selected(span, lines)
    start = sum(len(line) + 1 for line in lines[:first])
    end = start + sum(len(line) + 1 for line in lines[first : last + 1]) - 1
    return start, min(end, len(text))


def _short(line: str) -> str:
    return line if len(line) <= LINE_CHARS else f"{line[:LINE_CHARS]}…"


def _fenced(text: str, language: str) -> str:
    """Return text in a fence that it does not hold itself."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{language}\n{text}\n{fence}"
