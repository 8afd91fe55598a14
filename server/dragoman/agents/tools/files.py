"""Tools that read and change files of the workspace, through whoever holds their texts."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field, model_validator

from dragoman.agents.edits.blocks import Block
from dragoman.agents.limits import (
    LISTED_FILES,
    LISTING_WALKED,
    MOVED_PATHS,
    READ_LINE_CHARS,
    READ_LINES,
    WRITE_FILE_CHARS,
)
from dragoman.agents.tools.base import Arguments, MaybeText, Sight, Subjects, Tool, ToolContext, ToolResult
from dragoman.agents.tools.documents import Document, TextEdit
from dragoman.agents.tools.globs import match_path
from dragoman.agents.tools.places import Place, find_place, find_writable, refuse_folder, refuse_secret
from dragoman.agents.tools.policy import Permission
from dragoman.agents.tools.replacing import Replacement, place_edits, read_blocks
from dragoman.context.workspace.crawl import Walk
from dragoman.context.workspace.ignore import IgnoreRules
from dragoman.errors import FileChangedError, FileUnfitError, SecretFileError, ToolArgumentsError
from dragoman.security.paths import is_secret_path

_PATH = Field(min_length=1, description="The file's path, relative to the workspace.")


def _check_seen(context: ToolContext, document: Document, place: Place) -> None:
    """Raise FileChangedError when the model has read another version of the file."""
    if context.seen.get(document.path, document.version) != document.version:
        del context.seen[document.path]
        raise FileChangedError(
            f"{place.shown!r} has changed since you read it; nothing was written.",
            hint="Read it again, and then make your change to what stands there now.",
        )


def _changes(before: str, after: str) -> tuple[int, int]:
    """Return how many lines were added and how many taken away; one that only moved is neither, so any file takes no time."""
    old, new = Counter(before.splitlines()), Counter(after.splitlines())
    return (new - old).total(), (old - new).total()


def _narrowed(before: str, after: str) -> TextEdit:
    """Return the one edit between two texts, without what both begin and end with."""
    start = len(os.path.commonprefix((before, after)))  # noqa: RUF071 - by characters is meant
    room = min(len(before), len(after)) - start
    end = min(room, len(os.path.commonprefix((before[::-1], after[::-1]))))  # noqa: RUF071
    return TextEdit(start, len(before) - end, after[start : len(after) - end])


class ReadArguments(Arguments):
    """What `ReadFile` takes."""

    path: str = _PATH
    first_line: int | None = Field(None, ge=1, description="The first line to read, counted from 1.")
    last_line: int | None = Field(None, ge=1, description="The last line to read; it is included.")

    @model_validator(mode="after")
    def _in_order(self) -> ReadArguments:
        if self.first_line and self.last_line and self.last_line < self.first_line:
            raise ValueError("last_line is before first_line")
        return self


class ReadFile(Tool[ReadArguments]):
    """Reads lines of a text file, numbered."""

    name = "read_file"
    description = "Read a text file of the workspace. Each line is shown with its number and a tab before it."
    permission: ClassVar[Permission] = "read"
    arguments = ReadArguments

    def subjects(self, arguments: ReadArguments, context: ToolContext) -> Subjects:
        """Name the file."""
        place = find_place(context.roots, arguments.path)
        refuse_secret(place, remote=context.remote)
        return Subjects(f"Read {place.shown}", (place.shown,))

    async def call(self, arguments: ReadArguments, context: ToolContext, call_id: str) -> ToolResult:  # noqa: ARG002
        """Read the lines that were asked for, or the first `READ_LINES`."""
        place = find_place(context.roots, arguments.path)
        refuse_secret(place, remote=context.remote)
        refuse_folder(place)
        document = await context.editor.read(place.path)
        context.seen[place.path] = document.version
        context.note_shown(place.path)
        lines = document.text.split("\n")
        if lines[-1] == "":
            lines.pop()
        first = arguments.first_line or 1
        if first > max(1, len(lines)):
            raise FileUnfitError(f"{place.shown!r} has {len(lines)} lines, so there is no line {first}.")
        last = min(arguments.last_line or len(lines), first + READ_LINES - 1, len(lines))
        text, last = _numbered(lines, first, last, context.result_chars - 200)
        if not lines:
            text = "[the file is empty]"
        elif last < len(lines):
            # Whoever asked for ten lines may not know that there are more.
            text += f"\n[lines {first} to {last} of {len(lines)}; read on with first_line={last + 1}]"
        return ToolResult(text, {"path": place.shown, "first_line": first, "last_line": last, "lines": len(lines)})


def _numbered(lines: list[str], first: int, last: int, room: int) -> tuple[str, int]:
    """Return lines with their numbers, and the last one that found room."""
    shown: list[str] = []
    for number in range(first, last + 1):
        line = lines[number - 1].rstrip("\r")
        cut = f"{line[:READ_LINE_CHARS]} [… {len(line) - READ_LINE_CHARS:,} more characters]"
        numbered = f"{number}\t{line if len(line) <= READ_LINE_CHARS else cut}"
        room -= len(numbered) + 1
        if room < 0 and shown:
            return "\n".join(shown), number - 1
        shown.append(numbered)
    return "\n".join(shown), last


class WriteArguments(Arguments):
    """What `WriteFile` and `CreateFile` take."""

    path: str = _PATH
    content: str = Field(max_length=WRITE_FILE_CHARS, description="The whole text of the file.")


class WriteFile(Tool[WriteArguments]):
    """Writes a whole file, new or there."""

    name = "write_file"
    description = "Write a whole file; what was in it is replaced. Use edit_file to change a part of one."
    permission: ClassVar[Permission] = "write"
    arguments = WriteArguments

    def subjects(self, arguments: WriteArguments, context: ToolContext) -> Subjects:
        """Name the file."""
        place = find_writable(context.roots, arguments.path)
        verb = "Replace" if place.path.exists() else "Create"
        return Subjects(f"{verb} {place.shown} ({len(arguments.content):,} characters)", (place.shown,))

    async def call(self, arguments: WriteArguments, context: ToolContext, call_id: str) -> ToolResult:  # noqa: ARG002
        """Write; the file keeps its encoding and its line ends."""
        place = find_writable(context.roots, arguments.path)
        refuse_folder(place)
        if not place.path.exists():
            return await _create(place, arguments.content, context)
        document = await context.editor.read(place.path)
        context.note_shown(place.path)
        _check_seen(context, document, place)
        wanted = arguments.content.replace("\r\n", "\n").replace("\n", document.newline)
        if wanted == document.text:
            return ToolResult(f"{place.shown} has that text already.", {"path": place.shown, "added": 0, "removed": 0})
        return await _apply(place, document, (_narrowed(document.text, wanted),), context)


async def _create(place: Place, content: str, context: ToolContext) -> ToolResult:
    document = await context.editor.create(place.path, content)
    context.seen[place.path] = document.version
    context.note_shown(place.path)
    lines = content.count("\n") + bool(content and not content.endswith("\n"))
    return ToolResult(
        f"Created {place.shown}, {lines} line{'' if lines == 1 else 's'}.",
        {"path": place.shown, "created": True, "added": lines, "removed": 0},
    )


async def _apply(place: Place, document: Document, edits: tuple[TextEdit, ...], context: ToolContext) -> ToolResult:
    changed = await context.editor.apply(document, edits)
    context.seen[place.path] = changed.version
    added, removed = await asyncio.to_thread(_changes, document.text, changed.text)
    lines = [document.text.count("\n", 0, edit.start) + 1 for edit in edits]
    return ToolResult(
        f"Changed {place.shown} at line{'s' if len(lines) > 1 else ''} {', '.join(map(str, lines))}: "
        f"{added} lines added, {removed} removed.",
        {"path": place.shown, "created": False, "added": added, "removed": removed, "lines": lines},
    )


class CreateFile(Tool[WriteArguments]):
    """Makes a file where nothing is."""

    name = "create_file"
    description = "Create a file that is not there yet; folders above it are made."
    permission: ClassVar[Permission] = "write"
    arguments = WriteArguments

    def subjects(self, arguments: WriteArguments, context: ToolContext) -> Subjects:
        """Name the file."""
        place = find_writable(context.roots, arguments.path)
        return Subjects(f"Create {place.shown} ({len(arguments.content):,} characters)", (place.shown,))

    async def call(self, arguments: WriteArguments, context: ToolContext, call_id: str) -> ToolResult:  # noqa: ARG002
        """Make the file."""
        return await _create(find_writable(context.roots, arguments.path), arguments.content, context)


class EditArguments(Arguments):
    """What `EditFile` takes: either blocks, or one pair of texts."""

    path: str = _PATH
    old: str | None = Field(None, description="Lines exactly as they stand in the file, enough to stand only once.")
    new: str | None = Field(None, description="What they become.")
    blocks: str | None = Field(
        None,
        max_length=WRITE_FILE_CHARS,
        description="Instead of old and new: one or more blocks `<<<<<<< SEARCH`, old lines, `=======`, new lines, "
        "`>>>>>>> REPLACE`.",
    )

    @model_validator(mode="after")
    def _one_way(self) -> EditArguments:
        if (self.blocks is None) == (self.old is None and self.new is None) or (self.old is None) != (self.new is None):
            raise ValueError("give either blocks, or old and new")
        return self


class EditFile(Tool[EditArguments]):
    """Changes parts of a file."""

    name = "edit_file"
    description = "Change parts of a file: the old text must stand in it exactly once. Either all edits of a call are made or none."
    permission: ClassVar[Permission] = "write"
    arguments = EditArguments

    def subjects(self, arguments: EditArguments, context: ToolContext) -> Subjects:
        """Name the file."""
        place = find_writable(context.roots, arguments.path)
        # A text that is not found is answered with what stands there.
        refuse_secret(place, remote=context.remote)
        return Subjects(f"Edit {place.shown}", (place.shown,))

    async def call(self, arguments: EditArguments, context: ToolContext, call_id: str) -> ToolResult:  # noqa: ARG002
        """Find the places and change them."""
        place = find_writable(context.roots, arguments.path)
        refuse_secret(place, remote=context.remote)
        refuse_folder(place)
        replacements: Sequence[Replacement | Block]
        if arguments.blocks is not None:
            replacements = read_blocks(arguments.blocks)
        else:
            assert arguments.old is not None
            assert arguments.new is not None
            replacements = (Replacement(arguments.old, arguments.new),)
        document = await context.editor.read(place.path)
        context.note_shown(place.path)
        _check_seen(context, document, place)
        edits = await asyncio.to_thread(place_edits, document, place.shown, replacements)
        return await _apply(place, document, edits, context)


class MoveArguments(Arguments):
    """What `MoveFile` takes."""

    path: str = _PATH
    target: str = Field(min_length=1, description="Its new path, where nothing is yet.")


class MoveFile(Tool[MoveArguments]):
    """Moves or renames a file or a folder."""

    name = "move_file"
    description = "Move or rename a file or a folder within the workspace."
    permission: ClassVar[Permission] = "write"
    arguments = MoveArguments

    def _places(self, arguments: MoveArguments, context: ToolContext) -> tuple[Place, Place]:
        place, target = (find_writable(context.roots, path) for path in (arguments.path, arguments.target))
        # Under an innocent name it would be read.
        refuse_secret(place, remote=context.remote)
        return place, target

    def subjects(self, arguments: MoveArguments, context: ToolContext) -> Subjects:
        """Name both paths, and what is in a folder under its old and its new path; raises FileUnfitError for too much of it."""
        place, target = self._places(arguments, context)
        below = _all_below(place)
        if len(below) > MOVED_PATHS:
            raise FileUnfitError(
                f"{place.shown!r} has more than {MOVED_PATHS:,} files and folders.",
                hint="Move what is in it in smaller parts, or ask the user to move it.",
            )
        if context.remote and any(
            is_secret_path(place.path / one) and not is_secret_path(target.path / one) for one in below
        ):
            raise SecretFileError(
                f"{place.shown!r} holds a file that is expected to hold keys, and the model is on another machine.",
                hint="Ask the user to move it.",
            )
        return Subjects(
            f"Move {place.shown} to {target.shown}{f' with {len(below):,} files and folders' if below else ''}",
            (place.shown, target.shown),
            within=tuple(f"{one.shown}/{path}" for one in (place, target) for path in below),
        )

    async def call(self, arguments: MoveArguments, context: ToolContext, call_id: str) -> ToolResult:  # noqa: ARG002
        """Move it."""
        place, target = self._places(arguments, context)
        below = await asyncio.to_thread(_all_below, place)
        files = [path for path in (place.path, *(place.path / one for one in below)) if path.is_file()]
        # Under its new name nobody knows one of keys for what it is.
        await asyncio.to_thread(context.note_shown, *files)
        await context.editor.move(place.path, target.path)
        if (version := context.seen.pop(place.path, None)) is not None:
            context.seen[target.path] = version
        return ToolResult(f"Moved {place.shown} to {target.shown}.", {"path": place.shown, "target": target.shown})


def _all_below(place: Place) -> list[str]:
    """Return the paths, from the place, of everything in a folder, one more than may be moved at most; links are not followed."""
    found: list[str] = []
    if place.path.is_dir():
        for folder, folders, files in os.walk(place.path):
            below = Path(folder).relative_to(place.path)
            found += [(below / name).as_posix() for name in (*folders, *files)]
            if len(found) > MOVED_PATHS:
                break
    return found


class DeleteArguments(Arguments):
    """What `DeleteFile` takes."""

    path: str = _PATH


class DeleteFile(Tool[DeleteArguments]):
    """Deletes a file, or a folder that is empty."""

    name = "delete_file"
    description = "Delete a file, or a folder that is empty."
    permission: ClassVar[Permission] = "write"
    arguments = DeleteArguments

    def subjects(self, arguments: DeleteArguments, context: ToolContext) -> Subjects:
        """Name the file."""
        place = find_writable(context.roots, arguments.path)
        return Subjects(f"Delete {place.shown}", (place.shown,))

    async def call(self, arguments: DeleteArguments, context: ToolContext, call_id: str) -> ToolResult:  # noqa: ARG002
        """Delete it, unless it is no longer what was read."""
        place = find_writable(context.roots, arguments.path)
        if place.path in context.seen:
            _check_seen(context, await context.editor.read(place.path), place)
        await context.editor.delete(place.path)
        context.seen.pop(place.path, None)
        return ToolResult(f"Deleted {place.shown}.", {"path": place.shown})


class ListArguments(Arguments):
    """What `ListFiles` takes."""

    path: str = Field(".", min_length=1, description="The folder, relative to the workspace.")
    glob: MaybeText = Field(None, description="Only files whose path fits, such as `*.py` or `src/**/test_*`.")


class ListFiles(Tool[ListArguments]):
    """Lists files that belong to the project."""

    name = "list_files"
    description = "List the files below a folder, without those that git ignores and files of keys."
    permission: ClassVar[Permission] = "read"
    arguments = ListArguments

    def subjects(self, arguments: ListArguments, context: ToolContext) -> Subjects:
        """Name the folder."""
        place = find_place(context.roots, arguments.path)
        return Subjects(f"List {place.shown}", (place.shown,))

    async def call(self, arguments: ListArguments, context: ToolContext, call_id: str) -> ToolResult:  # noqa: ARG002
        """List the files by name; where there are too many, those nearest to the folder."""
        place = find_place(context.roots, arguments.path)
        if not place.path.is_dir():
            raise FileUnfitError(f"{place.shown!r} is no folder.", hint="Use read_file for a file.")
        sight = await asyncio.to_thread(self.sight, arguments, context)
        found, more = await asyncio.to_thread(_listed, place, arguments.glob, sight)
        text = "\n".join(found) or "[no files]"
        if more:
            text += f"\n[more than these {len(found)}; list a folder below, or give a glob]"
        return ToolResult(sight.noted(text), {"path": place.shown, "files": len(found), "more": more})


def walk_below(place: Place, limit: int) -> Iterator[str]:
    """Yield the paths, from the root, of the project's files below a folder; raises ToolArgumentsError for an ignored one."""
    rules = IgnoreRules(place.root)
    below = "" if place.shown == "." else place.shown
    if below and rules.ignores(below, is_dir=True):
        raise ToolArgumentsError(
            f"{place.shown!r} is ignored by git or by the editor.",
            hint="Use another folder, or read_file for one file.",
        )
    try:
        for file in Walk(place.root, rules, near=(below,) if below else (), only_near=bool(below), limit=limit):
            yield file.path
    except OSError as error:
        raise FileUnfitError(f"{place.shown!r} cannot be read: {error.strerror or error}.") from None


def _listed(place: Place, glob: str | None, sight: Sight) -> tuple[list[str], bool]:
    found: list[str] = []
    below = "" if place.shown == "." else f"{place.shown}/"
    walked = 0
    for path in walk_below(place, LISTING_WALKED):
        walked += 1
        is_wanted = glob is None or match_path(glob, path) or match_path(glob, path.removeprefix(below))
        if is_wanted and sight.shows(path):
            if len(found) == LISTED_FILES:
                return sorted(found), True
            found.append(path)
    return sorted(found), walked >= LISTING_WALKED


FILE_TOOLS: tuple[type[Tool[Any]], ...] = (ReadFile, WriteFile, EditFile, CreateFile, MoveFile, DeleteFile, ListFiles)
"""All of them, in the order in which a model reads of them."""
