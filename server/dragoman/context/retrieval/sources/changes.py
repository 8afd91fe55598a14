"""What differs from the last commit: an hour's work, where recent edits are a minute's; and what the branch is called."""

from __future__ import annotations

from dataclasses import replace

from dragoman.context.limits import RETRIEVAL_HUNK_LINES
from dragoman.context.retrieval.candidates import Item, Pool, Question, names_of

_STRENGTH = 0.85
"""What a change counts against an edit that the user has just made: of a project's own commits, one name in 160 of the other
files' changes stands on the line that is written, and one in 100 of the last three places changed."""


class GitDiff:
    """Changed lines of the index's own files, and the words of the branch's name."""

    name = "git_diff"

    def collect(self, question: Question, pool: Pool) -> None:
        """Add what is known of the changes now; newer ones are there at the next question."""
        if question.changes is None:
            return
        if words := question.changes.branch_words():
            scope = question.scope
            question.scope = replace(scope, words=scope.words | words)
        for hunk in question.changes.hunks():
            # What the index does not hold is ignored or holds keys.
            if question.files.get(hunk.path) is None:
                continue
            pool.speak_for(names_of("\n".join(hunk.added)), "edited", _STRENGTH)
            if hunk.path != question.place.path:
                text = "\n".join(hunk.lines[:RETRIEVAL_HUNK_LINES])
                pool.add(Item(self.name, hunk.path, hunk.first_line, text, names_of(text), whole=True, score=0.1))
