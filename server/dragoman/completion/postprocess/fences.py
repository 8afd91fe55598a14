"""Chat models wrap code in Markdown fences."""

from __future__ import annotations

import re

from dragoman.completion.postprocess.place import Place

_OPENING = re.compile(r"\A\s*```[\w+#.-]*[ \t]*\r?\n")


def unwrap_fence(text: str, place: Place) -> str:
    """Keep what is inside of the first fence, and nothing from a closing fence on."""
    if place.at_start:
        text = _OPENING.sub("", text, count=1)
    for mark in ("\n```", "```"):
        at = text.find(mark)
        # Three backticks in the middle of a line may be code (a Markdown string); at a line's start they are a fence.
        if at >= 0 and (mark.startswith("\n") or at == 0):
            return text[:at]
    return text
