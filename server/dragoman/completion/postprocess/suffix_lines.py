"""Lines that stand after the cursor are not written a second time."""

from __future__ import annotations

from dragoman.completion.postprocess.brackets import first_unopened
from dragoman.completion.postprocess.place import Place


def cut_repeated_lines(text: str, place: Place) -> str:
    """End the text before a run of lines that repeats the next lines of the document.

    A short line (a bracket, ``end``, ``else:``) may legitimately come twice: it is cut at the text's end only, and only
    where it closes what was open before the text.
    """
    following = [line for line in place.following if line.strip()]
    if not following:
        return text
    first = following[0].strip()
    telling = sum(char.isalnum() for char in first) >= 4 and not first.startswith("</")
    lines = text.split("\n")
    for index, line in enumerate(lines):
        if line.strip() != first:
            continue
        if index == 0:
            # On an empty line the whole of the first line counts; behind typed text it is only a part of one.
            if telling and place.at_start and not place.head.strip():
                return ""
            continue
        rest = [later.strip() for later in lines[index:] if later.strip()]
        matched = sum(1 for ours, theirs in zip(rest, following, strict=False) if ours == theirs.strip())
        if telling or (matched == len(rest) and _closes_the_same(lines[: index + 1], following[0], place.head)):
            return "\n".join(lines[:index]).rstrip()
    return text


def _closes_the_same(lines: list[str], theirs: str, head: str) -> bool:
    """Tell whether the last of ``lines``, a short one, ends the block that the document's line ``theirs`` ends."""
    closer = lines[-1].strip()[0]
    if head.strip() and _width(theirs) < _width(head):
        # Theirs ends a block around the one that the cursor's line opened.
        return False
    if closer in ")]}":
        return first_unopened("\n".join(lines), closer) is not None
    return _width(lines[-1]) == _width(theirs)


def _width(line: str) -> int:
    expanded = line.expandtabs(4)
    return len(expanded) - len(expanded.lstrip())
