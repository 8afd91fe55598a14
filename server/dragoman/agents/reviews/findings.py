"""Findings of reviews: made from a model's stream, anchored to the text, and what stands of them while the text changes."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from dragoman.agents.review_limits import FINDINGS
from dragoman.agents.reviews.anchors import Anchors, NumberedText, Span, finest, moved, squeeze
from dragoman.agents.reviews.fixes import find_fix
from dragoman.agents.reviews.parsing import FindingParser, RawFinding, RawPlace, Severity
from dragoman.agents.tools.documents import TextEdit, apply_edits

_WEAKNESS = re.compile(r"cwe-?0*([1-9]\d{0,5})")


@dataclass(frozen=True, slots=True)
class Place:
    """Another place of the same text that one must see to understand a finding, and what is said of it."""

    start: int
    end: int
    line: int
    message: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What a review says of a place: ``start`` and ``end`` in characters of the text as it is now, lines from 1.

    ``quote`` is what stands there. ``fix`` are the edits that mend it, None where there are none or they no longer fit.
    """

    fingerprint: str
    path: str
    start: int
    end: int
    line: int
    end_line: int
    severity: Severity
    code: str
    message: str
    quote: str
    fix: tuple[TextEdit, ...] | None = None
    related: tuple[Place, ...] = ()


def fingerprint_of(path: str, code: str, quote: str) -> str:
    """Return the name of a finding, which is the same wherever its lines are moved to and however they are indented."""
    told = json.dumps([path, code, squeeze(quote)])
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def link_of(code: str) -> str | None:
    """Return where a kind of finding is explained in public: CWE's page of a weakness, None for what has no such page."""
    number = _WEAKNESS.fullmatch(code)
    return f"https://cwe.mitre.org/data/definitions/{number[1]}.html" if number is not None else None


class ReviewSession:
    """One streaming review of one text.

    ``dismissed`` are fingerprints that are not wanted, ``lines`` the ranges of lines (from 1) that are reviewed, all by default.
    ``skipped`` counts broken objects, ``lost`` quotes that stand nowhere, ``left_out`` findings outside of ``lines``.
    """

    def __init__(
        self,
        path: str,
        text: str,
        *,
        dismissed: frozenset[str] = frozenset(),
        lines: Sequence[range] | None = None,
    ) -> None:
        self._path = path
        self._text = text
        self._dismissed = dismissed
        self._lines = lines
        self._anchors = Anchors(text)
        self._parser = FindingParser()
        self._found: set[str] = set()
        self.lost = 0
        self.left_out = 0

    @property
    def skipped(self) -> int:
        """How many objects of the answer were broken."""
        return self._parser.skipped

    def feed(self, chunk: str) -> list[Finding]:
        """Return what is found with the next piece of the answer."""
        return self._take(self._parser.feed(chunk))

    def finish(self) -> list[Finding]:
        """Return what is found at the end of an answer; another answer about the same text may follow."""
        return self._take(self._parser.finish())

    def _take(self, raw: Iterable[RawFinding]) -> list[Finding]:
        new: list[Finding] = []
        for one in raw:
            finding = self._anchor(one)
            if finding is None or finding.fingerprint in self._found or len(self._found) >= FINDINGS:
                continue
            self._found.add(finding.fingerprint)
            if finding.fingerprint not in self._dismissed:
                new.append(finding)
        return new

    def _anchor(self, raw: RawFinding) -> Finding | None:
        place = self._anchors.find(raw.quote, raw.line)
        if place is None:
            self.lost += 1
            return None
        span, is_sure = place
        line, end_line = self._anchors.numbered.lines_of(span)
        if self._lines is not None and not any(part.start <= end_line and line < part.stop for part in self._lines):
            self.left_out += 1
            return None
        quote = self._text[span[0] : span[1]]
        fix = find_fix(self._anchors.numbered, span, raw.fix) if is_sure and raw.fix is not None else None
        name = fingerprint_of(self._path, raw.code, quote)
        related = tuple(found for one in raw.related if (found := self._place(one)) is not None)
        return Finding(
            name, self._path, *span, line, end_line, raw.severity, raw.code, raw.message, quote, fix, related
        )

    def _place(self, raw: RawPlace) -> Place | None:
        found = self._anchors.find(raw.quote, raw.line)
        if found is None:
            return None
        (start, end), _ = found
        return Place(start, end, self._anchors.numbered.line_of(start), raw.message)


