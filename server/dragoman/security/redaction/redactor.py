"""Text in, text without secrets out, and back: what a model on another machine gets to read and what it answers."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence

from dragoman.limits import REDACTED_LINE_CHARS, REDACTED_LINES, REPEATED_SECRET_CHARS, REPEATED_SECRETS
from dragoman.security.redaction.blocks import find_blocks
from dragoman.security.redaction.lines import Line, Span, find_fragment, judge_line
from dragoman.security.redaction.placeholders import Placeholders, StreamRestorer


class Redactor:
    """Replaces secrets by placeholders and puts them back.

    Lines are judged one by one and remembered, for a prompt has nearly the same lines at every key.
    ``extra`` are the user's own patterns: a match, or its first group, is a secret.
    """

    def __init__(self, extra: Sequence[re.Pattern[str]] = ()) -> None:
        self._extra = tuple(extra)
        self._placeholders = Placeholders()
        self._judged: OrderedDict[str, Line] = OrderedDict()

    def redact(self, text: str) -> str:
        """Return ``text`` with a placeholder for every secret; the same secret has the same placeholder at each call."""
        lines = text.split("\n")
        found = self._find(lines)
        if not found:
            return text
        for index, spans in found.items():
            lines[index] = self._hide(lines[index], spans)
        return "\n".join(lines)

    def redact_together(self, texts: Sequence[str], known: Collection[str] = ()) -> list[str]:
        """Redact texts that go out at once: what gives a secret away in one of them hides it in all the others too.

        ``known`` are secrets that were found elsewhere, as by the name of a field.
        """
        split = [text.split("\n") for text in texts]
        found = [self._find(lines) for lines in split]
        secrets = {
            lines[index][span.start : span.end]
            for lines, spans in zip(split, found, strict=True)
            for index in spans
            for span in spans[index]
        }
        secrets.update(known)
        for lines, spans in zip(split, found, strict=True):
            if secrets:
                self._find_again(lines, spans, secrets)
            for index, places in spans.items():
                lines[index] = self._hide(lines[index], places)
        return ["\n".join(lines) for lines in split]

    def hide(self, secret: str) -> str:
        """Return the placeholder of a secret that somebody else has found."""
        return self._placeholders.hide(secret)

    def redact_around(self, before: str, after: str) -> tuple[str, str]:
        """Redact the text before and after a cursor as the one text that it is.

        A secret that the cursor stands in is taken out on both sides, and so is what a window has left of one at its
        beginning or end.
        """
        upper, lower = before.split("\n"), after.split("\n")
        seam, cut = len(upper) - 1, len(upper[-1])
        lines = [*upper[:-1], upper[-1] + lower[0], *lower[1:]]
        found = self._find(lines)
        for index, at_start in ((0, True), (len(lines) - 1, False)):
            known = found.get(index, ())
            fragment = find_fragment(lines[index], at_start=at_start)
            if fragment is None or any(_meet(fragment, span) for span in known):
                continue
            if not self._placeholders.find(lines[index][fragment.start : fragment.end]):
                found[index] = tuple(sorted((*known, fragment), key=lambda span: span.start))
        if not found:
            return before, after
        head, tail = upper[-1], lower[0]
        for index, spans in found.items():
            if index == seam:
                head = self._hide(head, [Span(s.start, min(s.end, cut), s.kind) for s in spans if s.start < cut])
                tail = self._hide(
                    tail, [Span(max(0, s.start - cut), s.end - cut, s.kind) for s in spans if s.end > cut]
                )
            else:
                lines[index] = self._hide(lines[index], spans)
        return "\n".join([*lines[:seam], head]), "\n".join([tail, *lines[seam + 1 :]])

    def restore(self, text: str) -> str:
        """Put every secret back in the place of its placeholder."""
        return self._placeholders.restore(text)

    def stream(self, encode: Callable[[str], str] | None = None) -> StreamRestorer:
        """Return what does the same for a text that comes in pieces; ``encode`` writes a secret as that text must have it."""
        return StreamRestorer(self._placeholders, encode)

    def is_garbled(self, text: str) -> bool:
        """Tell whether ``text``, as a model wrote it, holds a damaged placeholder: such an edit must not be applied."""
        return self.find_garbled(text) is not None

    def find_garbled(self, text: str) -> int | None:
        """Return where the first damaged placeholder stands, None where there is none."""
        return self._placeholders.find_garbled(text)

    def find_likeness(self, text: str) -> int | None:
        """Return where a placeholder stands that is not ours, None where there is none: quick, for each piece of a stream."""
        return self._placeholders.find_likeness(text)

    def explain(self, text: str) -> list[tuple[int, Span]]:
        """Return every secret with its line (from 0), its place there and what gave it away."""
        found = self._find(text.split("\n"))
        return [(index, span) for index in sorted(found) for span in found[index]]

    # -- finding -------------------------------------------------------------------------------------------------------

    def _find(self, lines: Sequence[str]) -> dict[int, tuple[Span, ...]]:
        judged = [self._judge(line) for line in lines]
        found = {index: line.spans for index, line in enumerate(judged) if line.spans}
        if found:
            spans = ((lines[index], span) for index, places in found.items() for span in places)
            self._find_again(lines, found, {line[span.start : span.end] for line, span in spans})
        if any(line.block is not None for line in judged):
            for index, span in find_blocks(lines, judged).items():
                kept = (other for other in found.get(index, ()) if not _meet(other, span))
                found[index] = tuple(sorted((*kept, span), key=lambda one: one.start))
        return found

    def _find_again(self, lines: Sequence[str], found: dict[int, tuple[Span, ...]], secrets: Collection[str]) -> None:
        """Add the places where a secret stands once more with nothing around it that gives it away, as in a comment."""
        telling = sorted(one for one in secrets if len(one) >= REPEATED_SECRET_CHARS and not one.isalpha())
        for secret in telling[:REPEATED_SECRETS]:
            for index, line in enumerate(lines):
                place = line.find(secret) if secret in line else -1
                while place >= 0:
                    span = Span(place, place + len(secret), "repeated")
                    taken = (*found.get(index, ()), *(Span(*ours, "") for ours in self._placeholders.find(line)))
                    if not any(_meet(span, other) for other in taken):
                        span = _whole_word(line, span, taken)
                        found[index] = tuple(sorted((*found.get(index, ()), span), key=lambda one: one.start))
                    place = line.find(secret, max(span.end, place + len(secret)))

    def _judge(self, line: str) -> Line:
        known = self._judged.get(line)
        if known is not None:
            return known
        judged = judge_line(line, self._extra)
        ours = self._placeholders.find(line)
        if ours:
            # A placeholder is not hidden again, whatever it is given to.
            spans = tuple(s for s in judged.spans if not any(s.start < end and start < s.end for start, end in ours))
            judged = Line(spans, "plain")
        if len(line) <= REDACTED_LINE_CHARS:
            self._judged[line] = judged
            if len(self._judged) > REDACTED_LINES:
                self._judged.popitem(last=False)
        return judged

    def _hide(self, line: str, spans: Sequence[Span]) -> str:
        parts: list[str] = []
        end = 0
        for span in spans:
            parts += (line[end : span.start], self._placeholders.hide(line[span.start : span.end]))
            end = span.end
        return "".join([*parts, line[end:]])


def _whole_word(line: str, span: Span, taken: Sequence[Span]) -> Span:
    """Let a span take in what would be glued to its placeholder, which could not be told from a garbled one then."""
    start, end = span.start, span.end
    while start and line[start - 1] == "_" and not any(other.end == start for other in taken):
        start -= 1
    while end < len(line) and _is_glue(line[end]) and not any(other.start == end for other in taken):
        end += 1
    return Span(start, end, span.kind)


def _is_glue(character: str) -> bool:
    return character == "_" or (character.isascii() and character.isalnum())


def _meet(first: Span, second: Span) -> bool:
    return first.start < second.end and second.start < first.end
