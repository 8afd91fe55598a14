"""One suggestion on the screen, followed through the changes of its document: how much of its text is there by now.

Editors tell nothing about ghost text but the text that results, so that is what is read.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Literal

from dragoman.completion.query import CompletionQuery, Suggestion, TextView
from dragoman.completion.shape import CLOSERS

AcceptKind = Literal["whole", "word", "line"]
Growth = Literal["typed", "whole", "word", "line"]

_BREAK = re.compile(r"\r\n?|\n")
_WORD = re.compile(r"\s*(?:\w+|[^\w\s]+)")
_PAIRS = frozenset({"()", "[]", "{}", "<>", '""', "''", "``"})
_FILLER = CLOSERS + " \t"
_MOST_FILLER = 8
_MOST_CURSORS = 8
_SYMBOLS = frozenset({"So", "Sk", "Mn", "Me", "Cf"})
"""Unicode categories that emoji are made of."""


class OnScreen:
    """A suggestion's text at its anchor: line and character where it begins, what stands before and after it there."""

    __slots__ = ("_behind", "_untouched", "base_count", "consumed", "head", "line", "parts", "popup", "rest", "text")

    def __init__(self, query: CompletionQuery, suggestion: Suggestion) -> None:
        content = _content(query.text, query.line)
        self.parts = _BREAK.split(suggestion.text)
        self.text = "\n".join(self.parts)
        self.line = query.line
        self.head = content[: suggestion.start_character]
        self.rest = content[suggestion.end_character :]
        self.base_count = query.text.line_count
        """Lines the document has without the suggestion's own."""
        there = content[suggestion.start_character : query.character]
        self.consumed = there if self.text.startswith(there) and suggestion.start_character < query.character else ""
        """What of the text is in the document."""
        self._behind = max(0, suggestion.end_character - query.character)
        self._untouched = content[suggestion.start_character :], self.consumed
        self.popup = ""
        """What the editor's own popup would insert: it is no part of a suggestion that was taken."""
        if query.selected is not None:
            typed = content[query.selected.start_character : query.character]
            self.popup = query.selected.text.removeprefix(typed)

    @property
    def remaining(self) -> str:
        """What is still ghost text."""
        return self.text[len(self.consumed) :]

    @property
    def complete(self) -> bool:
        """Whether all of it is there; closers that the editor had put behind it already count."""
        remaining = self.remaining
        return not remaining or (not remaining.strip(CLOSERS) and self.rest.startswith(remaining))

    @property
    def last_line(self) -> int:
        """The last line that holds any of it."""
        return self.line + self.consumed.count("\n")

    def follow(self, text: TextView, *, first: int, last: int, grown: int) -> str | None:
        """Return what of the suggestion stands in the changed document, None when it does not fit any more.

        ``first..last`` are the new lines of ``text``, ``grown`` the lines it has more than before.
        Costs the time of the suggestion's lines, whatever the document's size.
        """
        if last - grown < self.line:
            self.line += grown
            self.base_count += grown
            return self.consumed
        if first > self.last_line:
            self.base_count += grown
            return self.consumed
        broken_off = grown > 0 and first == self.last_line
        for line, added in dict.fromkeys(self._candidates(text.line_count - self.base_count)):
            found = self._read(text, line, added)
            if found is not None:
                if broken_off and found == self.consumed and line == self.line:
                    # Enter was pressed here, or lines were put in behind the cursor: it stands elsewhere now.
                    return None
                self.line = line
                self.base_count = text.line_count - added
                return found
        return None

    def _candidates(self, grown: int) -> Iterator[tuple[int, int]]:
        """Yield lines where the anchor may be now, each with the number of own line breaks that stand there."""
        have = self.consumed.count("\n")
        most = len(self.parts) - 1
        if 0 <= grown <= most:
            yield self.line, grown
        yield self.line, have
        yield self.line + grown - have, have
        # With several cursors the same text is inserted at each; some of them may be above this one.
        for cursors in range(2, _MOST_CURSORS + 1):
            each, odd = divmod(grown, cursors)
            if not odd and 0 < each <= most:
                for above in range(cursors):
                    yield self.line + above * each, each

    def _read(self, text: TextView, line: int, added: int) -> str | None:
        if not (line >= 0 and line + added < text.line_count and added < len(self.parts)):
            return None
        content = _content(text, line)
        if not content.startswith(self.head):
            return None
        tail = content[len(self.head) :]
        if not added:
            if tail == self._untouched[0]:
                return self._untouched[1]
            return self._before_rest(tail, self.parts[0], "")
        if tail != self.parts[0]:
            return None
        for index in range(1, added):
            # Editors may have indented the lines in their own way.
            if _content(text, line + index).lstrip() != self.parts[index].lstrip():
                return None
        before = "\n".join(self.parts[:added]) + "\n"
        content, part = _content(text, line + added), self.parts[added]
        found = self._before_rest(content, part, before)
        if found is None:
            indent = part[: len(part) - len(part.lstrip())]
            found = self._before_rest(content.lstrip(), part.lstrip(), before + indent)
        return found

    def _before_rest(self, tail: str, part: str, before: str) -> str | None:
        """Return ``before`` and what of ``part`` stands in ``tail`` before the rest of the line."""
        if tail.endswith(self.rest):
            typed = tail[: len(tail) - len(self.rest)]
            if part.startswith(typed):
                return before + typed
        # Brackets and quotes that the editor closed by itself stand between, or were typed over.
        core = self.rest.lstrip(_FILLER)
        if not tail.endswith(core):
            return None
        middle = tail[: len(tail) - len(core)]
        typed = _common(middle, part)
        filler = middle[len(typed) :]
        found = before + typed
        # A closer that was typed although the suggestion goes on otherwise is no filler.
        if found == self.consumed or len(filler) > _MOST_FILLER or filler.strip(_FILLER):
            return None
        self.rest = filler + core
        return found

    def advance(self, found: str) -> tuple[str, Growth]:
        """Take in that ``found``, more than before, stands in the document; return what is new and how it came there.

        What comes by one key is typed; more than that was accepted, if it ends where an editor's commands end.
        """
        piece = found[len(self.consumed) :]
        self.consumed = found
        popup, self.popup = self.popup, ""
        behind, self._behind = self._behind, 0
        if behind and self.complete:
            # No key but one that types the difference takes away what stands behind the cursor.
            return piece, "typed" if len(piece) - behind == 1 else "whole"
        if piece == popup or _is_key(piece):
            return piece, "typed"
        if self.complete:
            return piece, "whole"
        remaining = self.remaining
        if remaining.startswith("\n") or (not piece.rpartition("\n")[2].strip() and "\n" in piece):
            return piece, "line"
        if piece[-1].isalnum() and remaining[0].isalnum():
            return piece, "typed"
        return piece, "word"

    def beginning(self, kind: AcceptKind) -> str:
        """Return what an editor inserts when it accepts ``kind`` of what is left."""
        remaining = self.remaining
        if kind == "line":
            return remaining.partition("\n")[0] or remaining
        if kind == "word" and (word := _WORD.match(remaining)):
            return word[0]
        return remaining


def is_one_word(text: str) -> bool:
    """Tell whether ``text`` is what one command for accepting a word inserts."""
    word = _WORD.match(text)
    return word is not None and word.end() == len(text.rstrip())


def _is_key(piece: str) -> bool:
    """Tell whether one key inserts ``piece``: a character, a pair, an indentation, a symbol of several code points."""
    return (
        len(piece) == 1
        or piece in _PAIRS
        or piece.isspace()
        or (not piece[0].isascii() and all(unicodedata.category(character) in _SYMBOLS for character in piece))
    )


def _common(one: str, other: str) -> str:
    """Return the beginning that both have."""
    length = next((at for at, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), None)
    return min(one, other, key=len) if length is None else one[:length]


def _content(text: TextView, line: int) -> str:
    return text.line(line).rstrip("\r\n")
