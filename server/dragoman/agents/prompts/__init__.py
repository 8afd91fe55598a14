"""What agents are told by us, each text a Markdown file beside this one."""

from __future__ import annotations

from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).parent


@cache
def read_prompt(name: str) -> str:
    """Return the text of ``name``.md."""
    return (_FOLDER / f"{name}.md").read_text(encoding="utf-8").strip()
