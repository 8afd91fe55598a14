"""Which grammar reads which language: the editor's language ids and the wheels that carry their grammars."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel's module and its function that returns the grammar's pointer."""

    module: str
    function: str = "language"


_JAVASCRIPT = Wheel("tree_sitter_javascript")
_TYPESCRIPT = Wheel("tree_sitter_typescript", "language_typescript")
_TSX = Wheel("tree_sitter_typescript", "language_tsx")
_BASH = Wheel("tree_sitter_bash")
_CSS = Wheel("tree_sitter_css")
_JSON = Wheel("tree_sitter_json")

WHEELS: Final[dict[str, Wheel]] = {
    "c": Wheel("tree_sitter_c"),
    "cpp": Wheel("tree_sitter_cpp"),
    "csharp": Wheel("tree_sitter_c_sharp"),
    "css": _CSS,
    "go": Wheel("tree_sitter_go"),
    "html": Wheel("tree_sitter_html"),
    "java": Wheel("tree_sitter_java"),
    "javascript": _JAVASCRIPT,
    "javascriptreact": _JAVASCRIPT,
    "json": _JSON,
    "jsonc": _JSON,
    "kotlin": Wheel("tree_sitter_kotlin"),
    "lua": Wheel("tree_sitter_lua"),
    "markdown": Wheel("tree_sitter_markdown"),
    "php": Wheel("tree_sitter_php", "language_php"),
    "python": Wheel("tree_sitter_python"),
    "ruby": Wheel("tree_sitter_ruby"),
    "rust": Wheel("tree_sitter_rust"),
    "scala": Wheel("tree_sitter_scala"),
    "shellscript": _BASH,
    "sql": Wheel("tree_sitter_sql"),
    "swift": Wheel("tree_sitter_swift"),
    "toml": Wheel("tree_sitter_toml"),
    "typescript": _TYPESCRIPT,
    "typescriptreact": _TSX,
    "yaml": Wheel("tree_sitter_yaml"),
    # Names that other editors give the same languages.
    "bash": _BASH,
    "c#": Wheel("tree_sitter_c_sharp"),
    "cs": Wheel("tree_sitter_c_sharp"),
    "c++": Wheel("tree_sitter_cpp"),
    "golang": Wheel("tree_sitter_go"),
    "jsx": _JAVASCRIPT,
    "js": _JAVASCRIPT,
    "sh": _BASH,
    "ts": _TYPESCRIPT,
    "tsx": _TSX,
    "zsh": _BASH,
}
"""Grammar wheels by language id; only the standard's ids and what Neovim, Emacs and Helix say instead."""

PROSE: Final = frozenset({"tree_sitter_markdown"})
"""Modules of grammars in which every text is right: they know headings, but nothing can be wrong or open."""

STRINGS: Final = frozenset(
    {
        "ansi_c_string",
        "char_literal",
        "character",
        "character_literal",
        "double_quote_scalar",
        "encapsed_string",
        "heredoc_body",
        "interpolated_string",
        "interpolated_string_expression",
        "interpreted_string_literal",
        "line_string_literal",
        "multi_line_string_literal",
        "multiline_string_literal",
        "nowdoc_string",
        "quoted_attribute_value",
        "raw_string",
        "raw_string_literal",
        "regex",
        "regex_literal",
        "rune_literal",
        "single_quote_scalar",
        "string",
        "string_literal",
        "string_value",
        "template_string",
        "translated_string",
        "verbatim_string_literal",
        "xml_string",
    }
)
"""Kinds of nodes that are strings, in any grammar."""

COMMENTS: Final = frozenset(
    {
        "block_comment",
        "comment",
        "doc_comment",
        "html_comment",
        "js_comment",
        "line_comment",
        "multiline_comment",
        "xml_comment",
    }
)
"""Kinds of nodes that are comments."""

INTERPOLATIONS: Final = frozenset(
    {
        "arithmetic_expansion",
        "command_substitution",
        "expansion",
        "interpolated_expression",
        "interpolation",
        "string_interpolation",
        "template_expression",
        "template_substitution",
    }
)
"""Kinds of nodes that are code inside of a string."""
