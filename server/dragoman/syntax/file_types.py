"""Which language a file is written in, by its name."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Final

_BY_ENDING: Final = {
    ending: language
    for language, endings in {
        "c": "c h",
        "cpp": "cc cpp cxx c++ hh hpp hxx h++ ipp inl tpp cu cuh",
        "csharp": "cs csx",
        "css": "css",
        "go": "go",
        "html": "html htm xhtml",
        "java": "java",
        "javascript": "js mjs cjs",
        "javascriptreact": "jsx",
        "json": "json jsonl geojson webmanifest",
        "jsonc": "jsonc json5",
        "kotlin": "kt kts",
        "lua": "lua",
        "markdown": "md markdown mdx",
        "php": "php phtml php5 php7",
        "plaintext": "txt",
        "python": "py pyi pyw",
        "ruby": "rb rake gemspec ru",
        "rust": "rs",
        "scala": "scala sc sbt",
        "shellscript": "sh bash zsh ksh bats",
        "sql": "sql ddl",
        "swift": "swift",
        "toml": "toml",
        "typescript": "ts mts cts",
        "typescriptreact": "tsx",
        "yaml": "yaml yml",
    }.items()
    for ending in endings.split()
}
_BY_NAME: Final = {
    ".bash_profile": "shellscript",
    ".bashrc": "shellscript",
    ".eslintrc": "jsonc",
    ".prettierrc": "jsonc",
    ".profile": "shellscript",
    ".zshrc": "shellscript",
    "cargo.lock": "toml",
    "gemfile": "ruby",
    "pipfile": "toml",
    "poetry.lock": "toml",
    "rakefile": "ruby",
    "tsconfig.json": "jsonc",
}


def language_of(path: str) -> str:
    """Return the language id that editors use for a file of this name, "" for one that is not known."""
    name = PurePosixPath(path.replace("\\", "/")).name.lower()
    return _BY_NAME.get(name) or _BY_ENDING.get(name.rpartition(".")[2] if "." in name else "", "")
