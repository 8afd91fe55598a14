"""Next edits of one editor: hears every change, and finds where the last one is due next when it is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dragoman.clock import Clock, monotonic
from dragoman.completion.next_edit.history import Edit, History
from dragoman.completion.next_edit.languages import language_of
from dragoman.completion.next_edit.patterns import NextEdit, Pattern, Place
from dragoman.completion.next_edit.rename import find_rename, renamed_by
from dragoman.completion.next_edit.repeats import find_repeat
from dragoman.completion.next_edit.signatures import changed_head, find_signature_change
from dragoman.completion.next_edit.source import Source, read, read_around
from dragoman.completion.next_edit.tokens import is_word_char
from dragoman.completion.query import CompletionQuery, Suggestion, TextView
from dragoman.limits import NEXT_EDIT_SEARCHED_DOCUMENTS


@dataclass(frozen=True, slots=True)
class _Found:
    """Everything that is due, as of one state of the history."""

    changes: int
    edits: tuple[NextEdit, ...]


class NextEdits:
    """What is due next in the documents of one editor.

    Hearing of a change costs microseconds whatever the document's size; a search happens only when somebody asks, and its
    result serves until the next change.
    """

    def __init__(self, clock: Clock = monotonic) -> None:
        self._history = History(clock)
        self._pattern: Pattern | None = None
        self._judged: tuple[str, ...] = ()
        self._found: _Found | None = None
        self._dismissed = ""
        self.enabled = True
        """Whether anything is offered; changes are heard of all the same, so that it can be switched on at any time."""

    # -- what the editor tells -----------------------------------------------------------------------------------------

    def document_changed(self, uri: str, text: TextView, version: int, *, first_line: int, last_line: int) -> None:
        """Hear that a document was opened or changed; ``first_line..last_line`` (inclusive) of ``text`` are new."""
        self._history.changed(uri, text, version, first_line, last_line)

    def document_closed(self, uri: str) -> None:
        """Hear that a document was closed: nothing is offered in it, and what was changed in it is forgotten."""
        self._history.forget(uri)
        if self._pattern is not None and self._pattern.origin == uri:
            self._pattern = None

    def dismissed(self, series: str = "") -> None:
        """Hear that the user does not want the change ``series``, or the one that is offered now, anywhere else."""
        pattern = self._due()
        self._dismissed = series or (pattern.key if pattern is not None else "")

    # -- what it is asked ----------------------------------------------------------------------------------------------

    def next_edit(self, uri: str, line: int, character: int, version: int | None = None) -> NextEdit | None:
        """Return the change that is due next after a cursor: in its document first, then in the other open ones.

        ``version`` is that of the text the caller sees; None when it differs from the one that is known here.
        """
        found = self.all_edits(uri, line, character, version)
        return found[0] if found else None

    def all_edits(self, uri: str, line: int, character: int, version: int | None = None) -> tuple[NextEdit, ...]:
        """Return every change that is due, in the order in which `next_edit` offers them."""
        known = self._history.version(uri)
        if known is None or version not in {None, known}:
            return ()
        here = [edit for edit in self._search() if edit.uri == uri]
        others = [edit for edit in self._search() if edit.uri != uri]
        later = [edit for edit in here if edit.end > (line, character)]
        earlier = [edit for edit in here if edit.end <= (line, character)]
        return (*later, *earlier, *others)

    def at_cursor(self, query: CompletionQuery) -> Suggestion | None:
        """Return the due change as ghost text at the query's cursor.

        None unless it can be shown as text inserted there: what the cursor's word lacks of the new one, or what is due to be
        added at this very place.  Costs next to nothing while no change is due.
        """
        if self._history.version(query.uri) != query.version or query.selected is not None:
            return None
        if not self.enabled or self._is_being_written(query):
            return None
        pattern = self._due()
        if pattern is None:
            return None
        line = query.text.line(query.line).rstrip("\r\n")
        rest = self._rest_of_word(pattern, query, line)
        if rest:
            return Suggestion(f"next:{pattern.key}", rest, query.character, query.character)
        if not pattern.may_touch(line):
            return None
        for edit in self._search():
            if edit.uri != query.uri or edit.start[0] != query.line or edit.end[0] != query.line or not edit.is_known:
                continue
            inserted = insertion(edit, query.character)
            if inserted:
                return Suggestion(f"next:{pattern.key}", inserted, query.character, query.character)
        return None

    def _is_being_written(self, query: CompletionQuery) -> bool:
        """Tell whether the user is at the newest edit itself, and it is not one more of a series: nothing is due there.

        Found out from the edit alone: this is asked at every key, and a search reads the whole document.
        """
        edits = self._history.edits()
        if not edits or not edits[0].covers(query.uri, query.line):
            return False
        pattern = self._pattern
        if pattern is not None and (pattern.absorbs(edits[0]) or is_on_the_way(edits[0], word_pair(pattern))):
            return False
        return len(edits) < 2 or not goes_on(edits[0], edits[1])

    # -- the pattern ---------------------------------------------------------------------------------------------------

    def _due(self) -> Pattern | None:
        """Return the pattern that the newest edit belongs to, None when it belongs to none or was dismissed."""
        edits = self._history.edits()
        # White space typed elsewhere is no reason to judge the same edits again.
        judged = tuple(text for edit in edits[:3] for text in (edit.uri, edit.before, edit.after))
        if self._judged != judged:
            self._judged = judged
            self._pattern = self._judge(edits)
        pattern = self._pattern
        return None if pattern is None or pattern.key == self._dismissed or not self.enabled else pattern

    def _judge(self, edits: Sequence[Edit]) -> Pattern | None:
        if not edits:
            return None
        newest = edits[0]
        pattern = self._pattern
        if pattern is not None and (pattern.absorbs(newest) or is_on_the_way(newest, word_pair(pattern))):
            # What is dismissed in one function is dismissed there only.
            return (self._begun_anew(pattern) or pattern) if pattern.key == self._dismissed else pattern
        # Nobody may have asked since the first of a series: what it was is judged from where it began.
        begun = 0
        while begun + 1 < len(edits) and goes_on(edits[begun], edits[begun + 1]):
            begun += 1
        return (
            self._of_names(going_on(edits[begun:]))
            or self._derive(edits[begun:])
            or (self._derive(edits) if begun else None)
        )

    def _derive(self, edits: Sequence[Edit]) -> Pattern | None:
        return self._of_names(edits[0]) or find_repeat(edits)

    def _of_names(self, edit: Edit) -> Pattern | None:
        """Return the changed signature or the rename that an edit is, None when it is neither."""
        if renamed_by(edit) is None and not self._changes_head(edit):
            return None
        source = self._read(edit.uri)
        return None if source is None else find_signature_change(edit, source) or find_rename(edit, source)

    def _changes_head(self, edit: Edit) -> bool:
        """Tell from the lines around an edit whether it changed a parameter list, so that others cost no more than that."""
        text = self._history.text(edit.uri)
        if (
            text is None
            or not edit.hunks
            or ("(" not in edit.after + edit.before and "," not in edit.after + edit.before)
        ):
            return False
        around = read_around(edit.uri, language_of(edit.uri), text, edit.first)
        return changed_head(edit, *around) is not None

    # -- the places ----------------------------------------------------------------------------------------------------

    def _search(self) -> tuple[NextEdit, ...]:
        """Return everything that is due, the origin's document first."""
        pattern = self._due()
        if pattern is None:
            return ()
        if self._found is None or self._found.changes != self._history.changes:
            found = self._search_all(pattern)
            if not found and (fresh := self._begun_anew(pattern)) is not None:
                # The series is through, and the newest edit begins another one like it, in another function or file.
                self._pattern = fresh
                found = [] if fresh.key == self._dismissed else self._search_all(fresh)
            self._found = _Found(self._history.changes, tuple(found))
        return self._found.edits

    def _begun_anew(self, pattern: Pattern) -> Pattern | None:
        """Return the pattern that the newest edit is by itself when it is another one than ``pattern``."""
        edits = self._history.edits()
        fresh = self._of_names(edits[0]) if edits else None
        return None if fresh is None or fresh.key == pattern.key else fresh

    def _search_all(self, pattern: Pattern) -> list[NextEdit]:
        language = language_of(pattern.origin)
        uris = [pattern.origin]
        uris += [uri for uri in reversed(self._history.uris) if uri != pattern.origin and language_of(uri) is language]
        found: list[NextEdit] = []
        for uri in uris[:NEXT_EDIT_SEARCHED_DOCUMENTS]:
            source = self._read(uri)
            if source is not None:
                found += [as_next_edit(pattern, source, place) for place in pattern.places(source)]
        return found

    def _read(self, uri: str) -> Source | None:
        text, version = self._history.text(uri), self._history.version(uri)
        return None if text is None or version is None else read(uri, version, language_of(uri), text)

    def _rest_of_word(self, pattern: Pattern, query: CompletionQuery, line: str) -> str:
        """Return what is missing of the new word while the user types it at one more place."""
        rename = pattern.rename
        newest = next(iter(self._history.edits()), None)
        if rename is None or newest is None or newest.uri != query.uri or not is_on_the_way(newest, word_pair(pattern)):
            return ""
        head = line[: query.character]
        typed = next((rename.new[:n] for n in range(len(rename.new), -1, -1) if head.endswith(rename.new[:n])), "")
        before, after = head[: len(head) - len(typed)][-1:], line[query.character : query.character + 1]
        if is_word_char(before) or is_word_char(after):
            return ""
        expected = newest.hunks[-1].new[0] if newest.hunks[-1].new else ""
        return rename.new[len(typed) :] if typed == expected else ""


