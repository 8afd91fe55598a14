"""Texts as tools see them: through whoever holds them, an editor's buffer or the disk."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dragoman.agents.limits import READ_FILE_BYTES
from dragoman.errors import FileChangedError, FileUnfitError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_BINARY_PROBE = 8_192


@dataclass(frozen=True, slots=True)
class Document:
    """A file's text, every character as it is, line ends included; ``version`` is another one for every other text.

    ``mark`` are the bytes of a byte order mark, which is no part of the text.
    """

    path: Path
    text: str
    version: str
    encoding: str = "utf-8"
    mark: bytes = b""

    @property
    def newline(self) -> str:
        """Return the line end that most lines have."""
        crlf = self.text.count("\r\n")
        return "\r\n" if crlf * 2 > self.text.count("\n") else "\n"


@dataclass(frozen=True, slots=True)
class TextEdit:
    """Characters from ``start`` to ``end`` become ``text``."""

    start: int
    end: int
    text: str


class Editor(Protocol):
    """Who holds the texts; paths are absolute and inside of the workspace.  Every call raises ToolError."""

    async def read(self, path: Path) -> Document:
        """Return a file as the user sees it, unsaved changes included."""
        ...

    async def apply(self, document: Document, edits: Sequence[TextEdit]) -> Document:
        """Change a text, all edits at once; raises FileChangedError when it is no longer ``document``."""
        ...

    async def create(self, path: Path, text: str) -> Document:
        """Make a file and the folders above it; raises FileUnfitError when something is there."""
        ...

    async def move(self, path: Path, target: Path) -> None:
        """Move a file or a folder to where nothing is."""
        ...

    async def delete(self, path: Path) -> None:
        """Delete a file, or a folder that is empty."""
        ...

    async def unsaved(self) -> Mapping[Path, str]:
        """Return the texts that are not yet on the disk."""
        ...


def version_of(text: str) -> str:
    """Return the name of a text as it is now."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def apply_edits(text: str, edits: Sequence[TextEdit]) -> str:
    """Return the text with the edits made, which must not overlap."""
    pieces, end = [], 0
    for edit in sorted(edits, key=lambda one: (one.start, one.end)):
        if edit.start < end or edit.end < edit.start or edit.end > len(text):
            raise ValueError("the edits overlap or lie outside of the text")
        pieces += [text[end : edit.start], edit.text]
        end = edit.end
    return "".join([*pieces, text[end:]])


class DiskEditor:
    """An `Editor` without buffers, for commands and the gateway; a write replaces the file at once or not at all."""

    async def read(self, path: Path) -> Document:
        """Return a file as it is on the disk."""
        return await asyncio.to_thread(_read, path)

    async def apply(self, document: Document, edits: Sequence[TextEdit]) -> Document:
        """Change a file that is still as it was read."""
        return await asyncio.to_thread(_apply, document, tuple(edits))

    async def create(self, path: Path, text: str) -> Document:
        """Make a file."""
        return await asyncio.to_thread(_create, path, text)

    async def move(self, path: Path, target: Path) -> None:
        """Move a file or a folder."""
        await asyncio.to_thread(_move, path, target)

    async def delete(self, path: Path) -> None:
        """Delete a file, or a folder that is empty."""
        await asyncio.to_thread(_delete, path)

    async def unsaved(self) -> Mapping[Path, str]:
        """Return nothing: on a disk all is saved."""
        return {}


def decode(data: bytes, path: Path) -> Document:
    """Return the bytes of a file as a text that can be written back to the byte; raises FileUnfitError for binary data."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            with contextlib.suppress(UnicodeDecodeError):
                text = data[len(mark) :].decode(encoding)
                return Document(path, text, version_of(text), encoding, mark)
    if b"\0" in data[:_BINARY_PROBE]:
        raise FileUnfitError(f"{path.name!r} is a binary file.", hint="Only text can be read; do without it.")
    for encoding in ("utf-8", "latin-1"):
        with contextlib.suppress(UnicodeDecodeError):
            text = data.decode(encoding)
            return Document(path, text, version_of(text), encoding)
    raise AssertionError("every byte is a character of latin-1")


def _failed(path: Path, error: OSError, what: str) -> FileUnfitError:
    if isinstance(error, FileNotFoundError):
        return FileUnfitError(f"There is no {path.name!r}.", hint="Use list_files or search to find what there is.")
    return FileUnfitError(f"{path.name!r} cannot be {what}: {error.strerror or error}.")


def _read(path: Path) -> Document:
    # The path has no links: one that is there now was put there since, and is not followed. A pipe must not hold us up.
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags)
        with os.fdopen(descriptor, "rb") as file:
            state = os.fstat(descriptor)
            if not stat.S_ISREG(state.st_mode):
                raise FileUnfitError(f"{path.name!r} is no regular file.")
            data = file.read(READ_FILE_BYTES + 1)
    except OSError as error:
        raise _failed(path, error, "read") from None
    if len(data) > READ_FILE_BYTES:
        raise FileUnfitError(
            f"{path.name!r} has {max(state.st_size, len(data)):,} bytes, more than the {READ_FILE_BYTES:,} that can be read.",
            hint="Use search with this path to find the lines that you need.",
        )
    return decode(data, path)


def _encode(text: str, document: Document) -> bytes:
    try:
        return document.mark + text.encode(document.encoding)
    except UnicodeEncodeError as error:
        character = text[error.start]
        raise FileUnfitError(
            f"{document.path.name!r} is in {document.encoding}, which has no {character!r}.",
            hint="Write it without such characters.",
        ) from None


def _apply(document: Document, edits: tuple[TextEdit, ...]) -> Document:
    now = _read(document.path)
    if now.version != document.version:
        raise FileChangedError(
            f"{document.path.name!r} has changed since it was read.", hint="Read it again before you change it."
        )
    text = apply_edits(now.text, edits)
    _replace(document.path, _encode(text, now))
    return Document(document.path, text, version_of(text), now.encoding, now.mark)


def _replace(path: Path, data: bytes) -> None:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        # A file is replaced by a right to its folder, and an administrator may write anything: neither is what the mode says.
        if not mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH) or not os.access(path, os.W_OK):
            raise FileUnfitError(
                f"{path.name!r} is write-protected, so it was left as it is.",
                hint="Go on without it, or tell the user what you would change in it.",
            )
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:100]}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
            Path(temporary).chmod(mode)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise _failed(path, error, "written") from None


def _create(path: Path, text: str) -> Document:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        data = text.encode("utf-8")
        with os.fdopen(os.open(path, flags, 0o666), "wb") as file:
            file.write(data)
    except FileExistsError:
        raise FileUnfitError(
            f"{path.name!r} is there already.", hint="Use edit_file or write_file to change it."
        ) from None
    except UnicodeEncodeError:
        raise FileUnfitError(f"The text for {path.name!r} has characters that no file can hold.") from None
    except OSError as error:
        raise _failed(path, error, "written") from None
    return Document(path, text, version_of(text))


def _move(path: Path, target: Path) -> None:
    if not os.path.lexists(path):
        raise _failed(path, FileNotFoundError(), "moved")
    if os.path.lexists(target):
        raise FileUnfitError(f"{target.name!r} is there already.", hint="Delete it first, or choose another name.")
    if target.is_relative_to(path):
        raise FileUnfitError(f"{path.name!r} cannot be moved into itself.")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(path, target)
    except OSError as error:
        raise _failed(path, error, "moved") from None


def _delete(path: Path) -> None:
    try:
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        else:
            path.unlink()
    except OSError as error:
        raise _failed(path, error, "deleted") from None
