"""One streaming edit of one text: an answer goes in, hunks come out, and what the user types meanwhile is never lost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from dragoman.agents.edits.blocks import (
    Block,
    BlockParser,
    Broken,
    FenceClosed,
    FenceLine,
    FenceOpened,
    Part,
    Prose,
)
from dragoman.agents.edits.fenced import FencedCode
from dragoman.agents.edits.hunks import Hunk, HunkState
from dragoman.agents.edits.lines import Lines
from dragoman.agents.edits.matching import Matcher
from dragoman.agents.edits.paths import is_same_path, path_of_line
from dragoman.agents.edits.rebase import Rebase
from dragoman.agents.limits import EDIT_BLOCKS
from dragoman.agents.tools.documents import TextEdit
from dragoman.errors import EditMismatchError, EditOverlapError


@dataclass(frozen=True, slots=True)
class HunkProposed:
    """A hunk is known; one that still grows is proposed again with the same identifier."""

    hunk: Hunk


@dataclass(frozen=True, slots=True)
class HunkFinal:
    """Nothing that follows in the answer changes the hunk: it can be accepted."""

    hunk: Hunk


@dataclass(frozen=True, slots=True)
class HunkConflict:
    """The user changed what the hunk would have changed; it is never made."""

    hunk: Hunk


@dataclass(frozen=True, slots=True)
class Problem:
    """A part of the answer that cannot be used, in a sentence or two for people and models."""

    message: str


EditEvent = HunkProposed | HunkFinal | HunkConflict | Problem


@dataclass(slots=True)
class _Entry:
    """A hunk in the text as the model saw it."""

    id: str
    edit: TextEdit
    state: HunkState


@dataclass(slots=True)
class _Fence:
    """Fenced code that replaces a part of the text, from ``start`` to ``end`` as the model saw it."""

    code: FencedCode
    is_new: bool = True
    growing: _Entry | None = None
    entries: list[_Entry] = field(default_factory=list)


class EditSession:
    """Turns one answer into hunks of one text, for as long as any of them is open.

    ``range`` are the characters of a selected part: only its lines are searched, and fenced code replaces it; with ``beyond``
    the other lines are searched too, for what does not stand there.  ``path`` is the text's name; blocks for other files are
    problems.  The model's edits are found in the text that it saw; where they
    are now follows from what was changed since.
    """

    def __init__(
        self,
        text: str,
        *,
        range: tuple[int, int] | None = None,  # noqa: A002
        path: str = "",
        beyond: bool = False,
    ) -> None:
        if range is not None and not 0 <= range[0] <= range[1] <= len(text):
            raise ValueError("the range lies outside of the text")
        self._rebase: Final = Rebase(text)
        self._lines: Final = Lines(text)
        self._range: Final = range
        self._path: Final = path
        rows = (0, len(self._lines)) if range is None else _rows_of(self._lines, range)
        self._matcher: Final = Matcher(self._lines, first=rows[0], last=rows[1], shown=path)
        self._beyond: Final = Matcher(self._lines, first=0, last=len(self._lines), shown=path) if beyond else None
        self._parser: Final = BlockParser()
        self._entries: Final[dict[str, _Entry]] = {}
        self._fence: _Fence | None = None
        self._prose: Final[list[str]] = []
        self._problems = 0
        self._blocks = 0
        self._has_loose_code = False
        self._has_replaced = False
        self._finished = False

    # -- the answer ----------------------------------------------------------------------------------------------------

    def feed(self, chunk: str) -> list[EditEvent]:
        """Read the next piece of the answer, cut anywhere."""
        return [] if self._finished else self._heard(self._parser.feed(chunk))

    def finish(self) -> list[EditEvent]:
        """Read the answer's end: what can be made final is, what is not whole is a problem; again, it does nothing."""
        if self._finished:
            return []
        events = self._heard(self._parser.finish())
        self._finished = True
        if not self._entries and not self._problems:
            what = (
                "The answer has code, but does not say which lines it replaces."
                if self._has_loose_code
                else ("The answer has no edit.")
            )
            events.append(self._problem(what))
        return events

    def _heard(self, parts: Sequence[Part]) -> list[EditEvent]:
        events: list[EditEvent] = []
        for part in parts:
            match part:
                case Prose(text):
                    self._prose.append(text)
                case Broken(message):
                    self._drop_fence()
                    events.append(self._problem(message))
                case Block():
                    events += self._read_block(part)
                case FenceOpened(path):
                    events += self._open_fence(path)
                case FenceLine(text):
                    if self._fence is not None:
                        events += self._grow(self._fence, text)
                case FenceClosed():
                    if self._fence is not None:
                        events += self._close_fence(self._fence)
        return events

    def _problem(self, message: str) -> Problem:
        self._problems += 1
        return Problem(message)

    def _read_block(self, block: Block) -> list[EditEvent]:
        self._blocks += 1
        if self._blocks > EDIT_BLOCKS:
            return (
                [self._problem(f"There are more than {EDIT_BLOCKS} blocks.")] if self._blocks == EDIT_BLOCKS + 1 else []
            )
        if not is_same_path(block.path, self._path):
            return [self._problem(f"A block is for {block.path!r}, not for {self._path!r}; it was left out.")]
        try:
            edits = self._place(block)
        except EditMismatchError as error:
            return [self._problem(str(error))]
        for edit in edits:
            if (other := self._meets(edit)) is not None:
                line = self._lines.row_of(other.edit.start) + 1
                return [self._problem(f"Two edits meet at line {line}; the second was left out.")]
        return [event for edit in edits for event in self._settle(self._propose(edit))]

    def _place(self, block: Block) -> tuple[TextEdit, ...]:
        beyond = self._beyond
        if beyond is None:
            return self._matcher.place(block)
        if not self._matcher.stands(block) and beyond.stands(block):
            # What stands elsewhere to the letter is meant, not what is only like it here.
            return beyond.place(block)
        try:
            return self._matcher.place(block)
        except EditMismatchError:
            return beyond.place(block)

    # -- fenced code ---------------------------------------------------------------------------------------------------

    def _open_fence(self, path: str) -> list[EditEvent]:
        named = bool(path and self._path and is_same_path(path, self._path))
        if path and self._path and not named:
            return [self._problem(f"The code is for {path!r}, not for {self._path!r}; it was left out.")]
        if self._range is None and not named and self._lines.text.strip():
            # An example in an explanation must not take a file's place.
            self._has_loose_code = True
            return []
        if self._has_replaced:
            return [self._problem("There is more code than one block; only the first was used.")]
        self._has_replaced = True
        self._fence = _Fence(FencedCode(self._lines, self._range))
        return []

    def _grow(self, fence: _Fence, line: str) -> list[EditEvent]:
        is_first, fence.is_new = fence.is_new, False
        if is_first and self._names_itself(line):
            return []
        problem, changes = fence.code.read(line)
        events = self._take(fence, changes)
        if problem:
            self._drop_fence()
            return [*events, self._problem(problem)]
        if pending := fence.code.pending:
            if fence.growing is None:
                fence.growing = self._propose(pending)
                fence.entries.append(fence.growing)
            fence.growing.edit = pending
            if fence.growing.state == "proposed":
                events.append(HunkProposed(self._show(fence.growing)))
        return events

    def _names_itself(self, line: str) -> bool:
        """Return whether a line only says of which file the code is: models like to begin with it."""
        path = path_of_line(line) if self._path and not line[:1].isalnum() else ""
        return bool(path) and is_same_path(path, self._path) and line not in self._lines.texts

    def _take(self, fence: _Fence, changes: Sequence[TextEdit]) -> list[EditEvent]:
        events: list[EditEvent] = []
        for edit in changes:
            if edit.start == edit.end and not edit.text:
                continue
            if (other := self._meets(edit, fence)) is not None:
                line = self._lines.row_of(other.edit.start) + 1
                events.append(self._problem(f"Two edits meet at line {line}; the second was left out."))
                continue
            entry, fence.growing = fence.growing or self._propose(edit), None
            entry.edit = edit
            fence.entries.append(entry)
            events += self._settle(entry)
        return events

    def _close_fence(self, fence: _Fence) -> list[EditEvent]:
        problem, changes = fence.code.finish()
        events = self._take(fence, changes)
        self._drop_fence()
        if problem or not any(entry.state != "rejected" for entry in fence.entries):
            events.append(self._problem(problem or "The code is the same as what stands there."))
        return events

    def _drop_fence(self) -> None:
        if self._fence is not None and self._fence.growing is not None:
            self._fence.growing.state = "rejected"
        self._fence = None

    # -- hunks ---------------------------------------------------------------------------------------------------------

    def _propose(self, edit: TextEdit) -> _Entry:
        entry = _Entry(f"h{len(self._entries) + 1}", edit, "proposed")
        self._entries[entry.id] = entry
        return entry

    def _meets(self, edit: TextEdit, fence: _Fence | None = None) -> _Entry | None:
        """Return the hunk that is at the same place as an edit, unless it is dropped or of the same code."""
        own = {entry.id for entry in fence.entries} if fence is not None else set()
        return next(
            (
                entry
                for entry in self._entries.values()
                if entry.state != "rejected" and entry.id not in own and _meet(entry.edit, edit)
            ),
            None,
        )

    def _settle(self, entry: _Entry) -> list[EditEvent]:
        """Make a hunk final, unless the user was faster."""
        if entry.state != "proposed":
            return []
        events: list[EditEvent] = [HunkProposed(self._show(entry))]
        if self._rebase.find(entry.edit.start, entry.edit.end) is None:
            entry.state = "conflict"
            return [*events, HunkConflict(self._show(entry))]
        entry.state = "final"
        return [*events, HunkFinal(self._show(entry))]

    def _show(self, entry: _Entry) -> Hunk:
        edit = entry.edit
        if entry.state == "applied":
            place = self._rebase.find_made(entry.id)
        else:
            place = None if entry.state == "conflict" else self._rebase.find(edit.start, edit.end)
        if place is None:
            start = self._rebase.nearest(edit.start)
            place = start, max(start, self._rebase.nearest(edit.end))
        return Hunk(entry.id, *place, self._rebase.base[edit.start : edit.end], edit.text, entry.state)

    # -- the user ------------------------------------------------------------------------------------------------------

    def document_changed(self, changes: Sequence[TextEdit]) -> list[EditEvent]:
        """Follow what the user changed, each change in the text after the one before; returns the hunks that it touched."""
        for change in changes:
            self._rebase.change(change)
        events: list[EditEvent] = []
        for entry in self._entries.values():
            if entry.state not in {"proposed", "final"}:
                continue
            if self._rebase.find(entry.edit.start, entry.edit.end) is None:
                entry.state = "conflict"
                events.append(HunkConflict(self._show(entry)))
        return events

    def accept(self, ids: Iterable[str] | None = None) -> tuple[TextEdit, ...]:
        """Return the edits that make hunks, all final ones for None, in the text as it is; they count as made.

        The edits are in order and do not overlap.  Hunks that are not final are left alone.
        """
        chosen = [(self._rebase.find(one.edit.start, one.edit.end), one) for one in self._chosen(ids, {"final"})]
        placed = sorted(
            ((place, one.edit.start, one) for place, one in chosen if place is not None), key=lambda each: each[:2]
        )
        for _, _, entry in placed:
            self._rebase.make(entry.id, entry.edit.start, entry.edit.end, entry.edit.text)
            entry.state = "applied"
        return tuple(TextEdit(*place, entry.edit.text) for place, _, entry in placed)

    def reject(self, ids: Iterable[str] | None = None) -> None:
        """Drop hunks that are not made, all for None; one that still grows never comes back."""
        for entry in self._chosen(ids, {"proposed", "final", "conflict"}):
            entry.state = "rejected"

    def undo(self) -> tuple[TextEdit, ...]:
        """Return the edits that take back every hunk that was made and that the user has not touched since; they count as made."""
        made = [(self._rebase.find_made(one.id), one) for one in self._chosen(None, {"applied"})]
        placed = sorted(
            ((place, one.edit.start, one) for place, one in made if place is not None), key=lambda each: each[:2]
        )
        edits = []
        for place, _, entry in placed:
            edits.append(TextEdit(*place, self._rebase.base[entry.edit.start : entry.edit.end]))
            self._rebase.take_back(entry.id)
            entry.state = "rejected"
        return tuple(edits)

    def _chosen(self, ids: Iterable[str] | None, states: set[HunkState]) -> list[_Entry]:
        wanted = None if ids is None else set(ids)
        return [
            entry
            for entry in self._entries.values()
            if entry.state in states and (wanted is None or entry.id in wanted)
        ]

    # -- what there is -------------------------------------------------------------------------------------------------

    @property
    def hunks(self) -> tuple[Hunk, ...]:
        """Return every hunk that was ever proposed, as it is now, in the order in which they came."""
        return tuple(self._show(entry) for entry in self._entries.values())

    @property
    def pending(self) -> tuple[Hunk, ...]:
        """Return the hunks of which nobody has decided yet."""
        return tuple(self._show(entry) for entry in self._chosen(None, {"proposed", "final"}))

    @property
    def text(self) -> str:
        """Return the text as it is now, with the hunks that were made and what the user typed."""
        return self._rebase.text

    @property
    def prose(self) -> str:
        """Return what the answer says outside of its edits."""
        return "".join(self._prose)

    @property
    def is_open(self) -> bool:
        """Whether there is still something to come or to decide."""
        return not self._finished or bool(self._chosen(None, {"proposed", "final"}))

    @property
    def region(self) -> tuple[int, int]:
        """Return the characters, in the text as it is now, of the lines that this session may change."""
        if self._range is None:
            return 0, len(self.text)
        first, last = _rows_of(self._lines, self._range)
        start = self._rebase.nearest(self._lines.starts[first])
        return start, max(start, self._rebase.nearest(self._lines.starts[last]))


