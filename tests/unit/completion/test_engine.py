"""The engine against a scripted model: what is asked, what is shown, what is closed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from dragoman.completion.engine import CompletionEngine
from dragoman.completion.policy import CompletionPolicy
from dragoman.errors import NoModelError, ProviderFailedError, RateLimitedError
from tests.support.scripted import OneTarget, ScriptedModel, query_at

AT_ONCE = CompletionPolicy(debounce=0.0, show_after=0.0)


@pytest.fixture
async def engines() -> AsyncIterator[list[CompletionEngine]]:
    made: list[CompletionEngine] = []
    yield made
    for engine in made:
        await engine.aclose()
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("generation")]


def make(
    engines: list[CompletionEngine], model: ScriptedModel, policy: CompletionPolicy = AT_ONCE, **target: object
) -> CompletionEngine:
    engine = CompletionEngine(OneTarget(model, **target), policy)  # type: ignore[arg-type]
    engines.append(engine)
    return engine


async def until(condition, seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.002)


async def test_a_model_s_line_is_suggested_at_the_cursor(engines) -> None:
    model = ScriptedModel(["return a", " + b", "\n", "def other():"])

    outcome = await make(engines, model).suggest(query_at("def add(a, b):\n    ‸x\n".replace("x", "")))

    assert [s.text for s in outcome.suggestions] == ["return a + b"]
    assert outcome.model == "fake-coder"
    assert (outcome.suggestions[0].start_character, outcome.suggestions[0].end_character) == (4, 4)


async def test_the_prompt_carries_the_family_s_fill_in_the_middle_tokens(engines) -> None:
    model = ScriptedModel(["1"])

    await make(engines, model).suggest(query_at("x = ‸\nprint(x)\n"))

    assert model.calls[0].request.prompt == "<|fim_prefix|>x = <|fim_suffix|>\nprint(x)\n<|fim_middle|>"
    assert model.calls[0].request.suffix is None


async def test_typing_through_a_suggestion_asks_the_model_once(engines) -> None:
    model = ScriptedModel(["sum(values)"])
    engine = make(engines, model)
    await engine.suggest(query_at("total = ‸"))

    shown = []
    for typed in ("s", "su", "sum", "sum("):
        outcome = await engine.suggest(query_at(f"total = {typed}‸"))
        shown.append(outcome.suggestions[0].text)

    assert shown == ["um(values)", "m(values)", "(values)", "values)"]
    assert len(model.calls) == 1


async def test_typing_through_with_an_auto_closed_bracket_does_not_close_it_twice(engines) -> None:
    model = ScriptedModel(["sum(values)"])
    engine = make(engines, model)
    await engine.suggest(query_at("total = ‸"))

    outcome = await engine.suggest(query_at("total = sum(‸)"))

    assert outcome.suggestions[0].text == "values"
    assert len(model.calls) == 1


async def test_typing_something_else_closes_the_stream_and_asks_again(engines) -> None:
    model = ScriptedModel(["first"], endless=True)
    engine = make(engines, model)
    before = query_at("total = ‸")
    waiting = asyncio.create_task(engine.suggest(before))
    await until(lambda: model.running == 1)

    after = query_at("total = x‸", version=2)
    engine.document_changed(after.uri, after.text, 2, first_line=0, last_line=0)
    await until(lambda: model.calls[0].closed)

    assert (await waiting).suggestions == ()
    model.endless = False
    assert (await engine.suggest(after)).suggestions[0].text == "first"


async def test_a_stream_that_still_fits_is_kept_through_keys_and_cancels(engines) -> None:
    gate = asyncio.Event()
    model = ScriptedModel(["sum(values)"], gate=gate)
    engine = make(engines, model)
    waiting = asyncio.create_task(engine.suggest(query_at("total = ‸")))
    await until(lambda: model.running == 1)

    waiting.cancel()
    typed = query_at("total = s‸", version=2)
    engine.document_changed(typed.uri, typed.text, 2, first_line=0, last_line=0)
    second = asyncio.create_task(engine.suggest(typed))
    await asyncio.sleep(0)
    gate.set()

    assert (await second).suggestions[0].text == "um(values)"
    assert len(model.calls) == 1


async def test_a_cancelled_request_s_generation_ends_when_nobody_comes_back(engines, monkeypatch) -> None:
    monkeypatch.setattr("dragoman.completion.generation.LINGER_S", 0.05)
    model = ScriptedModel(["x"], endless=True)
    waiting = asyncio.create_task(make(engines, model).suggest(query_at("total = ‸")))
    await until(lambda: model.running == 1)

    waiting.cancel()

    await until(lambda: model.running == 0)


async def test_closing_the_document_closes_the_stream(engines) -> None:
    model = ScriptedModel(["x"], endless=True)
    engine = make(engines, model)
    waiting = asyncio.create_task(engine.suggest(query_at("total = ‸")))
    await until(lambda: model.running == 1)

    engine.document_closed("file:///w/a.py")

    await until(lambda: model.running == 0)
    assert (await waiting).suggestions == ()


async def test_a_single_slot_never_has_two_generations(engines) -> None:
    model = ScriptedModel(["x"], endless=True)
    engine = make(engines, model)
    most = 0
    waiting = []
    for index in range(5):
        waiting.append(asyncio.create_task(engine.suggest(query_at(f"v{index} = ‸", uri=f"file:///w/{index}.py"))))
        await until(lambda index=index: len(model.calls) == index + 1)
        most = max(most, model.running)

    assert most == 1
    for task in waiting:
        task.cancel()


async def test_an_early_reply_has_whole_lines_and_the_rest_is_there_after_accepting_them(engines) -> None:
    model = ScriptedModel(["a = 1\n", "    b = 2\n", "    c"], endless=True)
    engine = make(engines, model)

    outcome = await engine.suggest(query_at("def f():\n    ‸"))

    first = outcome.suggestions[0].text
    assert first in {"a = 1", "a = 1\n    b = 2"}
    model.endless = False
    after = await engine.suggest(query_at("def f():\n    a = 1\n    ‸"))
    assert after.suggestions[0].text.startswith("b = 2")
    assert len(model.calls) == 1


async def test_without_a_model_identifiers_are_completed_and_the_reason_is_given(engines) -> None:
    engine = make(engines, ScriptedModel(), missing=NoModelError("No model is installed.", hint="pull"))

    outcome = await engine.suggest(query_at("calculate_total = 1\nprint(calc‸)"))

    assert [s.text for s in outcome.suggestions] == ["ulate_total"]
    assert (outcome.reason, outcome.source) == ("no_model", "identifiers")


async def test_a_failing_model_gives_a_reason_and_no_exception(engines) -> None:
    model = ScriptedModel(error=ProviderFailedError("The server at 'x' failed."))

    outcome = await make(engines, model).suggest(query_at("x = ‸"))

    assert outcome.reason == "model_error"
    assert "failed" in outcome.detail


async def test_after_429_the_server_is_left_alone_for_as_long_as_it_asked(engines) -> None:
    model = ScriptedModel(error=RateLimitedError("Too many requests.", retry_after=60))
    engine = make(engines, model)
    for index in range(5):
        outcome = await engine.suggest(query_at(f"x{index} = ‸"))
        assert outcome.reason == "model_error"

    assert len(model.calls) == 1


async def test_a_newer_question_supersedes_one_that_still_waits_for_the_next_key(engines) -> None:
    model = ScriptedModel(["x"])
    engine = make(engines, model, CompletionPolicy(debounce=0.2, show_after=0.0))
    older = asyncio.create_task(engine.suggest(query_at("a‸")))
    await asyncio.sleep(0)
    newer = await engine.suggest(query_at("b‸"))

    assert (await older).reason == "superseded"
    assert newer.suggestions[0].text == "x"
    assert len(model.calls) == 1


@pytest.mark.parametrize(
    ("marked", "language", "policy", "reason"),
    [
        ("x‸", "plaintext", CompletionPolicy(), "language_excluded"),
        ("x‸", "python", CompletionPolicy(enabled=False), "disabled"),
        ("x‸", "python", CompletionPolicy(automatic=False), "disabled"),
        ("a\0b\nx‸", "python", CompletionPolicy(), "binary"),
        ("x" * 30_000 + "‸", "javascript", CompletionPolicy(), "too_large"),
    ],
)
async def test_some_places_are_never_asked_about(engines, marked, language, policy, reason) -> None:
    model = ScriptedModel(["x"])

    outcome = await make(engines, model, policy).suggest(query_at(marked, language=language))

    assert (outcome.reason, outcome.suggestions) == (reason, ())
    assert outcome.detail
    assert not model.calls


async def test_a_file_of_keys_is_not_sent_to_another_machine_but_may_go_to_a_local_model(engines) -> None:
    model = ScriptedModel(["x"])
    query = query_at("SECRET=‸", language="dotenv", uri="file:///w/.env.local")

    remote = await make(engines, model, is_local=False).suggest(query)
    assert (remote.reason, model.calls) == ("ignored_file", [])

    local = await make(engines, model).suggest(query)
    assert local.suggestions


async def test_a_thousand_superseded_requests_leave_nothing_behind(engines) -> None:
    model = ScriptedModel(["y"], delay=0.001)
    engine = make(engines, model)
    for index in range(1000):
        task = asyncio.create_task(engine.suggest(query_at(f"value_{index} = ‸", version=index)))
        await asyncio.sleep(0)
        if index % 3:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    await engine.aclose()

    assert model.running == 0


async def test_an_engine_that_is_closed_while_a_question_waits_answers_nothing_and_raises_nothing() -> None:
    model = ScriptedModel(["x"])
    engine = CompletionEngine(OneTarget(model), CompletionPolicy(debounce=0.1))
    await engine.suggest(query_at("a‸"))
    asked = asyncio.create_task(engine.suggest(query_at("b‸")))
    await asyncio.sleep(0)
    await engine.aclose()
    query = query_at("bc‸")
    engine.document_changed(query.uri, query.text, 3, first_line=0, last_line=0)
    engine.document_closed(query.uri)

    assert (await asked).suggestions == ()
    assert engine.cancel() == 0
    assert len(model.calls) == 1


@pytest.mark.parametrize("turns", range(8))
async def test_a_cancel_that_comes_together_with_new_text_is_not_lost(engines, turns) -> None:
    """The first text wakes the waiting request; the cancel comes some turns of the loop later, before it has run."""
    gate = asyncio.Event()
    model = ScriptedModel(["x"], endless=True, gate=gate)
    policy = CompletionPolicy(debounce=0.0, show_after=600.0)
    waiting = asyncio.create_task(make(engines, model, policy).suggest(query_at("total = ‸")))
    await until(lambda: model.running == 1)
    gate.set()
    while not model.calls[0].produced:
        await asyncio.sleep(0)
    for _ in range(turns):
        await asyncio.sleep(0)
    waiting.cancel()

    done, _ = await asyncio.wait([waiting], timeout=5)
    assert done, "the request goes on after its cancel"
    assert waiting.cancelled()
