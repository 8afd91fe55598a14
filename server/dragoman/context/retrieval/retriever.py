"""Answers what a model should read at a cursor: asks every source, weighs what they found, and fills the budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dragoman.context.limits import CONVENTIONS_TOKENS, MAP_TOKENS
from dragoman.context.retrieval.ahead import Ahead
from dragoman.context.retrieval.candidates import Pool, Question, Source
from dragoman.context.retrieval.conventions import read_conventions
from dragoman.context.retrieval.definitions import find_definitions
from dragoman.context.retrieval.files import Files, Overlays
from dragoman.context.retrieval.fusion import choose
from dragoman.context.retrieval.installed import Installed
from dragoman.context.retrieval.place import Place
from dragoman.context.retrieval.rendering import render
from dragoman.context.retrieval.repository_map import RepositoryMap
from dragoman.context.retrieval.resolution import Resolver
from dragoman.context.retrieval.scope import read_scope
from dragoman.context.retrieval.scoring import chances
from dragoman.context.retrieval.sources.callers import Callers
from dragoman.context.retrieval.sources.changes import GitDiff
from dragoman.context.retrieval.sources.diagnostics import Diagnostics
from dragoman.context.retrieval.sources.edits import RecentEdits
from dragoman.context.retrieval.sources.imports import Imports
from dragoman.context.retrieval.sources.neighbours import Neighbours, Opened
from dragoman.context.retrieval.sources.receiver import Receiver
from dragoman.context.retrieval.sources.similar import SimilarCode
from dragoman.context.retrieval.unread import Unread
from dragoman.context.snippets import Snippet
from dragoman.context.workspace.git_changes import GitChanges
from dragoman.context.workspace.store import IndexStore

SOURCES: tuple[Source, ...] = (
    *(Receiver(), Imports(), RecentEdits(), Diagnostics(), SimilarCode(), Callers(), GitDiff(), Opened(), Neighbours()),
)
"""In the order in which they are asked: a line that two find belongs to the first."""


class Retriever:
    """Reads one workspace's index; not thread-safe, one question at a time."""

    def __init__(
        self,
        store: IndexStore,
        root: Path,
        overlays: Overlays,
        sources: Sequence[Source] = SOURCES,
        changes: GitChanges | None = None,
    ) -> None:
        self.files = Files(store, root, overlays)
        self._installed = Installed(root)
        self._unread = Unread(root)
        self._ahead = Ahead(self.files)
        self._resolver = Resolver(self.files, self._installed, self._unread)
        self._repository_map = RepositoryMap(self.files, self._resolver)
        self._sources = tuple(sources)
        self._changes = changes

    def call(self, method: str, params: Mapping[str, Any]) -> Any:
        """Answer a request of another process; raises KeyError for an unknown method."""
        methods = {
            "gather": self._gather,
            "map": self._map,
            "conventions": self._conventions,
            "definitions": self._definitions,
        }
        return methods[method](params)

    def work(self) -> bool:
        """Do a little of what can wait until nobody asks; False when there is nothing."""
        return self._unread.work() or self._installed.work() or self._ahead.work()

    def wanted(self) -> list[str]:
        """Return files that the questions since the last time missed: on disk, but not in the index."""
        return self._unread.take()

    def _gather(self, params: Mapping[str, Any]) -> Any:
        return {"snippets": [one.to_wire() for one in self.gather(Place.from_wire(params))]}

    def _map(self, params: Mapping[str, Any]) -> Any:
        self._begin()
        drawn = self._repository_map.draw(
            int(params.get("tokens", MAP_TOKENS)), tuple(params.get("focus", ())), tuple(params.get("mentioned", ()))
        )
        return {"snippets": [one.to_wire() for one in drawn]}

    def _conventions(self, params: Mapping[str, Any]) -> Any:
        self._begin()
        tokens = int(params.get("tokens", CONVENTIONS_TOKENS))
        found = read_conventions(self.files, tokens, tuple(params.get("focus", ())))
        return {"snippets": [one.to_wire() for one in found]}

    def _definitions(self, params: Mapping[str, Any]) -> Any:
        self._begin()
        found = find_definitions(self.files, str(params["name"]), int(params["limit"]))
        return {"snippets": [one.to_wire() for one in found]}

    def gather(self, place: Place) -> list[Snippet]:
        """Return what a model should read besides the text around the cursor, the most valuable last."""
        question, pool = self.collect(place)
        return render(choose(pool.items.values(), chances(question, pool), place.budget))

    def _begin(self) -> None:
        if self.files.begin():
            self._resolver.begin()

    def collect(self, place: Place) -> tuple[Question, Pool]:
        """Ask the sources and return all that they found."""
        self._begin()
        own = self.files.get(place.path)
        if own is None:
            self._unread.file(place.path)
        self._ahead.come_to(place.path)
        question = Question(place, read_scope(place, own), own, self.files, self._resolver, self._changes)
        pool = Pool()
        for source in self._sources:
            if not place.sources or source.name in place.sources:
                source.collect(question, pool)
        return question, pool
