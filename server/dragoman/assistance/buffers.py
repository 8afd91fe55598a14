"""The editor's buffers as agents' tools see them: unsaved text is respected, changes can be undone, nothing is overwritten."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from dragoman.agents.tools.documents import DiskEditor, Document, TextEdit, apply_edits, version_of
from dragoman.assistance.texts import OpenText, Positions, Texts
from dragoman.errors import FileChangedError, FileUnfitError


class BufferEditor:
    """An `Editor` of agents' tools over open documents, and the disk for all others."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts
        self._disk = DiskEditor()

    async def read(self, path: Path) -> Document:
        """Return a file as the user sees it."""
        shown = self._texts.of_path(path)
        return await self._disk.read(path) if shown is None else _document(path, shown)

    async def apply(self, document: Document, edits: Sequence[TextEdit]) -> Document:
        """Change a text in its buffer where it has one."""
        shown = self._texts.of_path(document.path)
        if shown is None:
            return await self._disk.apply(document, edits)
        if version_of(shown.text) != document.version:
            raise FileChangedError(
                f"{document.path.name!r} has changed since it was read.", hint="Read it again before you change it."
            )
        if not self._texts.can_change:
            raise FileUnfitError(
                f"{document.path.name!r} is open in an editor that cannot be told which text a change is for, so it stays.",
                hint="Ask the user to save and close it, or to make the change.",
            )
        positions = Positions(document.text)
        if not await self._texts.apply(shown, [positions.edit(edit) for edit in edits], "Dragoman"):
            raise FileChangedError(
                f"The editor did not change {document.path.name!r}.", hint="It may have changed: read it again."
            )
        wanted = apply_edits(document.text, edits)
        return Document(document.path, wanted, version_of(wanted), document.encoding, document.mark)

    async def create(self, path: Path, text: str) -> Document:
        """Make a file on the disk, where editors find it."""
        self._refuse_open(path, "created")
        return await self._disk.create(path, text)

    async def move(self, path: Path, target: Path) -> None:
        """Move a file that is not open with unsaved text."""
        await self._refuse_unsaved(path, "moved")
        self._refuse_open(target, "replaced")
        await self._disk.move(path, target)

    async def delete(self, path: Path) -> None:
        """Delete a file that is not open with unsaved text."""
        await self._refuse_unsaved(path, "deleted")
        await self._disk.delete(path)

    async def unsaved(self) -> Mapping[Path, str]:
        """Return the texts of the open files: they count, whatever the disk says."""
        return {path: shown.text for path, shown in self._texts.files().items()}

    def _refuse_open(self, path: Path, what: str) -> None:
        if self._texts.of_path(path) is not None:
            raise FileUnfitError(f"{path.name!r} is open in the editor and cannot be {what}.", hint="Edit it instead.")

    async def _refuse_unsaved(self, path: Path, what: str) -> None:
        for shown_path, shown in self._texts.files().items():
            if shown_path != path and not shown_path.is_relative_to(path):
                continue
            try:
                saved = (await self._disk.read(shown_path)).text
            except FileUnfitError:
                saved = None
            if saved != shown.text:
                raise FileUnfitError(
                    f"{shown_path.name!r} is open with changes that are not saved, and cannot be {what}.",
                    hint="Ask the user to save it.",
                )


def _document(path: Path, shown: OpenText) -> Document:
    text = shown.text
    return Document(path, text, version_of(text))
