"""Code that looks like this place, and the definitions of the names that it uses."""

from __future__ import annotations

from collections import Counter
from itertools import chain

from dragoman.context.limits import RETRIEVAL_CHUNKS
from dragoman.context.retrieval.candidates import Item, Pool, Question
from dragoman.context.retrieval.hybrid import find_alike
from dragoman.context.retrieval.lexical import strongest, weigh_lines, window_of


class SimilarCode:
    """Windows of other files by the rare names that they share with the lines around the cursor, and by their meaning if known."""

    name = "similar"

    def collect(self, question: Question, pool: Pool) -> None:
        """Add the most alike windows; their names, and those around them, are spoken for."""
        found = []
        for similar in find_alike(question.files, question.scope, question.place):
            piece = question.files.piece(similar.chunk)
            weights = weigh_lines(question.scope, piece)
            found.append((similar, piece, weights))
            if (window := window_of(similar, piece.lines, weights)) is None:
                continue
            first = window.first_line - similar.chunk.first_line
            shown = tuple(dict.fromkeys(chain.from_iterable(piece.named[first : first + len(window.lines)])))
            pool.speak_for(shown, "similar_window", similar.score)
            text = "\n".join(window.lines)
            pool.add(Item(self.name, window.path, window.first_line, text, shown, whole=True, score=similar.score))
        counted: Counter[str] = Counter()
        scores, lines = pool.signals["similar"], pool.signals["similar_line"]
        # The best pieces come first, so the score that is written last is a name's highest.
        for similar, piece, weights in reversed(found):
            score = similar.score
            best = strongest(piece.named, weights)
            scores.update(dict.fromkeys(best, score))
            counted.update(best.keys())
            for name, weight in best.items():
                if lines.get(name, 0.0) < weight * score:
                    lines[name] = weight * score
        pool.signals["similar_count"].update(
            (name, min(1.0, count / RETRIEVAL_CHUNKS)) for name, count in counted.items()
        )
