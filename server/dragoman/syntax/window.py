"""The lines around a place with their syntax tree, and what becomes of it when text is put in.

Bytes: trees count in bytes of UTF-8, documents in code points.
Nothing outside of this module sees a byte offset that it did not get from here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from dragoman.limits import PARSED_CHARS, PARSED_LINES_AFTER, PARSED_LINES_BEFORE, PARSED_WHOLE_LINES
from dragoman.syntax.grammars import Grammar

if TYPE_CHECKING:
    from tree_sitter import Node, Tree

_STICKY_LINES = 2_000
"""How far above and below the window the lines that open and close it are looked for."""


class Text(Protocol):
    """A text, readable line by line."""

    @property
    def line_count(self) -> int:
        """Number of lines."""
        ...

    def line(self, index: int) -> str:
        """Return line ``index`` with its terminator."""
        ...


class Window:
    """Lines around a cursor with their tree; a value, though it parses lazily.

    ``source`` is the lines in UTF-8, each ended by a line feed; ``cursor`` is the cursor's offset in it.
    ``head`` and ``rest`` are the offsets where the cursor's line begins and ends.
    """

    __slots__ = ("cursor", "grammar", "head", "rest", "source", "tree")

    def __init__(self, grammar: Grammar, source: bytes, tree: Tree, cursor: int) -> None:
        self.grammar = grammar
        self.source = source
        self.tree = tree
        self.cursor = cursor
        self.head = source.rfind(b"\n", 0, cursor) + 1
        end = source.find(b"\n", cursor)
        self.rest = len(source) if end < 0 else end

    def replaced(self, start: int, end: int, text: bytes) -> tuple[bytes, Tree | None]:
        """Return the source with ``text`` in place of ``[start, end)`` and its tree, None when that takes too long."""
        source = self.source[:start] + text + self.source[end:]
        return source, self.grammar.parse(
            source, _edited(self.tree, self.source, source, start, end, start + len(text))
        )

    def leaf_before(self, offset: int) -> Node | None:
        """Return the token that ends at ``offset`` or contains the byte before it, None at the start."""
        if offset <= 0:
            return None
        return self.tree.root_node.descendant_for_byte_range(offset - 1, offset)


def spliced(
    grammar: Grammar, source: bytes, tree: Tree, start: int, end: int, text: bytes
) -> tuple[bytes, Tree | None]:
    """Return ``source``, whose tree is ``tree``, with ``text`` in place of ``[start, end)``, and its tree."""
    new = source[:start] + text + source[end:]
    return new, grammar.parse(new, _edited(tree, source, new, start, end, start + len(text)))


def encode(text: str) -> bytes:
    """Return ``text`` in UTF-8 as the parser can read it: half a surrogate pair and NUL become other characters."""
    return text.encode("utf-8", "replace").replace(b"\0", b" ")


def window_at(grammar: Grammar, text: Text, line: int, character: int) -> Window | None:
    """Parse what is around the cursor; None when the text is no code: lines too long, or a parse that takes too long."""
    found = _lines_around(text, line)
    if found is None:
        return None
    lines, at = found
    before = encode("".join(content + "\n" for content in lines[:at]))
    cursor = len(before) + len(encode(lines[at][:character]))
    source = before + encode("\n".join(lines[at:]) + "\n")
    tree = _parse(grammar, source)
    return None if tree is None else Window(grammar, source, tree, cursor)


def _parse(grammar: Grammar, source: bytes) -> Tree | None:
    """Parse ``source``, with the tree of the text parsed before where most of it is the same."""
    recent = grammar.recent
    old = None
    if recent is not None:
        if recent[0] == source:
            return recent[1]
        start, end, new_end = _difference(recent[0], source)
        if start + len(source) - new_end > len(source) // 2:
            old = _edited(recent[1], recent[0], source, start, end, new_end)
    tree = grammar.parse(source, old)
    grammar.recent = None if tree is None else (source, tree)
    return tree


def _difference(old: bytes, new: bytes) -> tuple[int, int, int]:
    """Return where two texts begin to differ, and where the difference ends in each."""
    start = _common(old, new)
    room = min(len(old), len(new)) - start
    behind = _common(old[len(old) - room :][::-1], new[len(new) - room :][::-1])
    return start, len(old) - behind, len(new) - behind


def _common(one: bytes, other: bytes) -> int:
    """Return how many bytes two texts have in common at their beginning."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _edited(tree: Tree, old: bytes, new: bytes, start: int, old_end: int, new_end: int) -> Tree:
    copy = tree.copy()
    copy.edit(start, old_end, new_end, _point(old, start), _point(old, old_end), _point(new, new_end))
    return copy


def _point(source: bytes, offset: int) -> tuple[int, int]:
    return source.count(b"\n", 0, offset), offset - (source.rfind(b"\n", 0, offset) + 1)


def _lines_around(text: Text, line: int) -> tuple[list[str], int] | None:
    """Return the lines to parse and which of them is the cursor's; None when there is too much text in them."""
    first, last = 0, text.line_count
    if last > PARSED_WHOLE_LINES:
        first, last = max(0, line - PARSED_LINES_BEFORE), min(last, line + PARSED_LINES_AFTER)
    lines: list[str] = []
    room = PARSED_CHARS
    for index in range(first, last):
        content = text.line(index).rstrip("\r\n")
        room -= len(content) + 1
        if room < 0:
            return None
        lines.append(content)
    at = line - first
    if first:
        skipped = _first_whole(lines, at)
        lines, at, first = lines[skipped:], at - skipped, first + skipped
        above = _sticky(text, first - 1, -1, _width(lines[0]))[::-1]
        lines, at = above + lines, at + len(above)
    if last < text.line_count:
        lines += _sticky(text, last, 1, _last_width(lines))
    return lines, at


def _first_whole(lines: list[str], at: int) -> int:
    """Return the first line behind a blank one whose indentation is the smallest: what begins there is whole."""
    best, smallest = 0, 1 << 20
    for index in range(min(at, len(lines) // 2)):
        if lines[index].strip() and (index == 0 or not lines[index - 1].strip()):
            width = _width(lines[index])
            if width < smallest:
                best, smallest = index, width
    return best


def _sticky(text: Text, index: int, step: int, width: int) -> list[str]:
    """Return the lines from ``index`` on that stand further and further out: what opens, or closes, the blocks around."""
    found: list[str] = []
    lead = width
    for at in range(index, max(-1, min(text.line_count, index + step * _STICKY_LINES)), step):
        if width == 0:
            break
        content = text.line(at)
        if content[:lead].isspace() or len(content) > 1000:
            # The usual case, and the loop is long: it is indented as deep, or blank.
            continue
        content = content.rstrip("\r\n")
        if content.strip() and (outer := _width(content)) < width:
            found.append(content)
            width = outer
            lead = len(content) - len(content.lstrip())
    return found


def _last_width(lines: list[str]) -> int:
    return next((_width(content) for content in reversed(lines) if content.strip()), 0)


def _width(line: str) -> int:
    expanded = line[:200].expandtabs(4)
    return len(expanded) - len(expanded.lstrip())
