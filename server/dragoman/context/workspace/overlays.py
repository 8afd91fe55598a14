"""What the user sees but the index's file does not hold: unsaved documents, and saved files that could not be written to it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from dragoman.context.workspace.outline import Outline
from dragoman.context.workspace.reading import read_outline
from dragoman.limits import INDEX_SHADOWS
from dragoman.syntax.file_types import language_of


class Overlay:
    """A text that stands before what the index says of its file; the outline is made when it is first asked for."""

    __slots__ = ("_language", "_outline", "text")

    def __init__(self, text: str, language: str) -> None:
        self.text = text
        self._language = language
        self._outline: Outline | None = None

    @property
    def is_settled(self) -> bool:
        """Whether the outline is there already."""
        return self._outline is not None

    @property
    def outline(self) -> Outline:
        """What is in the text."""
        if self._outline is None:
            self._outline = read_outline(self._language, self.text)
        return self._outline


class Overlays:
    """Overlays by path (relative to the workspace, with slashes)."""

    def __init__(self) -> None:
        self._documents: dict[str, Overlay] = {}
        self._shadows: OrderedDict[str, Overlay] = OrderedDict()
        self._unsettled: list[str] = []
        self._version = 0

    @property
    def version(self) -> int:
        """A number that is another one after any change."""
        return self._version

    def get(self, path: str) -> Overlay | None:
        """Return what stands before the index for that path."""
        return self._documents.get(path) or self._shadows.get(path)

    def items(self) -> Iterable[tuple[str, Overlay]]:
        """Return every path with its overlay."""
        return [
            *self._documents.items(),
            *((at, one) for at, one in self._shadows.items() if at not in self._documents),
        ]

    def open(self, path: str, text: str) -> None:
        """Set the text of an open document."""
        self._version += 1
        self._documents[path] = Overlay(text, language_of(path))
        self._prepare(path)

    def close(self, path: str) -> None:
        """Forget an open document."""
        self._version += 1
        self._documents.pop(path, None)

    def shade(self, path: str, text: str | None) -> None:
        """Keep a saved file's text, or forget it for None; the oldest goes when there are too many."""
        if text is None and path not in self._shadows:
            return
        self._version += 1
        self._shadows.pop(path, None)
        if text is not None:
            self._shadows[path] = Overlay(text, language_of(path))
            self._prepare(path)
            while len(self._shadows) > INDEX_SHADOWS:
                self._shadows.popitem(last=False)

    @property
    def has_room(self) -> bool:
        """Whether another saved file can be kept."""
        return len(self._shadows) < INDEX_SHADOWS

    def settle_one(self) -> bool:
        """Make one outline that nobody has asked for yet; False when all are made."""
        while self._unsettled:
            path = self._unsettled.pop()
            overlay = self.get(path)
            if overlay is not None and not overlay.is_settled:
                _ = overlay.outline
                return True
        return False

    def _prepare(self, path: str) -> None:
        if path not in self._unsettled:
            self._unsettled.append(path)
