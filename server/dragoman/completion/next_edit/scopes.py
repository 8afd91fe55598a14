"""Functions, classes and the names they bind, read from indentation and the words of a declaration.

No parser: half-written code has to do, and a name that is taken for local wrongly costs an offer, not a wrong one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from dragoman.completion.next_edit.source import Source

_PYTHON_HEAD: Final = re.compile(r"\s*(?:async\s+)?def\b")
_OTHER_HEAD: Final = re.compile(
    r".*\b(?:func|function|fn|fun|def|sub|proc)\b|.*=>\s*[{(]?\s*$|"
    r"(?!\s*(?:if|for|while|switch|catch|else|do|try|return|class|struct|enum|interface|with|using|lock|impl|match)\b)"
    r"\s*[\w<>\[\],.&*:~?@ \t]*\w\s*\((?:[^;]*\)[^;=]*\{?\s*|[^;)]*)$"
)
_CLASS_HEAD: Final = re.compile(
    r"\s*(?:(?:export|default|public|private|protected|internal|static|final|abstract|sealed|partial|data|open|pub(?:\([^)]*\))?|"
    r"typedef)\s+)*(?:class|struct|interface|trait|impl|object|enum|protocol|extension|record|module|type)\b"
)
_DEFINES: Final = (
    r"\b(?:def|class|function\*?|func|fn|fun|sub|struct|enum|interface|type|trait|module|namespace|record|object|protocol|"
    r"\#\s*define|macro_rules!)\s+(?:\([^)\n]*\)\s*)?(?:\w+\.)?{n}\b"
)
_BINDS: Final = {
    "python": (
        (
            r"^[ \t]*(?:[\w.*]+[ \t]*,[ \t]*)*\(?\*?{n}\b(?:[ \t]*,[ \t]*[\w.*]+)*\)?[ \t]*"
            r"(?::[^=\n]+)?(?:[-+*/|&^%@<>]{{1,2}})?=(?!=)"
        ),
        r"^[ \t]*{n}[ \t]*:[ \t]*\w",
        r"\bfor\b[^\n]*?\b{n}\b[^\n]*?\bin\b",
        r"\bas[ \t]+{n}\b",
        r"\b{n}[ \t]*:=",
        r"\blambda\b[^:\n]*\b{n}\b",
        r"\bimport\b[^\n]*\b{n}\b",
    ),
    "javascript": (
        r"\b(?:const|let|var)\s+(?:\{{[^}}=]*|\[[^\]=]*|[\w\s,]*)\b{n}\b",
        r"\bimport\b[^\n;]*\b{n}\b",
        r"\bcatch\s*\(\s*{n}\b",
        r"(?:\(|,)\s*{n}\s*(?:[?:,][^()\n]*)?\)\s*(?::[^=\n]+)?=>",
        r"\b{n}\s*=>",
    ),
    "go": (r"\b{n}\b[^\n=(){{}}]*:=", r"\b(?:var|const)\s+{n}\b", r"^[ \t]+{n}[ \t]*(?:=|[\w*\[\]]+)[^\n]*$"),
    "rust": (
        r"\b(?:let|static|const)\s+(?:mut\s+)?[^=;\n]*?\b{n}\b",
        r"\bfor\s+[^\n]*?\b{n}\b[^\n]*?\bin\b",
        r"\|[^|\n]*\b{n}\b[^|\n]*\|",
        r"\buse\b[^\n;]*\b{n}\b",
        r"^\s*(?:pub\s+)?{n}\s*:\s*\w",
    ),
    "": (
        (
            r"(?<![\w.])(?!(?:return|new|else|throw|case|goto|delete|await|in|is|not|and|or|import|package)\b)"
            r"[\w>\]]+[?&* \t]+{n}\s*(?:[=;:,)\[(]|$)"
        ),
        r"\b(?:let|var|val|local|my|const|readonly|export|declare|set)\s+{n}\b",
        r"^[ \t]*{n}\s*=(?!=)",
        r"\bfor\s*\(?[^\n]*?\b{n}\b[^\n]*?(?:\bin\b|:)",
        r"\b(?:import|using|use|require|include)\b[^\n;]*\b{n}\b",
    ),
}
_PARAMETER: Final = r"[(,]\s*(?:[\w@]+\s+)*?(?:\.\.\.|[*&]{{1,2}})?{n}\s*(?:[,):=?\[]|[ \t]+[\w*.\[\]&?<>]+)"


@dataclass(frozen=True, slots=True)
class Block:
    """The lines of a function or class, head included."""

    first: int
    last: int
    is_class: bool
    body: int
    """The first line behind the head."""


@lru_cache(maxsize=64)
def _binding(family: str, name: str) -> re.Pattern[str]:
    patterns = (*_BINDS.get(family, _BINDS[""]), _DEFINES)
    return re.compile("|".join(f"(?:{one.format(n=re.escape(name))})" for one in patterns), re.MULTILINE)


@lru_cache(maxsize=64)
def _definition(name: str) -> re.Pattern[str]:
    return re.compile(_DEFINES.format(n=re.escape(name)))


@lru_cache(maxsize=64)
def _parameter(name: str) -> re.Pattern[str]:
    return re.compile(_PARAMETER.format(n=re.escape(name)))


def width_of(line: str) -> int:
    """Return the columns of blanks a line begins with."""
    content = line.expandtabs(4)
    return len(content) - len(content.lstrip())


def enclosing(source: Source, line: int) -> list[Block]:
    """Return the functions and classes around a line, the innermost first; a head belongs to its own block."""
    lines, found = source.lines, []
    is_python = source.language is not None and source.language.name == "python"
    head = _PYTHON_HEAD if is_python else _OTHER_HEAD
    index, width = line, width_of(lines[line]) if line < len(lines) else 0
    first = True
    while index >= 0 and (width > 0 or first):
        content = lines[index]
        stripped = content.strip()
        own = width_of(content)
        if stripped and (own < width or first) and stripped[0] not in ")]}#":
            is_class = _CLASS_HEAD.match(content) is not None
            if is_class or head.match(content):
                last = _end(lines, index, own)
                if last >= line:
                    found.append(Block(index, last, is_class, _body(lines, index, last)))
            width = own
        first = False
        index -= 1
    return found


def _end(lines: list[str], head: int, width: int) -> int:
    """Return the last line of the block whose head stands at ``head``."""
    last = head
    for index in range(head + 1, len(lines)):
        content = lines[index]
        stripped = content.strip()
        if not stripped:
            continue
        if width_of(content) <= width:
            if stripped[0] in ")]" or (stripped[0] == "{" and last == head):
                last = index
                continue
            return index if stripped[0] == "}" else last
        last = index
    return last


def _body(lines: list[str], head: int, last: int) -> int:
    """Return the line behind the parameter list that begins at ``head``."""
    depth = 0
    for index in range(head, min(last, head + 30) + 1):
        depth += sum(lines[index].count(one) for one in "([") - sum(lines[index].count(one) for one in ")]")
        if depth <= 0:
            return index + 1
    return head + 1


def binds(source: Source, block: Block, name: str) -> bool:
    """Tell whether a function binds a name: a parameter, a variable, an import, a function inside of it."""
    family = source.language.name if source.language is not None else ""
    head = "".join(source.lines[block.first : block.body])
    if _parameter(name).search(head):
        return True
    body = "".join(source.lines[block.body : block.last + 1])
    return name in body and _in_code(source, _binding(family, name), source.start_of(block.body), body) is not None


def binds_above(source: Source, block: Block, name: str, line: int) -> bool:
    """Tell whether a function binds a name above a line."""
    return line > block.first and binds(
        source, Block(block.first, line - 1, block.is_class, min(block.body, line)), name
    )


def defines(source: Source, name: str) -> bool:
    """Tell whether a file defines a function, a class or a type of this name."""
    return _in_code(source, _definition(name), 0, source.text) is not None


def defines_in(line: str, name: str) -> bool:
    """Tell whether a line is the head of a definition of this name."""
    return _definition(name).search(line) is not None


def binds_in(source: Source, line: str, name: str) -> bool:
    """Tell whether a line declares a name."""
    family = source.language.name if source.language is not None else ""
    return _binding(family, name).search(line) is not None


def declares_member(line: str, name: str) -> bool:
    """Tell whether a line in a class begins with the declaration of a method or field of this name."""
    return (
        re.match(rf"\s*(?:[\w<>\[\],.*&?@#]+\s+)*[*&#]*{re.escape(name)}(?:\s*(?:[(:=;!?<,]|$)|[ \t]+[\w*\[])", line)
        is not None
    )


def is_receiver_method(line: str, name: str) -> bool:
    """Tell whether a line is the head of a Go method of this name: it stands outside of its type."""
    return re.match(rf"func\s*\([^)]*\)\s*{re.escape(name)}\b", line) is not None


def is_parameter(source: Source, block: Block, name: str) -> bool:
    """Tell whether a function's head names a parameter so."""
    return _parameter(name).search("".join(source.lines[block.first : block.body])) is not None


def _in_code(source: Source, pattern: re.Pattern[str], offset: int, text: str) -> int | None:
    for match in pattern.finditer(text):
        if source.zone(offset + match.start()) == "code" or source.zone(offset + match.end() - 1) == "code":
            return offset + match.start()
    return None
