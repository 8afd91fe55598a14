"""From a generation to what is shown of it at one cursor."""

from __future__ import annotations

from dragoman.completion.generation import Generation
from dragoman.completion.postprocess import polish
from dragoman.completion.postprocess.place import Place
from dragoman.completion.query import CompletionQuery
from dragoman.completion.shape import Shape, shape_at
from dragoman.syntax.window import Window


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


def show(generation: Generation, typed: str, query: CompletionQuery, shape: Shape | None = None) -> tuple[str, str]:
    """Return the text to show behind ``typed`` and, when there is none, the name of the filter that took it.

    What the user saw of this generation stays as it was, or grows: a filter that judges differently one key later would
    make the text flicker.
    Without ``shape`` the place is looked at only as closely as it has to be: an ended answer that is being typed through
    was held against the syntax before.
    """
    expected = _seen(generation, typed)
    if expected and shape is None and generation.shown_whole:
        line = query.text.line(query.line).rstrip("\r\n")
        place = _place(query, line[: query.character], line[query.character :], generation, typed)
        if polish(expected, place)[0] == expected:
            return expected, ""
    shape = shape or shape_at(query, "never")
    place = _place(query, shape.head, shape.rest, generation, typed, window=shape.window)
    text, emptied_by = polish(rest_of(generation, typed), place)
    if expected and not text.startswith(expected) and polish(expected, place)[0] == expected:
        return expected, ""
    return text, emptied_by


def _seen(generation: Generation, typed: str) -> str:
    """Return what is left, behind ``typed``, of the text that the user saw last."""
    if generation.shown is None:
        return ""
    length, text = generation.shown
    since = typed[length:]
    return text[len(since) :] if len(typed) >= length and text.startswith(since) else ""


def _place(
    query: CompletionQuery, head: str, rest: str, generation: Generation, typed: str, *, window: Window | None = None
) -> Place:
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
        window=window,
        cut=generation.cut if generation.done else "line",
        invoked=query.trigger == "invoked",
    )
