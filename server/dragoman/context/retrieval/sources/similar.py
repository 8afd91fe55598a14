"""Code that looks like this place, and the definitions of the names that it uses."""

from __future__ import annotations

from collections import Counter

from dragoman.context.limits import RETRIEVAL_CHUNKS
from dragoman.context.retrieval.candidates import Item, Pool, Question
from dragoman.context.retrieval.hybrid import find_alike
from dragoman.context.retrieval.lexical import weigh_lines, window_of


class SimilarCode:
    """Windows of other files by the rare names that they share with the lines around the cursor, and by their meaning if known."""

    name = "similar"

    def collect(self, question: Question, pool: Pool) -> None:
        """Add the most alike windows; their names, and those around them, are spoken for."""
        counted: Counter[str] = Counter()
        strongest: dict[str, dict[str, float]] = {"similar": {}, "similar_line": {}, "similar_window": {}}
        for similar in find_alike(question.files, question.scope, question.place):
            lines, named = question.files.piece(similar.chunk)
            weights = weigh_lines(question.scope, named)
            best: dict[str, float] = {}
            for names, weight in zip(named, weights, strict=True):
                for name in names:
                    if best.get(name, -1.0) < weight:
                        best[name] = weight
            # The best pieces come first, so the first score of a name is its highest.
            for name, weight in best.items():
                strongest["similar"].setdefault(name, similar.score)
                if strongest["similar_line"].get(name, 0.0) < weight * similar.score:
                    strongest["similar_line"][name] = weight * similar.score
            counted.update(best.keys())
            window = window_of(similar, lines, weights)
            if window is None:
                continue
            first = window.first_line - similar.chunk.first_line
            shown = tuple({name: None for names in named[first : first + len(window.lines)] for name in names})
            for name in shown:
                strongest["similar_window"].setdefault(name, similar.score)
            text = "\n".join(window.lines)
            pool.add(Item(self.name, window.path, window.first_line, text, shown, whole=True, score=similar.score))
        for signal, names_of_it in strongest.items():
            pool.speak_for(signal, names_of_it.items())
        pool.speak_for("similar_count", ((name, min(1.0, count / RETRIEVAL_CHUNKS)) for name, count in counted.items()))
