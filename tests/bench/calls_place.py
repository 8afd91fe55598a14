"""A cursor in one version of a document, as policies and the model stand-in see it."""

from __future__ import annotations

from dataclasses import dataclass

from dragoman.completion.query import CompletionQuery
from dragoman.completion.shape import shape_at


class Lines:
    """A frozen text as the engine reads it."""

    def __init__(self, lines: tuple[str, ...]) -> None:
        self._lines = lines

    @property
    def line_count(self) -> int:
        return len(self._lines)

    def line(self, index: int) -> str:
        if index < 0:
            raise IndexError(index)
        return self._lines[index] + ("\n" if index + 1 < len(self._lines) else "")


@dataclass(frozen=True)
class Place:
    """A cursor in one version of a document."""

    uri: str
    language: str
    version: int
    lines: tuple[str, ...]
    row: int
    column: int
    before: str
    after: str
    others: int
    """Changes made to other documents so far."""
    typed: str
    """What the last key put before the cursor."""

    @property
    def query(self) -> CompletionQuery:
        """The place as the engine is asked about it."""
        return CompletionQuery(self.uri, self.language, self.version, Lines(self.lines), self.row, self.column)

    @property
    def multiline(self) -> bool:
        """Whether more than the line is asked for: decided for all policies by the engine's own rule."""
        return shape_at(self.query, "auto").multiline

    @property
    def rest(self) -> str:
        """What stands behind the cursor on its line."""
        return self.lines[self.row][self.column :]
