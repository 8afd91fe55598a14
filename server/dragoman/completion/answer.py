"""From a generation to what is shown of it at one cursor."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from dragoman.completion.generation import Generation
from dragoman.completion.overlay import after_typing
from dragoman.completion.postprocess import polish
from dragoman.completion.postprocess.brackets import covered_closers
from dragoman.completion.postprocess.place import Place
from dragoman.completion.query import CompletionQuery
from dragoman.completion.shape import Shape, parse_at


def rest_of(generation: Generation, typed: str) -> str:
    """Return what the generation says behind ``typed``: all of it when it has ended, else its whole lines."""
    text = generation.text[len(typed) :]
    if not generation.done and "\n" in text.lstrip("\n"):
        text = text[: text.rindex("\n")]
    return text


def has_line(generation: Generation, typed: str) -> bool:
    """Tell whether there is a whole line to show behind ``typed``, or never will be."""
    return not generation.continues(typed) or "\n" in generation.text[len(typed) :].lstrip("\n")


def has_more_lines(generation: Generation, typed: str, lines: int) -> bool:
    """Tell whether there is a whole line more than ``lines``, or never will be behind ``typed``."""
    return not generation.continues(typed) or generation.text.count("\n") > lines


class Shown(NamedTuple):
    """What is shown: ``text`` in place of the ``covers`` characters behind the cursor, or the filter that left nothing."""

    text: str
    covers: int
    emptied_by: str


def show(generation: Generation, typed: str, query: CompletionQuery, shape: Shape | None = None) -> Shown:
    """Return what to show of ``generation`` behind ``typed``.

    What the user saw of it stays as it was, or grows: a filter that judges differently one key later would make the text
    flicker.
    Without ``shape`` the place is looked at only as closely as it has to be: an ended answer that is being typed through
    was held against the syntax before.
    """
    line = query.text.line(query.line).rstrip("\r\n")
    head, rest = line[: query.character], line[query.character :]
    place = _place(query, head, rest, generation, typed)
    expected = _seen(generation, typed)
    if expected and shape is None and generation.shown_whole:
        shown = _polish(expected, query, place)
        if shown.text == expected:
            return shown
    place = replace(place, window=parse_at(query) if shape is None else shape.window)
    shown = _polish(rest_of(generation, typed), query, place)
    if expected and not shown.text.startswith(expected):
        again = _polish(expected, query, place)
        return again if again.text == expected else shown
    return shown


def _polish(text: str, query: CompletionQuery, place: Place) -> Shown:
    """Apply the filters, as if the closers that ``text`` brings itself did not stand behind the cursor."""
    if covers := covered_closers(text, place.head, place.rest):
        bare = after_typing(query, query.character, query.character + covers, "")
        window = None if place.window is None else parse_at(bare)
        kept, emptied_by = polish(
            text, replace(place, rest=place.rest[covers:], covered=place.rest[:covers], window=window)
        )
        if not kept or covered_closers(kept, place.head, place.rest) == covers:
            return Shown(kept, covers, emptied_by)
    kept, emptied_by = polish(text, place)
    return Shown(kept, 0, emptied_by)


def _seen(generation: Generation, typed: str) -> str:
    """Return what is left, behind ``typed``, of the text that the user saw last."""
    if generation.shown is None:
        return ""
    length, text = generation.shown
    since = typed[length:]
    return text[len(since) :] if len(typed) >= length and text.startswith(since) else ""


def _place(query: CompletionQuery, head: str, rest: str, generation: Generation, typed: str) -> Place:
    following = tuple(
        query.text.line(index).rstrip("\r\n")
        for index in range(query.line + 1, min(query.line + 8, query.text.line_count))
    )
    return Place(
        head=head,
        rest=rest,
        following=following,
        special=generation.special,
        language=query.language,
        at_start=not typed,
        cut=generation.cut if generation.done else "line",
        invoked=query.trigger == "invoked",
    )
