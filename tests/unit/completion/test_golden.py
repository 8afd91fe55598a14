"""Golden cases in text form: a document with the cursor, what the model says, what is shown.

A case in ``tests/golden/completion/*.txt`` reads::

    ## name (language)
    text with ‸ at the cursor
    -- selected
    the item selected in the editor's popup (the section may be missing)
    -- model
    what the model says, ``⏹`` where it stops by itself
    -- shown
    what is suggested, empty for nothing

``␍`` stands for a carriage return before a line's end, ``⏎`` for a line break at the end of what is shown.
``pytest --update-golden`` writes what is shown now; read the diff before you commit it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from dragoman.completion.engine import CompletionEngine
from dragoman.completion.policy import CompletionPolicy
from dragoman.completion.query import CompletionQuery, SelectedItem, Suggestion, TextView
from tests.support.scripted import OneTarget, ScriptedModel, query_at

FOLDER = Path(__file__).parents[2] / "golden" / "completion"
HEAD = re.compile(r"^## (?P<name>.+) \((?P<language>[\w+#-]+)\)$")


@dataclass(frozen=True)
class Case:
    path: Path
    name: str
    language: str
    document: str
    selected: str
    model: str
    shown: str

    @property
    def query(self) -> CompletionQuery:
        """The question at the document's cursor, with the selected item over the word before it."""
        query = query_at(self.document.replace("␍", ""), language=self.language, trigger="invoked")
        if "␍" in self.document:
            query = replace(query, text=WindowsText(query.text))
        if self.selected:
            head = query.text.line(query.line)[: query.character]
            start = len(head) - len(re.split(r"\W", head)[-1])
            query = replace(query, selected=SelectedItem(start, query.character, self.selected))
        return query

    def covered(self, suggestion: Suggestion) -> str:
        """What stands behind the cursor, or behind the popup's item, and is replaced."""
        query = self.query
        end = query.selected.end_character if query.selected else query.character
        return query.text.line(query.line)[end : suggestion.end_character]


@dataclass(frozen=True)
class WindowsText:
    """The same text with the line ends of Windows."""

    text: TextView

    @property
    def line_count(self) -> int:
        return self.text.line_count

    def line(self, index: int) -> str:
        return self.text.line(index).replace("\n", "\r\n")


def read_cases(path: Path) -> list[Case]:
    cases = []
    for block in re.split(r"(?m)^(?=## )", path.read_text(encoding="utf-8"))[1:]:
        head, _, body = block.partition("\n")
        match = HEAD.match(head)
        assert match, f"{path.name}: {head!r} is no case's name"
        document, _, rest = body.partition("\n-- model\n")
        document, _, selected = document.partition("\n-- selected\n")
        model, _, shown = rest.partition("\n-- shown\n")
        cases.append(Case(path, match["name"], match["language"], document, selected, model, shown.rstrip("\n")))
    return cases


CASES = [case for path in sorted(FOLDER.glob("*.txt")) for case in read_cases(path)]


def test_there_are_cases_in_many_languages() -> None:
    assert len(CASES) >= 150
    assert len({case.language for case in CASES}) >= 15
    assert len({(case.path, case.name) for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=[f"{case.path.stem}: {case.name}" for case in CASES])
async def test_golden(case: Case, update_golden: bool) -> None:
    said, stopped, _ = case.model.replace("␍", "\r").partition("⏹")
    if not stopped:
        # A model that does not stop by itself goes on about something else.
        said += "".join(f"\nunrelated_{number} = {number}" for number in range(20))
    # Odd pieces: a filter must not depend on how the stream was cut.
    pieces = [said[index : index + 3] for index in range(0, len(said), 3)]
    engine = CompletionEngine(OneTarget(ScriptedModel(pieces)), CompletionPolicy(debounce=0.0, show_after=60.0))
    try:
        outcome = await engine.suggest(case.query)
    finally:
        await engine.aclose()

    shown = re.sub(r"\n\Z", "⏎", outcome.suggestions[0].text) if outcome.suggestions else ""
    if outcome.suggestions and (covered := case.covered(outcome.suggestions[0])):
        shown += f"⟦{covered}⟧"
    if update_golden and shown != case.shown:
        text = case.path.read_text(encoding="utf-8")
        selected = f"\n-- selected\n{case.selected}" if case.selected else ""
        said = f"({case.language})\n{case.document}{selected}\n-- model\n{case.model}\n-- shown\n"
        assert said + case.shown in text
        case.path.write_text(text.replace(said + case.shown, said + shown), encoding="utf-8")
        return
    assert shown == case.shown, f"{outcome.reason}: {outcome.detail}"
