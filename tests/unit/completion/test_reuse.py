"""What is not asked twice: backspace, moved lines, the popup's item, what comes behind, and text that must not flicker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from dragoman.completion.engine import CompletionEngine
from dragoman.completion.policy import CompletionPolicy
from dragoman.completion.query import SelectedItem, Suggestion
from dragoman.errors import ProviderFailedError
from tests.support.scripted import OneTarget, ScriptedModel, query_at

AT_ONCE = CompletionPolicy(debounce=0.0, show_after=0.0)
PATIENT = CompletionPolicy(debounce=0.0, show_after=60.0)


@pytest.fixture
async def engines() -> AsyncIterator[list[CompletionEngine]]:
    made: list[CompletionEngine] = []
    yield made
    for engine in made:
        await engine.aclose()


def make(engines: list[CompletionEngine], model: ScriptedModel, policy: CompletionPolicy = PATIENT) -> CompletionEngine:
    engine = CompletionEngine(OneTarget(model), policy)
    engines.append(engine)
    return engine


async def until(condition, seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.002)


async def shown(engine: CompletionEngine, marked: str, **options: object) -> str:
    query = query_at(marked, **options)  # type: ignore[arg-type]
    engine.document_changed(query.uri, query.text, 2, first_line=query.line, last_line=query.line)
    outcome = await engine.suggest(query)
    return outcome.suggestions[0].text if outcome.suggestions else ""


# -- backspace ---------------------------------------------------------------------------------------------------------


async def test_a_typing_error_taken_back_brings_the_answer_back(engines) -> None:
    model = ScriptedModel(["sum(values)"])
    engine = make(engines, model)
    assert await shown(engine, "total = ‸") == "sum(values)"
    assert await shown(engine, "total = s‸") == "um(values)"
    await shown(engine, "total = sx‸")
    asked = len(model.calls)

    assert await shown(engine, "total = s‸") == "um(values)"
    assert await shown(engine, "total = ‸") == "sum(values)"
    assert len(model.calls) == asked


async def test_the_whole_lines_of_a_stopped_answer_are_there_again_after_a_backspace(engines) -> None:
    model = ScriptedModel(["first(a)\n    second(b)\n    thi"], endless=True)
    engine = make(engines, model, AT_ONCE)
    assert await shown(engine, "def f(a, b):\n    ‸") == "first(a)\n    second(b)"

    typo = query_at("def f(a, b):\n    x‸", version=2)
    engine.document_changed(typo.uri, typo.text, 2, first_line=1, last_line=1)
    await until(lambda: model.calls[0].closed)

    assert await shown(engine, "def f(a, b):\n    ‸") == "first(a)\n    second(b)"
    assert len(model.calls) == 1


async def test_half_a_line_of_a_stopped_answer_is_never_shown(engines) -> None:
    model = ScriptedModel(["first(a"], endless=True)
    engine = make(engines, model, AT_ONCE)
    waiting = asyncio.create_task(engine.suggest(query_at("x = ‸")))
    await until(lambda: model.running == 1)
    typo = query_at("x = y‸", version=2)
    engine.document_changed(typo.uri, typo.text, 2, first_line=0, last_line=0)
    await until(lambda: model.calls[0].closed)
    await waiting

    model.pieces, model.endless = ["whole()"], False
    assert await shown(engine, "x = ‸") == "whole()"
    assert len(model.calls) == 2


async def test_nothing_is_kept_of_a_document_that_was_closed(engines) -> None:
    model = ScriptedModel(["first(a)\n    second(b)\n    thi"], endless=True)
    engine = make(engines, model, AT_ONCE)
    await shown(engine, "def f(a, b):\n    ‸")

    engine.document_closed("file:///w/a.py")
    await until(lambda: model.calls[0].closed)
    model.pieces, model.endless = ["other()"], False

    assert await shown(engine, "def f(a, b):\n    ‸") == "other()"


# -- moved lines -------------------------------------------------------------------------------------------------------

BODY = "import os\n\ndef one(values):\n{first}    return 1\n\ndef two(values):\n{second}    return 2\n"


async def test_a_line_that_is_moved_keeps_its_answer(engines) -> None:
    model = ScriptedModel(["sum(values)"])
    engine = make(engines, model)
    assert await shown(engine, BODY.format(first="    total = ‸\n", second="")) == "sum(values)"

    assert await shown(engine, BODY.format(first="", second="    total = ‸\n")) == "sum(values)"
    assert await shown(engine, BODY.format(first="", second="    total = su‸\n")) == "m(values)"
    assert len(model.calls) == 1


async def test_another_line_with_the_same_beginning_is_another_question(engines) -> None:
    both = BODY.format(first="    total = {0}\n", second="    total = {1}\n")
    model = ScriptedModel(["sum(values)"])
    engine = make(engines, model)
    await shown(engine, both.format("‸", ""))
    await shown(engine, both.format("", "‸"))
    assert len(model.calls) == 2


async def test_a_moved_line_in_a_changed_document_is_another_question(engines) -> None:
    model = ScriptedModel(["sum(values)"])
    engine = make(engines, model)
    await shown(engine, BODY.format(first="    total = ‸\n", second=""))
    await shown(engine, BODY.format(first="", second="    total = ‸\n").replace("import os", "import sys"))
    assert len(model.calls) == 2


async def test_lines_inserted_far_above_change_nothing(engines) -> None:
    rest = "".join(f"value_{number} = compute({number})\n" for number in range(40))
    model = ScriptedModel(["sum(values)"])
    engine = make(engines, model)
    await shown(engine, rest + "total = ‸\n")
    assert await shown(engine, "import os\nimport sys\n" + rest + "total = ‸\n") == "sum(values)"
    assert len(model.calls) == 1


# -- never stale -------------------------------------------------------------------------------------------------------

LONG = "".join(f"constant_{number} = {'1' * 90}\n" for number in range(4))


@pytest.mark.parametrize(
    ("asked", "changed"),
    [
        ("mode = 1\n" + LONG + "result = ‸", "mode = 2\n" + LONG + "result = ‸"),
        ("mode = 1\n" + LONG + "result = ‸", LONG + "result = ‸"),
        ("result = ‸\nfoo = 1\nbar = 2\n", "result = ‸\nfoo = 1\nquux = 99\n"),
        ("import json\n" + LONG + "result = ‸", "import yaml\n" + LONG + "result = ‸"),
        ("a = 1\nresult = ‸\n", "a = 2\nresult = ‸\n"),
    ],
    ids=["changed far above", "deleted", "changed below", "another import", "changed above"],
)
@pytest.mark.parametrize("uri", ["file:///w/a.py", "file:///w/b.py"], ids=["same file", "other file"])
async def test_an_answer_to_another_text_is_not_shown(engines, asked, changed, uri) -> None:
    model = ScriptedModel(["sum(values)"])
    engine = make(engines, model)
    await shown(engine, asked)
    await shown(engine, changed, uri=uri)
    assert len(model.calls) == 2


async def test_a_stream_ends_when_a_line_that_its_model_read_changes(engines) -> None:
    model = ScriptedModel(["sum(values) "], endless=True)
    engine = make(engines, model)
    waiting = asyncio.create_task(engine.suggest(query_at("result = ‸\nfoo = 1\nbar = 2\n")))
    await until(lambda: model.running == 1)
    other = query_at("result = ‸\nfoo = 1\nquux = 99\n", version=2)
    engine.document_changed(other.uri, other.text, 2, first_line=2, last_line=2)
    await until(lambda: model.running == 0)
    await waiting


async def test_a_stream_goes_on_when_lines_are_added_elsewhere(engines) -> None:
    gate = asyncio.Event()
    model = ScriptedModel(["sum(values)"], gate=gate)
    engine = make(engines, model)
    waiting = asyncio.create_task(engine.suggest(query_at("import os\n" + LONG + "result = ‸\n")))
    await until(lambda: model.running == 1)
    other = query_at("import os\nimport sys\n" + LONG + "result = ‸\n", version=2)
    engine.document_changed(other.uri, other.text, 2, first_line=1, last_line=1)
    gate.set()
    assert (await waiting).suggestions[0].text == "sum(values)"
    assert len(model.calls) == 1


async def test_enter_before_the_first_token_of_one_line_ends_it(engines) -> None:
    model = ScriptedModel(["compute(first, second) "], gate=asyncio.Event())
    engine = make(engines, model)
    waiting = asyncio.create_task(engine.suggest(query_at("one = 1\nresult = ‸\nfoo = 1")))
    await until(lambda: model.running == 1)
    other = query_at("one = 1\nresult = \n‸\nfoo = 1", version=2)
    engine.document_changed(other.uri, other.text, 2, first_line=1, last_line=2)
    await until(lambda: model.running == 0)
    await waiting


async def test_enter_before_the_first_token_of_a_block_waits_for_what_it_says(engines) -> None:
    gate = asyncio.Event()
    model = ScriptedModel(["return 1"], endless=True, gate=gate)
    engine = make(engines, model)
    waiting = asyncio.create_task(engine.suggest(query_at("def f():‸\n\nfoo = 1")))
    await until(lambda: model.running == 1)
    other = query_at("def f():\n    ‸\n\nfoo = 1", version=2)
    engine.document_changed(other.uri, other.text, 2, first_line=0, last_line=1)
    await asyncio.sleep(0.01)
    assert model.running == 1
    gate.set()
    await until(lambda: model.running == 0)
    await waiting


# -- the popup's selected item -----------------------------------------------------------------------------------------


async def test_the_model_goes_on_from_the_popup_s_item(engines) -> None:
    model = ScriptedModel([".join(a, b)"])
    engine = make(engines, model)
    query = replace(query_at("x = os.pa‸"), selected=SelectedItem(7, 9, "path"))

    (suggestion,) = (await engine.suggest(query)).suggestions

    assert model.calls[0].request.prompt.endswith("x = os.path<|fim_suffix|><|fim_middle|>")
    assert (suggestion.start_character, suggestion.end_character, suggestion.text) == (7, 9, "path.join(a, b)")


async def test_an_answer_that_begins_with_the_item_needs_no_new_call(engines) -> None:
    model = ScriptedModel(["path.join(a, b)"])
    engine = make(engines, model)
    await shown(engine, "x = os.‸")
    query = replace(query_at("x = os.pa‸"), selected=SelectedItem(7, 9, "path"))

    (suggestion,) = (await engine.suggest(query)).suggestions

    assert suggestion.text == "path.join(a, b)"
    assert len(model.calls) == 1


@pytest.mark.parametrize(
    "item",
    [SelectedItem(7, 9, "two\nlines"), SelectedItem(7, 9, ""), SelectedItem(8, 40, "x"), SelectedItem(10, 9, "x")],
)
async def test_an_item_that_nothing_can_go_on_from_calls_no_model(engines, item) -> None:
    model = ScriptedModel(["anything"])
    engine = make(engines, model)
    outcome = await engine.suggest(replace(query_at("x = os.pa‸"), selected=item))
    assert (outcome.suggestions, outcome.reason, len(model.calls)) == ((), "filtered", 0)


# -- asked by key ------------------------------------------------------------------------------------------------------


async def test_asking_by_key_tries_again_where_the_answer_was_empty(engines) -> None:
    model = ScriptedModel([""])
    engine = make(engines, model)
    assert await shown(engine, "total = ‸") == ""
    assert await shown(engine, "total = ‸") == ""
    assert len(model.calls) == 1
    model.pieces = ["sum(values)"]

    assert await shown(engine, "total = ‸", trigger="invoked") == "sum(values)"
    assert model.calls[1].request.temperature > 0
    assert await shown(engine, "total = ‸", trigger="invoked") == "sum(values)"
    assert len(model.calls) == 2


# -- prefetch ----------------------------------------------------------------------------------------------------------

AHEAD = replace(PATIENT, prefetch=True)


async def test_what_comes_behind_is_there_when_the_suggestion_is_taken(engines) -> None:
    model = ScriptedModel(["a = 1"])
    engine = make(engines, model, AHEAD)
    assert await shown(engine, "def f():\n    ‸") == "a = 1"
    model.pieces = ["return a"]
    await until(lambda: len(model.calls) == 2 and not model.running)
    assert model.calls[1].request.prompt.startswith("<|fim_prefix|>def f():\n    a = 1\n    <|fim_suffix|>")

    assert await shown(engine, "def f():\n    a = 1‸") == "\n    return a"
    assert await shown(engine, "def f():\n    a = 1\n    ‸") == "return a"


async def test_nothing_is_prefetched_unless_it_is_wanted(engines) -> None:
    model = ScriptedModel(["a = 1"])
    engine = make(engines, model, PATIENT)
    await shown(engine, "def f():\n    ‸")
    await asyncio.sleep(0.05)
    assert len(model.calls) == 1


async def test_a_rejected_suggestion_ends_what_was_prefetched_for_it(engines) -> None:
    model = ScriptedModel(["a = 1"])
    engine = make(engines, model, AHEAD)
    await shown(engine, "def f():\n    ‸")
    model.endless = True
    await until(lambda: model.running == 1)

    other = query_at("def f():\n    x‸", version=2)
    engine.document_changed(other.uri, other.text, 2, first_line=1, last_line=1)

    await until(lambda: model.running == 0)


async def test_typing_through_the_suggestion_keeps_what_was_prefetched(engines) -> None:
    model = ScriptedModel(["a = 1"])
    engine = make(engines, model, AHEAD)
    await shown(engine, "def f():\n    ‸")
    gate = model.gate = asyncio.Event()
    await until(lambda: len(model.calls) == 2)
    model.pieces = ["return a"]

    assert await shown(engine, "def f():\n    a‸") == " = 1"
    gate.set()
    await until(lambda: not model.running)

    assert await shown(engine, "def f():\n    a = 1‸") == "\n    return a"
    assert [call.closed for call in model.calls[:2]] == [True, True]


async def test_a_question_of_the_user_comes_before_a_prefetch(engines) -> None:
    model = ScriptedModel(["a = 1"])
    engine = make(engines, model, AHEAD)
    await shown(engine, "def f():\n    ‸")
    model.endless = True
    await until(lambda: model.running == 1)
    model.endless = False
    model.pieces = ["other()"]

    assert await shown(engine, "x = ‸", uri="file:///w/other.py") == "other()"
    assert model.calls[1].closed


# -- no flicker --------------------------------------------------------------------------------------------------------


async def test_what_is_on_screen_stays_as_it_was_when_a_filter_changes_its_mind(engines, monkeypatch) -> None:
    """A filter that turns against a text one key later would make it flicker; it may only shorten what is new."""
    model = ScriptedModel(["sum(values)"])
    engine = make(engines, model)
    assert await shown(engine, "total = ‸") == "sum(values)"

    def fickle(text: str, place: object) -> tuple[str, str]:
        return (text, "") if text == "um(values)" and fickle.asked else (fickle.first(), "")

    fickle.asked = 0

    def first() -> str:
        fickle.asked += 1
        return "something else"

    fickle.first = first
    monkeypatch.setattr("dragoman.completion.answer.polish", fickle)

    assert await shown(engine, "total = s‸") == "um(values)"


async def test_more_of_a_stream_extends_what_is_on_screen(engines) -> None:
    model = ScriptedModel(["first()\n    second()\n    ", "third()\n"], delay=0.0)
    engine = make(engines, model, AT_ONCE)
    begun = await shown(engine, "def f():\n    ‸")
    await until(lambda: not model.running)
    whole = await shown(engine, "def f():\n    ‸")
    assert whole.startswith(begun)
    assert whole == "first()\n    second()\n    third()"


# -- next edits --------------------------------------------------------------------------------------------------------


async def test_an_edit_that_is_due_comes_before_the_model(engines) -> None:
    model = ScriptedModel(["anything"])
    engine = make(engines, model)
    engine.next_edit = lambda query: Suggestion("edit:1", "name", query.character, query.character)

    outcome = await engine.suggest(query_at("total = ‸"))

    assert (outcome.suggestions[0].text, outcome.source, len(model.calls)) == ("name", "edit", 0)


async def test_an_edit_that_is_due_does_not_replace_what_is_on_screen(engines) -> None:
    model = ScriptedModel(["sum(values)"])
    engine = make(engines, model)
    await shown(engine, "total = ‸")
    engine.next_edit = lambda query: Suggestion("edit:1", "name", query.character, query.character)

    assert await shown(engine, "total = s‸") == "um(values)"


async def test_half_a_block_that_does_not_parse_waits_for_the_rest(engines, monkeypatch) -> None:
    pieces = ["value = [\n", "        1,\n", "    ]\n", "    return value\n"]
    engine = make(engines, ScriptedModel(pieces, delay=0.01), AT_ONCE)
    asked = []

    def whole_only(text: str, place: object) -> tuple[str, str]:
        asked.append(text)
        return (text.rstrip(), "") if text.rstrip().endswith("return value") else ("", "syntax")

    monkeypatch.setattr("dragoman.completion.answer.polish", whole_only)

    text = await shown(engine, "def f():\n    ‸")
    assert text.endswith("return value"), asked
    assert len(asked) > 1


async def test_another_answer_does_not_take_the_place_of_the_one_on_screen(engines) -> None:
    model = ScriptedModel(["dth * height + 2 * border"])
    engine = make(engines, model)
    await shown(engine, "area = wi‸")
    model.pieces = ["width * height + border"]
    assert await shown(engine, "area = ‸") == "width * height + border"
    assert await shown(engine, "area = wi‸") == "dth * height + border"


@pytest.mark.parametrize("slots", [1, 2])
async def test_there_are_never_more_generations_than_slots(engines, slots) -> None:
    model = ScriptedModel(["x"], endless=True)
    engine = CompletionEngine(OneTarget(model, max_concurrency=slots), AT_ONCE)
    engines.append(engine)
    most, waiting = 0, []
    for number in range(60):
        query = query_at(f"v{number} = ‸", uri=f"file:///w/{number % 4}.py", version=number)
        engine.document_changed(query.uri, query.text, number, first_line=0, last_line=0)
        waiting.append(asyncio.create_task(engine.suggest(query)))
        for _ in range(number % 4):
            await asyncio.sleep(0)
            most = max(most, model.running)
    await until(lambda: model.running <= slots)
    assert most <= slots
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_the_whole_lines_of_a_stream_that_breaks_are_shown_and_the_failure_is_told(engines) -> None:
    broken = ProviderFailedError("the server fell over")
    model = ScriptedModel(["first = 1\n    second = 2\n    thi"], error=broken)
    engine = make(engines, model)

    outcome = await engine.suggest(query_at("def f():\n    ‸"))

    assert [one.text for one in outcome.suggestions] == ["first = 1\n    second = 2"]
    assert outcome.reason == "model_error"
    assert "fell over" in outcome.detail
    model.error = None
    assert await shown(engine, "def f():\n    f‸") == "irst = 1\n    second = 2"
    assert len(model.calls) == 1
