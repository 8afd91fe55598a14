"""Reviews of open documents: findings shown one by one while the model speaks, and moved while the user types."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from dragoman.agents.events import EventType
from dragoman.agents.reviews.dismissals import Dismissals
from dragoman.agents.reviews.findings import FileFindings, Finding, ReviewSession, link_of
from dragoman.agents.tools.documents import TextEdit
from dragoman.assistance.texts import Positions, Texts, change_between
from dragoman.errors import RunError
from dragoman.lsp.services import ClientPort, ShownFinding


class DocumentReview:
    """Reads a review of one document, asked about in parts or in one (a `Reader` of the runtime)."""

    def __init__(self, uri: str, session: ReviewSession, reviews: DocumentReviews, text: str) -> None:
        self.parts = 1
        """How many answers there will be."""
        self.is_whole = True
        """Whether all lines are looked at, so that what is not found again is gone."""
        self._uri = uri
        self._session = session
        self._reviews = reviews
        self._text = text
        """The text that the model was shown: findings are found there, and follow what was typed since."""

    def feed(self, text: str) -> Iterable[tuple[EventType, Mapping[str, Any]]]:
        """Read on and show what was found."""
        return self._take(self._session.feed(text))

    def finish(self) -> Iterable[tuple[EventType, Mapping[str, Any]]]:
        """Read the end of a part; behind the last, what the review before found and this one did not goes."""
        events = self._take(self._session.finish())
        self.parts -= 1
        if not self.parts and self.is_whole:
            self._reviews.complete(self._uri)
        return events

    def _take(self, found: Iterable[Finding]) -> list[tuple[EventType, Mapping[str, Any]]]:
        events: list[tuple[EventType, Mapping[str, Any]]] = []
        for finding in found:
            self._reviews.add(self._uri, finding, self._text)
            told = {
                "fingerprint": finding.fingerprint,
                "severity": finding.severity,
                "code": finding.code,
                "message": finding.message,
                "line": finding.line,
                "end_line": finding.end_line,
            }
            events.append(("diagnostic", {"uri": self._uri, "finding": told}))
        return events


class DocumentReviews:
    """What reviews found in the open documents and still stands."""

    def __init__(
        self, texts: Texts, client: ClientPort, dismissals: Callable[[str], Dismissals], name: Callable[[str], str]
    ) -> None:
        self._texts = texts
        self._client = client
        self._dismissals = dismissals
        self._name = name
        self._found: dict[str, FileFindings] = {}
        self._seen: dict[str, str] = {}

    async def begin(self, uri: str) -> tuple[DocumentReview, str]:
        """Start to read a review of an open document; returns its text too.  Raises RunError when it was closed meanwhile."""
        dismissed = await asyncio.to_thread(self._dismissals(uri).fingerprints)
        shown = self._texts.get(uri)
        if shown is None:
            raise RunError(f"{self._name(uri)!r} is not open any more.", hint="Open it and review it again.")
        text = shown.text
        findings = self._found.get(uri)
        if findings is None:
            findings = self._found[uri] = FileFindings(text)
            self._seen[uri] = text
        findings.begin()
        return DocumentReview(uri, ReviewSession(self._name(uri), text, dismissed=dismissed), self, text), text

    def add(self, uri: str, finding: Finding, text: str) -> None:
        """Take a finding in where it stands now."""
        findings = self._found.get(uri)
        if findings is None:
            return
        now = self._seen[uri]
        findings.add(finding, changes=_changes(text, now))
        self._publish(uri)

    def complete(self, uri: str) -> None:
        """Drop what the last review found and this one did not."""
        if (findings := self._found.get(uri)) is not None:
            findings.complete()
            self._publish(uri)

    def document_changed(self, uri: str) -> None:
        """Move the findings of a document with its text."""
        findings, shown = self._found.get(uri), self._texts.get(uri)
        if findings is None or shown is None:
            return
        text = shown.text
        changes = _changes(self._seen[uri], text)
        self._seen[uri] = text
        if changes and findings.document_changed(changes):
            self._publish(uri)

    def closed(self, uri: str) -> None:
        """Forget a document and take its findings down."""
        if self._found.pop(uri, None) is not None:
            self._seen.pop(uri, None)
            self._client.publish_findings(uri, (), None)

    def findings(self, uri: str) -> tuple[ShownFinding, ...]:
        """Return what stands for a document."""
        findings = self._found.get(uri)
        if findings is None or not (current := findings.current()):
            return ()
        positions = Positions(self._seen[uri])
        return tuple(_shown(one, positions) for one in current)

    async def dismiss(self, uri: str, fingerprint: str) -> bool:
        """Show a finding never again; raises StorageError, and then it stays."""
        findings = self._found.get(uri)
        if findings is None or all(one.fingerprint != fingerprint for one in findings.current()):
            return False
        # Another process may hold the file's lock.
        await asyncio.to_thread(self._dismissals(uri).add, fingerprint)
        findings.dismiss(fingerprint)
        self._publish(uri)
        return True

    def _publish(self, uri: str) -> None:
        shown = self._texts.get(uri)
        self._client.publish_findings(uri, self.findings(uri), shown.version if shown is not None else None)


def _changes(old: str, new: str) -> tuple[TextEdit, ...]:
    change = change_between(old, new)
    return () if change is None else (change,)


def _shown(finding: Finding, positions: Positions) -> ShownFinding:
    return ShownFinding(
        finding.fingerprint,
        positions.span(finding.start, finding.end),
        finding.severity,
        finding.code,
        finding.message,
        tuple(positions.edit(edit) for edit in finding.fix or ()),
        tuple((positions.span(one.start, one.end), one.message) for one in finding.related),
        link_of(finding.code),
    )
