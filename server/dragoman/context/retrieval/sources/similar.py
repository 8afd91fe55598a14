"""Code that looks like this place, and the definitions of the names that it uses."""

from __future__ import annotations

from collections import Counter

from dragoman.context.retrieval.candidates import Item, Pool, Question
from dragoman.context.retrieval.lexical import find_similar, weigh_lines, window_of
from dragoman.context.workspace.outline import identifiers
from dragoman.limits import RETRIEVAL_CHUNKS


class SimilarCode:
    """Windows of other files by the rare names that they share with the lines around the cursor."""

    name = "similar"

    def collect(self, question: Question, pool: Pool) -> None:
        """Add the most alike windows; their names, and those around them, are spoken for."""
        counted: Counter[str] = Counter()
        for similar in find_similar(question.files, question.scope, question.place.path):
            lines = question.files.chunk_lines(similar.chunk)
            named = [identifiers(line) for line in lines]
            weights = weigh_lines(question.scope, named)
            best: dict[str, float] = {}
            for names, weight in zip(named, weights, strict=True):
                for name in names:
                    if best.get(name, -1.0) < weight:
                        best[name] = weight
            for name, weight in best.items():
                pool.speak(name, "similar", similar.score)
                pool.speak(name, "similar_line", weight * similar.score)
            counted.update(best)
            window = window_of(similar, lines, weights)
            if window is None:
                continue
            text = "\n".join(window.lines)
            shown = tuple(dict.fromkeys(identifiers(text)))
            for name in shown:
                pool.speak(name, "similar_window", similar.score)
            pool.add(Item(self.name, window.path, window.first_line, text, shown, whole=True, score=similar.score))
        for name, count in counted.items():
            pool.speak(name, "similar_count", min(1.0, count / RETRIEVAL_CHUNKS))
