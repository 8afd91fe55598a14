"""Answers in documents, for editors that have nothing else to show them in: written on while the model speaks."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Final

from dragoman.assistance.chat_document import without_headings
from dragoman.assistance.texts import Texts
from dragoman.lsp.services import ClientPort, EditorEdit
from dragoman.settings.folders import data_folder

logger = logging.getLogger(__name__)

KEPT: Final = 50
"""Answer documents that are kept; older ones are deleted when a new one is made."""

PAUSE_S: Final = 0.25
"""Text is passed on this often: each time is a question to the editor, and a step that can be undone."""

TRIES: Final = 5
"""How often a piece is tried again that the editor refused because somebody typed meanwhile."""


class AnswerWriter(ABC):
    """Writes an answer behind what is there, in whole lines until the end."""

    def __init__(self) -> None:
        self._waiting = ""
        self._line = ""
        """What a model has said of a line that has no end yet."""
        self._told = asyncio.Event()
        self._ended = False
        self.failed = False

    def write(self, text: str) -> None:
        """Add text; it is shown soon."""
        self._waiting += without_headings(self._line) + text
        self._line = ""
        self._told.set()

    def answer(self, text: str) -> None:
        """Add what a model says: it cannot begin a turn of somebody else's."""
        whole, newline, self._line = (self._line + text).rpartition("\n")
        if newline:
            self._waiting += without_headings(whole) + newline
            self._told.set()

    def end(self) -> None:
        """Let `work` return when all is written."""
        self.write("")
        self._ended = True
        self._told.set()

    async def work(self) -> None:
        """Write until the end; returns early when nothing more can be written."""
        while not self.failed:
            await self._told.wait()
            self._told.clear()
            whole, _, rest = self._waiting.rpartition("\n")
            if self._ended:
                whole, rest = (self._waiting if self._waiting.endswith("\n") else f"{self._waiting}\n"), ""
                whole = "" if whole == "\n" else whole
            elif whole:
                whole += "\n"
            self._waiting = rest
            if whole and not await self._put(whole):
                self.failed = True
            if self._ended and not self._waiting:
                return
            if not self._ended:
                await asyncio.sleep(PAUSE_S)

    @abstractmethod
    async def _put(self, text: str) -> bool:
        """Add whole lines; False when that is impossible now and later."""


class FileWriter(AnswerWriter):
    """Writes to a file of ours, for an editor that cannot be shown one: to change it there it would ask its user each time."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    async def _put(self, text: str) -> bool:
        try:
            await asyncio.to_thread(_append, self._path, text)
        except OSError as error:
            logger.warning("The answer could not be written to %s: %s", self._path, error.strerror or error)
            return False
        return True


def _append(path: Path, text: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(text)


class DocumentWriter(AnswerWriter):
    """Writes to a document that the editor has."""

    def __init__(self, uri: str, texts: Texts, client: ClientPort, head: str = "") -> None:
        super().__init__()
        self.uri = uri
        self._texts = texts
        self._client = client
        self._written = head
        """The document as we made it, for an editor that does not tell of it."""

    async def _put(self, text: str) -> bool:
        """Add whole lines; nothing is written into a line that the user has begun."""
        for _ in range(TRIES):
            shown = self._texts.get(self.uri)
            if shown is None:
                place, added = _at_end(self._written, text)
                edit = EditorEdit(*place, *place, added)
                if not await self._client.apply_untold(self.uri, self._written, [edit], version=None, label="Dragoman"):
                    return False
                self._written += text
                return True
            place, added = _at_end(shown.text, text)
            if await self._texts.apply(shown, [EditorEdit(*place, *place, added)], "Dragoman"):
                return True
        return False


def _at_end(text: str, added: str) -> tuple[tuple[int, int], str]:
    """Return where to insert what, for whole lines to stand behind a text.

    That is at the end of its last line and before its line break: behind it some editors make an empty line of their own.
    """
    lines = text.split("\n")
    if len(lines) == 1 and not text:
        return (0, 0), added
    if not lines[-1]:
        lines.pop()
        added = added[:-1]
    return (len(lines) - 1, len(lines[-1].rstrip("\r"))), f"\n{added}"


def make_document(title: str, head: str) -> Path:
    """Make the file of an answer with its first lines and return it; raises OSError."""
    folder = data_folder() / "answers"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for old in sorted(folder.glob("*.md"), key=lambda one: one.name)[: -KEPT + 1]:
        with contextlib.suppress(OSError):
            old.unlink()
    safe = "".join(one if one.isalnum() else "-" for one in title.lower())[:40].strip("-")
    path = folder / f"{time.strftime('%Y%m%d-%H%M%S')}-{time.monotonic_ns() % 1_000_000:06}-{safe}.md"
    path.write_text(head, encoding="utf-8")
    return path
