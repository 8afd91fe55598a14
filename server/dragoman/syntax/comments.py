"""How a line is commented out, by the editor's language id."""

from __future__ import annotations

from typing import Final

_MARKS: Final = {
    "#": "bash coffeescript dockerfile elixir gitignore julia makefile nix perl powershell properties python r ruby sh "
    "shellscript toml yaml zsh",
    "--": "ada elm haskell lua sql vhdl",
    ";;": "clojure commonlisp emacs-lisp lisp racket scheme",
    "%": "erlang latex matlab prolog tex",
    '"': "vim",
    "'": "vb",
}
_WITHOUT: Final = frozenset({"css", "html", "json", "jsonc", "markdown", "plaintext", "restructuredtext", "xml", ""})
"""Languages without comments to the end of a line."""
_BY_LANGUAGE: Final = {language: mark for mark, languages in _MARKS.items() for language in languages.split()}


def line_comment(language: str) -> str | None:
    """Return what begins a comment that ends with its line, None where there is no such thing; most languages say ``//``."""
    return None if language in _WITHOUT else _BY_LANGUAGE.get(language, "//")
