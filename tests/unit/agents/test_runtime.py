"""Runs over scripted models and real tools' contexts: events, limits, repair, loops, resume, and a cancel that hangs up."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from dragoman.agents.run import RunLimits, RunState
from dragoman.agents.runtime import AgentRuntime, RunRequest
from dragoman.agents.tools.base import ToolContext, ToolResult
from dragoman.agents.tools.documents import DiskEditor
from dragoman.agents.tools.policy import Policy
from dragoman.errors import ToolArgumentsError, UnknownToolError
from dragoman.models.base import ChatMessage, Chunk, Image, Tool, ToolCallDelta, Usage
from tests.support.scripted_chat import ScriptedChat


def called(name: str, arguments: str, call_id: str = "c1") -> tuple[Chunk, ...]:
    return (
        Chunk(tool_calls=(ToolCallDelta(0, call_id, name, arguments),)),
        Chunk(finish="tool_calls", usage=Usage(7, 3)),
    )


class Tools:
    def __init__(self) -> None:
        self.calls: list[str] = []
        self.ended = asyncio.Event()

    def definitions(self) -> tuple[Tool, ...]:
        return (Tool("look", "Looks.", {"type": "object", "properties": {"n": {"type": "integer"}}}),)

    async def call(self, name: str, arguments: str, context: ToolContext, *, call_id: str = "") -> ToolResult:
        if name == "wait":
            try:
                await asyncio.Event().wait()
            finally:
                self.ended.set()
        if name != "look":
            raise UnknownToolError(f"There is no tool {name!r}.")
        try:
            value = json.loads(arguments)["n"]
        except (ValueError, KeyError):
            raise ToolArgumentsError("n is missing.") from None
        self.calls.append(arguments)
        return ToolResult(f"saw {value}")


class Models:
    def __init__(self, model: ScriptedChat) -> None:
        self.model = model

    async def for_role(self, role, needs=None):
        return self.model


class Store:
    def __init__(self) -> None:
        self.kept: list[str] = []

    async def save(self, state: RunState) -> None:
        self.kept.append(json.dumps(state.as_json()))


async def go(tmp_path: Path, *answers, limits=None, store=None, state=None, **more):
    model, tools = ScriptedChat(answers), Tools()
    runtime = AgentRuntime(Models(model), store=store)
    request = RunRequest("fixer", "Mend it.", "You mend.", limits=limits or RunLimits(), **more)
    context = ToolContext((tmp_path,), DiskEditor(), Policy())
    run = runtime.resume(state, request, tools, context) if state else runtime.start(request, tools, context)
    events = [event async for event in run.events()]
    await run.wait()
    await runtime.aclose()
    return run, events, model, tools


async def test_a_run_calls_a_tool_and_answers(tmp_path: Path) -> None:
    run, events, model, _ = await go(tmp_path, called("look", '{"n": 1}'), "All is well.")

    assert run.output == "All is well."
    kinds = [event.type for event in events]
    assert kinds[:3] == ["started", "tool_call", "tool_result"]
    assert kinds[-1] == "finished"
    assert set(kinds[3:-1]) == {"text"}
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert events[1].as_json() | {"arguments": {"n": 1}, "callId": "c1", "runId": run.id} == events[1].as_json()
    assert [message.role for message in model.requests[1].messages] == ["system", "user", "assistant", "tool"]
    assert model.requests[1].messages[-1].content == "saw 1"
    assert model.requests[1].messages[-1].tool_call_id == "c1"
    assert run.state.spent.steps == 2


async def test_wrong_arguments_are_mended_once_and_then_fail(tmp_path: Path) -> None:
    mended, _, _, tools = await go(tmp_path, called("look", "{no"), called("look", '{"n": 2}'), "Done.")
    assert mended.status == "succeeded"
    assert tools.calls == ['{"n": 2}']

    failed, events, _, _ = await go(tmp_path, called("look", "{no"), called("look", "{}"), "Done.")
    assert failed.status == "failed"
    assert "wrong arguments again" in events[-1].data["error"]


async def test_an_empty_answer_is_told_of_once_and_then_fails(tmp_path: Path) -> None:
    nothing = (Chunk(finish="stop", usage=Usage(7, 0)),)
    told, _, model, _ = await go(tmp_path, nothing, "Here it is.")
    assert told.output == "Here it is."
    # Two messages of a user in a row are what every server takes; an empty one of the assistant is not.
    assert [message.role for message in model.requests[1].messages] == ["system", "user", "user"]
    assert "empty" in model.requests[1].messages[-1].content

    failed, events, _, _ = await go(tmp_path, nothing, nothing, "Too late.")
    assert failed.status == "failed"
    assert "answered with nothing" in events[-1].data["error"]


async def test_who_gives_up_before_anything_was_tried_is_reminded(tmp_path: Path) -> None:
    wanted = frozenset({"look"})
    early, _, model, _ = await go(tmp_path, "Nothing found.", called("look", '{"n": 1}'), "Done.", expected=wanted)
    assert early.output == "Done."
    assert [message.role for message in model.requests[1].messages] == ["system", "user", "assistant", "user"]

    answers = [f"Nothing to do, {number}." for number in range(9)]
    again, _, model, _ = await go(tmp_path, *answers, expected=wanted)
    assert again.output == "Nothing to do, 3."
    assert len(model.requests) == 4

    late, _, model, _ = await go(tmp_path, called("look", '{"n": 1}'), "Done.", expected=wanted)
    assert (late.output, len(model.requests)) == ("Done.", 2)


async def test_pictures_and_the_history_reach_the_model_as_they_are(tmp_path: Path) -> None:
    picture = Image("image/png", b"\x89PNG")
    before = (ChatMessage("user", "Hello."), ChatMessage("assistant", "Hello to you."))
    _, _, model, _ = await go(tmp_path, "A cat.", images=(picture,), history=before)
    said = model.requests[0].messages
    assert said[1:3] == before
    assert said[3] == ChatMessage("user", "Mend it.", images=(picture,))


async def test_an_unknown_tool_is_told_to_the_model(tmp_path: Path) -> None:
    run, _, model, _ = await go(tmp_path, called("lok", "{}"), "Then without.")
    assert run.status == "succeeded"
    assert model.requests[1].messages[-1].content == "There is no tool 'lok'."


async def test_the_same_call_again_and_again_is_stopped(tmp_path: Path) -> None:
    _, events, _, tools = await go(tmp_path, *[called("look", '{"n": 1}', f"c{n}") for n in range(9)])
    assert events[-1].data["code"] == "run_loop"
    assert len(tools.calls) == 3


@pytest.mark.parametrize(("limits", "asked"), [(RunLimits(steps=2), 2), (RunLimits(tokens=15), 2)])
async def test_limits_end_a_run(tmp_path: Path, limits: RunLimits, asked: int) -> None:
    answers = [called("look", json.dumps({"n": n}), f"c{n}") for n in range(9)]
    _, events, model, _ = await go(tmp_path, *answers, limits=limits)
    assert events[-1].data["code"] == "run_limit"
    assert len(model.requests) == asked


async def test_a_run_goes_on_from_its_kept_state(tmp_path: Path) -> None:
    store = Store()
    _, _, _, _ = await go(tmp_path, called("look", '{"n": 1}'), "Lost.", store=store)
    state = RunState.from_json(json.loads(store.kept[1]))

    run, events, model, tools = await go(tmp_path, "Found.", state=state)

    assert (run.id, run.output) == (state.run_id, "Found.")
    assert events[0].seq == state.seq + 1
    assert model.requests[0].messages[-1].content == "saw 1"
    assert tools.calls == []


async def test_a_cancel_ends_the_tool_and_the_models_answer(tmp_path: Path) -> None:
    for answers in ([called("wait", "{}")], []):
        model, tools = ScriptedChat(answers), Tools()
        runtime = AgentRuntime(Models(model))
        run = runtime.start(RunRequest("fixer", "Mend.", "S."), tools, ToolContext((tmp_path,), DiskEditor(), Policy()))
        events = []
        async for event in run.events():
            events.append(event.type)
            if event.type == ("tool_call" if answers else "started"):
                while not answers and not model.running:
                    await asyncio.sleep(0)
                await run.cancel()
        assert events[-1] == "cancelled"
        assert model.running == 0
        assert tools.ended.is_set() == bool(answers)
        await runtime.aclose()


async def test_a_cancelled_run_is_kept_as_cancelled(tmp_path: Path) -> None:
    store = Store()
    model = ScriptedChat([])
    runtime = AgentRuntime(Models(model), store=store)
    run = runtime.start(RunRequest("fixer", "Mend.", "S."), Tools(), ToolContext((tmp_path,), DiskEditor(), Policy()))
    while not model.running:
        await asyncio.sleep(0)
    await run.cancel()

    assert json.loads(store.kept[-1])["status"] == "cancelled"


async def test_a_call_made_again_is_told_so(tmp_path: Path) -> None:
    same = called("look", '{"n": 1}')
    run, events, model, _ = await go(tmp_path, same, same, "I see.")
    assert run.status == "succeeded"
    results = [message.content for message in model.requests[-1].messages if message.role == "tool"]
    assert results == ["saw 1", "saw 1\n[You made this call before, with this result. Use it now.]"]
    assert [event.data["result"] for event in events if event.type == "tool_result"] == ["saw 1", "saw 1"]


async def test_a_model_that_learnt_no_tools_answers_at_last(tmp_path: Path) -> None:
    same = [called("look", '{"n": 1}', f"c{n}") for n in range(3)]
    run, _, model, tools = await go(tmp_path, *same, "It is 1.", answers_at_last=True)
    assert (run.status, run.output, len(tools.calls)) == ("succeeded", "It is 1.", 3)
    assert [len(request.tools) for request in model.requests] == [1, 1, 1, 0]
    (_, asked) = model.requests[-1].messages
    assert asked.content.startswith("Mend it.")
    assert asked.content.count("saw 1") == 1

    again, events, _, _ = await go(tmp_path, *same, same[0], answers_at_last=True)
    assert again.status == "failed"
    assert events[-1].data["code"] == "run_loop"
