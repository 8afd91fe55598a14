"""Peers that know no syntax: windows of 20 lines ranked by look-alikeness, heads of files, and llama.vim's ring buffer.

The policies are those that their projects publish, written anew.
"""

from __future__ import annotations

import hashlib
import heapq
import math
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dragoman.context.workspace.outline import identifiers
from tests.bench.context_definitions import Modules, imports_of
from tests.bench.context_workspace import Piece, Question

WINDOW = 20
STEP = 10
"""Lines of a window, and between the begins of two; of two that overlap the better one is taken."""
CHARACTERS_PER_TOKEN = 8
"""More than any text has: what is piled up is cut at the exact budget afterwards."""
RING_CHUNKS, RING_LINES = 16, 64
VISITS = 24
"""Files that were seen before the target, where the package has that many."""
_K1, _B = 1.2, 0.75


def pile(pieces: Iterable[Piece], budget: int) -> list[Piece]:
    """Take pieces until there is more than the budget can hold."""
    taken, room = [], budget * CHARACTERS_PER_TOKEN
    for piece in pieces:
        taken.append(piece)
        room -= len(piece.text)
        if room <= 0:
            break
    return taken


class Peer:
    """What peers have in common: no index on disk, and files read anew when they change."""

    name = ""
    ranks_alike = True
    root = ""

    def open(self, root: Path, texts: Mapping[str, str], changing: frozenset[str]) -> None:
        self.root = root.name

    def change(self, paths: list[str]) -> None:
        pass

    def size(self) -> int:
        return 0

    def close(self) -> None:
        pass


class Nothing(Peer):
    """The floor: no context."""

    name = "nothing"

    def gather(self, question: Question, budget: int) -> list[Piece]:
        return []


class Heads(Peer):
    """The beginnings of the files that the target imports, an equal part of the budget each, like open tabs."""

    name = "heads"
    ranks_alike = False

    def gather(self, question: Question, budget: int) -> list[Piece]:
        modules = Modules(question.texts, self.root)
        paths: dict[str, None] = {}
        for taken in imports_of(question.prefix + question.suffix):
            path = modules.module(question.path, taken)
            if path is not None and path != question.path:
                paths.setdefault(path)
        if not paths:
            return []
        # 3.5 characters a token: a fair part, so that every file has its turn.
        part = int(budget * 3.5 / len(paths))
        return [Piece(path, question.texts[path][:part]) for path in paths]


@dataclass(frozen=True)
class Window:
    """Lines of a file from ``first`` on."""

    path: str
    first: int
    text: str
    counts: Counter[str]


class Windows(Peer):
    """A ranking of windows by the names that they share with the lines before the cursor."""

    def open(self, root: Path, texts: Mapping[str, str], changing: frozenset[str]) -> None:
        super().open(root, texts, changing)
        self._windows: list[Window] = []
        self._of_file: dict[str, range] = {}
        self._holding: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for path, text in texts.items():
            first = len(self._windows)
            for window in _windows(path, text):
                for term, times in window.counts.items():
                    self._holding[term].append((len(self._windows), times))
                self._windows.append(window)
            self._of_file[path] = range(first, len(self._windows))
        self._lengths = [window.counts.total() for window in self._windows]

    def gather(self, question: Question, budget: int) -> list[Piece]:
        return pile(self.pieces(question), budget)

    def pieces(self, question: Question) -> Iterator[Piece]:
        """Yield the windows' texts, best first; the target itself is in the prompt anyway."""
        asked = identifiers("\n".join(question.prefix.split("\n")[-WINDOW:]))
        # What the pool does not have must not count as common either.
        gone = [path for path in self._of_file if path == question.path or path not in question.texts]
        scores = self.rank(asked, {number for path in gone for number in self._of_file[path]})
        heap = [(-score, number) for number, score in scores.items()]
        heapq.heapify(heap)
        taken: dict[str, list[int]] = defaultdict(list)
        while heap:
            window = self._windows[heapq.heappop(heap)[1]]
            if all(abs(window.first - other) >= WINDOW for other in taken[window.path]):
                taken[window.path].append(window.first)
                yield Piece(window.path, window.text)

    def rank(self, asked: Sequence[str], out: set[int]) -> dict[int, float]:
        """Return a score for each window that holds any of the names, without those of ``out``."""
        raise NotImplementedError


