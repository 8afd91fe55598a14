"""Java."""

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
(class_declaration) @class
(interface_declaration) @class
(enum_declaration) @class
(record_declaration) @class
(annotation_type_declaration) @class
(method_declaration) @method
(constructor_declaration) @method
(compact_constructor_declaration) @method
(annotation_type_element_declaration) @method
(field_declaration declarator: (variable_declarator name: (_) @name value: (_)? @value)) @attribute
(constant_declaration declarator: (variable_declarator name: (_) @name value: (_)? @value)) @attribute
(enum_constant) @attribute
(record_declaration parameters: (formal_parameters (formal_parameter name: (_) @name) @attribute))
(import_declaration) @import
"""
_WORDS: Final = re.compile(r"^import\s+(?:static\s+)?|[\s;]+$")


def read_java_import(draft: Draft, node: Node) -> None:
    """Enter a class, a static member, or all of a package."""
    take_tree(draft, _WORDS.sub("", draft.source.of(node)[:1_000]), ".", node.start_point[0])


JAVA: Final = Rules(_QUERY, read_java_import, mend=mended)
