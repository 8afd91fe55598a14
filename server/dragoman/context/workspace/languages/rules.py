"""What is known of a language: the query that finds its definitions, and how its imports are read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dragoman.context.workspace.draft import Draft
from dragoman.limits import OUTLINE_SYMBOLS

if TYPE_CHECKING:
    from tree_sitter import Node


def no_import(draft: Draft, node: Node) -> None:
    """Take nothing: for languages whose files stand alone."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How the definitions of a language are found.

    ``query`` captures a definition by its kind (`class`, `function`, `method`, `attribute`, `variable`, `type`, `module`)
    and, where it is not the field of that name, its `name`; its `body`, where the head ends; what it is `of` (its type); and
    `owner`, the
    name of the class that it belongs to though it stands elsewhere.
    `impl` is a block of such definitions for its `owner`, with a `base` perhaps; `import` is handed to ``read_import``.
    `member` is an attribute that is made in a method; `head` is what is shown of a definition, `value` what it is set to.
    ``comments`` is how a line of documentation begins, ``most`` how many symbols are kept of a file.
    ``prefixes`` is what a kind of node lacks of its head; with ``calls_make``, calling a capitalised name makes one of it.
    ``mend`` closes what is open in a text that does not parse, line by line.
    """

    query: str
    read_import: Callable[[Draft, Node], None] = no_import
    comments: tuple[str, ...] = ("//", "/*")
    most: int = OUTLINE_SYMBOLS
    prefixes: tuple[tuple[str, str], ...] = ()
    calls_make: bool = False
    mend: Callable[[str], str] | None = None
