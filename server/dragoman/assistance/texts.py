"""The documents that the editor has open, as whole texts with offsets, for those who change them."""

from __future__ import annotations

import asyncio
import io
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from dragoman.agents.tools.documents import TextEdit, apply_edits
from dragoman.completion.query import TextView
from dragoman.context.assembler import whole
from dragoman.lsp.lines import Lines
from dragoman.lsp.services import ClientPort, EditorEdit, Span
from dragoman.security.paths import resolved

SEEN_S: Final = 3.0
"""How long an editor may take to tell of a change that it has made: most tell at once, Eglot after half a second of quiet."""

TYPED_S: Final = 1.0
"""How long an edit that was refused waits for what was typed to arrive, before it is tried again."""

POLL_S: Final = 0.02


@dataclass(frozen=True, slots=True)
class OpenText:
    """A document as it is; ``is_told`` is False for what the editor must have by now but has not told of, nor of its version.

    Eglot tells of a change only when its user has been idle for a moment since, and of ours at the user's next key.
    """

    uri: str
    view: TextView
    version: int
    is_told: bool = True

    @property
    def text(self) -> str:
        """Return the whole text; O(document)."""
        return whole(self.view)


class Texts:
    """The open documents by URI and by file, and the one way to change them."""

    def __init__(self, client: ClientPort) -> None:
        self._client = client
        self._open: dict[str, OpenText] = {}
        self._before: dict[str, set[int]] = {}
        """The texts that documents had before each edit of ours, as hashes."""
        self._paths: dict[str, Path] = {}
        """The files behind the open documents, every link followed when they were opened, as agents' tools name them."""

    def changed(self, uri: str, view: TextView, version: int) -> None:
        """Take in a document as it is now."""
        if uri not in self._open and (path := path_of(uri)) is not None:
            self._paths[uri] = resolved(path)
        self._open[uri] = OpenText(uri, view, version)

    def closed(self, uri: str) -> None:
        """Forget a document."""
        self._open.pop(uri, None)
        self._before.pop(uri, None)
        self._paths.pop(uri, None)

    def get(self, uri: str) -> OpenText | None:
        """Return an open document."""
        return self._open.get(uri)

    @property
    def can_change(self) -> bool:
        """Whether the editor can be asked to replace a text without losing what is typed at that very moment."""
        return self._client.makes_edits

    async def apply(self, shown: OpenText, edits: Sequence[EditorEdit], label: str) -> bool:
        """Have the editor change a document, all edits at once; False when it refused.

        Returns when the editor has told of the change, or of what was typed instead.  One that has made it and tells of
        nothing for a while is taken at its word: had anybody typed, it would have told.
        """
        before = self._before.setdefault(shown.uri, set())
        before.add(hash(shown.text))
        positions = Positions(shown.text)
        changes = [
            TextEdit(
                positions.offset((one.start_line, one.start_character)),
                positions.offset((one.end_line, one.end_character)),
                one.text,
            )
            for one in edits
        ]
        wanted = apply_edits(shown.text, changes)
        if len(changes) > 1 and not self._client.shows_runs:
            # Eglot counts each change as a version, and the next edit has to name the right one.
            start, end = min(one.start for one in changes), max(one.end for one in changes)
            new = wanted[start : len(wanted) - len(shown.text) + end]
            edits = (positions.edit(TextEdit(start, end, new)),)
        if shown.is_told:
            made = await self._client.apply_edits(shown.uri, edits, version=shown.version, label=label)
        else:
            made = await self._client.apply_untold(shown.uri, shown.text, edits, version=shown.version, label=label)
        told = await self._changed_since(shown, SEEN_S if made and shown.is_told else TYPED_S)
        if made and told and not self._client.admits_refusals:
            # It says so of an edit too that it has refused because something was typed.
            now = self._open.get(shown.uri)
            # What is as it was before one of our edits has been undone since.
            made = now is None or hash(now.text) in before or was_made(wanted, shown.text, now.text)
        if made and not told:
            # Of whatever else was typed the number would be higher, and an edit for this one would be refused.
            self._open[shown.uri] = OpenText(shown.uri, Lines.of(wanted), shown.version + 1, is_told=False)
        return made

    async def _changed_since(self, shown: OpenText, seconds: float) -> bool:
        """Return when the editor has told of a change, at the latest after some seconds; False if it has not."""
        for _ in range(max(1, int(seconds / POLL_S))):
            if self._open.get(shown.uri) is not shown:
                return True
            await asyncio.sleep(POLL_S)
        return False

    def of_path(self, path: Path) -> OpenText | None:
        """Return the open document of a file, of which no part is a link; the one opened last where it is open by two names."""
        return self.files().get(path)

    def files(self) -> dict[Path, OpenText]:
        """Return every open document that is a file, by its path without links."""
        return {path: self._open[uri] for uri, path in self._paths.items()}


class Positions:
    """Offsets of one text as lines and characters, and back; both count from 0."""

    def __init__(self, text: str) -> None:
        self._length = len(text)
        lines = [len(line) for line in io.StringIO(text, newline="")]
        self._starts = [0, *accumulate(lines)]
        if len(self._starts) > 1 and not text.endswith(("\n", "\r")):
            self._starts.pop()

    def place(self, offset: int) -> tuple[int, int]:
        """Return line and character of an offset."""
        line = bisect_right(self._starts, offset) - 1
        return line, offset - self._starts[line]

    def offset(self, place: tuple[int, int]) -> int:
        """Return the offset of a place; behind the text it is its end."""
        line, character = place
        if line >= len(self._starts):
            return self._length
        return min(self._starts[line] + character, self._length)

    def span(self, start: int, end: int) -> Span:
        """Return the range between two offsets."""
        return Span(self.place(start), self.place(end))

    def edit(self, edit: TextEdit) -> EditorEdit:
        """Return an edit as the editor is told."""
        return EditorEdit(*self.place(edit.start), *self.place(edit.end), edit.text)


def change_between(old: str, new: str) -> TextEdit | None:
    """Return the one edit that makes a text of another, as small as it can be; None when they are the same."""
    if old == new:
        return None
    most = min(len(old), len(new))
    start = _common(old, new, most)
    end = 0
    while end < most - start and old[len(old) - 1 - end] == new[len(new) - 1 - end]:
        end += 1
    return TextEdit(start, len(old) - end, new[start : len(new) - end])


def _common(old: str, new: str, most: int) -> int:
    """Return the length of the common beginning, by halving: comparing slices is quick, comparing letters is not."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if old[low:middle] == new[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def path_of(uri: str) -> Path | None:
    """Return the file that a URI names, None for another one."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return None
    if parts.scheme != "file":
        return None
    path = unquote(parts.path)
    if len(path) > 2 and path[0] == "/" and path[2] == ":":
        path = path[1:]
    return Path(path)


def was_made(wanted: str, before: str, now: str) -> bool:
    """Tell whether an edit that makes ``wanted`` of ``before`` is in what an editor has now, beside what was typed meanwhile.

    Where both may be, the editor is believed, which says that it was.
    """
    change = change_between(before, wanted)
    if change is None:
        return True
    start = before.rfind("\n", 0, change.start) + 1
    end = before.find("\n", change.end)
    end = len(before) if end < 0 else end + 1
    old, new = before[start:end], before[start : change.start] + change.text + before[change.end : end]
    if new.strip() and now.count(new) > before.count(new):
        return True
    # It is not there; what it would replace stands there as before, unless somebody has typed into that.
    return now.count(old) < before.count(old)
