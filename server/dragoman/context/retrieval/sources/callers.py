"""Who uses the function or class around the cursor: calls and tests say what goes in and what is expected to come out."""

from __future__ import annotations

import posixpath
import re

from dragoman.context.limits import (
    RETRIEVAL_CALLER_AFTER,
    RETRIEVAL_CALLER_BEFORE,
    RETRIEVAL_CALLER_FILES,
    RETRIEVAL_CALLERS,
    RETRIEVAL_POSTINGS,
)
from dragoman.context.retrieval.candidates import Item, Pool, Question
from dragoman.context.workspace.outline import identifiers
from dragoman.context.workspace.store import ChunkRow

_OF_PACKAGE = frozenset({"__init__", "index", "mod", "init"})
"""Files that are imported under their folder's name."""
_NO_USE = ("import ", "from ", "use ", "#", "require", "export {", "//", "*", "/*")
_DEFINED_BY = ("def", "class", "function", "func", "fn", "struct", "interface", "import")


class Callers:
    """Lines around uses of what is being written, in files that import it or its module."""

    name = "symbols"

    def collect(self, question: Question, pool: Pool) -> None:
        """Add the uses; their names are spoken for, the tests' as much as others'."""
        own, around = question.own, question.scope.around
        if own is None or not around:
            return
        target = around[-1]
        if target.name.startswith("__") and len(around) > 1:
            # A constructor is called by its class's name.
            target = around[-2]
        if len(target.name) < 3:
            return
        shown = 0
        for chunk in self._chunks(target.name, question)[:RETRIEVAL_CALLER_FILES]:
            lines = question.files.chunk_lines(chunk)
            at = _use_in(lines, target.name)
            if at < 0:
                continue
            first = max(0, at - RETRIEVAL_CALLER_BEFORE)
            window = lines[first : at + 1 + RETRIEVAL_CALLER_AFTER]
            text = "\n".join(window).rstrip()
            names = tuple(dict.fromkeys(identifiers(text)))
            pool.speak_for(names, "importer", 0.8**shown)
            line = chunk.first_line + first
            pool.add(Item(self.name, chunk.path, line, text, names, whole=True, score=0.3 * 0.8**shown))
            shown += 1
            if shown == RETRIEVAL_CALLERS:
                return

    def _chunks(self, name: str, question: Question) -> list[ChunkRow]:
        """Return pieces that hold ``name``, of files that import it, what is around it, or its module: one a file, tests last."""
        store, path = question.files.store, question.place.path
        found = question.files.holders(name)
        if not found:
            return []
        folder, _, file = path.rpartition("/")
        stem = file.partition(".")[0]
        leaves = {one.name for one in question.scope.around} | {
            posixpath.basename(folder) if stem in _OF_PACKAGE else stem
        }
        importing = {number for leaf in leaves for number in store.importers(leaf, RETRIEVAL_POSTINGS)}
        first: dict[int, ChunkRow] = {}
        for chunk in store.chunks(found):
            # Within a folder some languages need no import.
            is_near = chunk.file in importing or posixpath.dirname(chunk.path) == folder
            if is_near and chunk.path != path:
                known = first.get(chunk.file)
                # The first piece of a file is mostly its imports.
                if known is None or known.first_line == 0:
                    first[chunk.file] = chunk
        return sorted(first.values(), key=lambda one: (_is_test(one.path), one.path))


def _use_in(lines: list[str], name: str) -> int:
    """Return the line of the first call, else of the first other use, -1 without one; imports and definitions are none."""
    use = re.compile(rf"\b{re.escape(name)}\b\s*([(.<\[{{])?")
    other = -1
    for at, line in enumerate(lines):
        if name not in line or line.lstrip().startswith(_NO_USE) or (found := use.search(line)) is None:
            continue
        if line[: found.start()].rstrip().endswith(_DEFINED_BY):
            continue
        if found[1]:
            return at
        if other < 0 and line.strip(" \t,") != name:
            other = at
    return other


def _is_test(path: str) -> bool:
    return "test" in path.lower()