def _meet(one: TextEdit, other: TextEdit) -> bool:
    return one.start == other.start or (one.start < other.end and other.start < one.end)


def _rows_of(lines: Lines, span: tuple[int, int]) -> tuple[int, int]:
    """Return the rows ``[first, last)`` that a range touches; a range that ends where a line begins leaves that one out."""
    first, last = lines.row_of(span[0]), lines.row_of(span[1])
    if span[0] == span[1] or span[1] > (lines.starts[last] if last < len(lines) else len(lines.text)):
        last += 1
    return min(first, len(lines)), min(last, len(lines))


class EditSessions:
    """All sessions of one document: what happens to its text, all of them hear."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._sessions: list[EditSession] = []

    def __iter__(self) -> Iterator[EditSession]:
        return iter(tuple(self._sessions))

    def open(self, *, range: tuple[int, int] | None = None, path: str = "") -> EditSession:  # noqa: A002
        """Begin a session on a range of the text as it is now, or on all of it.

        Raises EditOverlapError where lines of the range belong to a session in which something is still open.
        """
        session = EditSession(self.text, range=range, path=path)
        start, end = session.region
        for other in self._sessions:
            first, last = other.region
            if other.is_open and ((start < last and first < end) or start == first or range is None):
                line = self.text.count("\n", 0, first) + 1
                raise EditOverlapError(
                    f"Another edit is open at line {line}.", hint="Accept or reject it first, or select other lines."
                )
        self._sessions.append(session)
        return session

    def close(self, session: EditSession) -> None:
        """Forget a session; what it made stays."""
        if session in self._sessions:
            self._sessions.remove(session)

    def document_changed(self, changes: Sequence[TextEdit]) -> list[EditEvent]:
        """Tell all sessions what the user changed, each change in the text after the one before."""
        for change in changes:
            self.text = self.text[: change.start] + change.text + self.text[change.end :]
        return [event for session in self._sessions for event in session.document_changed(changes)]

    def accept(self, session: EditSession, ids: Iterable[str] | None = None) -> tuple[TextEdit, ...]:
        """Accept hunks of one session, and tell the others of the edits; they are returned as by `EditSession.accept`."""
        return self._tell(session, session.accept(ids))

    def undo(self, session: EditSession) -> tuple[TextEdit, ...]:
        """Take back what one session made, and tell the others of it."""
        return self._tell(session, session.undo())

    def _tell(self, session: EditSession, edits: tuple[TextEdit, ...]) -> tuple[TextEdit, ...]:
        # Those at the end first: then each is right in the text after the one before.
        for other in self._sessions:
            if other is not session:
                other.document_changed(edits[::-1])
        self.text = session.text
        return edits
