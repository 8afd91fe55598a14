"""What a single line of an answer says about blocks, and what several say about loops."""

from __future__ import annotations

import re

from dragoman.completion.shape import opens_block
from dragoman.limits import REPEATED_LINES

_CONTINUES = re.compile(r"(?:\}\s*)?(?:else|elif|elsif|elseif|except|finally|catch|rescue|ensure|case|default|when)\b")
_CLOSES = re.compile(r"(?:[)\]}]+[;,]*[)\]};,]*|</[\w.:-]*>|(?:end|fi|done|esac)[;,)]?)\Z")
_DEFINITION = re.compile(
    r"@\w|(?:(?:export|default|public|private|protected|internal|static|final|abstract|async|pub(?:\(\w+\))?|unsafe|"
    r"override|virtual|local)\s+)*(?:def|class|function|func|fn|interface|struct|enum|impl|trait|module|namespace)\b"
    r"|(?:public|private|protected|internal)\s"
)
_LOOP = re.compile(r"(?P<unit>[^<\n]{3,60}?)(?P=unit){4,}")
_TAB = 4
"""How many spaces of an answer stand for one tab of the document."""


def width_of(line: str) -> int:
    """Return the width of a line's indentation in columns."""
    expanded = line.expandtabs(_TAB)
    return len(expanded) - len(expanded.lstrip())


def is_telling(line: str) -> bool:
    """Tell whether a line says so much that it is not written twice by chance."""
    return sum(char.isalnum() for char in line) >= 8 and not line.lstrip().startswith("</")


def closes_only(stripped: str) -> bool:
    """Tell whether a line does nothing but close: brackets, an end tag, ``end``."""
    return _CLOSES.match(stripped) is not None


def continues_block(stripped: str) -> bool:
    """Tell whether a line goes on with the statement whose block ended before it."""
    return _CONTINUES.match(stripped) is not None


def starts_definition(stripped: str) -> bool:
    """Tell whether a line begins a function, a class or its decorator."""
    return _DEFINITION.match(stripped) is not None


def loop_in_line(line: str) -> str | None:
    """Return the line up to the end of the first round when it goes round in circles, None when it does not."""
    match = _LOOP.search(line[:2000])
    if match is None or sum(char.isalpha() for char in match["unit"]) < 3:
        return None
    return line[: match.end("unit")].rstrip()


def loop_of_lines(lines: list[str], indent: int) -> int | None:
    """Return how many of ``lines`` to keep when the last ones repeat those before, None when they do not.

    A loop is the same line, or the same pair of lines, `REPEATED_LINES` times; blank lines between do not count.
    """
    found = [(index, line.strip(), width_of(line) if index else indent) for index, line in enumerate(lines)]
    found = [entry for entry in found if entry[1]]
    for period in (1, 2):
        rounds = [entry[1:] for entry in found[-period * REPEATED_LINES :]]
        if len(rounds) < period * REPEATED_LINES or rounds != rounds[:period] * REPEATED_LINES:
            continue
        if any(char.isalnum() for text, _ in rounds for char in text):
            return found[-period * (REPEATED_LINES - 1)][0]
    return None


def rebase(lines: list[str], indent: str, *, opened: bool, done: bool) -> list[str]:
    """Indent the lines after the first as the document does.

    Spaces become tabs in a document of tabs.
    A body that is not deeper than the line that opened it was written as if that line stood in the first column.
    What cannot be decided yet is held back unless ``done``.
    """
    first, *others = lines
    if others and not done and not others[-1].strip():
        others[-1] = ""
    if "\t" in indent:
        others = [_with_tabs(line) for line in others]
    if opened or not indent or not opens_block(first):
        return [first, *others]
    deciding = next((index for index, line in enumerate(others) if line.strip()), None)
    if deciding is None:
        return [first, *others]
    if deciding == len(others) - 1 and not done:
        return [first, *others[:-1], ""]
    line = others[deciding].strip()
    relative = 0 < width_of(others[deciding]) <= width_of(indent)
    if relative and not closes_only(line) and not continues_block(line):
        others = [indent + line if line.strip() else line for line in others]
    return [first, *others]


def _with_tabs(line: str) -> str:
    stripped = line.lstrip(" ")
    tabs, spaces = divmod(len(line) - len(stripped), _TAB)
    return "\t" * tabs + " " * spaces + stripped if tabs else line
