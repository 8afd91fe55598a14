"""A suggestion that shows nothing is none."""

from __future__ import annotations

from dragoman.completion.postprocess.place import Place


def drop_blank(text: str, place: Place) -> str:  # noqa: ARG001 - every filter has the same shape.
    """Return nothing for whitespace alone."""
    return text if text.strip() else ""
