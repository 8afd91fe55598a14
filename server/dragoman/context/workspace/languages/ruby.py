"""Ruby."""

from __future__ import annotations

from typing import Final

from dragoman.context.workspace.languages.import_text import read_path
from dragoman.context.workspace.languages.rules import Rules

_QUERY: Final = """
(class) @class
(module) @class
(method) @method
(singleton_method) @method
(program (assignment left: (constant) @name right: (_) @value) @variable)
(body_statement (assignment left: (constant) @name right: (_) @value) @variable)
(assignment left: [(instance_variable) (class_variable)] @name right: (_) @value) @member
(call method: (identifier) @_accessor arguments: (argument_list (simple_symbol) @name)
  (#any-of? @_accessor "attr_accessor" "attr_reader" "attr_writer")) @head @attribute
(program (call method: (identifier) @_require (#any-of? @_require "require" "require_relative" "load")) @import)
"""

RUBY: Final = Rules(_QUERY, read_path, ("#",))
