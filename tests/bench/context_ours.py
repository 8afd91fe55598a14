"""Our retriever, as the index's process asks it, over an index made of the pool alone."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from dragoman.context.retrieval.place import Place
from dragoman.context.retrieval.retriever import Retriever
from dragoman.context.workspace.outline import identifiers
from dragoman.context.workspace.overlays import Overlays
from dragoman.context.workspace.reading import read_outline
from dragoman.context.workspace.store import Entry, IndexStore
from dragoman.syntax.file_types import language_of
from tests.bench.context_workspace import Piece, Question


class DragomanContext:
    """The product's retrieval; what it puts last, nearest to the cursor, comes first here.

    An index keeps the words of what was deleted until it is compacted, and so would have seen the hidden line.
    So there is one without any of the files that are going to change, and each sample gets a copy of it with those added.
    """

    name = "dragoman"
    ranks_alike = False

    def __init__(self) -> None:
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._entries: dict[str, Entry] = {}
        self._store: IndexStore | None = None

    def open(self, root: Path, texts: Mapping[str, str], changing: frozenset[str]) -> None:
        self.close()
        self._folder = tempfile.TemporaryDirectory(prefix="dragoman-bench-index-")
        self._root = root
        self._changing = changing
        self._entries = {path: _entry(path, text) for path, text in texts.items()}
        self._build("whole", self._entries.values())

    def change(self, paths: list[str]) -> None:
        assert self._folder is not None
        rest = Path(self._folder.name) / "rest.db"
        if not rest.exists():
            self._build("rest", [entry for path, entry in self._entries.items() if path not in self._changing])
        for path in paths:
            file = self._root / path
            if file.exists():
                self._entries[path] = _entry(path, file.read_text(encoding="utf-8"))
            else:
                self._entries.pop(path, None)
        self._close_store()
        shutil.copyfile(rest, rest.with_name("sample.db"))
        self._build("sample", [self._entries[path] for path in sorted(self._changing) if path in self._entries])

    def gather(self, question: Question, budget: int) -> list[Piece]:
        place = Place(
            question.path,
            "python",
            question.prefix,
            question.suffix,
            seen_before=question.seen_before,
            seen_after=question.seen_after,
            budget=budget,
        )
        return [Piece(snippet.path, snippet.text) for snippet in reversed(self.retriever.gather(place))]

    def size(self) -> int:
        return sum(path.stat().st_size for path in Path(self._folder.name).iterdir()) if self._folder else 0

    def close(self) -> None:
        self._close_store()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def _build(self, name: str, entries: Iterable[Entry]) -> None:
        assert self._folder is not None
        self._close_store()
        self._store = IndexStore.open(Path(self._folder.name) / f"{name}.db")
        self._store.put(list(entries))
        self.retriever = Retriever(self._store, self._root, Overlays())

    def _close_store(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None


def _entry(path: str, text: str) -> Entry:
    language = language_of(path)
    outline = read_outline(language, text)
    lines = text.split("\n")
    terms = tuple(
        " ".join(identifiers("\n".join(lines[chunk.first_line : chunk.last_line + 1]))) for chunk in outline.chunks
    )
    return Entry(path, language, 0, len(text), outline, terms)
