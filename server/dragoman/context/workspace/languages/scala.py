"""Scala."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from dragoman.context.workspace.draft import Draft
from dragoman.context.workspace.languages.brace_mending import mended
from dragoman.context.workspace.languages.import_text import take_tree
from dragoman.context.workspace.languages.rules import Rules

if TYPE_CHECKING:
    from tree_sitter import Node

_QUERY: Final = """
(class_definition) @class
(object_definition) @class
(trait_definition) @class
(enum_definition) @class
(class_parameter name: (_) @name) @attribute
(function_definition) @function
(function_declaration) @function
(val_definition pattern: (identifier) @name) @variable
(var_definition pattern: (identifier) @name) @variable
(val_declaration name: (_) @name) @variable
(var_declaration name: (_) @name) @variable
(type_definition) @type
(simple_enum_case) @attribute
(full_enum_case) @attribute
(import_declaration) @import
"""
_WORDS: Final = re.compile(r"^import\s+|\s+$")
_GIVEN: Final = re.compile(r"\.\{(given|_)\}")


def read_scala_import(draft: Draft, node: Node) -> None:
    """Enter the names of an import, with its braces and its new names."""
    text = _GIVEN.sub("._", _WORDS.sub("", draft.source.of(node)[:4_000]))
    take_tree(draft, "{" + text + "}", ".", node.start_point[0])


SCALA: Final = Rules(_QUERY, read_scala_import, calls_make=True, mend=mended)
