"""Tools for a model that knows none: what it is told, what it may answer, and what becomes of its stream."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.errors import (
    ContextOverflowError,
    RequestRejectedError,
    StreamBrokenError,
    ToolCallError,
    ToolsUnsupportedError,
)
from dragoman.models.assembly import Answer, gather_answer
from dragoman.models.base import (
    ChatMessage,
    ChatRequest,
    Chunk,
    CompletionRequest,
    Image,
    Tool,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from dragoman.models.tool_calls import ToolCallingModel
from dragoman.models.tool_replies import ReplyReader
from dragoman.models.tool_wording import build_schema, read_offer
from tests.support.scripted_chat import Cut, Line, ScriptedChat, split

READ = Tool(
    "read_file",
    "Read a file.",
    {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"], "additionalProperties": False},
)
LIST = Tool("list_files", "List files.", {"type": "object", "properties": {}})
USER = ChatMessage("user", "What is in a.py?")
ASK = ChatRequest((USER,), tools=(READ, LIST))
CALL = '{"tool": "read_file", "arguments": {"path": "a.py"}}'
ABLE = frozenset({"chat", "json_schema"})


def wrap(*answers: Line, able: Any = ABLE, size: int = 3) -> tuple[ToolCallingModel, ScriptedChat]:
    model = ScriptedChat(answers, able, size)
    return ToolCallingModel(model), model


async def ask(model: ToolCallingModel, request: ChatRequest = ASK) -> Answer:
    return await gather_answer(model.chat(request))


def asking(**changes: Any) -> ChatRequest:
    return ChatRequest(**{"messages": ASK.messages, "tools": ASK.tools, **changes})


# -- calls and answers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 4, 1_000])
async def test_a_call_is_handed_on_whole(size: int) -> None:
    model, inner = wrap(CALL, size=size)
    chunks = [chunk async for chunk in model.chat(ASK)]

    (delta,) = [delta for chunk in chunks for delta in chunk.tool_calls]
    assert (delta.index, delta.name, delta.arguments) == (0, "read_file", '{"path": "a.py"}')
    assert delta.id
    assert [chunk.finish for chunk in chunks] == ["tool_calls"]
    assert not any(chunk.text for chunk in chunks)
    assert chunks[-1].usage == Usage(10, len(CALL), 0)
    assert inner.running == 0


async def test_every_call_has_an_id_of_its_own() -> None:
    model, _ = wrap(CALL, CALL)
    assert (await ask(model)).tool_calls[0].id != (await ask(model)).tool_calls[0].id


@given(
    text=st.text(),
    ascii_only=st.booleans(),
    indent=st.sampled_from([None, 1]),
    places=st.lists(st.integers(min_value=0), max_size=12),
)
def test_the_text_of_an_answer_is_the_same_however_it_is_written_and_cut(
    text: str, ascii_only: bool, indent: int | None, places: list[int]
) -> None:
    reader = ReplyReader()
    pieces = split(json.dumps({"answer": text}, ensure_ascii=ascii_only, indent=indent), places)
    assert "".join([reader.feed(piece) for piece in pieces] + [reader.end()]) == text
    assert (reader.trouble, reader.is_call, reader.goes_on) == ("", False, False)


_arguments = st.dictionaries(
    st.text(max_size=5), st.recursive(st.text(max_size=8) | st.integers() | st.none(), st.lists, max_leaves=4)
)


@given(
    arguments=_arguments,
    name=st.text(max_size=6),
    fenced=st.booleans(),
    turned=st.booleans(),
    indent=st.sampled_from([None, 2]),
    places=st.lists(st.integers(min_value=0), max_size=12),
)
def test_a_call_is_the_same_however_it_is_written_and_cut(
    arguments: dict[str, Any], name: str, fenced: bool, turned: bool, indent: int | None, places: list[int]
) -> None:
    fields = {"tool": name, "arguments": arguments}
    written = json.dumps(dict(reversed(fields.items())) if turned else fields, indent=indent)
    reader = ReplyReader()
    pieces = split(f"I look.\n```json\n{written}\n```\n" if fenced else written, places)
    text = "".join([reader.feed(piece) for piece in pieces] + [reader.end()])
    assert text == ("I look.\n" if fenced else "")
    assert (reader.tool, json.loads(reader.arguments)) == (name, arguments)
    assert (reader.is_call, reader.trouble, reader.goes_on) == (True, "", False)


@given(text=st.text(alphabet='`{}"tol:answer \n', max_size=60), places=st.lists(st.integers(min_value=0), max_size=12))
def test_prose_without_the_form_is_text_to_the_letter(text: str, places: list[int]) -> None:
    squeezed = "".join(text.split())
    if any(f'{{"{key}":' in squeezed for key in ("tool", "answer", "arguments")):
        return
    reader = ReplyReader()
    assert "".join([reader.feed(piece) for piece in split(text, places)] + [reader.end()]) == text


async def test_text_comes_while_the_model_still_writes() -> None:
    model, inner = wrap()

    async def chat(request: ChatRequest) -> Any:
        yield Chunk(thinking="Hm.")
        yield Chunk('{"answer": "one two')
        await asyncio.get_running_loop().create_future()

    inner.chat = chat  # type: ignore[method-assign, assignment]
    async with aclosing(model.chat(ASK)) as stream:
        assert (await anext(stream)).thinking == "Hm."
        assert (await anext(stream)).text == "one two"


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("Just so.", "Just so."),
        ('{"answer": "a \\ud83d\\ude00 b"}', "a 😀 b"),
        ('{"answer": {"a": [1, "}"]}} ', '{"a": [1, "}"]}'),
        ('```json\n{"answer": "a"}\n```', "a"),
        ('{"answer": "cut of', "cut of"),
        ("Take {x} or:\n```python\nd = {}\n```\n", "Take {x} or:\n```python\nd = {}\n```\n"),
        ("", ""),
    ],
)
@pytest.mark.parametrize("size", [1, 1_000])
async def test_a_model_that_keeps_to_the_form_or_not_is_understood(said: str, text: str, size: int) -> None:
    model, inner = wrap(said, able=frozenset({"chat"}), size=size)
    answer = await ask(model)
    assert (answer.text, answer.tool_calls, answer.finish) == (text, (), "stop")
    assert len(inner.requests) == 1


async def test_what_a_model_imagines_behind_its_call_is_not_waited_for() -> None:
    model, inner = wrap(f"I look.\n{CALL}\nResult: it holds much." + "!" * 500, able=frozenset({"chat"}))
    answer = await ask(model)
    assert (answer.text, answer.finish) == ("I look.\n", "tool_calls")
    assert [call.name for call in answer.tool_calls] == ["read_file"]
    assert inner.running == 0


async def test_stop_texts_count_in_the_text_and_not_in_the_json() -> None:
    model, inner = wrap('{"answer": "one\\ntwo"}', '{"answer": "a } b"}')
    assert (await ask(model, asking(stop=("\n",)))).text == "one"
    answer = await ask(model, asking(stop=("}",)))
    assert (answer.text, answer.finish) == ("a ", "stop")
    assert all(request.stop == () for request in inner.requests)
    assert inner.running == 0


async def test_an_answer_that_is_cut_off_says_so() -> None:
    model, _ = wrap(Cut('{"answer": "it is'))
    answer = await ask(model)
    assert (answer.text, answer.finish) == ("it is", "length")


# -- what the model is told --------------------------------------------------------------------------------------------


def schema_of(**changes: Any) -> dict[str, Any]:
    request = asking(**changes)
    return build_schema(read_offer(request), request.json_schema)


def forms_of(**changes: Any) -> list[str]:
    schema = schema_of(**changes)
    forms = schema.get("oneOf", [schema])
    return [form["properties"]["tool"]["const"] if "tool" in form["properties"] else "answer" for form in forms]


def test_the_choice_of_tools_is_honoured() -> None:
    assert forms_of() == ["read_file", "list_files", "answer"]
    assert forms_of(tool_choice="required") == ["read_file", "list_files"]
    assert forms_of(tool_choice="list_files") == ["list_files"]


async def test_a_model_with_schemas_is_held_to_the_form_and_the_answer_to_its_own_schema() -> None:
    model, inner = wrap(CALL, '{"answer": {"n": 1}}')
    await ask(model)
    answer = await ask(model, asking(json_schema={"type": "object", "required": ["n"]}))
    first, second = inner.requests
    assert first.tools == ()
    assert first.json_schema == schema_of()
    assert json.loads(answer.text) == {"n": 1}
    for wrong in ({"tool": "nope", "arguments": {}}, {"answer": {}}, {"tool": "read_file", "arguments": {}}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, second.json_schema)
    jsonschema.validate({"answer": {"n": 1}}, second.json_schema)


def test_references_in_a_tools_schema_still_lead_to_what_they_did() -> None:
    tree = {
        "type": "object",
        "properties": {"root": {"$ref": "#/$defs/node"}},
        "$schema": "x",
        "$id": "http://x.invalid/t",
    }
    tree["$defs"] = {
        "node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}, "additionalProperties": False}
    }
    schema = schema_of(
        tools=(READ, Tool("plant", "", tree)), json_schema={"$ref": "#/$defs/n", "$defs": {"n": {"type": "null"}}}
    )
    for good in ({"tool": "plant", "arguments": {"root": {"next": {}}}}, {"answer": None}, json.loads(CALL)):
        jsonschema.validate(good, schema)
    for bad in ({"tool": "plant", "arguments": {"root": {"next": {"x": 1}}}}, {"answer": 1}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(bad, schema)


async def test_the_history_is_written_in_the_form_with_roles_in_turn() -> None:
    calls = (ToolCall("c1", "read_file", '{"path": "a.py"}'), ToolCall("c2", "list_files", "{broken"))
    picture = Image("image/png", b"png")
    messages = (
        ChatMessage("system", "You help."),
        USER,
        ChatMessage("assistant", "I look.", tool_calls=calls),
        ChatMessage("tool", "x = 1", tool_call_id="c1"),
        ChatMessage("tool", "error", tool_call_id="c2", images=(picture,)),
        ChatMessage("user", "And?"),
        ChatMessage("assistant", "It holds x."),
        ChatMessage("user", "Thanks."),
        ChatMessage("user", "Bye."),
    )
    model, inner = wrap('{"answer": "Bye."}')
    await ask(model, asking(messages=messages))
    (request,) = inner.requests
    system, user, called, result, said, *rest = request.messages
    assert system.content.startswith("You help.\n\n")
    assert all(name in system.content for name in ("read_file: Read a file.", "- path (string)", "list_files"))
    assert user == USER
    assert called == ChatMessage("assistant", f'I look.\n{CALL}\n{{"tool": "list_files", "arguments": "{{broken"}}')
    assert result.role == "user"
    assert result.images == (picture,)
    places = [result.content.index(text) for text in ("read_file", "x = 1", "list_files", "error", "And?")]
    assert places == sorted(places)
    assert said == ChatMessage("assistant", '{"answer": "It holds x."}')
    assert rest == [ChatMessage("user", "Thanks."), ChatMessage("user", "Bye.")]
    assert not any(message.tool_calls or message.tool_call_id for message in request.messages)


async def test_without_tools_to_offer_only_the_history_is_written_anew() -> None:
    messages = (
        USER,
        ChatMessage("assistant", "", tool_calls=(ToolCall("1", "list_files", "{}"),)),
        ChatMessage("tool", "a.py", tool_call_id="1"),
    )
    for request in (asking(messages=messages, tool_choice="none"), ChatRequest(messages)):
        model, inner = wrap('{"answer": "as it is"}')
        assert (await ask(model, request)).text == '{"answer": "as it is"}'
        assert inner.requests[0].json_schema is None
        assert inner.requests[0].tools == ()
        assert [message.role for message in inner.requests[0].messages] == ["user", "assistant", "user"]


# -- what is wrong -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ('{"tool": "rm", "arguments": {}}', "there is no such tool; there are 'read_file', 'list_files'"),
        ('{"tool": 7, "arguments": {}}', "there is no such tool"),
        ('{"arguments": {}}', "there is no such tool"),
        ('{"tool": "read_file", "arguments": {}}', "at $, 'path' is a required property"),
        ('{"tool": "read_file", "arguments": {"path": 1}}', "at $.path, an integer stands where"),
        ('{"tool": "read_file", "arguments": ["a.py"]}', "not a JSON object"),
        ('{"tool": "read_file", "arguments": {"path": "a.py",}}', "not JSON"),
        ('{"tool": "read_file" "arguments": {}}', "its JSON is wrong"),
        ('{"tool": "read_file", "arguments": {"path": ', "ends in the middle"),
        (Cut('{"tool": "read_file", "arguments": {"path": "'), "cut off"),
    ],
)
async def test_a_call_that_cannot_be_made_is_repaired_once(wrong: str | Cut, reason: str) -> None:
    model, inner = wrap(wrong, CALL)
    answer = await ask(model)
    assert [call.arguments for call in answer.tool_calls] == ['{"path": "a.py"}']
    first, second = inner.requests
    said = wrong.text if isinstance(wrong, Cut) else wrong
    assert second.messages[: len(first.messages)] == first.messages
    assert second.messages[-2] == ChatMessage("assistant", said)
    assert reason in second.messages[-1].content
    assert answer.usage == Usage(20, len(said) + len(CALL), 0)

    model, inner = wrap(wrong, wrong)
    with pytest.raises(ToolCallError) as caught:
        await ask(model)
    assert reason in caught.value.reason
    assert len(inner.requests) == 2
    assert inner.running == 0


async def test_a_repair_may_be_an_answer_and_nothing_of_the_wrong_call_is_handed_on() -> None:
    model, _ = wrap('{"tool": "rm", "arguments": {}}', '{"answer": "I cannot."}')
    answer = await ask(model)
    assert (answer.text, answer.tool_calls, answer.finish) == ("I cannot.", (), "stop")


@pytest.mark.parametrize("answer", ["I would rather not.", '{"answer": "no"}', "", ()])
async def test_who_has_to_call_and_answers_is_told_so_and_not_heard(answer: Line) -> None:
    model, inner = wrap(answer, CALL, able=frozenset({"chat"}))
    whole = await ask(model, asking(tool_choice="required"))
    assert (whole.text, [call.name for call in whole.tool_calls]) == ("", ["read_file"])
    assert "instead of calling one" in inner.requests[1].messages[-1].content

    model, inner = wrap(answer, answer, able=frozenset({"chat"}))
    with pytest.raises(ToolCallError, match="instead of calling one"):
        await ask(model, asking(tool_choice="required"))


async def test_a_choice_that_is_no_tool_is_refused_before_the_model_is_asked() -> None:
    model, inner = wrap(CALL)
    with pytest.raises(RequestRejectedError, match="'write_file'"):
        await ask(model, asking(tool_choice="write_file"))
    assert not inner.requests


async def test_what_the_model_raises_is_raised() -> None:
    for error in (ContextOverflowError("long", excess=3), StreamBrokenError("cut")):
        model, inner = wrap(error)
        with pytest.raises(type(error)):
            await ask(model)
        assert len(inner.requests) == 1


# -- models that say they can ------------------------------------------------------------------------------------------

NATIVE = frozenset({"chat", "json_schema", "tools"})


async def test_a_model_with_tools_of_its_own_is_left_alone() -> None:
    model, inner = wrap("text as it is", able=NATIVE)
    assert (await ask(model)).text == "text as it is"
    assert inner.requests == [ASK]


async def test_one_that_refuses_them_is_asked_by_schema_and_that_is_remembered() -> None:
    model, inner = wrap(ToolsUnsupportedError("start it with --jinja"), CALL, CALL, able=NATIVE)
    for _ in range(2):
        assert [call.name for call in (await ask(model)).tool_calls] == ["read_file"]
    assert [bool(request.tools) for request in inner.requests] == [True, False, False]


NATIVE_CALL = (
    Chunk(thinking="Hm."),
    Chunk("I look. "),
    Chunk(tool_calls=(ToolCallDelta(0, "1", "read_file", '{"path"'),)),
    Chunk("So.", tool_calls=(ToolCallDelta(0, arguments=': "a.py"}'),)),
    Chunk(finish="tool_calls", usage=Usage(1, 2)),
)


@pytest.mark.parametrize("choice", ["required", "read_file"])
async def test_a_demanded_call_of_a_model_with_tools_is_its_own(choice: str) -> None:
    model, inner = wrap(NATIVE_CALL, able=NATIVE)
    request = asking(tool_choice=choice)
    answer = await ask(model, request)
    call = ToolCall("1", "read_file", '{"path": "a.py"}')
    assert answer == Answer("I look. So.", "Hm.", (call,), Usage(1, 2), "tool_calls")
    assert inner.requests == [request]


@pytest.mark.parametrize("choice", ["required", "list_files"])
async def test_a_demand_that_is_ignored_is_put_as_a_schema_and_only_demands_are_from_then_on(choice: str) -> None:
    ignored: Line = "Call read_file yourself." if choice == "required" else NATIVE_CALL
    form = '{"tool": "list_files", "arguments": {}}'
    model, inner = wrap(ignored, form, form, "as it is", able=NATIVE)
    for _ in range(2):
        answer = await ask(model, asking(tool_choice=choice))
        assert (answer.text, [call.name for call in answer.tool_calls]) == ("", ["list_files"])
    assert (await ask(model)).text == "as it is"
    assert [bool(request.tools) for request in inner.requests] == [True, False, False, True]
    assert inner.running == 0


async def test_tools_that_are_refused_with_a_demand_are_still_offered_without_one() -> None:
    model, inner = wrap(ToolsUnsupportedError("no tool_choice"), CALL, "as it is", CALL, able=NATIVE)
    required = asking(tool_choice="required")
    assert (await ask(model, required)).finish == "tool_calls"
    assert (await ask(model)).text == "as it is"
    assert (await ask(model, required)).finish == "tool_calls"
    assert [bool(request.tools) for request in inner.requests] == [True, False, True, False]


async def test_a_schema_that_is_refused_is_left_out_the_next_time_and_after_three_of_them_all_are() -> None:
    refusal = RequestRejectedError("no response_format")
    model, inner = wrap(refusal, CALL, CALL, refusal, CALL, CALL, refusal, CALL, CALL)
    first, second, third, fourth = (Tool(f"f{n}", "", READ.parameters) for n in range(4))
    for tools in ((READ, first), (READ, first), (READ, second), (READ,), (READ, third), (READ, fourth)):
        answer = await ask(model, asking(tools=tools))
        assert [call.name for call in answer.tool_calls] == ["read_file"]
    assert [request.json_schema is not None for request in inner.requests] == [
        *(True, False),
        False,
        *(True, False),
        True,
        *(True, False),
        False,
    ]
    assert inner.requests[1].messages == inner.requests[0].messages


async def test_a_refusal_without_schemas_and_one_in_the_middle_are_errors() -> None:
    model, _ = wrap(RequestRejectedError("no"), able=frozenset({"chat"}))
    with pytest.raises(RequestRejectedError):
        await ask(model)
    model, _ = wrap(ToolsUnsupportedError("no"), RequestRejectedError("no"), RequestRejectedError("no"), able=NATIVE)
    with pytest.raises(RequestRejectedError):
        await ask(model)


async def test_everything_else_goes_through() -> None:
    model, _ = wrap("as it is")
    assert model.info.capabilities == ABLE | {"tools"}
    assert (await ask(model, ChatRequest((USER,)))).text == "as it is"
    assert [chunk.text async for chunk in model.complete(CompletionRequest("x ="))] == ["x ="]
    assert await model.embed(["abc"]) == [[3.0]]


@pytest.mark.parametrize("able", [ABLE, NATIVE])
async def test_closing_and_cancelling_reach_the_model_at_once(able: Any) -> None:
    model, inner = wrap(able=able)
    task = asyncio.ensure_future(ask(model))
    while not inner.running:
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert inner.running == 0

    model, inner = wrap('{"answer": "a long one"}', able=able)
    stream = model.chat(ASK)
    await anext(stream)
    assert inner.running == 1
    await stream.aclose()
    assert inner.running == 0


async def test_a_tool_is_described_in_lines_and_what_has_parts_within_by_its_schema() -> None:
    flat = {
        "type": "object",
        "properties": {
            "path": {"type": "string", "minLength": 1, "description": "The file."},
            "line": {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}], "default": None},
            "depth": {"type": "integer", "default": 3, "description": "How deep."},
            "how": {"enum": ["fast", "well"]},
            "argv": {"type": "array", "items": {"type": "string"}, "maxItems": 9},
        },
        "required": ["path", "argv"],
        "additionalProperties": False,
    }
    deep = {"type": "object", "properties": {"where": {"type": "object", "properties": {"x": {"type": "integer"}}}}}
    model, inner = wrap('{"answer": "Bye."}')
    await ask(model, asking(tools=(Tool("flat", "Does.", flat), Tool("deep", "Digs.", deep), Tool("none", "Is.", {}))))
    told = inner.requests[0].messages[0].content
    assert (
        "flat: Does.\n- path (string): The file.\n- line (integer, optional)\n"
        "- depth (integer, optional, 3 if left out): How deep.\n"
        '- how ("fast" or "well", optional)\n- argv (list of string)\n'
    ) in told
    assert f"deep: Digs.\nArguments: {json.dumps(deep)}" in told
    assert told.rstrip().endswith("none: Is.")
