"""What the filters know of the place a suggestion goes to."""

from __future__ import annotations

from dataclasses import dataclass, field

from dragoman.completion.structure import Cut
from dragoman.syntax.window import Window


@dataclass(frozen=True, slots=True)
class Place:
    """The cursor's line split at the cursor, the lines after it, and what the popup has selected.

    ``selected`` is the text that the suggestion must begin with, "" when nothing is selected.
    ``language`` is the editor's name of it, "" where it is not known.
    """

    head: str
    rest: str
    following: tuple[str, ...] = ()
    special: frozenset[str] = frozenset()
    selected: str = ""
    at_start: bool = True
    """False when the user already typed into the suggestion: its beginning has been judged before."""
    language: str = ""
    window: Window | None = field(default=None, repr=False)
    """The syntax around the cursor, None where it is not known."""
    cut: Cut = ""
    """``line`` when more lines were to come, ``length`` when the model was stopped by the number of its tokens."""
    covered: str = ""
    """The closers behind the cursor that the text replaces; they are no part of ``rest``."""
    invoked: bool = False
    """True when the user asked by hand: nothing is dropped then for its syntax."""
