"""Kotlin."""

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
(class_declaration (class_body)? @body) @class
(class_declaration (enum_class_body) @body) @class
(object_declaration (class_body)? @body) @class
(function_declaration (function_value_parameters) . (_)? @of (function_body)? @body) @function
(class_parameter ["val" "var"] (identifier) @name . (_)? @of) @attribute
(source_file (property_declaration (variable_declaration (identifier) @name (_)? @of) "=" . (_) @value) @variable)
(class_body (property_declaration (variable_declaration (identifier) @name (_)? @of) "=" . (_) @value) @attribute)
(source_file (property_declaration (variable_declaration (identifier) @name (_)? @of)) @variable)
(class_body (property_declaration (variable_declaration (identifier) @name (_)? @of)) @attribute)
(enum_entry (identifier) @name) @attribute
(type_alias type: (identifier) @name (_) @of) @type
(import) @import
"""
_WORDS: Final = re.compile(r"^import\s+|[\s;]+$")


def read_kotlin_import(draft: Draft, node: Node) -> None:
    """Enter one name, or all of a package."""
    take_tree(draft, _WORDS.sub("", draft.source.of(node)[:1_000]), ".", node.start_point[0])


KOTLIN: Final = Rules(_QUERY, read_kotlin_import, calls_make=True, mend=mended)
