"""What was attached for a model on this machine stays here when another machine's model answers next."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from dragoman.agents.tools.diagnostics import named_files
from dragoman.agents.tools.places import find_place
from dragoman.errors import DragomanError, PathOutsideError
from dragoman.models.base import ChatMessage
from dragoman.security.diffs import withhold
from dragoman.security.paths import is_secret_path

WITHHELD: Final = "[What was attached here stays on this machine.]"
WITHHELD_ANSWER: Final = "[This answer was about files that stay on this machine.]"

STAYS: Final = "[This answer is about files that stay on this machine, and stays there too.]"
"""A line of every answer whose model has read such files: by tools, or in what was said before."""

_HEAD = re.compile(
    r"Attached, (?P<name>.+?)(?:, lines \d+ to \d+|, where it is defined)?"
    r"(?: \(the first [\d,]+ of [\d,]+ lines\))?:"
)
_FENCE = re.compile(r"`{3,}")
_PLACE = re.compile(r"^(.+):\d+$", re.MULTILINE)


def withhold_private(
    said: Sequence[ChatMessage], roots: Sequence[Path], may_send: Callable[[Path], None]
) -> tuple[ChatMessage, ...]:
    """Return what was said before without the private files that questions had attached, nor the answers to those.

    ``may_send`` raises DragomanError for a file that must not leave the machine, as for `dragoman.assistance.mentions`.
    An answer whose question is not there is left out: nobody knows what was attached to it.
    """

    def is_private(name: str) -> bool:
        try:
            place = find_place(roots, name)
        except PathOutsideError:
            return Path(name).is_absolute() or is_secret_path(name)
        try:
            may_send(place.path)
        except DragomanError:
            return True
        return False

    told: list[ChatMessage] = []
    about_private: bool | None = None
    for message in said:
        if message.role == "user":
            # Whose note is among the user's words, as in a document that lost a heading, has the answer there too.
            content = WITHHELD_ANSWER if is_noted(message.content) else _without_private(message.content, is_private)
            about_private = content != message.content
            told.append(replace(message, content=content))
        elif about_private is False and not is_noted(message.content):
            told.append(message)
        elif about_private is not None:
            told.append(ChatMessage("assistant", WITHHELD_ANSWER))
    return tuple(told)


def holds_private(said: Sequence[ChatMessage], roots: Sequence[Path], may_send: Callable[[Path], None]) -> bool:
    """Tell whether `withhold_private` would keep anything back that is known to be private."""
    asked = next((at for at, message in enumerate(said) if message.role == "user"), len(said))
    if any(is_noted(message.content) for message in said[:asked]):
        return True
    return withhold_private(said[asked:], roots, may_send) != tuple(said[asked:])


def is_noted(text: str) -> bool:
    """Tell whether a text has the line `STAYS`."""
    return any(line.strip() == STAYS for line in text.split("\n"))


def kept_answer(text: str, *, private: bool) -> str:
    """Return an answer as it is kept for the questions to come."""
    return f"{text.rstrip()}\n\n{STAYS}" if private else text


def _without_private(text: str, is_private: Callable[[str], bool]) -> str:
    """Return a question with a note in the place of each attachment that is private."""
    lines, kept = text.split("\n"), list[str]()
    at = 0
    while at < len(lines):
        end = _end_of_attachment(lines, at)
        if end is None or not _holds_private(lines[at], "\n".join(lines[at + 2 : end - 1]), is_private):
            # What looks like an attachment may be a part of the question and begin before a true one: each line counts.
            kept.append(lines[at])
            at += 1
            continue
        kept.append(WITHHELD)
        is_mixed = any(_end_of_attachment(lines, inner) is not None for inner in range(at + 1, end))
        at = len(lines) if is_mixed else end
    return "\n".join(kept)


def _end_of_attachment(lines: Sequence[str], at: int) -> int | None:
    """Return the line behind the attachment that begins in a line, None where none does; it does not hold its own fence."""
    if _HEAD.fullmatch(lines[at]) is None or at + 1 >= len(lines) or _FENCE.fullmatch(lines[at + 1]) is None:
        return None
    try:
        return lines.index(lines[at + 1], at + 2) + 1
    except ValueError:
        return None


def _holds_private(head: str, body: str, is_private: Callable[[str], bool]) -> bool:
    found = _HEAD.fullmatch(head)
    assert found is not None
    name = found["name"]
    if name == "diff":
        return withhold(body, is_private) != body
    if name == "diagnostics":
        return any(map(is_private, named_files(body)))
    if ", where it is defined" in head:
        return any(is_private(place) for place in _PLACE.findall(body))
    return is_private(name)
