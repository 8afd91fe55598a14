"""What a suggestion does to the document's syntax: whether it parses there, and where it is whole.

A document is seldom whole while it is written, so nothing is judged by itself: the text with the suggestion is compared
with the text without it, and the line that the cursor is in owes nothing that the suggestion was to complete.
"""

from __future__ import annotations

import time
from operator import itemgetter
from typing import TYPE_CHECKING, Literal

from dragoman.completion.shape import opens_block
from dragoman.limits import JUDGED_S
from dragoman.syntax.faults import CLOSER_OF, OpenBracket, count_faults, has_fault_in, open_brackets
from dragoman.syntax.window import Window, encode, spliced

if TYPE_CHECKING:
    from tree_sitter import Tree

Cut = Literal["", "line", "length"]
"""How a text was cut off: not at all, behind a whole line, or anywhere."""
_WORD_CLOSERS = {"ruby": (b"end",), "lua": (b"end",), "bash": (b"fi", b"done", b"esac")}
"""What ends a block in languages that end it with a word, by the grammar's name."""

_UNENDED = ((b"/*", b"*/"), (b'"""', b'"""'), (b"'''", b"'''"), (b"`", b"`"))
"""What opens and what ends strings and comments of several lines."""
_HALF_EXPRESSION: tuple[bytes, ...] = tuple(b"= + - * / | & ? : . <".split())
_LINE_ENDS = (b" {}", b":", b";", b" a")
"""How a line goes on whose end is still to be typed."""
_SURPLUS = 4
_SURPLUS_MARKS = frozenset(")]};,")
"""How many marks at its end a text may lose, and which: a model closes what was closed before it."""
_DECORATED = (b"\nclass A {}\n", b"\ndef f(): pass\n", b"\nfn f() {}\n", b"\nvoid f() {}\n")
"""What a decorator or an annotation may stand above."""


def parses(window: Window, text: str) -> bool | None:
    """Tell whether ``text`` at the cursor brings no error into the document; None where that cannot be known.

    Errors that are there without the text do not count, nor does a block that the cursor's line opens and nothing closes.
    A bracket that the cursor's line opens inside of an expression is to be closed by the text or by what follows.
    """
    if not window.grammar.checkable:
        return None
    added = encode(text)
    source, after = window.replaced(window.cursor, window.cursor, added)
    if after is None:
        return None
    if not after.root_node.has_error:
        return True
    try:
        return _Comparison(window, source, after, window.cursor + len(added)).is_no_worse()
    except _TooSlowError:
        return None


def trim_to_border(window: Window, text: str, *, cut: Cut) -> str:
    """Return the longest run of whole lines of ``text`` that parses at the cursor and does not end in a block's head.

    ``cut`` tells how the text ended: "length" in the middle of its last line, which then goes.
    A text of one line, and one of which no line parses, is returned as it is.
    """
    lines = text.split("\n")
    until = time.thread_time() + 2 * JUDGED_S
    most = len(lines) - 1 if cut == "length" else len(lines)
    for count in range(most, 0, -1):
        last = lines[count - 1].strip()
        if time.thread_time() > until:
            break
        if not last or (count > 1 and _expects_more(last)):
            continue
        shorter = "\n".join(lines[:count])
        if parses(window, shorter) is not False:
            return shorter
    return text


def without_surplus(window: Window, text: str) -> str:
    """Return ``text`` without the closers at its end that the document has already; "" when they are not what is wrong."""
    shorter = text.rstrip()
    for _ in range(_SURPLUS):
        if shorter[-1:] not in _SURPLUS_MARKS or not shorter[:-1].strip():
            return ""
        shorter = shorter[:-1].rstrip()
        if parses(window, shorter):
            return shorter
    return ""


def _expects_more(line: str) -> bool:
    """Tell whether a line is the head of a body, a decorator, or half of an expression."""
    return opens_block(line) or line.startswith(("@", "#[")) or line.endswith((",", "\\", "=", "&&", "||"))


class _TooSlowError(Exception):
    """A parse was given up: nothing can be said."""


