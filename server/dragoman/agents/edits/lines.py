"""A text as its lines, and what has to be written for some of them to become others."""

from __future__ import annotations

import difflib
import functools
import itertools
import re
from collections.abc import Sequence
from typing import Final

from dragoman.agents.edit_limits import DIFF_CELLS, WORDS_CHARS
from dragoman.agents.tools.documents import TextEdit

_WORD: Final = re.compile(r"\w+")

LineChange = tuple[int, int, int, int]
"""Lines ``[a, b)`` of the old text become lines ``[c, d)`` of the new one."""


class Lines:
    """The lines of a text, which end at LF or CR LF, without their ends; ``starts`` has one more: where the last one ends.

    ``newline`` is what new lines get; ``closed`` says whether a text that is empty gets one behind its last new line.
    """

    def __init__(self, text: str, *, newline: str = "", closed: bool = True) -> None:
        raw = text.split("\n")
        if not raw[-1]:
            raw.pop()
        self.text: Final = text
        self.closed: Final = closed
        self.newline: Final = newline or newline_of(text)
        self.texts: Final = [line.removesuffix("\r") for line in raw]
        self.starts: Final = [0, *itertools.accumulate(len(line) + 1 for line in raw)]
        self.starts[-1] = len(text)
        self._keys: dict[str, tuple[list[str], dict[str, list[int]]]] = {}

    def __len__(self) -> int:
        return len(self.texts)

    def __deepcopy__(self, memo: dict[int, object]) -> Lines:
        """Return itself: nobody changes it, and a session is copied for every edit that an editor may refuse."""
        return self

    def row_of(self, offset: int) -> int:
        """Return the line, from 0, in which a character stands."""
        return self.text.count("\n", 0, offset)

    def keys(self, kind: str) -> tuple[list[str], dict[str, list[int]]]:
        """Return the lines as they are compared, and the rows of each: ``exact``, ``ends`` or ``bare`` of outer blanks."""
        if kind not in self._keys:
            keys = [key_of(line, kind) for line in self.texts]
            rows: dict[str, list[int]] = {}
            for row, key in enumerate(keys):
                rows.setdefault(key, []).append(row)
            self._keys[kind] = keys, rows
        return self._keys[kind]

    @functools.cached_property
    def words(self) -> dict[str, list[int]]:
        """Return the rows in which each word stands; lines as long as none that anybody wrote are left out."""
        rows: dict[str, list[int]] = {}
        for row, line in enumerate(self.texts):
            if len(line) <= WORDS_CHARS:
                for word in words_of(line):
                    rows.setdefault(word, []).append(row)
        return rows

    def replace(self, first: int, last: int, new: Sequence[str]) -> TextEdit:
        """Return the edit by which lines ``[first, last)`` become ``new``; the line end of the last one is kept as it is."""
        start, end = self.starts[first], self.starts[last]
        text = self.newline.join(new)
        if not new:
            if first and last == len(self) and not self.text.endswith("\n"):
                # Without its last line the text ends as it did: within a line.
                start -= 1 + (self.text[start - 2 : start] == "\r\n")
            return TextEdit(start, end, "")
        if first == last:
            if first == len(self) and self.text and not self.text.endswith("\n"):
                return TextEdit(start, end, self.newline + text)
            return TextEdit(start, end, text + self.newline if self.text or self.closed else text)
        return TextEdit(start, end, text + self.newline if self.text[end - 1] == "\n" else text)


def words_of(line: str) -> set[str]:
    """Return the words of a line, each once."""
    return set(_WORD.findall(line))


def newline_of(text: str) -> str:
    """Return the line end that most lines have."""
    return "\r\n" if text.count("\r\n") * 2 > text.count("\n") else "\n"


def key_of(line: str, kind: str) -> str:
    """Return a line as it is compared."""
    return line if kind == "exact" else line.rstrip() if kind == "ends" else line.strip()


def diff_lines(old: Sequence[str], new: Sequence[str]) -> list[LineChange]:
    """Return what differs, in order; between two changes is at least one line that stays."""
    head = 0
    while head < len(old) and head < len(new) and old[head] == new[head]:
        head += 1
    tail = 0
    while tail < min(len(old), len(new)) - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    one, other = old[head : len(old) - tail], new[head : len(new) - tail]
    if not one and not other:
        return []
    if not one or not other or len(one) * len(other) > DIFF_CELLS:
        return [(head, head + len(one), head, head + len(other))]
    matcher = difflib.SequenceMatcher(None, one, other, autojunk=False)
    return [(head + a, head + b, head + c, head + d) for tag, a, b, c, d in matcher.get_opcodes() if tag != "equal"]
