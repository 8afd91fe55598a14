"""C#."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from dragoman.context.workspace.draft import Draft
from dragoman.context.workspace.languages.brace_mending import mended
from dragoman.context.workspace.languages.rules import Rules

if TYPE_CHECKING:
    from tree_sitter import Node

_QUERY: Final = """
(class_declaration) @class
(interface_declaration) @class
(struct_declaration) @class
(enum_declaration) @class
(record_declaration) @class
(record_declaration (parameter_list (parameter name: (_) @name) @attribute))
(namespace_declaration) @module
(method_declaration) @method
(constructor_declaration) @method
(operator_declaration operator: (_) @name) @method
(local_function_statement) @function
(property_declaration accessors: (_)? @body) @attribute
(field_declaration (variable_declaration type: (_) @of (variable_declarator name: (_) @name))) @attribute
(event_field_declaration (variable_declaration type: (_) @of (variable_declarator name: (_) @name))) @attribute
(enum_member_declaration) @attribute
(delegate_declaration) @type
(using_directive) @import
"""
_USING: Final = re.compile(r"^(?:global\s+)?using\s+(static\s+)?(?:(\w+)\s*=\s*)?([\w.:]+)")


def read_using(draft: Draft, node: Node) -> None:
    """Enter a namespace, of which all is taken, or an alias for one name."""
    match = _USING.match(draft.source.of(node)[:1_000])
    if match is None:
        return
    module, _, last = match[3].rpartition(".")
    if match[2]:
        draft.take(module, last, match[2], node.start_point[0])
    else:
        draft.take(match[3], "*", "*", node.start_point[0])


CSHARP: Final = Rules(_QUERY, read_using, mend=mended)
