"""What a pattern of edits is: where a change came from, and where the same one is due."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from dragoman.completion.next_edit.history import Edit
from dragoman.completion.next_edit.source import Source

if TYPE_CHECKING:
    from dragoman.completion.next_edit.rename import Rename

NextEditReason = Literal["rename", "repeat", "signature"]
"""A word that was replaced; the same rewrite at two places; a changed parameter list."""


@dataclass(frozen=True, slots=True)
class Place:
    """Offsets of a source whose text is to become ``new_text``; equal to what stands there when only the place is known."""

    start: int
    end: int
    new_text: str
    label: str


@dataclass(frozen=True, slots=True)
class NextEdit:
    """A change that is due: ``[start, end)`` of a document's version, as (line, character), is to become ``new_text``.

    A ``new_text`` equal to ``old_text`` means that the place must change but what to is not known.
    """

    uri: str
    version: int
    start: tuple[int, int]
    end: tuple[int, int]
    old_text: str
    new_text: str
    label: str
    reason: NextEditReason
    series: str
    """What the change belongs to; changes with the same one are made together, and dismissed together."""

    @property
    def is_known(self) -> bool:
        """Whether the new text is known, not the place alone."""
        return self.new_text != self.old_text


class Pattern(Protocol):
    """A change that may be due at more places."""

    @property
    def key(self) -> str:
        """What the change is; two patterns with the same key are the same change."""
        ...

    @property
    def reason(self) -> NextEditReason:
        """The kind of pattern."""
        ...

    @property
    def origin(self) -> str:
        """The document in which it was changed first."""
        ...

    @property
    def rename(self) -> Rename | None:
        """The replacement of one word that it is, or has in it."""
        ...

    def places(self, source: Source) -> list[Place]:
        """Return where it is due in a document, in the order of the text."""
        ...

    def absorbs(self, edit: Edit) -> bool:
        """Tell whether an edit is this change made at one more place."""
        ...

    def may_touch(self, line: str) -> bool:
        """Tell cheaply whether a line could hold a place; True when that is not known."""
        ...
