"""What the text of a Python file says about the type of a value, without running or resolving anything."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from dragoman.context.workspace.draft import Source, first_named
from dragoman.context.workspace.languages import words
from dragoman.context.workspace.signatures import one_line

if TYPE_CHECKING:
    from tree_sitter import Node

_WRAPPERS: Final = re.compile(
    r"^(?:typing\.|t\.|typing_extensions\.)?"
    r"(?:Optional|Final|ClassVar|InitVar|Required|NotRequired|ReadOnly|Annotated|Mapped)\[(.*)\]$"
)
_LITERALS: Final = {
    "string": "str",
    "concatenated_string": "str",
    "integer": "int",
    "float": "float",
    "true": "bool",
    "false": "bool",
    "list": "list",
    "list_comprehension": "list",
    "dictionary": "dict",
    "dictionary_comprehension": "dict",
    "set": "set",
    "set_comprehension": "set",
    "tuple": "tuple",
}
_BUILTINS: Final = words(
    "bool bytearray bytes complex dict float frozenset int list object range set str tuple defaultdict deque"
)
_BUILDERS: Final = re.compile(r"^(?:from_|create|build|open|load|new|of$|parse|default|connect|get_instance|instance)")
_MOST_STEPS: Final = 8
"""How many operators (`or`, `if`, `await`) are looked behind for a value."""


def annotated_type(text: str) -> str:
    """Return the type that an annotation names: without quotes, ``None`` and what only wraps it (`Optional`, `Final`)."""
    text = one_line(text)
    for _ in range(_MOST_STEPS):
        if len(text) > 1 and text[0] in "\"'" and text[-1] == text[0]:
            text = text[1:-1].strip()
        elif match := _WRAPPERS.match(text):
            inner = match[1]
            text = _before_comma(inner).strip() if "Annotated[" in text[: -len(inner)] else inner.strip()
        elif text.endswith("| None"):
            text = text[:-6].strip()
        elif text.startswith("None |"):
            text = text[6:].strip()
        else:
            break
    return "" if text in ("None", "Final", "ClassVar", "typing.Final", "Any", "typing.Any", "TypeAlias") else text


def value_type(source: Source, value: Node | None, names: Mapping[str, str]) -> str:
    """Return the type of a value: of a literal, a constructor's call, or a name in ``names``; "" where nothing says it."""
    for _ in range(_MOST_STEPS):
        if value is None:
            return ""
        kind = value.type
        if kind in _LITERALS:
            return "bytes" if kind == "string" and source.data[value.start_byte] in b"bB" else _LITERALS[kind]
        if kind == "identifier":
            return names.get(source.of(value), "")
        if kind == "call":
            return _called(source, value)
        value = _inside(value, kind)
    return ""


def _inside(value: Node, kind: str) -> Node | None:
    """Return the part of an expression that has its type."""
    if kind == "boolean_operator":
        # `given or Default()`: the right side says it best; a bare name on the left is a parameter.
        right = value.child_by_field_name("right")
        left = value.child_by_field_name("left")
        if right is not None and right.type in ("call", "identifier"):
            return right
        return left
    if kind == "conditional_expression":
        parts = value.named_children
        if parts and parts[0].type == "none" and len(parts) > 2:
            return parts[2]
        return parts[0] if parts else None
    if kind in ("await", "parenthesized_expression"):
        return first_named(value)
    if kind in ("assignment", "named_expression"):
        return value.child_by_field_name("right") or value.child_by_field_name("value")
    return None


def _called(source: Source, call: Node) -> str:
    function = call.child_by_field_name("function")
    if function is None or function.end_byte - function.start_byte > 120:
        return ""
    name = source.of(function)
    if function.type == "subscript":
        name = name.partition("[")[0]
    owner, _, last = name.rpartition(".")
    if not name.replace(".", "").replace("_", "").isalnum():
        return ""
    if last in _BUILTINS or last.lstrip("_")[:1].isupper():
        return name if last.lstrip("_").upper() != last.lstrip("_") or len(last) == 1 else ""
    if owner.rpartition(".")[2][:1].isupper() and _BUILDERS.match(last):
        return owner
    return ""


def _before_comma(text: str) -> str:
    depth = 0
    for at, char in enumerate(text):
        depth += (char in "([{") - (char in ")]}")
        if char == "," and depth == 0:
            return text[:at]
    return text
