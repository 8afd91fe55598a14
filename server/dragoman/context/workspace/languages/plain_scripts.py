"""Shell scripts, Lua and SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dragoman.context.workspace.draft import Draft
from dragoman.context.workspace.languages.import_text import read_path, relative
from dragoman.context.workspace.languages.rules import Rules

if TYPE_CHECKING:
    from tree_sitter import Node

_SHELL: Final = """
(function_definition) @function
(program (variable_assignment name: (variable_name) @name) @variable)
(program (declaration_command (variable_assignment name: (variable_name) @name)) @variable)
(command name: (command_name (word) @_source) argument: (_) (#any-of? @_source "source" ".")) @import
"""
_LUA: Final = """
(function_declaration name: (identifier) @name) @function
(function_declaration name: (dot_index_expression table: (_) @owner field: (_) @name)) @function
(function_declaration name: (method_index_expression table: (_) @owner method: (_) @name)) @method
(chunk (assignment_statement (variable_list name: (dot_index_expression field: (_) @name))
  (expression_list value: (function_definition body: (_)? @body))) @function)
(chunk (assignment_statement (variable_list name: (identifier) @name) (expression_list . (_) @value)) @variable)
(chunk (variable_declaration (assignment_statement (variable_list name: (identifier) @name)
  (expression_list . (_) @value))) @variable)
(function_call name: (identifier) @_require arguments: (arguments (string)) (#eq? @_require "require")) @import
"""
_SQL: Final = """
(create_table (object_reference name: (_) @name) (column_definitions)? @body) @class
(column_definition name: (_) @name) @attribute
(create_view (object_reference name: (_) @name) (keyword_as) @body) @class
(create_materialized_view (object_reference name: (_) @name) (keyword_as) @body) @class
(create_function (object_reference name: (_) @name) (function_body) @body) @function
(create_type (object_reference name: (_) @name)) @type
"""


def read_source(draft: Draft, node: Node) -> None:
    """Take all of a script that is sourced."""
    words = draft.source.of(node)[:300].split()
    if len(words) > 1:
        module, level = relative(words[1].strip("\"'"))
        draft.take(module, "*", "*", node.start_point[0], level)


SHELL: Final = Rules(_SHELL, read_source, ("#",))
LUA: Final = Rules(_LUA, read_path, ("--",))
SQL: Final = Rules(_SQL, comments=("--",))
