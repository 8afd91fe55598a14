"""Reading imports from their text, where the syntax tree tells no more than that."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from dragoman.context.workspace.draft import Draft

if TYPE_CHECKING:
    from tree_sitter import Node

_STRING: Final = re.compile(r"""["'<]([^"'<>\n]+)["'>]""")
_RELATIVE: Final = re.compile(r"^(\./)?((?:\.\./)*)(.*)$", re.DOTALL)
_DEEPEST: Final = 8
"""Braces in braces of one import; nobody writes more."""


def relative(path: str) -> tuple[str, int]:
    """Split a path into what stands behind its dots and a level: 0 for none, 1 for ``./``, 2 for ``../`` and so on."""
    if path in (".", ".."):
        return "", len(path)
    if not path.startswith("."):
        return path, 0
    match = _RELATIVE.match(path)
    if match is None or not (match[1] or match[2]):
        return path, 0
    return match[3], 1 + len(match[2]) // 3


def read_path(draft: Draft, node: Node) -> None:
    """Take all of the file whose path is the first string of a statement (``require "x"``, ``@import "x"``)."""
    match = _STRING.search(draft.source.of(node)[:1_000])
    if match:
        module, level = relative(match[1])
        draft.take(module, "*", "*", node.start_point[0], level)


def read_include(draft: Draft, node: Node) -> None:
    """Take all of an included file; one in quotes is looked for beside the file itself."""
    text = draft.source.of(node)[:1_000]
    match = _STRING.search(text)
    if match:
        module, level = relative(match[1])
        draft.take(module, "*", "*", node.start_point[0], level or (1 if '"' in text else 0))


def take_tree(draft: Draft, text: str, separator: str, line: int) -> None:
    """Take the names of a tree such as ``a::{b, c::d as e, *}``, written with ``separator`` between its parts."""
    left = [("", text, 0)]
    while left:
        path, rest, depth = left.pop()
        rest = rest.strip()
        head, brace, inner = rest.partition("{")
        if brace and depth < _DEEPEST:
            base = _joined(path, head.strip().removesuffix(separator), separator)
            left += [(base, part, depth + 1) for part in reversed(_parts(inner.rstrip().removesuffix("}")))]
            continue
        name, alias = _aliased(rest)
        module, _, last = _joined(path, name, separator).rpartition(separator)
        if last == "self":
            module, _, last = module.rpartition(separator)
        if not last:
            continue
        if last in ("*", "_"):
            draft.take(module, "*", "*", line)
        elif module:
            draft.take(module, last, alias or last, line)
        else:
            draft.take(last, "", alias or last, line)


def _aliased(text: str) -> tuple[str, str]:
    for word in (r"\s+as\s+", r"\s*=>\s*"):
        parts = re.split(word, text, maxsplit=1)
        if len(parts) == 2:
            return parts[0].strip(), parts[1].strip()
    return text.strip(), ""


def _joined(path: str, name: str, separator: str) -> str:
    return f"{path}{separator}{name}" if path and name else path or name


def _parts(text: str) -> list[str]:
    parts: list[str] = []
    depth, begun = 0, 0
    for at, char in enumerate(text + ","):
        if char == "," and depth == 0:
            parts.append(text[begun:at])
            begun = at + 1
        depth += (char == "{") - (char == "}")
    return [part for part in parts if part.strip()]
