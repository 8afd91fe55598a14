"""A finding's fix as edits, where it applies cleanly."""

from __future__ import annotations

from dragoman.agents.edits.blocks import Block
from dragoman.agents.edits.lines import Lines
from dragoman.agents.edits.matching import Matcher
from dragoman.agents.reviews.anchors import NumberedText, Span, squeeze
from dragoman.agents.tools.documents import TextEdit
from dragoman.errors import EditMismatchError


def find_fix(numbered: NumberedText, span: Span, fix: str) -> tuple[TextEdit, ...] | None:
    """Return the edits by which the text of ``span`` becomes ``fix``; None when they change nothing or do not fit.

    A fix of whole lines is indented like these. A piece of a line is replaced as such, unless the fix has the whole line.
    """
    text = numbered.text
    start, end = span
    if squeeze(fix) == squeeze(text[start:end]):
        return None
    lines = Lines(text)
    first, last = lines.row_of(start), lines.row_of(end - 1) + 1
    before = text[lines.starts[first] : start].strip()
    after = text[end : lines.starts[last]].strip()
    if before or after:
        said = fix.strip()
        if not (said.startswith(before) and said.endswith(after) and len(said) > len(before) + len(after)):
            return (TextEdit(start, end, said),) if "\n" not in said else None
    old, new = tuple(lines.texts[first:last]), tuple(fix.replace("\r\n", "\n").strip("\n").split("\n"))
    if len(new) == 1 and new[0].strip() == new[0]:
        # One line says nothing of its indentation.
        new = (old[0][: len(old[0]) - len(old[0].lstrip())] + new[0],)
    elif new[0].lstrip() == new[0] != "" and len(old) > 0:
        # The first line was quoted without its indentation and the others as they are, or all from the margin.
        new = _indented(old[0], new)
    try:
        return Matcher(lines, first=first, last=last).place(Block("", ((old, new),)))
    except EditMismatchError:
        return None


def _indented(old: str, new: tuple[str, ...]) -> tuple[str, ...]:
    """Return lines of which the first has no indentation as deep as ``old`` is."""
    indent = old[: len(old) - len(old.lstrip())]
    others = [line for line in new[1:] if line.strip()]
    if indent and others and all(line.startswith(indent) for line in others):
        is_deeper = others[0][len(indent) : len(indent) + 1].isspace()
        if is_deeper or not new[0].rstrip().endswith((":", "{", "(", "[")):
            return (indent + new[0], *new[1:])
    return tuple(indent + line if line.strip() else line for line in new)
