"""JavaScript and TypeScript, with and without JSX."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from dragoman.context.workspace.draft import Draft
from dragoman.context.workspace.languages.brace_mending import mended
from dragoman.context.workspace.languages.import_text import relative
from dragoman.context.workspace.languages.rules import Rules

if TYPE_CHECKING:
    from tree_sitter import Node

_TOP: Final = """
({at} (lexical_declaration (variable_declarator name: (identifier) @name
  value: [(arrow_function {returns} body: (_) @body) (function_expression {returns} body: (_) @body)])) @function)
({at} (variable_declaration (variable_declarator name: (identifier) @name
  value: [(arrow_function {returns} body: (_) @body) (function_expression {returns} body: (_) @body)])) @function)
({at} (lexical_declaration (variable_declarator name: (identifier) @name {value})) @variable)
({at} (variable_declaration (variable_declarator name: (identifier) @name {value})) @variable)
"""
_SHARED: Final = """
(function_declaration) @function
(generator_function_declaration) @function
(class_declaration) @class
(class_body (method_definition "get") @attribute)
(class_body (method_definition "set") @attribute)
(class_body (method_definition) @method)
(program (lexical_declaration (variable_declarator name: (_) value: (object (method_definition) @function))))
(program (expression_statement (assignment_expression left: (member_expression property: (property_identifier) @name)
  right: [(arrow_function body: (_) @body) (function_expression body: (_) @body)]) @function))
(import_statement) @import
(export_statement source: (string)) @import
(variable_declarator value: (call_expression function: (identifier) @_require)
  (#eq? @_require "require")) @import
(variable_declarator value: (await_expression (call_expression function: (import)))) @import
"""
_JAVASCRIPT: Final = (
    "".join(_TOP.format(at=at, value="value: (_)? @value", returns="") for at in ("program", "export_statement"))
    + _SHARED
    + """
(class_body (field_definition property: (_) @name) @attribute)
(assignment_expression left: (member_expression object: (this) property: (_) @name) right: (_) @value) @member
"""
)
_TYPESCRIPT: Final = (
    "".join(
        _TOP.format(at=at, value="type: (_)? @of value: (_)? @value", returns="return_type: (_)? @of")
        for at in ("program", "export_statement")
    )
    + _SHARED
    + """
(abstract_class_declaration) @class
(abstract_method_signature) @method
(class_body (method_signature) @method)
(class_body (public_field_definition name: (_) @name value: (arrow_function body: (_) @body)) @method)
(class_body (public_field_definition) @attribute)
(method_definition name: (property_identifier) @_new parameters: (formal_parameters
  (required_parameter [(accessibility_modifier) "readonly"] pattern: (identifier) @name) @member)
  (#eq? @_new "constructor"))
(interface_declaration) @class
(interface_body (property_signature) @attribute)
(interface_body (method_signature) @method)
(type_alias_declaration) @type
(enum_declaration) @class
(enum_body (property_identifier) @name @attribute)
(enum_body (enum_assignment) @attribute)
(internal_module) @module
(module) @module
(function_signature) @function
"""
)
_CLAUSE: Final = re.compile(r"^(?:import|export)\s+(?:type\s+)?(.*?)\s*\bfrom\s*['\"]", re.DOTALL)
_STRING: Final = re.compile(r"['\"]([^'\"\n]+)['\"]\s*(?:\)|;|with\b|assert\b|$)")
_NAMED: Final = re.compile(r"\{(.*)\}", re.DOTALL)
_WORD: Final = re.compile(r"[\w$]+\Z")


def read_script_import(draft: Draft, node: Node) -> None:
    """Enter ``import``, ``export … from`` and ``require``."""
    text = draft.source.text(node.start_byte, min(node.end_byte, node.start_byte + 8_000))
    path = _STRING.search(text)
    if path is None:
        return
    module, level = relative(path[1])
    line = node.start_point[0]
    if node.type == "variable_declarator":
        name = node.child_by_field_name("name")
        clause, rename = "" if name is None else draft.source.of(name), ":"
    else:
        match = _CLAUSE.match(text)
        clause, rename = match[1] if match else "", " as "
    if not clause:
        draft.take(module, "*", "*", line, level)
        return
    named = _NAMED.search(clause)
    for part in named[1].split(",") if named else ():
        name_text, _, alias = part.strip().removeprefix("type ").partition(rename)
        if name_text.strip():
            draft.take(module, name_text.strip(), (alias or name_text).strip(), line, level)
    rest = (clause[: named.start()] + clause[named.end() :]) if named else clause
    for part in rest.split(","):
        said = part.strip()
        if said.startswith("*"):
            bound = said.partition(" as ")[2].strip()
            draft.take(module, "" if bound else "*", bound or "*", line, level)
        elif _WORD.match(said):
            is_default = node.type != "variable_declarator"
            draft.take(module, "default" if is_default else "", said, line, level)


JAVASCRIPT: Final = Rules(_JAVASCRIPT, read_script_import, mend=mended)
TYPESCRIPT: Final = Rules(_TYPESCRIPT, read_script_import, mend=mended)
