"""When a model has said enough: small models do not stop by themselves.

Every rule looks at whole lines in their order, so how the stream was cut into pieces changes nothing, and what was
returned once is only added to until the end is reported: who types into a streaming answer must not see it change.
"""

from __future__ import annotations

from dataclasses import replace

from dragoman.completion import opening
from dragoman.completion.lines import (
    closes_only,
    continues_block,
    is_telling,
    loop_in_line,
    loop_of_lines,
    rebase,
    starts_definition,
    width_of,
)
from dragoman.completion.postprocess.brackets import first_unopened, leaves_open
from dragoman.completion.query import CompletionQuery
from dragoman.completion.shape import Shape
from dragoman.limits import BLOCK_LINES, BLOCK_LINES_TO_CLOSE

_MARKDOWN = frozenset({"markdown", "mdx", "quarto", "rmd"})
_FENCE_LINES = 200
"""How far up a fence that the cursor stands in is looked for."""


class StopRules:
    """Watches an answer as it streams in and says where it ends.

    Rules: the line's end for a one-line suggestion; special tokens; a code fence; a line that stands after the cursor
    already; a dedent below the cursor's block; the next definition; a loop; two blank lines; `BLOCK_LINES` lines, or a few
    more that close what they opened.
    """

    def __init__(self, query: CompletionQuery, shape: Shape, special: frozenset[str] = frozenset()) -> None:
        # A shape holds a syntax tree, and a generation outlives the question.
        self._shape = replace(shape, window=None)
        self.special = special
        self.cut_off = False
        """True once a suggestion was ended because it was long enough, not because it was whole."""
        self._indent = width_of(shape.indent)
        self._opened = bool(shape.head.strip())
        self._markdown = query.language in _MARKDOWN
        following = _lines_after(query)
        self._next_line = following[0] if following else ""
        # A lone closing bracket is no sign of repetition.
        self._next_lines = [line for line in following if any(char.isalnum() for char in line)][:3]
        self._fence_open, self._fence_closed = _fence_around(query) if self._markdown else (False, False)

    @property
    def multiline(self) -> bool:
        """Whether the suggestion may go over the line's end."""
        return self._shape.multiline

    def cut(self, text: str, *, done: bool) -> tuple[str, bool]:
        """Return the part of ``text`` that belongs to the suggestion and whether it ends there.

        Only whole lines are judged unless ``done``: the last one may still grow.
        """
        text = text.replace("\r\n", "\n")
        if not done:
            # It may be the first half of a line break.
            text = text.removesuffix("\r")
        text, done = opening.before_special(text, self.special, done=done)
        if not self._markdown:
            text, done = opening.without_fence(text, multiline=self._shape.multiline, done=done)
        text = opening.without_echo(text, self._shape.head, done=done)
        text = opening.without_indentation(text, self._shape.head, done=done)
        if not self._shape.multiline:
            line, newline, _ = text.partition("\n")
            # A model that begins with a line break has nothing to say on this line.
            done = done or bool(newline)
            return (loop_in_line(line) or line) if done else line, done
        return self._cut_lines(text, done=done)

    def _cut_lines(self, text: str, *, done: bool) -> tuple[str, bool]:
        lines = rebase(text.split("\n"), self._shape.indent, opened=self._opened, done=done)
        blanks = 0
        state = _Block(self._fence_open)
        judged = len(lines) if done else len(lines) - 1
        for index in range(judged):
            line = lines[index]
            if not line.strip():
                blanks += bool(index)
                if blanks >= 2:
                    return "\n".join(lines[:index]).rstrip(), True
                continue
            if index and (kept := self._judge(lines, index, blanks, state)) is not None:
                text = "\n".join(lines[: index + kept])
                return (text if kept else text.rstrip()), True
            if (shorter := loop_in_line(line)) is not None:
                return (shorter if not index else "\n".join(lines[:index]).rstrip()), True
            if (first := loop_of_lines(lines[: index + 1], self._indent)) is not None:
                return "\n".join(lines[:first]).rstrip(), True
            blanks = 0
            if index + 1 >= BLOCK_LINES and not self._worth_closing(lines, index):
                self.cut_off = True
                return "\n".join(lines[: index + 1]), True
        return "\n".join(lines), done

    def _worth_closing(self, lines: list[str], index: int) -> bool:
        """Tell whether a suggestion that is long enough goes on for a few lines to close what it opened."""
        return index + 1 < BLOCK_LINES + BLOCK_LINES_TO_CLOSE and leaves_open("\n".join(lines[: index + 1]))

    def _judge(self, lines: list[str], index: int, blanks: int, state: _Block) -> int | None:
        """Return 0 when the suggestion ends before line ``index``, 1 when it ends with it, None when it goes on."""
        line = lines[index]
        stripped = line.strip()
        if stripped.startswith("```"):
            return self._judge_fence(state)
        if self._repeats(line):
            return 0
        width = width_of(line)
        closer = closes_only(stripped)
        if width < self._indent or (width == self._indent and not self._opened and self._closes_outer(lines, index)):
            # What closes the cursor's own block belongs to it where the document lacks it.
            return int(closer and self._lacks_closer(self._indent))
        if width > self._indent:
            return None
        if self._opened:
            return self._judge_after_head(stripped, closer=closer, state=state)
        # On the cursor's own level a paragraph of the same body goes on; a new definition is the next thought.
        return 0 if blanks and (not self._indent or starts_definition(stripped)) else None

    def _judge_after_head(self, stripped: str, *, closer: bool, state: _Block) -> int | None:
        """Judge a line on the level of the cursor's line, which opened a block: it closes or continues that, or ends it."""
        continued, state.continued = state.continued, continues_block(stripped)
        if state.continued or (continued and stripped.startswith("{")):
            state.closed = False
            return None
        if state.closed or not (closer or stripped[0] in ")]}"):
            return 0
        if closer:
            state.closed = True
            if not self._shape.rest.strip() and not self._lacks_closer(self._indent + 1):
                return 0
        return None

    def _judge_fence(self, state: _Block) -> int | None:
        if not self._markdown:
            return 0
        if self._fence_open and state.fenced:
            return 0 if self._fence_closed else 1
        state.fenced = not state.fenced
        return None

    def _repeats(self, line: str) -> bool:
        """Tell whether ``line`` stands after the cursor; a short one counts only with the same indentation."""
        if line.rstrip() == self._next_line and not closes_only(line.strip()):
            return True
        return any(
            line.strip() == other.strip() if is_telling(other) else line.rstrip() == other.rstrip()
            for other in self._next_lines
        )

    def _closes_outer(self, lines: list[str], index: int) -> bool:
        closer = lines[index].strip()[0]
        return closer in ")]}" and first_unopened("\n".join(lines[: index + 1]), closer) is not None

    def _lacks_closer(self, width: int) -> bool:
        """Tell whether nothing in the document closes a block whose body is indented by ``width`` or more."""
        if self._shape.rest.strip():
            return False
        following = self._next_line
        if not following:
            return True
        at = width_of(following)
        if self._opened:
            return at < self._indent or (at == self._indent and not _is_closer(following))
        return at < width and not _is_closer(following)


class _Block:
    """Where the judged lines stand: behind a closed block, behind ``else``, inside of a fence."""

    def __init__(self, fenced: bool) -> None:
        self.closed = False
        self.continued = False
        self.fenced = fenced


def _is_closer(line: str) -> bool:
    stripped = line.strip()
    return stripped[0] in ")]}" or closes_only(stripped)


def _lines_after(query: CompletionQuery) -> list[str]:
    """Return the next lines after the cursor that have content: a model that writes them repeats the file."""
    lines = (query.text.line(index) for index in range(query.line + 1, min(query.line + 12, query.text.line_count)))
    return [line.rstrip() for line in lines if line.strip()]


def _fence_around(query: CompletionQuery) -> tuple[bool, bool]:
    """Tell whether the cursor of a Markdown document stands in a fence, and whether a fence follows that closes it."""
    before = range(max(0, query.line - _FENCE_LINES), query.line)
    after = range(query.line + 1, min(query.line + _FENCE_LINES, query.text.line_count))
    opened = sum(query.text.line(index).lstrip().startswith("```") for index in before) % 2 == 1
    return opened, any(query.text.line(index).strip() == "```" for index in after)
