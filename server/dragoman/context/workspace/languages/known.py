"""Which rules read which grammar."""

from __future__ import annotations

from typing import Final

from dragoman.context.workspace.languages.c_family import CPP, C
from dragoman.context.workspace.languages.csharp import CSHARP
from dragoman.context.workspace.languages.data import CSS, HTML, JSON, MARKDOWN, TOML, YAML
from dragoman.context.workspace.languages.go import GO
from dragoman.context.workspace.languages.java import JAVA
from dragoman.context.workspace.languages.kotlin import KOTLIN
from dragoman.context.workspace.languages.php import PHP
from dragoman.context.workspace.languages.plain_scripts import LUA, SHELL, SQL
from dragoman.context.workspace.languages.ruby import RUBY
from dragoman.context.workspace.languages.rules import Rules
from dragoman.context.workspace.languages.rust import RUST
from dragoman.context.workspace.languages.scala import SCALA
from dragoman.context.workspace.languages.script import JAVASCRIPT, TYPESCRIPT
from dragoman.context.workspace.languages.swift import SWIFT

RULES: Final[dict[str, Rules]] = {
    "bash": SHELL,
    "c": C,
    "c_sharp": CSHARP,
    "cpp": CPP,
    "css": CSS,
    "go": GO,
    "html": HTML,
    "java": JAVA,
    "javascript": JAVASCRIPT,
    "json": JSON,
    "kotlin": KOTLIN,
    "lua": LUA,
    "markdown": MARKDOWN,
    "php": PHP,
    "ruby": RUBY,
    "rust": RUST,
    "scala": SCALA,
    "sql": SQL,
    "swift": SWIFT,
    "toml": TOML,
    "typescript": TYPESCRIPT,
    "yaml": YAML,
}
"""Rules by the name of a grammar; Python has a reader of its own."""
