"""The map of a repository for agents and chat: its most telling signatures within a number of tokens.

What the asker looks at and speaks of comes first, then what the rest of the repository leans on.
Each name has a worth, and lines are chosen by the worth that they add for their tokens, as at a cursor (`fusion`).
"""

from __future__ import annotations

import math
import posixpath
from collections import defaultdict
from collections.abc import Iterable, Sequence

from dragoman.context.limits import (
    MAP_DEFINITIONS,
    MAP_FILES,
    MAP_MENTIONED,
    MAP_POPULAR,
    MAP_SIBLINGS,
    MAP_SYMBOLS,
    MAP_USED,
    MAP_USES,
    MAP_USES_ASKED,
)
from dragoman.context.retrieval.candidates import Item, names_of
from dragoman.context.retrieval.files import File, Files
from dragoman.context.retrieval.fusion import choose
from dragoman.context.retrieval.popularity import Popularity
from dragoman.context.retrieval.rendering import render
from dragoman.context.retrieval.resolution import Resolver
from dragoman.context.retrieval.scope import split_words
from dragoman.context.snippets import Snippet
from dragoman.context.workspace.cards import Card
from dragoman.context.workspace.outline import Import, identifiers

SOURCE = "map"
_KINDS = {"class": 1.0, "type": 1.0, "function": 1.0, "method": 0.6, "attribute": 0.35, "variable": 0.4, "module": 0.1}
"""What a symbol of each kind says of its file."""
_PARAMETER = 0.15
"""What the other names in a signature are worth against its own."""


class RepositoryMap:
    """Makes maps of one index; not thread-safe."""

    def __init__(self, files: Files, resolver: Resolver) -> None:
        self._files = files
        self._resolver = resolver
        self._popularity = Popularity(files)

    def draw(self, tokens: int, focus: Sequence[str], mentioned: Sequence[str]) -> list[Snippet]:
        """Return the map, a snippet for each file, the most valuable last.

        ``focus`` are the files that the asker has in front of them anyway, so they are not in it; ``mentioned`` are the names
        that were spoken of. The same index and question give the same map.
        """
        self._popularity.count()
        survey = _Survey(self._files, self._resolver, self._popularity)
        survey.look_from(focus)
        survey.hear(mentioned)
        survey.fill_up(focus)
        return render(choose(*survey.weigh(focus), tokens))


