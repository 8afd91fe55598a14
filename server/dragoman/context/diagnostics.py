"""What other servers report in open documents, as far as the client tells; it moves along while the text changes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, replace

from dragoman.context.limits import (
    DIAGNOSTICS_CHARS,
    DIAGNOSTICS_DOCUMENTS,
    DIAGNOSTICS_KEPT,
    DIAGNOSTICS_NEAR,
    DIAGNOSTICS_SHOWN,
)


@dataclass(frozen=True, slots=True)
class Reported:
    """A message about a line (from 0); ``severity`` is ``error``, ``warning``, ``information`` or ``hint``."""

    line: int
    message: str
    severity: str = "error"


class SeenDiagnostics:
    """The newest reports of each document."""

    def __init__(self) -> None:
        self._documents: OrderedDict[str, tuple[Reported, ...]] = OrderedDict()

    def seen(self, uri: str, reported: Iterable[Reported], lines: tuple[int, int] | None = None) -> None:
        """Take in what is reported for a document, for its ``lines`` only (first and last) where these are given."""
        kept = () if lines is None else (one for one in self._documents.get(uri, ()) if not _within(one, lines))
        short = (
            replace(one, message=" ".join(one.message.split())[:DIAGNOSTICS_CHARS]) for one in reported if one.line >= 0
        )
        found = sorted({*kept, *short}, key=lambda one: (one.line, one.message))[:DIAGNOSTICS_KEPT]
        self._documents.pop(uri, None)
        if found:
            self._documents[uri] = tuple(found)
            while len(self._documents) > DIAGNOSTICS_DOCUMENTS:
                self._documents.popitem(last=False)

    def changed(self, uri: str, first_line: int, last_line: int, grown: int) -> None:
        """Follow a change: lines ``first_line..last_line`` are new, and there are ``grown`` more lines than before."""
        known = self._documents.get(uri)
        if known is None or not grown:
            # On a line that is being written the report stays until a newer one: it says what is missing there.
            return
        moved = []
        for one in known:
            if one.line <= first_line:
                moved.append(one)
            elif one.line > last_line - grown:
                moved.append(replace(one, line=one.line + grown))
        self._documents[uri] = tuple(moved)

    def forget(self, uri: str) -> None:
        """Forget a document."""
        self._documents.pop(uri, None)

    def all(self) -> tuple[tuple[str, tuple[Reported, ...]], ...]:
        """Return the reports of every document, the one last reported on first."""
        return tuple(reversed(self._documents.items()))

    def near(self, uri: str, line: int) -> tuple[tuple[int, str], ...]:
        """Return lines and messages of what is reported around a line, the nearest first."""
        known = [one for one in self._documents.get(uri, ()) if abs(one.line - line) <= DIAGNOSTICS_NEAR]
        known.sort(key=lambda one: (abs(one.line - line), one.line))
        return tuple((one.line, f"{one.severity}: {one.message}") for one in known[:DIAGNOSTICS_SHOWN])


def _within(one: Reported, lines: tuple[int, int]) -> bool:
    return lines[0] <= one.line <= lines[1]
