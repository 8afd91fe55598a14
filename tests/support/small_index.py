"""A small workspace on disk with a real index of it in memory, as the index's process has it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dragoman.context.retrieval.place import Place
from dragoman.context.retrieval.retriever import Retriever
from dragoman.context.snippets import Snippet
from dragoman.context.workspace.git_changes import GitChanges
from dragoman.context.workspace.outline import identifiers
from dragoman.context.workspace.overlays import Overlays
from dragoman.context.workspace.reading import read_outline
from dragoman.context.workspace.store import Entry, IndexStore
from dragoman.syntax.file_types import language_of


class SmallIndex:
    """Files written to ``root`` and indexed."""

    def __init__(self, root: Path, files: Mapping[str, str]) -> None:
        self.root = root
        self.store = IndexStore.open(None)
        self.overlays = Overlays()
        self.changes = GitChanges(root)
        self.retriever = Retriever(self.store, root, self.overlays, changes=self.changes)
        self.write(files)

    def write(self, files: Mapping[str, str]) -> None:
        """Write files and bring the index up to date."""
        for path, text in files.items():
            file = self.root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        self.store.put([_entry(path, text) for path, text in files.items()])

    def place(self, path: str, marked: str, **fields: Any) -> Place:
        """Return the place of the ``|`` in a text of the file at ``path``."""
        before, _, after = marked.partition("|")
        return Place(path, language_of(path), before, after, **fields)

    def gather(self, path: str, marked: str, **fields: Any) -> list[Snippet]:
        """Ask as the assembler does, over the wire's form."""
        answer = self.retriever.call("gather", self.place(path, marked, **fields).to_wire())
        return [Snippet.from_wire(one) for one in answer["snippets"]]

    def text(self, path: str, marked: str, *sources: str) -> str:
        """Return all text that the sources find for a place."""
        return "\n".join(one.text for one in self.gather(path, marked, sources=sources))


def _entry(path: str, text: str) -> Entry:
    outline = read_outline(language_of(path), text)
    lines = text.split("\n")
    terms = tuple(
        " ".join(identifiers("\n".join(lines[chunk.first_line : chunk.last_line + 1]))) for chunk in outline.chunks
    )
    return Entry(path, language_of(path), 0, len(text), outline, terms)