def word_pair(pattern: Pattern) -> tuple[str, str] | None:
    """Return the word and its replacement when a pattern is, or has in it, a rename."""
    return None if pattern.rename is None else (pattern.rename.old, pattern.rename.new)


def goes_on(newer: Edit, older: Edit) -> bool:
    """Tell whether ``newer`` does at another place what ``older`` did, or has begun to."""
    pair = renamed_by(older)
    return newer.uri == older.uri and pair is not None and (renamed_by(newer) == pair or is_on_the_way(newer, pair))


def going_on(edits: Sequence[Edit]) -> Edit:
    """Return the newest edit with those before it on which it went on in the same lines, as one."""
    whole = edits[0]
    for earlier in edits[1:]:
        both = whole.after_of(earlier)
        if both is None:
            break
        whole = both
    return whole


def is_on_the_way(edit: Edit, pair: tuple[str, str] | None) -> bool:
    """Tell whether an edit is a rename half made: the old word is gone and the new one begun."""
    if pair is None or not edit.hunks:
        return False
    last = edit.hunks[-1]
    begun = last.new[0] if len(last.new) == 1 else ""
    return (
        last.old == pair[:1]
        and len(last.new) <= 1
        and pair[1].startswith(begun)
        and all(hunk.renames == pair for hunk in edit.hunks[:-1])
    )


def insertion(edit: NextEdit, character: int) -> str:
    """Return the text which, inserted at ``character`` of the edit's line, makes the change; empty when none does."""
    at = character - edit.start[1]
    if not 0 <= at <= len(edit.old_text):
        return ""
    before, after = edit.old_text[:at], edit.old_text[at:]
    if not (edit.new_text.startswith(before) and edit.new_text.endswith(after)):
        return ""
    return edit.new_text[at : len(edit.new_text) - len(after)] if len(edit.new_text) > len(edit.old_text) else ""


def as_next_edit(pattern: Pattern, source: Source, place: Place) -> NextEdit:
    """Return a place as what is told about it."""
    return NextEdit(
        source.uri,
        source.version,
        source.position(place.start),
        source.position(place.end),
        source.text[place.start : place.end],
        place.new_text,
        place.label,
        pattern.reason,
        pattern.key,
    )
