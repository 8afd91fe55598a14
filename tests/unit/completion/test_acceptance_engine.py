"""The tracker beside the real engine: what is typed, asked and answered adds up."""

from __future__ import annotations

from dragoman.completion.engine import CompletionEngine
from dragoman.completion.policy import CompletionPolicy
from tests.support.screen import Screen
from tests.support.scripted import OneTarget, ScriptedModel


async def test_typing_through_an_engines_suggestion_and_taking_the_rest() -> None:
    model = ScriptedModel(pieces=["sum(values)", " / len(values)"])
    engine = CompletionEngine(OneTarget(model), CompletionPolicy(debounce=0.0))
    screen = Screen("def mean(values):\n    return █\n")
    text = "sum(values) / len(values)"
    try:
        for key in ("", *text[:5]):
            if key:
                screen.insert(key)
                engine.document_changed(screen.uri, screen.document.lines, 1, first_line=1, last_line=1)
            query = screen.query()
            outcome = await engine.suggest(query)
            assert [suggestion.text for suggestion in outcome.suggestions] == [text[screen.character - 11 :]]
            screen.tracker.answered(query, outcome)
        screen.insert(text[5:])
        screen.tracker.accepted(outcome.suggestions[0].id, "whole")
    finally:
        await engine.aclose()

    assert len(model.calls) == 1
    assert screen.ends == {"shown": 1, "whole": 1}
    assert screen.counts["from_model"] == 1
    assert screen.counts["from_cache"] + screen.counts["from_stream"] == 5
    assert screen.counts["characters"] == len(text) - 5
    assert screen.fates == {"survived": 1}
