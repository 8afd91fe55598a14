"""Answers that are data: constrained or asked for, checked against the schema, and asked for once more when they are wrong."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import Any

import pytest

from dragoman.errors import (
    AuthenticationError,
    ContextOverflowError,
    RequestRejectedError,
    StreamBrokenError,
    StructuredOutputError,
)
from dragoman.models.assembly import Answer
from dragoman.models.base import ChatMessage, ChatRequest, Tool
from dragoman.models.schemas import REASON_CHARS, Problem, Schema
from dragoman.models.structured import ask_structured
from tests.support.scripted_chat import Cut, Line, ScriptedChat

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"line": {"type": "integer", "minimum": 1}, "severity": {"enum": ["error", "warning"]}},
    "required": ["line", "severity"],
    "additionalProperties": False,
}
GOOD = '{"line": 2, "severity": "error"}'
VALUE = {"line": 2, "severity": "error"}
QUESTION = ChatRequest(
    (ChatMessage("system", "You review."), ChatMessage("user", "1/0")), stop=("END",), temperature=0.5
)
ABLE = frozenset({"chat", "json_schema"})


def model_of(*answers: Line, able: Any = ABLE) -> ScriptedChat:
    return ScriptedChat(answers, able)


async def test_a_model_with_schemas_is_held_to_it_and_told_nothing() -> None:
    model = model_of(GOOD)
    tools = (Tool("f", "", {}),)
    request = ChatRequest(QUESTION.messages, stop=("END",), temperature=0.5, tools=tools, tool_choice="f")
    assert await ask_structured(model, request, SCHEMA) == VALUE
    (asked,) = model.requests
    assert asked == ChatRequest(QUESTION.messages, stop=("END",), temperature=0.5, json_schema=SCHEMA)


@pytest.mark.parametrize("answer", [GOOD, f"Line [2] it is:\n```json\n{GOOD}\n```\nHope it helps!"])
async def test_a_model_without_is_told_the_schema_in_its_one_system_message(answer: str) -> None:
    model = model_of(answer, able=frozenset({"chat"}))
    assert await ask_structured(model, QUESTION, SCHEMA) == VALUE
    (asked,) = model.requests
    assert asked.json_schema is None
    assert [message.role for message in asked.messages] == ["system", "user"]
    assert asked.messages[0].content.startswith("You review.\n\n")
    assert '"enum": ["error", "warning"]' in asked.messages[0].content


async def test_a_server_that_refuses_the_schema_is_told_it_instead() -> None:
    model = model_of(RequestRejectedError("response_format is not supported"), GOOD)
    assert await ask_structured(model, QUESTION, SCHEMA) == VALUE
    first, second = model.requests
    assert first.json_schema == SCHEMA
    assert second.json_schema is None
    assert "JSON schema" in second.messages[0].content


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        ('{"line": "two", "severity": "error"}', "At $.line: a string stands where the type should be integer."),
        ('{"line": 2}', "At $: 'severity' is a required property."),
        ('{"line": 0, "severity": "error"}', "At $.line: the value does not keep to 'minimum': 1."),
        ('{"line": 1, "severity": "fatal"}', """At $.severity: the value is not one of ["error", "warning"]."""),
        ("No idea.", "At $: there is no JSON value."),
        ("", "At $: there is no JSON value."),
        (f"{GOOD[:-1]},}}", "At $: "),
        (Cut(GOOD[:9]), "At $: the answer was cut off, because it was too long."),
    ],
)
@pytest.mark.parametrize("able", [ABLE, frozenset({"chat"})])
async def test_a_wrong_answer_is_repaired_once(wrong: str | Cut, place: str, able: Any) -> None:
    model = model_of(wrong, GOOD, able=able)
    assert await ask_structured(model, QUESTION, SCHEMA) == VALUE
    first, second = model.requests
    said = wrong.text if isinstance(wrong, Cut) else wrong
    told = second.messages[len(first.messages) :]
    assert [message.role for message in told] == (["assistant", "user"] if said else ["user"])
    assert told[0].content == said or not said
    assert place in told[-1].content
    assert second.json_schema == first.json_schema


async def test_a_second_wrong_answer_is_an_error_with_place_and_reason_but_not_the_answer() -> None:
    long = "Nightingale" * 2_000
    model = model_of('{"line": 2}', f'{{"line": "{long}", "severity": "error"}}')
    with pytest.raises(StructuredOutputError, match=r"'talker'.*at \$\.line, a string") as caught:
        await ask_structured(model, QUESTION, SCHEMA)
    assert (caught.value.path, caught.value.reason) == ("$.line", "a string stands where the type should be integer")
    assert "Nightingale" not in str(caught.value)
    assert caught.value.hint
    assert len(model.requests) == 2


async def test_where_there_is_no_room_for_the_repair_the_first_problem_is_told() -> None:
    model = model_of("{}", ContextOverflowError("too long", excess=9))
    with pytest.raises(StructuredOutputError, match="required property"):
        await ask_structured(model, QUESTION, SCHEMA)


@pytest.mark.parametrize("error", [AuthenticationError("no"), StreamBrokenError("cut"), ContextOverflowError("long")])
async def test_what_the_model_raises_is_raised(error: Any) -> None:
    model = model_of(error)
    with pytest.raises(type(error)):
        await ask_structured(model, QUESTION, SCHEMA)
    assert len(model.requests) == 1


class Mender(ScriptedChat):
    """Answers whole, as retries do, and no stream."""

    async def answer(self, request: ChatRequest) -> Answer:
        return Answer(GOOD if request.json_schema else "")


async def test_a_model_that_can_mend_a_cut_answer_is_asked_for_a_whole_one() -> None:
    assert await ask_structured(Mender([], ABLE), QUESTION, SCHEMA) == VALUE


@pytest.mark.parametrize("answers", [[], ["{}"]])
async def test_a_cancel_closes_the_stream_in_the_repair_too(answers: list[str]) -> None:
    model = model_of(*answers)
    task = asyncio.ensure_future(ask_structured(model, QUESTION, SCHEMA))
    while len(model.requests) <= len(answers) or not model.running:
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()
    assert model.running == 0


# -- schemas -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({"type": "objekt"}, r"at \$\.type"),
        ({"$ref": "http://models.invalid/schema.json"}, "no other document is ever fetched"),
        ({"properties": {"a": {"items": [{"$ref": "other.json#/x"}]}}}, "'other.json#/x'"),
        ({"pattern": "("}, "pattern"),
    ],
)
async def test_a_schema_that_is_none_or_leads_elsewhere_is_refused_before_a_model_is_asked(
    schema: dict[str, Any], why: str
) -> None:
    model = model_of(GOOD)
    with pytest.raises(RequestRejectedError, match=why):
        await ask_structured(model, QUESTION, schema)
    assert not model.requests


def test_references_within_a_schema_are_followed_and_one_that_leads_nowhere_is_an_error() -> None:
    tree = {
        "$ref": "#/$defs/node",
        "$defs": {"node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}}},
    }
    assert Schema(tree).check({"next": {"next": {}}}) is None
    assert Schema(tree).check({"next": {"next": 1}}) == Problem(
        "$.next.next", "an integer stands where the type should be object"
    )
    named = {
        "$id": "http://models.invalid/s",
        "$ref": "http://models.invalid/s#/$defs/a",
        "$defs": {"a": {"type": "null"}},
    }
    assert Schema(named).check(1) is not None
    with pytest.raises(RequestRejectedError, match="leads nowhere"):
        Schema({"$ref": "#/nope"}).check(1)
    # A property of that name, and data, refer to nothing.
    assert Schema({"properties": {"$ref": {"const": {"$ref": "http://x.invalid"}}}}).check({}) is None


def test_the_reason_is_that_of_the_alternative_that_was_meant_and_never_long() -> None:
    forms = [{"type": "string"}, {"type": "object", "properties": {"n": {"type": "integer"}}}]
    assert Schema({"oneOf": forms}).check({"n": "x"}) == Problem(
        "$.n", "a string stands where the type should be integer"
    )
    assert Schema({"not": {}}).check(1) is not None
    for value in ({"x" * 9_000: 1}, {"line": 1, "severity": "x" * 9_000}):
        problem = Schema(SCHEMA).check(value)
        assert problem is not None
        assert len(problem.reason) <= REASON_CHARS


def test_the_validator_is_imported_when_it_is_first_needed() -> None:
    code = (
        "import sys, dragoman.models.structured, dragoman.models.tool_calls\n"
        "assert 'jsonschema' not in sys.modules\n"
        "from dragoman.models.schemas import Schema; Schema({}); assert 'jsonschema' in sys.modules\n"
        # What it could fetch with is not even there.
        "assert 'requests' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
