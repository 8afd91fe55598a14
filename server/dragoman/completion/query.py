"""What the completion engine is asked and what it answers: plain values without an editor's types.

Lines and characters count from 0; characters are Unicode code points, whatever encoding the editor counts in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

Trigger = Literal["invoked", "automatic"]


class TextView(Protocol):
    """A frozen text, readable line by line in O(1) without copying the whole."""

    @property
    def line_count(self) -> int:
        """Number of lines; an empty text and a text that ends in a line break have an empty last line."""
        ...

    def line(self, index: int) -> str:
        r"""Return line ``index`` with its terminator (``\\n``, ``\\r\\n`` or ``\\r``); raises IndexError outside the text."""
        ...


@dataclass(frozen=True, slots=True)
class SelectedItem:
    """The item highlighted in the editor's own completion popup: a suggestion must begin with it."""

    start_character: int
    end_character: int
    text: str


@dataclass(frozen=True, slots=True)
class CompletionQuery:
    """A request for a suggestion at one place of one version of a document."""

    uri: str
    language: str
    version: int
    text: TextView
    line: int
    character: int
    trigger: Trigger = "automatic"
    selected: SelectedItem | None = None


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Text to put in place of ``[start_character, end_character)`` of the query's line."""

    id: str
    text: str
    start_character: int
    end_character: int


Reason = Literal[
    "ok",
    "disabled",
    "language_excluded",
    "no_model",
    "loading",
    "not_fim",
    "ignored_file",
    "too_large",
    "binary",
    "filtered",
    "empty_answer",
    "unlikely",
    "slow",
    "model_error",
    "superseded",
]
"""Why there is, or is not, a suggestion; the status bar and ``dragoman doctor`` turn it into a sentence."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The engine's answer: suggestions (best first), or why there are none, in ``detail`` for a person."""

    suggestions: tuple[Suggestion, ...] = ()
    reason: Reason = "ok"
    detail: str = ""
    source: Literal["model", "stream", "cache", "edit", "identifiers", "none"] = "none"
    model: str = ""
