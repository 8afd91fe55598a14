"""Edits that say what stands there and what shall: where each belongs in a text, exactly once or not at all."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dragoman.agents.edit_limits import LIKENESS_STRICT
from dragoman.agents.edits.blocks import Block, BlockParser, Broken
from dragoman.agents.edits.lines import Lines
from dragoman.agents.edits.matching import Matcher
from dragoman.agents.edits.paths import is_same_path
from dragoman.agents.limits import EDIT_BLOCKS, EDIT_COUNTED
from dragoman.agents.tools.documents import Document, TextEdit
from dragoman.errors import EditMismatchError


@dataclass(frozen=True, slots=True)
class Replacement:
    """``old`` stands somewhere and becomes ``new``; line ends are LF, whatever the file has."""

    old: str
    new: str


def read_blocks(text: str) -> tuple[Block, ...]:
    """Return the SEARCH/REPLACE blocks of a text; raises EditMismatchError where there are none or one is not whole."""
    parser = BlockParser()
    parts = [*parser.feed(text), *parser.finish()]
    found = tuple(part for part in parts if isinstance(part, Block))
    broken = next((part.message for part in parts if isinstance(part, Broken)), "")
    if broken or not found or len(found) > EDIT_BLOCKS:
        raise EditMismatchError(
            f"There are more than {EDIT_BLOCKS} blocks."
            if len(found) > EDIT_BLOCKS
            else broken or "There is no SEARCH/REPLACE block.",
            hint="Each is: a line `<<<<<<< SEARCH`, the lines as they stand, `=======`, the lines as they shall be, "
            "`>>>>>>> REPLACE`.",
        )
    return found


def place_edits(document: Document, shown: str, wanted: Sequence[Replacement | Block]) -> tuple[TextEdit, ...]:
    """Return where edits belong; raises EditMismatchError when one is missing, ambiguous, or meets another.

    A `Replacement` may be a part of a line; failing that, and for a `Block`, whole lines count, whatever their blanks are.
    """
    other = next((one for one in wanted if isinstance(one, Block) and not is_same_path(one.path, shown)), None)
    if other is not None:
        raise EditMismatchError(
            f"A block is for {other.path!r}, and this call for {shown!r}.", hint="Make a call for each file."
        )
    matcher = Matcher(Lines(document.text, newline=document.newline), shown=shown, likeness=LIKENESS_STRICT)
    found = [
        _place(document, shown, one, matcher) if isinstance(one, Replacement) else matcher.place(one) for one in wanted
    ]
    edits = sorted(itertools.chain.from_iterable(found), key=lambda one: (one.start, one.end))
    for first, second in itertools.pairwise(edits):
        if second.start < first.end or second.start == first.start:
            line = document.text.count("\n", 0, second.start) + 1
            raise EditMismatchError(
                f"Two edits of {shown!r} meet at line {line}.", lines=(line,), hint="Make one edit of them."
            )
    return tuple(edits)


def _place(document: Document, shown: str, replacement: Replacement, matcher: Matcher) -> tuple[TextEdit, ...]:
    old, new = replacement.old.replace("\r\n", "\n"), replacement.new.replace("\r\n", "\n")
    if not document.text and not old:
        return (TextEdit(0, 0, new.replace("\n", document.newline)),)
    if old == new:
        raise EditMismatchError(f"The edit of {shown!r} changes nothing: both texts are the same.")
    if old.strip():
        places = list(itertools.islice(_find(document.text, old), EDIT_COUNTED))
        if len(places) > 1:
            raise matcher.ambiguous([document.text.count("\n", 0, start) for start, _ in places])
        if places:
            return (TextEdit(*places[0], new.replace("\n", document.newline)),)
    return matcher.place(Block("", ((tuple(old.split("\n")), tuple(new.split("\n")) if new else ()),)))


def _find(text: str, old: str) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of every place, overlapping ones too; to the letter, but for line ends."""
    if "\r" not in text:
        start = text.find(old)
        while start >= 0:
            yield start, start + len(old)
            start = text.find(old, start + 1)
        return
    compiled = re.compile(r"\r?\n".join(map(re.escape, old.split("\n"))))
    match = compiled.search(text)
    while match is not None:
        yield match.span()
        match = compiled.search(text, match.start() + 1)