class Jaccard(Windows):
    """As Copilot and RepoCoder are described: the share of names in common."""

    name = "jaccard"

    def rank(self, asked: Sequence[str], out: set[int]) -> dict[int, float]:
        common: Counter[int] = Counter()
        for term in sorted(set(asked)):
            common.update([number for number, _ in self._holding.get(term, ())])
        size = len(set(asked))
        return {
            number: both / (size + len(self._windows[number].counts) - both)
            for number, both in common.items()
            if number not in out
        }


class Bm25(Windows):
    """As CrossCodeEval and Tabby rank."""

    name = "bm25"

    def rank(self, asked: Sequence[str], out: set[int]) -> dict[int, float]:
        pool = len(self._windows) - len(out)
        mean = (sum(self._lengths) - sum(self._lengths[number] for number in out)) / max(1, pool)
        lengths = [_K1 * (1 - _B + _B * length / mean) for length in self._lengths]
        scores: dict[int, float] = defaultdict(float)
        for term, times in Counter(asked).items():
            numbers = self._holding.get(term, ())
            holding = len(numbers) - sum(term in self._windows[number].counts for number in out)
            worth = times * (_K1 + 1) * math.log(1 + (pool - holding + 0.5) / (holding + 0.5))
            for number, often in numbers:
                scores[number] += worth * often / (often + lengths[number])
        return {number: score for number, score in scores.items() if number not in out}


class Ring(Peer):
    """llama.vim's ring: 16 chunks of 64 lines around where the user was, of a replayed visit order.

    There is no record of a visit order, so it is made: files of the package at random, then of the target's folder, then
    those that the target imports, the newest last; in each a random place was looked at.
    """

    name = "ring buffer"

    def gather(self, question: Question, budget: int) -> list[Piece]:
        choose = random.Random(hashlib.sha256(f"{question.path}:{len(question.prefix)}".encode()).digest())
        ring: list[set[str]] = []
        pieces: list[Piece] = []
        for path in self._visits(question, choose):
            lines = question.texts[path].split("\n")
            at = choose.randrange(max(1, len(lines)))
            first = max(0, min(at - RING_LINES // 2, len(lines) - RING_LINES))
            chunk = lines[first : first + RING_LINES]
            words = set(chunk)
            # A chunk much like a newer one gives way to it.
            kept = [index for index, one in enumerate(ring) if len(one & words) <= 0.9 * len(one | words)]
            ring = [ring[index] for index in kept][1 - RING_CHUNKS :]
            pieces = [pieces[index] for index in kept][1 - RING_CHUNKS :]
            ring.append(words)
            pieces.append(Piece(path, "\n".join(chunk)))
        return pile(reversed(pieces), budget)

    def _visits(self, question: Question, choose: random.Random) -> list[str]:
        modules = Modules(question.texts, self.root)
        others = sorted(set(question.texts) - {question.path})
        folder = Path(question.path).parent
        taken = [modules.module(question.path, one) for one in imports_of(question.prefix + question.suffix)]
        imported = list(dict.fromkeys(path for path in taken if path is not None and path != question.path))
        near = [path for path in others if Path(path).parent == folder and path not in imported]
        far = [path for path in others if path not in near and path not in imported]
        for group in (near, far):
            choose.shuffle(group)
        return [*far, *near, *imported][-VISITS:]


def _windows(path: str, text: str) -> Iterator[Window]:
    lines = text.split("\n")
    for first in range(0, max(1, len(lines) - STEP), STEP):
        piece = "\n".join(lines[first : first + WINDOW])
        counts = Counter(identifiers(piece))
        if counts:
            yield Window(path, first, piece, counts)
