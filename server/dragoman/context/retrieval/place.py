"""What context is asked for and what comes back: plain values, without an editor's types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Place:
    """A cursor in a text.

    ``path`` is relative to the workspace with forward slashes, absolute for a file outside of it.
    ``before`` and ``after`` are the text around the cursor, as far as it is worth looking at; ``first_line`` is the number
    (from 0) of the line that ``before`` begins in.
    ``seen_before`` and ``seen_after`` say how many characters of those the model reads anyway: what stands there needs no
    context.
    ``focus`` lists other files that the user looked at, newest first; ``edits`` the lines changed lately in other files, as
    (path, first line from 0, text); ``diagnostics`` what other servers report near the cursor, as (line from 0, message).
    ``nearest`` are pieces of other files with a meaning like that of the text here, as (path, line from 0), the nearest first.
    """

    path: str
    language: str
    before: str
    after: str
    first_line: int = 0
    seen_before: int = 6_000
    seen_after: int = 1_500
    budget: int = 1_024
    sources: tuple[str, ...] = ()
    focus: tuple[str, ...] = ()
    edits: tuple[tuple[str, int, str], ...] = ()
    diagnostics: tuple[tuple[int, str], ...] = ()
    nearest: tuple[tuple[str, int], ...] = ()

    @classmethod
    def from_wire(cls, params: Mapping[str, Any]) -> Place:
        """Read what `to_wire` wrote."""
        known = {name: params[name] for name in cls.__slots__ if name in params}
        if "edits" in known:
            known["edits"] = tuple((path, line, text) for path, line, text in known["edits"])
        if "diagnostics" in known:
            known["diagnostics"] = tuple((line, message) for line, message in known["diagnostics"])
        if "nearest" in known:
            known["nearest"] = tuple((path, line) for path, line in known["nearest"])
        for name in ("focus", "sources"):
            if name in known:
                known[name] = tuple(known[name])
        return cls(**known)

    def to_wire(self) -> dict[str, Any]:
        """Return JSON-able parameters."""
        return {name: getattr(self, name) for name in self.__slots__}
