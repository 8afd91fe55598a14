"""Reads the configuration blocks out of README.md, so that the tests run exactly the text that users copy."""

from __future__ import annotations

import re
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"

_FENCED_OR_HEADING = re.compile(
    r"^(?P<fence>`{3,})(?P<language>\w*)[^\n]*\n(?P<body>.*?)^(?P=fence)[ ]*$|^(?P<level>#+) +(?P<title>[^\n]+)$",
    re.MULTILINE | re.DOTALL,
)


def config_block(heading: str, language: str) -> str:
    """Return the one fenced block of `language` under the heading whose title is `heading`; its body ends in a newline."""
    found = [
        body
        for title, name, body in _blocks(README.read_text(encoding="utf-8"))
        if (title, name) == (heading, language)
    ]
    if len(found) != 1:
        raise LookupError(f"README.md has {len(found)} {language!r} blocks under the heading {heading!r}, expected 1")
    return found[0]


def _blocks(text: str) -> list[tuple[str, str, str]]:
    """List (heading above, language, body) of every fenced block."""
    blocks = []
    heading = ""
    for match in _FENCED_OR_HEADING.finditer(text):
        if match["level"]:
            heading = match["title"].strip()
        else:
            blocks.append((heading, match["language"], match["body"]))
    return blocks
