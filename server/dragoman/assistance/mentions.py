"""What a question names with an at sign: files, the diff, what is reported; attached as text behind the question."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dragoman.agents.tools.documents import Editor
from dragoman.agents.tools.places import find_place
from dragoman.agents.tools.project import Index
from dragoman.errors import RunError, ToolError, WorkspaceIndexError

SYMBOL: Final = "symbol:"

SYMBOL_DEFINITIONS: Final = 3
"""Definitions of one name that are attached."""

SYMBOL_LINES: Final = 60
"""Lines of each: most functions, and the beginning of a class."""

ATTACHED: Final = 10
"""Attachments of one question."""

ATTACHMENT_CHARS: Final = 30_000
"""So much of all attachments is read along where nobody says less, some 8,000 tokens."""

ATTACHMENT_LEAST: Final = 500
"""So much is read of each at least, some ten lines: what it is."""

_FILE: Final = re.compile(
    r"\.(?:py|pyi|js|ts|tsx|jsx|go|rs|java|c|h|cpp|hpp|cs|rb|php|sh|lua|sql|html|css|json|ya?ml|toml|md|rst|txt|cfg|ini|xml|csv)$"
)
"""What is sure to be a file; a decorator such as ``@app.get`` is none."""

_MENTION = re.compile(r"(?<![\w@/.])@(?:\"([^\"\n]+)\"|(symbol:[\w.$:-]*\w|[\w./\\-]*\w))")


@dataclass(frozen=True, slots=True)
class Attaching:
    """How things are attached; ``may_send`` raises DragomanError for a file that must not leave the machine.

    ``chars`` bounds all of them together: the first have what they need, and each has its beginning.
    """

    roots: tuple[Path, ...]
    editor: Editor
    may_send: Callable[[Path], None]
    special: Mapping[str, Callable[[], Awaitable[str]]]
    """What is no file: ``diff``, ``diagnostics``; returns its text."""
    chars: int = ATTACHMENT_CHARS
    index: Index | None = None
    """What knows where ``@symbol:NAME`` is defined."""


async def attach(text: str, how: Attaching) -> str:
    """Return a question with what it names behind it; raises DragomanError for a file that cannot be read or must not be sent.

    What is no file stays a word.
    """
    told: list[str] = []
    left = how.chars
    seen: set[str] = set()
    for match in _MENTION.finditer(text):
        name = match[1] or match[2]
        if name in seen:
            continue
        seen.add(name)
        if len(told) >= ATTACHED:
            raise RunError(f"More than {ATTACHED} attachments are more than a model can read.", hint="Name fewer.")
        if (special := how.special.get(name)) is not None:
            attached = name, await special()
        elif (found := await (_symbol if name.startswith(SYMBOL) else _file)(name, how)) is not None:
            attached = found
        else:
            continue
        told.append(section(*attached, left))
        left = max(ATTACHMENT_LEAST, left - len(attached[1]))
    return "\n\n".join([text, *told])


async def _symbol(name: str, how: Attaching) -> tuple[str, str] | None:
    """Return where a name is defined and the lines from there on; None without an index, which leaves it a word."""
    if how.index is None:
        return None
    name = name.removeprefix(SYMBOL)
    last = name.rpartition(".")[2]
    try:
        places = await how.index.symbols(last, limit=SYMBOL_DEFINITIONS)
    except WorkspaceIndexError as error:
        raise RunError(f"@{SYMBOL}{name} cannot be attached: {error.message}") from None
    texts: list[str] = []
    for one in places:
        place = find_place(how.roots, one.path)
        try:
            how.may_send(place.path)
            document = await how.editor.read(place.path)
        except ToolError:
            # Another one of that name may be read.
            continue
        lines = document.text.split("\n")[one.line - 1 : one.line - 1 + SYMBOL_LINES]
        texts.append("\n".join([f"{place.shown}:{one.line}", *lines]))
    if not texts:
        raise RunError(f"@{SYMBOL}{name} cannot be attached: nothing that may be read is defined under that name.")
    return f"{name}, where it is defined", "\n\n".join(texts)


async def _file(name: str, how: Attaching) -> tuple[str, str] | None:
    try:
        place = find_place(how.roots, name)
        how.may_send(place.path)
        document = await how.editor.read(place.path)
    except ToolError as error:
        if not _is_path(name) and not await asyncio.to_thread(_is_there, name, how.roots):
            # People write decorators and each other's names with at signs too.
            return None
        raise RunError(f"@{name} cannot be attached: {error}") from None
    return place.shown, document.text


def _is_path(name: str) -> bool:
    """Tell whether a name can only be meant as a file: it has a folder, or ends as files do."""
    return "/" in name or "\\" in name or _FILE.search(name) is not None


def _is_there(name: str, roots: tuple[Path, ...]) -> bool:
    """Tell whether a name leads to anything at all, inside of the workspace or outside."""
    return any((root / name).exists() for root in roots)


def section(name: str, text: str, chars: int = ATTACHMENT_CHARS) -> str:
    """Return a text as an attachment, in a fence that it does not hold itself; cut at the end of a line where it is too long."""
    cut, title = text, name
    if len(text) > chars:
        cut = text[: max(text.rfind("\n", 0, chars), chars // 2)]
        lines, shown = text.count("\n") + 1, cut.count("\n") + 1
        title = f"{name} (the first {shown:,} of {lines:,} lines)"
    return f"Attached, {title}:\n{fenced(cut.rstrip())}"


def fenced(text: str, language: str = "") -> str:
    """Return a text in a fence that it does not hold itself."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{language}\n{text}\n{fence}"
