"""What is looked up before anybody asks: the names of the file that the user has come to, at any line of which they may be near."""

from __future__ import annotations

from dragoman.context.limits import RETRIEVAL_AHEAD
from dragoman.context.retrieval.files import Files
from dragoman.context.retrieval.scope import KEYWORDS
from dragoman.context.workspace.outline import identifiers


class Ahead:
    """Does a little at a time, between questions; what it finds is kept by `Files`."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._path = ""
        self._is_read = True
        self._names: list[str] = []

    def come_to(self, path: str) -> None:
        """Hear of which file the question is; the one before is not gone on with."""
        if path != self._path:
            self._path, self._is_read, self._names = path, False, []

    def work(self) -> bool:
        """Look one name up; False when there is nothing to do."""
        if not self._is_read:
            self._is_read = True
            found = dict.fromkeys(identifiers("\n".join(self._files.lines(self._path))))
            # From behind, for they are taken from the end: a file's beginning has most of what it is about.
            self._names = [name for name in found if name not in KEYWORDS][:RETRIEVAL_AHEAD][::-1]
        elif self._names:
            self._files.holders(self._names.pop())
        else:
            return False
        return True
