"""Swift."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dragoman.context.workspace.draft import Draft
from dragoman.context.workspace.languages.brace_mending import mended
from dragoman.context.workspace.languages.rules import Rules

if TYPE_CHECKING:
    from tree_sitter import Node

_QUERY: Final = """
(class_declaration declaration_kind: "extension" name: (_) @owner (inheritance_specifier)? @base) @impl
(class_declaration name: (type_identifier)) @class
(protocol_declaration) @class
(function_declaration name: (simple_identifier) @name) @function
(protocol_function_declaration name: (simple_identifier) @name) @method
(init_declaration name: "init" @name) @method
(property_declaration name: (pattern bound_identifier: (_) @name) (type_annotation)? @of
  computed_value: (_) @body) @variable
(property_declaration name: (pattern bound_identifier: (_) @name) (type_annotation)? @of value: (_)? @value) @variable
(protocol_property_declaration name: (pattern bound_identifier: (_) @name) (type_annotation)? @of) @attribute
(enum_entry name: (simple_identifier) @name) @attribute
(typealias_declaration name: (type_identifier) @name) @type
(import_declaration) @import
"""


def read_swift_import(draft: Draft, node: Node) -> None:
    """Enter a module, of which all is taken."""
    words = draft.source.of(node)[:300].split()
    if len(words) > 1:
        draft.take(words[-1], "*", "*", node.start_point[0])


SWIFT: Final = Rules(_QUERY, read_swift_import, calls_make=True, mend=mended)
