"""Models that an editor lends to its other extensions, over the wire: pieces, calls, cancel, secrets, wrong questions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support.desk import Desk, desk
from tests.support.fake_model import Script

HELLO = [{"role": "user", "content": "Say hello."}]
PICTURE = "iVBORw0KGgo="
WEATHER = {
    "name": "weather",
    "description": "Tells the weather.",
    "parameters": {"type": "object", "properties": {"town": {"type": "string"}}, "required": ["town"]},
}


async def stream(at: Desk, **params: Any) -> tuple[list[Any], Any]:
    """Ask with a token and return the pieces and the reply."""
    reply = await at.editor.call("dragoman/answer", {"messages": HELLO, **params, "partialResultToken": "here"})
    pieces = [
        one["params"]["value"]
        for one in at.editor.unread
        if one.get("method") == "$/progress" and one["params"]["token"] == "here"
    ]
    return pieces, reply


async def test_models_are_listed_with_the_chosen_one_first(tmp_path: Path) -> None:
    async with desk(tmp_path, Script(models=["fake-chat", "other-chat"])) as (at, _, _root):
        models = (await at.editor.call("dragoman/models", {}))["models"]
        assert [one["chosen"] for one in models] == [True, *[False] * (len(models) - 1)]
        assert {one["name"] for one in models} == {"fake-chat", "other-chat"}
        assert all(one["maxInputTokens"] > one["maxOutputTokens"] > 0 for one in models)


async def test_an_answer_comes_in_pieces_and_the_reply_repeats_none(tmp_path: Path) -> None:
    async with desk(tmp_path, Script(text="Hello there, friend.", models=["fake-chat"])) as (at, model, _):
        said = [{"role": "system", "content": "Be kind."}, *HELLO]
        pieces, reply = await stream(at, messages=said, maxTokens=77)
        assert len(pieces) > 1
        assert "".join(one["text"] for one in pieces) == "Hello there, friend."
        assert (reply["text"], reply["finish"]) == ("", "stop")
        asked = model.generations[-1].body
        assert [(one["role"], one["content"]) for one in asked["messages"]] == [
            ("system", "Be kind."),
            ("user", "Say hello."),
        ]
        assert "77" in {str(asked.get(key)) for key in ("max_tokens", "max_completion_tokens")}
        whole = await at.editor.call("dragoman/answer", {"messages": HELLO})
        assert whole["text"] == "Hello there, friend."


async def test_calls_of_the_asker_s_own_tools_go_out_and_their_results_come_in(tmp_path: Path) -> None:
    script = Script(
        text="It rains.", tool_calls=[{"name": "weather", "arguments": {"town": "Oslo"}}], models=["fake-chat"]
    )
    async with desk(tmp_path, script) as (at, model, _):
        pieces, reply = await stream(at, tools=[WEATHER], toolChoice="required")
        (call,) = [one["toolCall"] for one in pieces if "toolCall" in one]
        assert (call["name"], call["arguments"].replace(" ", "")) == ("weather", '{"town":"Oslo"}')
        assert reply["finish"] == "tool_calls"
        more = [
            *HELLO,
            {"role": "assistant", "content": "", "toolCalls": [call]},
            {"role": "tool", "content": "rain", "toolCallId": call["id"]},
        ]
        pieces, reply = await stream(at, messages=more, tools=[WEATHER])
        assert "".join(one.get("text", "") for one in pieces).endswith("It rains.")
        assert model.generations[-1].body["messages"][-1]["content"] == "rain"


async def test_a_call_that_nobody_could_read_is_an_error(tmp_path: Path) -> None:
    script = Script(tool_calls=[{"name": "weather", "arguments": ["Oslo"]}], models=["fake-chat"])
    async with desk(tmp_path, script) as (at, _, _root):
        error = await at.editor.call_error("dragoman/answer", {"messages": HELLO, "tools": [WEATHER]})
        assert "weather" in error["message"]


async def test_a_cancelled_request_closes_the_connection_to_the_model(tmp_path: Path) -> None:
    script = Script(text="word ", endless=True, token_delay=0.01, models=["fake-chat"])
    async with desk(tmp_path, script) as (at, model, _):
        request = at.editor.request("dragoman/answer", {"messages": HELLO, "partialResultToken": 7})
        await at.editor.await_message(
            "a piece", lambda m: m.get("method") == "$/progress" and m["params"]["token"] == 7
        )
        at.editor.notify("$/cancelRequest", {"id": request})
        reply = await at.editor.await_reply(request)
        assert reply["error"]["code"] == -32800
        await model.wait_for(lambda _: model.generations[-1].hung_up)


async def test_another_machine_is_sent_no_secret_and_the_asker_gets_it_back(tmp_path: Path) -> None:
    key = "AKIA" + "IOSFODNN7QWERTYU"
    async with desk(tmp_path, Script(text="Use it.", models=["fake-chat"]), far=True) as (at, model, _):
        await stream(at, messages=[{"role": "user", "content": f"My key is aws_access_key_id = '{key}'."}])
        assert key not in str(model.generations[-1].body)
        assert "My key is" in str(model.generations[-1].body)


async def test_wrong_questions_are_told_what_is_wrong(tmp_path: Path) -> None:
    async with desk(tmp_path, Script(models=["fake-chat"])) as (at, model, _):
        for params, words in (
            ({}, "messages"),
            ({"messages": []}, "messages"),
            ({"messages": [{"role": "poet", "content": "x"}]}, "no role 'poet'"),
            ({"messages": [{"role": "user", "content": 1}]}, "'content' is not a text"),
            ({"messages": HELLO, "maxTokens": 0}, "maxTokens"),
            ({"messages": HELLO, "tools": [{"name": "x", "parameters": []}]}, "'parameters' is not an object"),
            ({"messages": [{**HELLO[0], "images": [{"mediaType": "image/png", "data": "%"}]}]}, "base64"),
            ({"messages": HELLO, "model": "fake-chatt"}, "fake-chat"),
        ):
            error = await at.editor.call_error("dragoman/answer", params)
            assert words in error["message"], params
        picture = [{**HELLO[0], "images": [{"mediaType": "image/png", "data": PICTURE}]}]
        error = await at.editor.call_error("dragoman/answer", {"messages": picture})
        assert "pictures" in error["message"]
        assert model.generations == []
