"""Data, pages and prose: keys, headings, selectors and ids, as far as somebody may look for them."""

from __future__ import annotations

from typing import Final

from dragoman.context.workspace.languages.import_text import read_path
from dragoman.context.workspace.languages.rules import Rules
from dragoman.limits import OUTLINE_KEYS

_JSON: Final = """
(document (object (pair key: (string (string_content) @name @head) value: (object)) @module))
(document (object (pair key: (string (string_content) @name)) @variable))
(document (object (pair value: (object (pair key: (string (string_content) @name)) @variable))))
"""
_YAML: Final = """
(document (block_node (block_mapping (block_mapping_pair key: (_) @name @head value: (block_node (block_mapping)))
  @module)))
(document (block_node (block_mapping (block_mapping_pair key: (_) @name) @variable)))
(document (block_node (block_mapping (block_mapping_pair value: (block_node (block_mapping (block_mapping_pair
  key: (_) @name @head value: (block_node)) @variable))))))
(document (block_node (block_mapping (block_mapping_pair value: (block_node (block_mapping (block_mapping_pair
  key: (_) @name) @variable))))))
"""
_TOML: Final = """
(table . (_) @name @head) @module
(table_array_element . (_) @name @head) @module
(document (pair . (_) @name) @variable)
(table (pair . (_) @name) @variable)
(table_array_element (pair . (_) @name) @variable)
"""
_MARKDOWN: Final = """
(section . (atx_heading heading_content: (inline) @name) @head) @module
(setext_heading heading_content: (paragraph) @name @head) @module
"""
_CSS: Final = """
(rule_set (selectors) @name @head) @variable
(declaration (property_name) @name (#match? @name "^--")) @variable
(keyframes_statement (keyframes_name) @name) @variable
(import_statement) @import
"""
_HTML: Final = """
(attribute (attribute_name) @_id (quoted_attribute_value (attribute_value) @name) (#eq? @_id "id")) @variable
(start_tag (tag_name) @_tag (attribute (attribute_name) @_from) @import
  (#any-of? @_tag "script" "link") (#any-of? @_from "src" "href"))
"""

JSON: Final = Rules(_JSON, most=OUTLINE_KEYS)
YAML: Final = Rules(_YAML, comments=("#",), most=OUTLINE_KEYS)
TOML: Final = Rules(_TOML, comments=("#",), most=OUTLINE_KEYS)
MARKDOWN: Final = Rules(_MARKDOWN, comments=())
CSS: Final = Rules(_CSS, read_path, ("/*",))
HTML: Final = Rules(_HTML, read_path, ())
