"""What models are told by us, each text a Markdown file beside this one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from string import Template

from dragoman.models.base import ChatMessage

_FOLDER = Path(__file__).parent


def read_prompt(name: str, **values: str) -> str:
    """Return the text of ``name``.md with ``$word`` replaced by each of ``values``; KeyError when one is missing."""
    return _template(name).substitute(values)


def instruct(messages: Sequence[ChatMessage], text: str) -> tuple[ChatMessage, ...]:
    """Add an instruction to a conversation: to its system message, for most templates take only one and only in front."""
    if messages and messages[0].role == "system":
        first = replace(messages[0], content=f"{messages[0].content}\n\n{text}".lstrip())
        return (first, *messages[1:])
    return (ChatMessage("system", text), *messages)


@cache
def _template(name: str) -> Template:
    return Template((_FOLDER / f"{name}.md").read_text(encoding="utf-8").strip())
