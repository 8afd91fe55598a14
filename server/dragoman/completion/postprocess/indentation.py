"""The first line goes on where the cursor is: indentation that stands there already is not written twice."""

from __future__ import annotations

from dragoman.completion.postprocess.place import Place


def match_indentation(text: str, place: Place) -> str:
    """Drop the leading whitespace that the cursor's line already has, and a space after a space."""
    if not place.at_start:
        return text
    first, newline, others = text.partition("\n")
    if not place.head.strip():
        # On an empty line the model may repeat all or part of the indentation before the cursor.
        stripped = first.lstrip(" \t")
        extra = first[: len(first) - len(stripped)]
        if (
            place.head
            and extra
            and (extra == place.head or len(extra) < _unit(place.head) or extra.startswith(place.head))
        ):
            first = first[len(place.head) :] if extra.startswith(place.head) else stripped
    elif place.head[-1:] in {" ", "\t"}:
        first = first.lstrip(" \t")
    return first + newline + others


def _unit(indent: str) -> int:
    """Return the narrowest step that more indentation than ``indent`` could mean."""
    return 1 if indent.startswith("\t") else min(len(indent), 4)
