"""Whitespace at the end of a suggestion cannot be seen and is never wanted."""

from __future__ import annotations

from dragoman.completion.postprocess.place import Place


def strip_trailing_space(text: str, place: Place) -> str:
    """Strip it, except before more code on the same line."""
    return text if place.rest.strip() else text.rstrip()
