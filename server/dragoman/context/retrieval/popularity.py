"""What the rest of a repository leans on: how many files import each name, and which files stand behind it."""

from __future__ import annotations

import time
from collections import defaultdict

from dragoman.context.limits import MAP_DEFINITIONS, MAP_LEAVES, MAP_STALE_FACTOR
from dragoman.context.retrieval.files import Files


class Popularity:
    """Counts of imports over the whole index, taken once and again when it has changed and that pays."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._names: dict[str, int] = {}
        self._paths: dict[str, float] = {}
        self._version: int | None = None
        self._next = 0.0

    def of_name(self, name: str) -> int:
        """Return how many files import something under this name, as far as it is among the most imported ones."""
        return self._names.get(name, 0)

    def of_path(self, path: str) -> float:
        """Return how many files import something of this file; a name of several files counts for each in part."""
        return self._paths.get(path, 0.0)

    def most(self, limit: int) -> list[str]:
        """Return the paths of the most imported files, the first one most."""
        return sorted(self._paths, key=lambda path: (-self._paths[path], path))[:limit]

    def count(self) -> None:
        """Count anew if the index has changed and the last count is not too new for what it cost."""
        version, now = self._files.store.version(), time.monotonic()
        if version == self._version or (self._version is not None and now < self._next):
            return
        self._version = version
        store = self._files.store
        self._names = dict(store.imported_most(MAP_LEAVES))
        paths: defaultdict[str, float] = defaultdict(float)
        for name, importers in self._names.items():
            found = set(store.modules(name, MAP_DEFINITIONS + 1))
            if len(found) <= MAP_DEFINITIONS:
                numbers = {number for number, _ in store.symbols_named(name, MAP_DEFINITIONS + 1)}
                if len(numbers) <= MAP_DEFINITIONS:
                    found |= {path for number in numbers if (path := store.path_of(number))}
            for path in found if len(found) <= MAP_DEFINITIONS else ():
                paths[path] += importers / len(found)
        self._paths = dict(paths)
        self._next = time.monotonic() + MAP_STALE_FACTOR * (time.monotonic() - now)
