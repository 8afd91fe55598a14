"""Fenced code that takes the place of a part of a text, compared with it while it streams."""

from __future__ import annotations

import re
from typing import Final

from dragoman.agents.edits.hunks import RowChange, StreamedDiff
from dragoman.agents.edits.indentation import common_indent, indent_of
from dragoman.agents.edits.lines import Lines, diff_lines
from dragoman.agents.tools.documents import TextEdit

_LEFT_OUT: Final = re.compile(
    r"\s*(?:#|//|--|;|%|/\*|<!--|\{/\*)*\s*(?:\[|\()?(?:\.{3}|…)\s*(?:\(|\[)?.*"
    r"\b(?:existing|rest|remaining|remains|unchanged|other|same|previous|omitted)\b.*",
    re.IGNORECASE,
)
_PART_LINES: Final = 20
"""Code with less than half the lines of a longer text is taken for a part of it."""


class FencedCode:
    """Reads the code's lines; gives out edits of the text as the model saw it.

    A selected range is compared while the code comes.  A whole file is compared at its end: before, a part of a file would
    look like a file of which the beginning was deleted.
    """

    def __init__(self, lines: Lines, span: tuple[int, int] | None) -> None:
        self._lines: Final = lines
        self._span = span
        self._begun = False
        self._blank: list[str] = []
        self._whole: list[str] = []
        self._indent = ""
        self._offset = 0
        self._part = lines
        self._diff = StreamedDiff(())

    @property
    def pending(self) -> TextEdit | None:
        """Return the hunk that still grows, as it is so far."""
        pending = self._diff.pending
        return self._edit(pending) if pending else None

    def read(self, line: str) -> tuple[str, list[TextEdit]]:
        """Read a line; returns a problem, or "", and the edits that are final with it."""
        if _LEFT_OUT.fullmatch(line) and line not in self._lines.texts:
            return f"The code leaves lines out ({line.strip()[:60]!r}); what follows was not used.", []
        if self._span is None:
            self._whole.append(line)
            return "", []
        if not self._begun:
            if not line.strip():
                self._blank.append(line)
                return "", []
            self._begin(line)
        found = [self._diff.read(one) for one in (*self._blank, line if not line.strip() else self._indent + line)]
        self._blank = []
        return "", [self._edit(one) for one in found if one]

    def finish(self) -> tuple[str, list[TextEdit]]:
        """Return a problem, or "", and the edits for all that is left, with no more lines to come."""
        if self._span is None:
            old, new = self._lines.texts, self._whole
            if len(old) >= _PART_LINES and len(new) * 2 < len(old):
                return "The code is only a part of the file, and does not say which; it was left out.", []
            return "", [self._edit(RowChange(a, b, tuple(new[c:d]))) for a, b, c, d in diff_lines(old, new)]
        if not self._begun:
            self._begin("")
        for line in self._blank:
            self._diff.read(line)
        return "", [self._edit(one) for one in self._diff.finish()]

    def _edit(self, change: RowChange) -> TextEdit:
        edit = self._part.replace(change.first, change.last, change.new)
        return TextEdit(self._offset + edit.start, self._offset + edit.end, edit.text)

    def _begin(self, line: str) -> None:
        """Decide with the first line of code what it replaces, and how it is indented."""
        assert self._span is not None
        text, (start, end) = self._lines.text, self._span
        begins = text.rfind("\n", 0, start) + 1
        if indent_of(line) and not text[begins:start].strip() and start < end:
            # Selected from the first word on, but answered with the blanks before it.
            start = begins
        part = text[start:end]
        rest = text[end:].split("\n", 1)[0].strip()
        self._part = Lines(part, newline=self._lines.newline, closed=start == begins and bool(rest))
        self._offset = start
        self._diff = StreamedDiff(self._part.texts)
        indent = common_indent(self._part.texts)
        self._indent = indent if line and not indent_of(line) else ""
        self._begun = True
