"""Our repository map, asked as aider's is: about the target, with the names on the lines before the cursor."""

from __future__ import annotations

from dragoman.context.snippets import Snippet
from dragoman.context.workspace.outline import identifiers
from tests.bench.context_ours import DragomanContext
from tests.bench.context_windows import WINDOW
from tests.bench.context_workspace import Piece, Question


class DragomanMap(DragomanContext):
    """The map for agents and chat, over the same index; the most valuable file first."""

    name = "dragoman map"

    def gather(self, question: Question, budget: int) -> list[Piece]:
        idents = identifiers("\n".join(question.prefix.split("\n")[-WINDOW:]))
        params = {"tokens": budget, "focus": [question.path], "mentioned": idents}
        found = [Snippet.from_wire(one) for one in self.retriever.call("map", params)["snippets"]]
        return [Piece(snippet.path, snippet.text) for snippet in reversed(found)]
