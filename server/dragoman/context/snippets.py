"""Pieces of context, as retrieval finds them and prompts hold them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Snippet:
    """A piece of context: ``text`` stands in ``path`` (or says what does), at about ``tokens``, found by ``source``.

    ``score`` is what it is expected to be worth: names that the next lines need, each times its chance.
    ``line`` counts from 1, 0 when the text is of no one place.
    """

    source: str
    path: str
    text: str
    tokens: int
    score: float
    line: int = 0

    def to_wire(self) -> dict[str, Any]:
        """Return it as JSON-able values."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_wire(cls, value: Mapping[str, Any]) -> Snippet:
        """Read what `to_wire` wrote."""
        return cls(**{name: value[name] for name in cls.__slots__})


@dataclass(frozen=True, slots=True)
class Context:
    """What was found: ``late`` says that the index had not answered in time and this is an older answer, or none.

    ``workspace`` is the folder's name and ``path`` the document's place in it.
    """

    snippets: tuple[Snippet, ...] = ()
    late: bool = False
    workspace: str = ""
    path: str = ""


NOTHING = Context()