class _Survey:
    """One question: which files are near, which of their names are wanted."""

    def __init__(self, files: Files, resolver: Resolver, popularity: Popularity) -> None:
        self._files = files
        self._resolver = resolver
        self._popularity = popularity
        self._near: dict[str, float] = {}
        """Files with how near they are to the question, 0 to 1."""
        self._wanted: defaultdict[tuple[str, str], float] = defaultdict(float)
        """Names in files with how much speaks for just them."""
        self._words: defaultdict[str, float] = defaultdict(float)

    # -- what is near ----------------------------------------------------------------------------------------------

    def look_from(self, focus: Iterable[str]) -> None:
        """Follow the imports of the files in focus and the names that they use, and look around in their folders."""
        for path in focus:
            own = self._files.get(path)
            if own is None:
                continue
            for one in own.imports:
                self._follow(one, own)
            counted: defaultdict[str, int] = defaultdict(int)
            for name in identifiers("\n".join(self._files.lines(path))):
                counted[name] += 1
            own_names = {symbol.name for symbol in own.symbols}
            used = sorted((name for name in counted if name not in own_names), key=lambda name: (-counted[name], name))
            self._define(used[:MAP_USED], 0.1)
            for row in self._files.store.files_in(posixpath.dirname(path), MAP_SIBLINGS):
                self._approach(row.path, 0.35)

    def _follow(self, one: Import, own: File) -> None:
        for file, at in self._resolver.imported(own.path, one, own.language):
            self._approach(file.path, 0.6)
            self._want(file, at, 0.8)
        inner = self._resolver.submodule(own.path, one, own.language)
        modules = [inner] if inner is not None else self._resolver.module(own.path, one, own.language)
        for file in modules:
            self._approach(file.path, 0.8 if not one.name or file is inner else 0.5)

    def hear(self, mentioned: Sequence[str]) -> None:
        """Look up what was spoken of; the words of those names count for other names too."""
        names = list(dict.fromkeys(mentioned))[:MAP_MENTIONED]
        self._define(names, 0.7)
        for word in {word for name in names for word in split_words(name)}:
            self._words[word] = 1.0

    def _define(self, names: Iterable[str], worth: float) -> None:
        for name in names:
            found = self._files.store.symbols_named(name, MAP_DEFINITIONS + 1)
            if not found or len(found) > MAP_DEFINITIONS:
                continue
            for number, at in found:
                file = self._files.numbered(number)
                if file is not None and at < len(file.symbols) and file.symbols[at].name == name:
                    self._approach(file.path, worth / len(found))
                    self._want(file, at, worth / len(found))

    def _want(self, file: File, at: int, worth: float) -> None:
        symbol = file.symbols[at]
        self._wanted[file.path, symbol.name] = max(self._wanted[file.path, symbol.name], worth)
        if symbol.kind in {"class", "type"}:
            for holder, member, distance in self._resolver.members((file, at)):
                key = holder.path, member.name
                self._wanted[key] = max(self._wanted[key], 0.5 * worth * 0.7**distance)
                self._near.setdefault(holder.path, 0.1)

    def _approach(self, path: str, closeness: float) -> None:
        """Note that a file is near; what speaks for it several times brings it nearer."""
        before = self._near.get(path, 0.0)
        self._near[path] = before + (1 - before) * closeness

    def fill_up(self, focus: Iterable[str]) -> None:
        """Add the files that the rest leans on, and keep the nearest."""
        for path in self._popularity.most(MAP_POPULAR):
            self._near.setdefault(path, 0.0)
        if len(self._near) < MAP_FILES:
            # A small repository is drawn as a whole.
            for path in self._files.store.first_paths(MAP_FILES):
                self._near.setdefault(path, 0.0)
        for path in focus:
            self._near.pop(path, None)
        if len(self._near) > MAP_FILES:
            kept = sorted(self._near, key=lambda path: (-self._near[path], -self._popularity.of_path(path), path))
            self._near = {path: self._near[path] for path in kept[:MAP_FILES]}

    # -- what it is worth ------------------------------------------------------------------------------------------

    def weigh(self, focus: Sequence[str]) -> tuple[list[Item], dict[str, float]]:
        """Return the lines of the map and the worth of the names in them."""
        most = max((self._popularity.of_path(path) for path in self._near), default=0.0)
        items: list[Item] = []
        worth: defaultdict[str, float] = defaultdict(float)
        # Names of the files in focus are known to the asker.
        seen = {name for path in focus for name in identifiers("\n".join(self._files.lines(path)))}
        uses = _Uses(self._files)
        for path in sorted(self._near, key=lambda path: (-self._near[path], -self._popularity.of_path(path), path)):
            file = self._files.get(path)
            if file is None:
                continue
            leaned_on = math.log1p(self._popularity.of_path(path)) / math.log1p(most) if most else 0.0
            place = 0.03 + 0.12 * self._near[path] + 0.05 * leaned_on
            for symbol in file.symbols:
                if len(items) == MAP_SYMBOLS:
                    break
                value = self._value(symbol, path, place, uses)
                header = file.symbols[symbol.parent].signature if symbol.parent >= 0 else ""
                names = names_of(symbol.signature)
                items.append(Item(SOURCE, path, symbol.line, symbol.signature, names, header))
                for name in names:
                    share = value if name == symbol.name else _PARAMETER * value
                    worth[name] = max(worth[name], share if name not in seen else 0.3 * share)
        return items, dict(worth)

    def _value(self, symbol: Card, path: str, place: float, uses: _Uses) -> float:
        value = place * _KINDS.get(symbol.kind, 0.3)
        if symbol.parent < 0:
            value *= 1 + 0.3 * math.log1p(self._popularity.of_name(symbol.name))
        else:
            value *= 0.4 + 1.2 * uses.share(symbol.name)
        words = split_words(symbol.name)
        if words:
            value *= 1 + 3 * sum(self._words.get(word, 0.0) for word in words) / len(words)
        if symbol.name.startswith("_"):
            value *= 0.2
        return min(1.0, value + self._wanted.get((path, symbol.name), 0.0))


class _Uses:
    """How often names stand in the repository; after so many names it is not asked any more."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._shares: dict[str, float] = {}

    def share(self, name: str) -> float:
        """Return 0 for a name that stands in one piece of code, 1 for one in `MAP_USES` and more."""
        if name not in self._shares:
            if len(self._shares) >= MAP_USES_ASKED:
                return 0.3
            found = len(self._files.store.chunks_with(name, MAP_USES))
            self._shares[name] = math.log(max(1, found)) / math.log(MAP_USES)
        return self._shares[name]
