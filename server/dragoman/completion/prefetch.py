"""What comes behind a suggestion, asked for while the suggestion is still on screen."""

from __future__ import annotations

from dataclasses import dataclass

from dragoman.completion.overlay import after_typing
from dragoman.completion.query import CompletionQuery, Suggestion
from dragoman.completion.shape import opens_block


@dataclass(frozen=True, slots=True)
class Ahead:
    """Where the user will be after taking a suggestion.

    ``place`` is the cursor then.
    ``question`` is what the model is asked: the same cursor, or the beginning of the next line when the statement is
    complete, because a model that stands behind a complete statement has nothing to add to it; ``lead`` is what lies between.
    """

    place: CompletionQuery
    question: CompletionQuery
    lead: str


def look_ahead(query: CompletionQuery, suggestion: Suggestion) -> Ahead | None:
    """Return the question behind ``suggestion``, None where code follows on the same line."""
    place = after_typing(query, suggestion.start_character, suggestion.end_character, suggestion.text)
    line = place.text.line(place.line).rstrip("\r\n")
    head = line[: place.character]
    if line[place.character :].strip():
        return None
    if not head.strip() or opens_block(head):
        return Ahead(place, place, "")
    lead = "\n" + head[: len(head) - len(head.lstrip())]
    return Ahead(place, after_typing(place, place.character, place.character, lead), lead)
