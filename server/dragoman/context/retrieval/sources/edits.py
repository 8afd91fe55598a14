"""What the user has just changed, or copied, in other files: what one does in one place is mostly half of something."""

from __future__ import annotations

from dragoman.context.retrieval.candidates import Item, Pool, Question, names_of


class RecentEdits:
    """The lines changed lately, the newest counts most."""

    name = "recent_edits"

    def collect(self, question: Question, pool: Pool) -> None:
        """Add the edits that came with the question."""
        for rank, (path, line, text) in enumerate(question.place.edits):
            strength = 0.85**rank
            names = names_of(text)
            pool.speak_for(names, "edited", strength)
            pool.add(Item(self.name, path, line, text, names, whole=True, score=0.5 * strength))