class _Comparison:
    """The document with and without a text."""

    def __init__(self, window: Window, source: bytes, after: Tree, end: int) -> None:
        self._window = window
        self._grammar = window.grammar
        self._source = source
        self._after = after
        self._end = end
        self._until = time.thread_time() + JUDGED_S
        without, tree = window.replaced(window.head, window.rest, b"")
        if tree is None:
            raise _TooSlowError
        self._tail = self._unended(without, tree)
        self._open = {bracket.offset for bracket in open_brackets(self._grammar, tree)} if count_faults(tree) else set()
        self._allowed = min(
            self._faults(without, tree, window.head, window.head)[0],
            self._faults(window.source, window.tree, window.head, window.rest)[0],
        )

    def is_no_worse(self) -> bool:
        """Tell whether there is no more wrong with the text than without."""
        head, rest = self._window.head, self._end + self._window.rest - self._window.cursor
        faults, tree, ending = self._faults(self._source, self._after, head, rest)
        if faults <= self._allowed and not has_fault_in(tree, self._window.cursor, self._end):
            return True
        # In a document that does not parse, nobody knows what a lone closer closes.
        text = self._source[self._window.cursor : self._end].strip()
        if self._allowed and (not text.strip(b")]};,") or self._stands_alone(head, rest)):
            return True
        source = self._source + ending
        for at, owed in self._owed(rest):
            grown = self._spliced(source, tree, at, owed)[1]
            if count_faults(grown) <= self._allowed and not has_fault_in(grown, self._window.cursor, self._end):
                return True
        return False

    def _stands_alone(self, start: int, end: int) -> bool:
        """Tell whether the text with its line parses by itself: in a document that does not, that is a better witness."""
        tree = self._grammar.parse(self._source[start:end].strip() + b"\n")
        return tree is not None and not tree.root_node.has_error

    def _faults(self, source: bytes, tree: Tree, start: int, end: int) -> tuple[int, Tree, bytes]:
        """Return the fewest faults of a text over ways to end it, with the tree and the end.

        What is open without the cursor's line, ``[start, end)``, may be closed at the end: the document, or the window,
        ends early.
        """
        best = (count_faults(tree), tree, b"")
        for tail in dict.fromkeys((b"", self._tail)):
            if not best[0]:
                break
            ended, trunk = (source, tree) if not tail else self._spliced(source, tree, len(source), tail)
            opened = [
                bracket
                for bracket in open_brackets(self._grammar, trunk)
                if (bracket.offset < start and bracket.offset in self._open)
                or (bracket.offset >= end and bracket.offset - (end - start) in self._open)
            ]
            closing = _closing(opened)
            if closing:
                ended, trunk = self._spliced(ended, trunk, len(ended), closing)
            # Among equals the one that is ended most: what is still wrong then is not the end.
            best = min((count_faults(trunk), trunk, tail + closing), best, key=itemgetter(0))
        return best

    def _unended(self, source: bytes, tree: Tree) -> bytes:
        """Return what ends a comment or string that runs to the end of ``source``, nothing when none does."""
        best, fewest = b"", count_faults(tree)
        for opener, closer in _UNENDED if fewest else ():
            opened = source.count(opener)
            if opened > source.count(closer) or (opener == closer and opened % 2):
                tail = b"\n" + closer + b"\n"
                faults = count_faults(self._spliced(source, tree, len(source), tail)[1])
                if faults < fewest:
                    best, fewest = tail, faults
        return best

    def _spliced(self, source: bytes, tree: Tree, at: int, text: bytes) -> tuple[bytes, Tree]:
        if time.thread_time() > self._until:
            raise _TooSlowError
        new, grown = spliced(self._grammar, source, tree, at, at, text)
        if grown is None:
            raise _TooSlowError
        return new, grown

    def _owed(self, rest: int) -> list[tuple[int, bytes]]:
        """Return what the cursor's line may owe, and where: the end of a block, or how an unfinished line goes on.

        ``rest`` is the offset where the line that the text ends in ends.
        """
        window, end = self._window, self._end
        opened = open_brackets(self._grammar, self._after, start=window.head, end=rest)
        text = self._source[window.cursor : end].rstrip()
        line = self._source[window.head : end]
        owed: list[bytes] = []
        if line[line.rfind(b"\n") + 1 :].lstrip().startswith((b"@", b"#[", b"[")):
            owed += _DECORATED
        last_for_now = b"\n" not in text and not self._line_below()
        if last_for_now:
            owed += [b"\n" + closer + b"\n" for opener, closer in _UNENDED if opener in text]
            if text.endswith((b",", b"(", b"[", b"{")):
                owed.append(_closing(opened))
            if text.endswith(_HALF_EXPRESSION):
                owed += [b" a" + _closing(opened), b" a;" + _closing(opened)]
        if not opened and self._source[window.head : window.cursor].strip():
            owed += [b"\n" + word + b"\n" for word in _WORD_CLOSERS.get(self._grammar.name, ())]
        elif all(bracket.bracket == "{" and bracket.offset < window.cursor for bracket in opened):
            owed.append(_closing(opened))
        found = [(end, more) for more in owed]
        if last_for_now or self._source[end:rest].strip():
            # Between brackets that were closed before, only their content was asked for.
            found += [(rest, more) for more in _LINE_ENDS]
        return found

    def _line_below(self) -> bytes:
        """Return the line below the cursor's, stripped."""
        source, start = self._window.source, self._window.rest + 1
        end = source.find(b"\n", start)
        return source[start : len(source) if end < 0 else end].strip()


def _closing(opened: list[OpenBracket]) -> bytes:
    return (
        b"".join(b"\n" + CLOSER_OF[bracket.bracket].encode() for bracket in reversed(opened)) + b"\n" if opened else b""
    )
