"""When a model has said enough: small models do not stop by themselves."""

from __future__ import annotations

import re

from dragoman.completion.query import CompletionQuery
from dragoman.completion.shape import Shape
from dragoman.limits import BLOCK_LINES, REPEATED_LINES

_OPENING_FENCE = re.compile(r"\A\s*```[\w+#.-]*[ \t]*(?:\r?\n|\Z)")


class StopRules:
    """Watches an answer as it streams in and says where it ends.

    Rules: the line's end for a one-line suggestion; special tokens; a code fence; a line that stands after the cursor
    already; a dedent below the cursor's block; the same line over and over; two blank lines; `BLOCK_LINES` lines.
    """

    def __init__(self, query: CompletionQuery, shape: Shape, special: frozenset[str] = frozenset()) -> None:
        self._shape = shape
        self.special = special
        self._next_lines = frozenset(_lines_after(query))

    def cut(self, text: str, *, done: bool) -> tuple[str, bool]:
        """Return the part of ``text`` that belongs to the suggestion and whether it ends there.

        Only whole lines are judged unless ``done``: the last one may still grow.
        """
        for token in self.special:
            if (at := text.find(token)) >= 0:
                text, done = text[:at], True
        if done:
            text = self._without_partial_token(text)
        text = _OPENING_FENCE.sub("", text, count=1)
        if not self._shape.multiline and (at := text.find("\n")) >= 0:
            # A model that begins with a line break has nothing to say on this line.
            return text[:at], True
        lines = text.split("\n")
        judged = len(lines) if done else len(lines) - 1
        blank_run = same_run = 0
        for index in range(judged):
            line = lines[index]
            if index and self._ends_before(lines, index, judged):
                return "\n".join(lines[:index]).rstrip(), True
            blank_run = 0 if line.strip() else blank_run + 1
            same_run = same_run + 1 if index and line.strip() and line == lines[index - 1] else 1
            if blank_run >= 2 or (same_run >= REPEATED_LINES):
                return "\n".join(lines[: index + 1 - (same_run if same_run >= REPEATED_LINES else blank_run)]), True
            if index + 1 >= BLOCK_LINES:
                return "\n".join(lines[: index + 1]), True
        return text, done

    def _ends_before(self, lines: list[str], index: int, judged: int) -> bool:
        """Tell whether line ``index`` of the answer is outside of the suggestion."""
        line = lines[index]
        stripped = line.strip()
        if stripped.startswith("```"):
            return True
        if not stripped:
            # A blank line ends the suggestion when what follows it leaves the block; until that is seen it stays.
            following = next((later for later in lines[index + 1 : judged] if later.strip()), None)
            return following is not None and self._leaves_block(following)
        if len(stripped) > 1 and stripped in self._next_lines:
            return True
        return self._leaves_block(line)

    def _leaves_block(self, line: str) -> bool:
        width = _width(line)
        at_cursor = _width(self._shape.indent)
        if width < at_cursor:
            return True
        # On the cursor's own level only a line that closes or continues the block belongs to it
        # when the cursor's line opened one; a new statement there is the next thought.
        opened = bool(self._shape.head.strip())
        return opened and width == at_cursor and line.strip()[0] not in ")]}" and not _continues(line)

    def _without_partial_token(self, text: str) -> str:
        """Drop a special token whose end was cut off by the token limit."""
        at = text.rfind("<")
        if at >= 0 and len(text) - at < 16 and any(token.startswith(text[at:]) for token in self.special):
            return text[:at]
        return text


def _continues(line: str) -> bool:
    return line.strip().startswith(("else", "elif", "except", "finally", "catch", "end", "case", "default"))


def _width(line: str) -> int:
    expanded = line.expandtabs(4)
    return len(expanded) - len(expanded.lstrip())


def _lines_after(query: CompletionQuery) -> list[str]:
    """Return the next few lines after the cursor that have content, stripped: a model that writes them repeats the file."""
    found: list[str] = []
    for index in range(query.line + 1, min(query.line + 12, query.text.line_count)):
        stripped = query.text.line(index).strip()
        # A lone closing bracket is no sign of repetition.
        if any(char.isalnum() for char in stripped):
            found.append(stripped)
            if len(found) == 3:
                break
    return found
