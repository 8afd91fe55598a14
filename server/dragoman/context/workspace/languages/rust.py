"""Rust."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dragoman.context.workspace.draft import Draft
from dragoman.context.workspace.languages.brace_mending import mended
from dragoman.context.workspace.languages.import_text import take_tree
from dragoman.context.workspace.languages.rules import Rules

if TYPE_CHECKING:
    from tree_sitter import Node

_QUERY: Final = """
(function_item) @function
(function_signature_item) @function
(struct_item) @class
(union_item) @class
(enum_item) @class
(trait_item) @class
(impl_item trait: (_)? @base type: (_) @owner) @impl
(field_declaration_list (field_declaration) @attribute)
(enum_variant) @attribute
(associated_type) @type
(type_item) @type
(const_item) @variable
(static_item) @variable
(mod_item body: (_)) @module
(macro_definition "(" @body) @function
(macro_definition "{" @body) @function
(use_declaration) @import
"""


def read_use(draft: Draft, node: Node) -> None:
    """Enter the names of a ``use`` with all its braces."""
    argument = node.child_by_field_name("argument")
    if argument is not None:
        take_tree(draft, draft.source.of(argument)[:8_000], "::", node.start_point[0])


RUST: Final = Rules(_QUERY, read_use, mend=mended)
