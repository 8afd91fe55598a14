"""PHP."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from dragoman.context.workspace.draft import Draft
from dragoman.context.workspace.languages.brace_mending import mended
from dragoman.context.workspace.languages.import_text import read_path, take_tree
from dragoman.context.workspace.languages.rules import Rules

if TYPE_CHECKING:
    from tree_sitter import Node

_QUERY: Final = """
(class_declaration) @class
(interface_declaration) @class
(trait_declaration) @class
(enum_declaration) @class
(method_declaration) @method
(function_definition) @function
(property_declaration (property_element name: (variable_name (name) @name))) @attribute
(property_promotion_parameter name: (variable_name (name) @name)) @member
(class_declaration body: (declaration_list (const_declaration (const_element . (name) @name)) @attribute))
(program (const_declaration (const_element . (name) @name)) @variable)
(enum_case) @attribute
(namespace_use_declaration) @import
(require_once_expression) @import
(require_expression) @import
(include_once_expression) @import
(include_expression) @import
"""
_USE: Final = re.compile(r"^use\s+(?:function\s+|const\s+)?|[\s;]+$")


def read_php_import(draft: Draft, node: Node) -> None:
    """Enter the names of a ``use``, or all of a file."""
    if node.type != "namespace_use_declaration":
        read_path(draft, node)
        return
    take_tree(draft, "{" + _USE.sub("", draft.source.of(node)[:4_000]) + "}", "\\", node.start_point[0])


PHP: Final = Rules(_QUERY, read_php_import, ("//", "/*", "#"), mend=mended)
