"""Whitespace at the end of a suggestion cannot be seen and is never wanted."""

from __future__ import annotations

from dragoman.completion.postprocess.place import Place


def strip_trailing_space(text: str, place: Place) -> str:
    """Strip it, except before more code on the same line.

    There a line break stays only where the text began with one: then what follows stands on a line of its own.
    """
    if not place.rest.strip():
        return text.rstrip()
    return text if text.lstrip(" \t").startswith("\n") else text.rstrip("\n")
