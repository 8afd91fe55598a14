"""Golden cases of what the syntax decides: one line or several, where a text is cut, and what is not shown.

A case in ``tests/golden/completion/syntax/*.txt`` reads as those of `test_golden`, and ``-- lines`` may say how many lines
the cursor's place takes: ``one`` or ``several``.
``✂`` stands where the model was stopped by the number of its tokens.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from dragoman.completion import shape as shapes
from dragoman.completion.postprocess import polish
from dragoman.completion.postprocess.place import Place
from dragoman.completion.query import CompletionQuery
from dragoman.completion.shape import shape_at
from dragoman.completion.stopping import StopRules
from dragoman.syntax.grammars import load
from tests.support.scripted import query_at
from tests.unit.completion.test_golden import CASES as TEXT_CASES
from tests.unit.completion.test_golden import HEAD

FOLDER = Path(__file__).parents[2] / "golden" / "completion" / "syntax"


@dataclass(frozen=True)
class Case:
    path: Path
    name: str
    language: str
    document: str
    model: str
    lines: str
    shown: str


def read_cases(path: Path) -> list[Case]:
    cases = []
    for block in re.split(r"(?m)^(?=## )", path.read_text(encoding="utf-8"))[1:]:
        head, _, body = block.partition("\n")
        match = HEAD.match(head)
        assert match, f"{path.name}: {head!r} is no case's name"
        document, _, rest = body.partition("\n-- model\n")
        rest, _, shown = rest.partition("\n-- shown\n")
        model, _, lines = rest.partition("\n-- lines\n")
        cases.append(Case(path, match["name"], match["language"], document, model, lines, shown.rstrip("\n")))
    return cases


CASES = [case for path in sorted(FOLDER.glob("*.txt")) for case in read_cases(path)]


def shown(query: CompletionQuery, model: str, *, invoked: bool = False) -> str:
    """Return what is shown of what ``model`` says."""
    said = re.split("[⏹✂]", model)[0]
    shape = shape_at(query, "auto")
    rules = StopRules(query, shape)
    text, _ = rules.cut(said, done=True)
    following = tuple(
        query.text.line(index).rstrip("\r\n")
        for index in range(query.line + 1, min(query.line + 8, query.text.line_count))
    )
    place = Place(
        shape.head,
        shape.rest,
        following,
        language=query.language,
        window=shape.window,
        cut="length" if "✂" in model else "line" if rules.cut_off else "",
        invoked=invoked,
    )
    return polish(text, place)[0]


def test_there_are_decisions_in_many_languages() -> None:
    assert len({case.language for case in CASES if case.lines}) >= 8
    assert len({(case.path, case.name, case.language) for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=[f"{c.path.stem}: {c.name} ({c.language})" for c in CASES])
def test_golden(case: Case) -> None:
    load(case.language)
    query = query_at(case.document, language=case.language)

    if case.lines:
        assert shape_at(query, "auto").multiline == (case.lines == "several")
    assert shown(query, case.model) == case.shown


@pytest.mark.parametrize("case", CASES, ids=[f"{c.path.stem}: {c.name} ({c.language})" for c in CASES])
def test_who_asks_by_hand_always_gets_something(case: Case) -> None:
    load(case.language)

    assert shown(query_at(case.document, language=case.language), case.model, invoked=True)


@pytest.mark.parametrize("case", TEXT_CASES, ids=[f"{c.path.stem}: {c.name}" for c in TEXT_CASES])
def test_the_syntax_takes_nothing_from_cases_that_text_alone_decides(case: object) -> None:
    """Suggestions that are right by the text are right by the syntax, but for documents that are only half a text."""
    if case.selected or "⟦" in case.shown or case.name in {"a property of C#", "a stream operator"}:
        return
    load(case.language)
    model = case.model.replace("␍", "\r")
    if "⏹" not in model:
        model += "".join(f"\nunrelated_{number} = {number}" for number in range(20))

    assert shown(case.query, model) == case.shown.replace("⏎", "\n")


@pytest.mark.parametrize(
    ("document", "several"),
    [
        ("def f():‸", True),
        ("x = foo(‸)", True),
        ("    ‸", True),
        ("x = 1‸", False),
        ("entry‸", False),
        ("foo(a‸b)", False),
    ],
)
def test_without_a_grammar_the_text_decides(document: str, several: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shapes, "grammar", lambda _: None)

    shape = shape_at(query_at(document), "auto")

    assert shape.multiline is several
    assert shape.window is None
