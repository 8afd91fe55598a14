"""Go."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from dragoman.context.workspace.draft import Draft
from dragoman.context.workspace.languages.brace_mending import mended
from dragoman.context.workspace.languages.rules import Rules

if TYPE_CHECKING:
    from tree_sitter import Node

_QUERY: Final = """
(function_declaration) @function
(method_declaration receiver: (parameter_list (parameter_declaration type: (_) @owner))) @method
(type_spec name: (_) @name type: (struct_type (field_declaration_list) @body)) @class
(type_spec name: (_) @name type: (interface_type)) @class
(type_spec name: (_) @name) @type
(type_alias) @type
(struct_type (field_declaration_list (field_declaration name: (_) @name) @attribute))
(interface_type (method_elem) @method)
(source_file (const_declaration (const_spec name: (_) @name) @variable))
(source_file (var_declaration (var_spec name: (_) @name) @variable))
(source_file (var_declaration (var_spec_list (var_spec name: (_) @name) @variable)))
(import_spec) @import
"""
_VERSION: Final = re.compile(r"/v\d+$")


def read_go_import(draft: Draft, node: Node) -> None:
    """Enter one package; without a name of its own it is bound to the last part of its path."""
    path, name = node.child_by_field_name("path"), node.child_by_field_name("name")
    if path is None:
        return
    module = draft.source.of(path).strip('"`')
    bound = draft.source.of(name) if name is not None else _VERSION.sub("", module).rpartition("/")[2]
    if bound == ".":
        draft.take(module, "*", "*", node.start_point[0])
    else:
        draft.take(module, "", bound.removeprefix("go-").replace("-", "_"), node.start_point[0])


GO: Final = Rules(
    _QUERY,
    read_go_import,
    prefixes=(("type_spec", "type "), ("type_alias", "type "), ("const_spec", "const "), ("var_spec", "var ")),
    mend=mended,
)
