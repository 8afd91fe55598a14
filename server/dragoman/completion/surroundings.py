"""The text close to a cursor: what makes two questions the same one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dragoman.completion.query import CompletionQuery, TextView
from dragoman.completion.shape import CLOSERS
from dragoman.limits import ANCHOR_CHARS, CACHE_PREFIX_CHARS, CACHE_SUFFIX_CHARS, NEAR_LINES, TYPED_THROUGH_CHARS

_ROOM = CACHE_PREFIX_CHARS + TYPED_THROUGH_CHARS


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The text close to a cursor; two cursors with equal surroundings ask the same question.

    ``before`` ends and ``after`` begins at the cursor; ``head`` is the cursor's line up to it.
    """

    language: str
    before: str
    after: str
    head: str

    @property
    def anchor(self) -> str:
        """What must stand before the cursor for the question to be this one."""
        return self.before[-CACHE_PREFIX_CHARS:]

    def since(self, anchor: str) -> Iterator[str]:
        """Yield what was typed since ``anchor`` stood before the cursor, the shortest first."""
        before = self.before
        if len(anchor) < ANCHOR_CHARS:
            # The document began there, and so little may stand anywhere: it must begin there still.
            if len(before) - len(anchor) <= TYPED_THROUGH_CHARS and before.startswith(anchor):
                yield before[len(anchor) :]
            return
        end = len(before)
        lowest = max(0, end - TYPED_THROUGH_CHARS - len(anchor))
        while (at := before.rfind(anchor, lowest, end)) >= 0:
            yield before[at + len(anchor) :]
            end = at + len(anchor) - 1


def surroundings(query: CompletionQuery) -> Surroundings:
    """Read the surroundings of the query's cursor."""
    line = query.text.line(query.line).rstrip("\r\n")
    head = line[: query.character]
    before = text_before(query.text, query.line, head, _ROOM)
    return Surroundings(query.language, before, text_after(query.text, query.line, line[query.character :]), head)


def text_before(text: TextView, line: int, head: str, room: int) -> str:
    """Return the last ``room`` characters before a cursor whose line begins with ``head``."""
    parts = [head[-room:]]
    used = len(parts[0])
    while used < room and line > 0:
        line -= 1
        content = text.line(line).rstrip("\r\n")[-room:] + "\n"
        parts.append(content)
        used += len(content)
    return "".join(reversed(parts))[-room:]


def text_after(text: TextView, line: int, rest: str) -> str:
    """Return what follows a cursor, without the brackets and quotes that an editor closes by itself."""
    rest = rest[:CACHE_SUFFIX_CHARS].lstrip(CLOSERS + " \t")
    for index in range(line + 1, min(line + 8, text.line_count)):
        following = text.line(index)[:CACHE_SUFFIX_CHARS].strip()
        if following:
            return f"{rest}\n{following}"
    return rest


def is_only_one(text: TextView, line: int, head: str) -> bool:
    """Tell whether no other line near ``line`` begins with ``head``; a blank head never stands alone."""
    if not head.strip():
        return False
    first, last = max(0, line - NEAR_LINES), min(text.line_count, line + NEAR_LINES)
    return not any(text.line(index).startswith(head) for index in range(first, last) if index != line)
