"""What stands after the cursor on its line is not written a second time."""

from __future__ import annotations

from dragoman.completion.postprocess.place import Place

_TERMINATORS = frozenset({";", ",", ":", ".", "=>", "->", "{", "do", "then"})
"""A rest of line that is one of these ends the statement or its head; a model that knows it writes it too."""


def cut_overlap(text: str, place: Place) -> str:
    """Cut the end of a one-line text that repeats the rest of the line.

    The overlap is the longest end of the text that begins the rest.
    A lone closing bracket is left to the bracket filter, which knows whether it is needed.
    """
    rest = place.rest.rstrip()
    if not rest.strip() or "\n" in text:
        return text
    stripped = text.rstrip()
    if rest.strip() in _TERMINATORS:
        shorter = stripped.removesuffix(rest.strip())
        return shorter.rstrip() if shorter != stripped and rest[0] in " \t" else shorter
    for length in range(min(len(stripped), len(rest)), 0, -1):
        end = stripped[-length:]
        if rest.startswith(end) and any(char.isalnum() or char == "_" for char in end):
            # Half a word in common is no repetition: ``na|me`` after ``file`` may well end in "na".
            whole = length == len(rest) or not (rest[length].isalnum() and end[-1].isalnum())
            if whole:
                return stripped[:-length]
    # The rest of the line may also stand inside of the text, with more behind it.
    at = text.find(rest) if len(rest.strip()) >= 6 else -1
    return text[:at] if at >= 0 else text
