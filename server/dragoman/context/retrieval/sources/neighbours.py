"""Files near this one: those in its folder, those that import it (its callers and tests), and those looked at lately."""

from __future__ import annotations

import posixpath

from dragoman.context.limits import RETRIEVAL_MEMBERS, RETRIEVAL_NEIGHBOURS
from dragoman.context.retrieval.candidates import Pool, Question
from dragoman.context.retrieval.files import File


class Neighbours:
    """What stands at the top of files in the same folder."""

    name = "symbols"

    def collect(self, question: Question, pool: Pool) -> None:
        """Add the signatures at the top of neighbouring files, and the own file's that the model does not see."""
        place = question.place
        if question.own is not None:
            self._own(question.own, question, pool)
        folder = posixpath.dirname(place.path)
        rows = question.files.store.files_in(folder, RETRIEVAL_NEIGHBOURS)
        for row in rows:
            if row.path != place.path and (file := question.files.get(row.path)) is not None:
                self._top(file, "sibling", 1.0, pool)

    def _own(self, own: File, question: Question, pool: Pool) -> None:
        for symbol in own.symbols:
            if symbol.kind != "module" and symbol.name not in question.scope.seen:
                pool.add_symbol("symbols", own, symbol, "own_file")

    def _top(self, file: File, signal: str, strength: float, pool: Pool) -> None:
        pool.add_symbols(self.name, file, file.top(RETRIEVAL_MEMBERS), signal, strength)


class Opened:
    """What the user has open, the file looked at last first."""

    name = "open_files"

    def collect(self, question: Question, pool: Pool) -> None:
        """Add what those files define."""
        for rank, path in enumerate(question.place.focus[:RETRIEVAL_NEIGHBOURS]):
            if path == question.place.path or (file := question.files.get(path)) is None:
                continue
            symbols = [symbol for symbol in file.symbols if symbol.kind != "module"][: 2 * RETRIEVAL_MEMBERS]
            pool.add_symbols(self.name, file, symbols, "focus", 0.8**rank)
