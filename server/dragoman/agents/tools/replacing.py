"""Edits that say what stands there and what shall: where each belongs in a text, exactly once or not at all."""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dragoman.agents.limits import (
    EDIT_BLOCKS,
    EDIT_COMPARED_CHARS,
    EDIT_COMPARED_LINES,
    EDIT_COUNTED,
    EDIT_NEAR_LINES,
    EDIT_PLACES,
)
from dragoman.agents.tools.documents import Document, TextEdit
from dragoman.errors import EditMismatchError

_START = re.compile(r"<{5,9} ?SEARCH\b.*")
_MIDDLE = re.compile(r"={5,9}\s*")
_END = re.compile(r">{5,9} ?REPLACE\b.*")


@dataclass(frozen=True, slots=True)
class Replacement:
    """``old`` stands somewhere and becomes ``new``; line ends are LF, whatever the file has."""

    old: str
    new: str


def read_blocks(text: str) -> tuple[Replacement, ...]:
    """Return the SEARCH/REPLACE blocks of a text; raises EditMismatchError where there are none or one is not whole."""
    found: list[Replacement] = []
    old: list[str] = []
    new: list[str] = []
    part = "outside"
    for line in text.replace("\r\n", "\n").split("\n"):
        if part == "outside" and _START.fullmatch(line.strip()):
            part, old, new = "old", [], []
        elif part == "old" and _MIDDLE.fullmatch(line):
            part = "new"
        elif part == "new" and _END.fullmatch(line.strip()):
            part = "outside"
            found.append(Replacement("\n".join(old), "\n".join(new)))
        elif part != "outside":
            (old if part == "old" else new).append(line)
    if part != "outside" or not found or len(found) > EDIT_BLOCKS:
        raise EditMismatchError(
            f"There are more than {EDIT_BLOCKS} blocks."
            if len(found) > EDIT_BLOCKS
            else "The blocks are not whole."
            if found or part != "outside"
            else "There is no SEARCH/REPLACE block.",
            hint="Each is: a line `<<<<<<< SEARCH`, the lines as they stand, `=======`, the lines as they shall be, "
            "`>>>>>>> REPLACE`.",
        )
    return tuple(found)


def place_edits(document: Document, shown: str, replacements: Sequence[Replacement]) -> tuple[TextEdit, ...]:
    """Return where the replacements belong; raises EditMismatchError when one is missing, ambiguous, or meets another.

    What is searched for stands there to the letter, but for line ends and spaces at the ends of lines.
    """
    edits = sorted((_place(document, shown, one) for one in replacements), key=lambda one: one.start)
    for first, second in itertools.pairwise(edits):
        if second.start < first.end or second.start == first.start:
            line = _line_of(document.text, second.start)
            raise EditMismatchError(
                f"Two edits of {shown!r} meet at line {line}.", lines=(line,), hint="Make one edit of them."
            )
    return tuple(edits)


def _place(document: Document, shown: str, replacement: Replacement) -> TextEdit:
    old, new = replacement.old.replace("\r\n", "\n"), replacement.new.replace("\r\n", "\n")
    if not old.strip():
        if not document.text and not old:
            return TextEdit(0, 0, new.replace("\n", document.newline))
        raise EditMismatchError(
            f"The text to search for in {shown!r} is empty.",
            hint="Give lines that stand in the file, or use write_file for all of it.",
        )
    if old == new:
        raise EditMismatchError(f"The edit of {shown!r} changes nothing: both texts are the same.")
    for exact in (True, False):
        places = list(itertools.islice(_find(document.text, old, exact=exact), EDIT_COUNTED))
        if len(places) > 1:
            lines = tuple(_line_of(document.text, start) for start, _ in places[:EDIT_PLACES])
            count = f"{len(places)}{'+' if len(places) == EDIT_COUNTED else ''}"
            at = f"{', '.join(map(str, lines))}{', …' if len(places) > len(lines) else ''}"
            raise EditMismatchError(
                f"The text to search for stands {count} times in {shown!r}, at lines {at}.",
                lines=lines,
                hint="Add lines before or after it until it stands only once.",
            )
        if places:
            start, end = places[0]
            return TextEdit(start, end, new.replace("\n", document.newline))
    line, near = _nearest(document.text, old)
    raise EditMismatchError(
        f"The text to search for does not stand in {shown!r}.",
        lines=(line,) if near else (),
        hint=f"The nearest are these lines, from line {line}; copy them exactly as they are:\n{near}"
        if near
        else "Read the file and copy the lines exactly as they are.",
    )


def _find(text: str, old: str, *, exact: bool) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of every place, overlapping ones too."""
    if exact and "\r" not in text:
        start = text.find(old)
        while start >= 0:
            yield start, start + len(old)
            start = text.find(old, start + 1)
        return
    lines = old.split("\n")
    if exact:
        pattern = r"\r?\n".join(map(re.escape, lines))
    else:
        # Whole lines only: without their ends a text would also be found within words.
        pattern = r"[ \t]*\r?\n".join(re.escape(line.rstrip()) for line in lines)
        pattern = rf"^{pattern}[ \t]*?(?=\r?$)" if lines[-1] else rf"^{pattern}"
    compiled = re.compile(pattern, re.MULTILINE)
    match = compiled.search(text)
    while match is not None:
        yield match.span()
        match = compiled.search(text, match.start() + 1)


def _line_of(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def _nearest(text: str, old: str) -> tuple[int, str]:
    """Return the first line (from 1) and the lines of the place that is most like ``old``; 0 and "" where nothing is."""
    lines = text.split("\n")[:EDIT_COMPARED_LINES]
    wanted = [line for line in old.split("\n") if line.strip()]
    first = max(wanted, key=lambda line: len(line.strip()))
    offset = old.split("\n").index(first)
    matcher = difflib.SequenceMatcher(b=first.strip()[:EDIT_COMPARED_CHARS], autojunk=False)
    best, at = 0.5, -1
    for number, line in enumerate(lines):
        matcher.set_seq1(line.strip()[:EDIT_COMPARED_CHARS])
        if matcher.real_quick_ratio() > best and matcher.quick_ratio() > best and (ratio := matcher.ratio()) > best:
            best, at = ratio, number
    if at < 0:
        return 0, ""
    begin = max(0, at - min(offset, EDIT_NEAR_LINES - 1))
    count = min(EDIT_NEAR_LINES, old.count("\n") + 1)
    return begin + 1, "\n".join(line.rstrip("\r")[:200] for line in lines[begin : begin + max(count, at - begin + 1)])
