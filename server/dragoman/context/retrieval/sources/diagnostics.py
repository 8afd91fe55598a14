"""What other servers report near the cursor: the names in their messages are what the user is about to write."""

from __future__ import annotations

from dragoman.context.retrieval.candidates import Item, Pool, Question, names_of


class Diagnostics:
    """The messages that came with the question, as one piece."""

    name = "diagnostics"

    def collect(self, question: Question, pool: Pool) -> None:
        """Add the messages, those nearest to the cursor first."""
        reported = question.place.diagnostics
        if not reported:
            return
        text = "\n".join(f"line {line + 1}: {message}" for line, message in reported)
        names = names_of("\n".join(message for _, message in reported))
        pool.speak_for(names, "edited")
        pool.add(Item(self.name, question.place.path, reported[0][0], text, names, whole=True, score=0.5))
