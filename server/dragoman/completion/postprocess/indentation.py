"""The first line goes on where the cursor is: indentation that stands there already is not written twice."""

from __future__ import annotations

from dragoman.completion.postprocess.place import Place


def match_indentation(text: str, place: Place) -> str:
    """Drop leading whitespace after whitespace: models write the indentation before the cursor again."""
    if not place.at_start or place.head[-1:] not in {" ", "\t"} or not place.head:
        return text
    return text.lstrip(" \t")
