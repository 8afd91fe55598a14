"""C and C++."""

from __future__ import annotations

from typing import Final

from dragoman.context.workspace.languages.brace_mending import mended
from dragoman.context.workspace.languages.import_text import read_include
from dragoman.context.workspace.languages.rules import Rules

_DECLARED: Final = """
(function_definition declarator: {function} body: (_) @body) @function
(function_definition declarator: (pointer_declarator declarator: {function}) body: (_) @body) @function
(function_definition declarator: (pointer_declarator declarator: (pointer_declarator declarator: {function}))
  body: (_) @body) @function
({at} (declaration declarator: {function}) @function)
({at} (declaration declarator: (pointer_declarator declarator: {function})) @function)
({at} (declaration declarator: [(identifier) @name (init_declarator declarator: (identifier) @name)
  (array_declarator declarator: (identifier) @name) (init_declarator declarator: (array_declarator
  declarator: (identifier) @name)) (pointer_declarator declarator: (identifier) @name)
  (init_declarator declarator: (pointer_declarator declarator: (identifier) @name))
  (pointer_declarator declarator: (array_declarator declarator: (identifier) @name))]) @variable)
"""
_C_FUNCTION: Final = "(function_declarator declarator: (identifier) @name)"
_MEMBERS: Final = """
(field_declaration declarator: [(field_identifier) @name (pointer_declarator declarator: (field_identifier) @name)
  (array_declarator declarator: (field_identifier) @name)
  (pointer_declarator declarator: (pointer_declarator declarator: (field_identifier) @name))
  (function_declarator declarator: (parenthesized_declarator (pointer_declarator declarator: (field_identifier) @name)))
  ]) @attribute
(struct_specifier name: (_) body: (_)) @class
(union_specifier name: (_) body: (_)) @class
(enum_specifier name: (_) body: (_)) @class
(enumerator) @attribute
(type_definition type: [(struct_specifier !name body: (_) @body) (enum_specifier !name body: (_) @body)
  (union_specifier !name body: (_) @body)] declarator: (type_identifier) @name) @class
(type_definition type: [(struct_specifier name: (_) @of body: (_) @body) (enum_specifier name: (_) @of body: (_) @body)
  (union_specifier name: (_) @of body: (_) @body)] declarator: (type_identifier) @name) @type
(type_definition declarator: (type_identifier) @name) @type
(type_definition declarator: (pointer_declarator declarator: (type_identifier) @name)) @type
(type_definition declarator: (function_declarator declarator: (parenthesized_declarator
  (pointer_declarator declarator: (type_identifier) @name)))) @type
(preproc_def) @variable
(preproc_function_def value: (_) @body) @function
(preproc_include) @import
"""
_C: Final = (
    _DECLARED.format(at="translation_unit", function=_C_FUNCTION)
    + _DECLARED.format(at="preproc_ifdef", function=_C_FUNCTION)
    + _DECLARED.format(at="preproc_if", function=_C_FUNCTION)
    + _MEMBERS
)
_CPP_FUNCTION: Final = (
    "(function_declarator declarator: [(identifier) @name (field_identifier) @name (destructor_name) @name "
    "(operator_name) @name (qualified_identifier scope: (_) @owner name: [(identifier) (destructor_name) "
    "(operator_name) (field_identifier)] @name)])"
)
_CPP: Final = (
    "".join(
        _DECLARED.format(at=at, function=_CPP_FUNCTION)
        for at in (
            "translation_unit",
            "declaration_list",
            "field_declaration_list",
            "preproc_ifdef",
            "template_declaration",
        )
    )
    + """
(function_definition declarator: (reference_declarator """
    + _CPP_FUNCTION
    + """) body: (_) @body) @function
(field_declaration declarator: (function_declarator declarator: (field_identifier) @name)) @method
(field_declaration declarator: (pointer_declarator declarator: (function_declarator
  declarator: (field_identifier) @name))) @method
(field_declaration declarator: (reference_declarator (function_declarator declarator: (field_identifier) @name))) @method
(field_declaration declarator: (reference_declarator (field_identifier) @name)) @attribute
(class_specifier body: (_)) @class
(namespace_definition name: (_)) @module
(alias_declaration) @type
(concept_definition) @type
"""
    + _MEMBERS
)

C: Final = Rules(_C, read_include, mend=mended)
CPP: Final = Rules(_CPP, read_include, mend=mended)
