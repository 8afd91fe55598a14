"""What a suggestion does to the document's syntax: whether it parses there, and where it is whole.

A document is seldom whole while it is written, so nothing is judged by itself: the text with the suggestion is compared
with the text without it, and the line that the cursor is in owes nothing that the suggestion was to complete.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dragoman.syntax.faults import CLOSER_OF, OpenBracket, count_faults, open_brackets
from dragoman.syntax.grammars import Grammar
from dragoman.syntax.window import Window, encode

if TYPE_CHECKING:
    from tree_sitter import Tree

_WORD_CLOSERS = {"ruby": (b"end",), "lua": (b"end",), "bash": (b"fi", b"done", b"esac")}
"""What ends a block in languages that end it with a word, by the grammar's name."""

_UNENDED = ((b"/*", b"*/"), (b'"""', b'"""'), (b"'''", b"'''"), (b"`", b"`"))
"""What opens and what ends strings and comments of several lines."""
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
    return _Comparison(window, source, after, window.cursor + len(added)).is_no_worse()


class _Comparison:
    """The document with and without a text."""

    def __init__(self, window: Window, source: bytes, after: Tree, end: int) -> None:
        self._window = window
        self._grammar = window.grammar
        self._source = source
        self._after = after
        self._end = end
        without, _ = window.replaced(window.head, window.rest, b"")
        self._tail = _unended(self._grammar, without)
        self._allowed = min(
            self._faults(window.source, window.head, window.rest), self._faults(without, window.head, window.head)
        )

    def is_no_worse(self) -> bool:
        """Tell whether there is no more wrong with the text than without."""
        head, rest = self._window.head, self._end + self._window.rest - self._window.cursor
        if self._faults(self._source, head, rest) <= self._allowed:
            return True
        if self._allowed and self._stands_alone(head, rest):
            return True
        return any(
            self._faults(self._source[: self._end] + closers + self._source[self._end :], head, rest + len(closers))
            <= self._allowed
            for closers in self._owed()
        )

    def _stands_alone(self, start: int, end: int) -> bool:
        """Tell whether the text with its line parses by itself: in a document that does not, that is a better witness."""
        tree = self._grammar.parse(self._source[start:end].strip() + b"\n")
        return tree is not None and not tree.root_node.has_error

    def _faults(self, source: bytes, start: int, end: int) -> int:
        """Count faults, with what is open outside of ``[start, end)`` closed: the document, or the window, ends early."""
        fewest = 1 << 20
        for tail in dict.fromkeys((b"", self._tail)):
            tree = self._grammar.parse(source + tail)
            if tree is None:
                continue
            fewest = min(fewest, count_faults(tree))
            opened = [bracket for bracket in open_brackets(tree) if not start <= bracket.offset < end] if fewest else []
            if opened and (tree := self._grammar.parse(source + tail + _closing(opened))) is not None:
                fewest = min(fewest, count_faults(tree))
            if not fewest:
                break
        return fewest

    def _owed(self) -> list[bytes]:
        """Return what the line may owe: the end of a block that it opens, or what a line at the end of all goes on with."""
        window = self._window
        opened = open_brackets(self._after, start=window.head, end=self._end + window.rest - window.cursor)
        text = self._source[window.cursor : self._end].rstrip()
        line = self._source[window.head : self._end]
        last_line = line[line.rfind(b"\n") + 1 :].strip()
        owed: list[bytes] = []
        if last_line.startswith((b"@", b"#[", b"[")):
            owed += _DECORATED
        if b"\n" not in text and not self._line_below():
            # The line is the last for now: what it opens is still to be written.
            owed += [b"\n" + closer + b"\n" for opener, closer in _UNENDED if opener in text]
            if text.endswith((b",", b"(", b"[", b"{")):
                owed.append(_closing(opened))
        if not opened:
            owed += [b"\n" + word + b"\n" for word in _WORD_CLOSERS.get(self._grammar.name, ())]
        elif all(bracket.bracket == "{" and bracket.offset < window.cursor for bracket in opened):
            owed.append(_closing(opened))
        return owed

    def _line_below(self) -> bytes:
        """Return the line below the cursor's, stripped."""
        source, start = self._window.source, self._window.rest + 1
        end = source.find(b"\n", start)
        return source[start : len(source) if end < 0 else end].strip()


def _unended(grammar: Grammar, source: bytes) -> bytes:
    """Return what ends a comment or string that runs to the end of ``source``, nothing when none does."""
    tree = grammar.parse(source)
    if tree is None or not tree.root_node.has_error:
        return b""
    best, fewest = b"", count_faults(tree)
    for opener, closer in _UNENDED:
        opened = source.count(opener)
        if opened > source.count(closer) or (opener == closer and opened % 2):
            tail = b"\n" + closer + b"\n"
            tree = grammar.parse(source + tail)
            if tree is not None and (faults := count_faults(tree)) < fewest:
                best, fewest = tail, faults
    return best


def _closing(opened: list[OpenBracket]) -> bytes:
    return (
        b"".join(b"\n" + CLOSER_OF[bracket.bracket].encode() for bracket in reversed(opened)) + b"\n" if opened else b""
    )
