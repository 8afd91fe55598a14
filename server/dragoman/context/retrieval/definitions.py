"""Where a name is defined, in open documents as they are and in the index."""

from __future__ import annotations

from dragoman.context.retrieval.files import Files
from dragoman.context.snippets import Snippet

SOURCE = "definitions"


def find_definitions(files: Files, name: str, limit: int) -> list[Snippet]:
    """Return the signatures of what is called ``name``, with what they stand in, by path and line."""
    paths = {path for path, _ in files.overlays.items()}
    for number, _ in files.store.symbols_named(name, limit):
        if (path := files.store.path_of(number)) is not None:
            paths.add(path)
    found: list[Snippet] = []
    for path in sorted(paths):
        file = files.get(path)
        for symbol in file.symbols if file is not None else ():
            if symbol.name == name and len(found) < limit:
                assert file is not None
                around = f" (in {file.symbols[symbol.parent].name})" if symbol.parent >= 0 else ""
                found.append(Snippet(SOURCE, path, f"{symbol.signature}{around}", 0, 0.0, symbol.line + 1))
    return found
