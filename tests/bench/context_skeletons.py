"""Peers that follow imports: heads of what the file imports, as Continue shows, alone and with BM25 behind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from dragoman.context.workspace.outline import identifiers
from tests.bench.context_definitions import Facts, Modules, imports_of, read
from tests.bench.context_windows import Bm25, Peer, pile
from tests.bench.context_workspace import Piece, Question


class Skeletons(Peer):
    """Signatures of what is imported: what was used last before the cursor comes first, what is not used yet at the end."""

    name = "skeletons"

    def open(self, root: Path, texts: Mapping[str, str], changing: frozenset[str]) -> None:
        super().open(root, texts, changing)
        for text in texts.values():
            read(text)

    def gather(self, question: Question, budget: int) -> list[Piece]:
        return pile(self.pieces(question), budget)

    def pieces(self, question: Question) -> Iterator[Piece]:
        """Yield the skeletons, each once."""
        modules = Modules(question.texts, self.root)
        facts = {path: read(text) for path, text in question.texts.items() if path != question.path}
        used = {name: place for place, name in enumerate(identifiers(question.prefix))}
        imports = sorted(imports_of(question.prefix + question.suffix), key=lambda one: -used.get(one.bound, -1))
        seen = set()
        for taken in imports:
            meant = modules.meant(question.path, taken, facts)
            if meant is not None and meant not in seen:
                seen.add(meant)
                yield Piece(meant[0], _skeleton(facts[meant[0]], meant[1]))


class SkeletonsThenBm25(Bm25):
    """Skeletons for as long as there are any, and windows behind them."""

    name = "skeletons+bm25"

    def open(self, root: Path, texts: Mapping[str, str], changing: frozenset[str]) -> None:
        super().open(root, texts, changing)
        self._skeletons = Skeletons()
        self._skeletons.open(root, texts, changing)

    def pieces(self, question: Question) -> Iterator[Piece]:
        yield from self._skeletons.pieces(question)
        yield from super().pieces(question)


def _skeleton(facts: Facts, name: str) -> str:
    if name:
        return facts.tops[name].skeleton
    return "\n".join(one.skeleton for one in facts.tops.values() if one.kind != "variable")