class FileFindings:
    """What stands for one document: the findings of its last review, which move with edits until their text is changed."""

    def __init__(self, text: str) -> None:
        self._numbered = NumberedText(text)
        self._standing: dict[str, Finding] = {}
        self._again: set[str] = set()
        self._dismissed: set[str] = set()

    def begin(self) -> None:
        """Begin another review: what stands goes on standing until it is complete."""
        self._again.clear()

    def add(self, finding: Finding, changes: Sequence[TextEdit] = ()) -> bool:
        """Take a finding in, and return whether it stands.

        ``changes`` were made, at once, to the text that it is about since, and led to the one that is known here.
        """
        if finding.fingerprint in self._dismissed:
            return False
        if changes:
            ordered = sorted(changes, key=lambda one: one.start)
            carried = _carry(finding, ordered, self._numbered) or self._find_again(finding)
            if carried is None:
                return False
            finding = carried
        for other in tuple(self._standing.values()):
            same_place = (other.start, other.end) == (finding.start, finding.end)
            if same_place and other.fingerprint not in self._again:
                # The last review said the same in other words.
                del self._standing[other.fingerprint]
        self._again.add(finding.fingerprint)
        self._standing[finding.fingerprint] = finding
        return True

    def _find_again(self, finding: Finding) -> Finding | None:
        """Return a finding where its text stands alone: one change may span several, and more than what they changed."""
        text = self._numbered.text
        start = text.find(finding.quote)
        if start < 0 or text.find(finding.quote, start + 1) >= 0:
            return None
        end = start + len(finding.quote)
        line, end_line = self._numbered.lines_of((start, end))
        return replace(finding, start=start, end=end, line=line, end_line=end_line, fix=None, related=())

    def complete(self) -> None:
        """End a review: what only the one before it had found is gone."""
        self._standing = {name: one for name, one in self._standing.items() if name in self._again}

    def document_changed(self, changes: Sequence[TextEdit]) -> bool:
        """Follow changes of the text, made at once, and return whether any finding moved or went stale."""
        text = self._numbered.text
        parts = finest(text, changes)
        if not parts:
            return False
        self._numbered = NumberedText(apply_edits(text, parts))
        before = self._standing
        carried = (_carry(one, parts, self._numbered) for one in before.values())
        self._standing = {one.fingerprint: one for one in carried if one is not None}
        return before != self._standing

    def current(self) -> tuple[Finding, ...]:
        """Return what stands, in the order of the text."""
        return tuple(sorted(self._standing.values(), key=lambda one: (one.start, one.end, one.fingerprint)))

    def dismiss(self, fingerprint: str) -> None:
        """Take a finding down, and every one like it that is still to come."""
        self._dismissed.add(fingerprint)
        self._standing.pop(fingerprint, None)


def _carry(finding: Finding, changes: Sequence[TextEdit], numbered: NumberedText) -> Finding | None:
    """Return a finding where it is after changes; None when what it is about is no longer there."""
    start, end = moved((finding.start, finding.end), changes)
    quote = numbered.text[start:end]
    if squeeze(quote) != squeeze(finding.quote):
        return None
    line, end_line = numbered.lines_of((start, end))
    fix = _carry_fix(finding.fix, changes) if finding.fix is not None else None
    related = tuple(_carry_place(one, changes, numbered) for one in finding.related)
    return replace(finding, start=start, end=end, line=line, end_line=end_line, quote=quote, fix=fix, related=related)


def _carry_place(place: Place, changes: Sequence[TextEdit], numbered: NumberedText) -> Place:
    start, end = moved((place.start, place.end), changes)
    return replace(place, start=start, end=end, line=numbered.line_of(start))


def _carry_fix(fix: tuple[TextEdit, ...], changes: Sequence[TextEdit]) -> tuple[TextEdit, ...] | None:
    """Return edits where they are after changes; None when anything changed where they would."""
    for edit in fix:
        for change in changes:
            if change.start < edit.end and edit.start < change.end:
                return None
            if edit.start <= change.start == change.end <= edit.end and not _is_border(edit, change):
                return None
    places: list[Span] = [moved((edit.start, edit.end), changes) for edit in fix]
    return tuple(TextEdit(start, end, edit.text) for edit, (start, end) in zip(fix, places, strict=True))


def _is_border(edit: TextEdit, change: TextEdit) -> bool:
    return edit.start < edit.end and change.start in {edit.start, edit.end}
