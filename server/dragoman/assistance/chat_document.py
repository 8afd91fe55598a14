"""Documents in which a conversation is held: Markdown, a heading says who speaks, what stands before the first is the user."""

from __future__ import annotations

import re
from typing import Final

from dragoman.models.base import ChatMessage

YOU: Final = "## You"
ANSWER: Final = "## Dragoman"

_HEADING = re.compile(r"^##[ \t]+(you|dragoman)[ \t]*\r?$", re.IGNORECASE)
_ANY_HEADING = re.compile(_HEADING.pattern, re.IGNORECASE | re.MULTILINE)


def without_headings(text: str) -> str:
    """Return a model's words with a level more in each heading that would begin somebody's turn."""
    return _ANY_HEADING.sub(r"#\g<0>", text)


def read_conversation(text: str) -> tuple[ChatMessage, ...]:
    """Return what was said, empty turns left out; a heading within a fence is text."""
    found: list[ChatMessage] = []
    speaker, lines = "user", []
    fence = ""
    for line in [*text.split("\n"), "## You"]:
        mark = re.match(r"\s*(`{3,}|~{3,})", line)
        if mark is not None:
            fence = "" if fence and mark[1].startswith(fence) else fence or mark[1]
        heading = _HEADING.match(line) if not fence else None
        if heading is None:
            lines.append(line.rstrip("\r"))
            continue
        if said := "\n".join(lines).strip():
            found.append(ChatMessage("user" if speaker == "user" else "assistant", said))
        speaker, lines = ("user" if heading[1].lower() == "you" else "assistant"), []
    # A fence that was never closed must not hide the last turn.
    if fence and (said := "\n".join(lines[:-1]).strip()):
        found.append(ChatMessage("user" if speaker == "user" else "assistant", said))
    return tuple(found)
