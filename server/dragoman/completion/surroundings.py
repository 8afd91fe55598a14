"""The text close to a cursor: what makes two questions the same one."""

from __future__ import annotations

from dataclasses import dataclass

from dragoman.completion.query import CompletionQuery, TextView
from dragoman.completion.shape import CLOSERS
from dragoman.limits import CACHE_PREFIX_CHARS, CACHE_SUFFIX_CHARS, TYPED_THROUGH_CHARS


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The text close to a cursor; two cursors with equal surroundings ask the same question."""

    language: str
    before: str
    after: str

    def key(self, typed: int) -> tuple[str, str, str]:
        """Return the key of the question asked ``typed`` characters earlier."""
        end = len(self.before) - typed
        return (self.language, self.before[max(0, end - CACHE_PREFIX_CHARS) : end], self.after)


def surroundings(query: CompletionQuery) -> Surroundings:
    """Read the surroundings of the query's cursor."""
    line = query.text.line(query.line).rstrip("\r\n")
    before = text_before(query.text, query.line, line[: query.character], CACHE_PREFIX_CHARS + TYPED_THROUGH_CHARS)
    return Surroundings(query.language, before, text_after(query.text, query.line, line[query.character :]))


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
