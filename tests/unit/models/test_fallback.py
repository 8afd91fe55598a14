"""The next endpoint is asked before the first token, for whole answers even after it, and errors say what each one said."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from dragoman.errors import (
    AuthenticationError,
    ContextOverflowError,
    EveryEndpointFailedError,
    ModelError,
    NoModelError,
    ProviderFailedError,
    ProviderUnreachableError,
    StreamBrokenError,
)
from dragoman.models.assembly import gather_answer
from dragoman.models.balancing import Endpoint
from dragoman.models.base import Chunk, ToolCall, ToolCallDelta, Usage
from dragoman.models.fallback import FallbackModel
from dragoman.models.performance import Performance
from dragoman.models.retry import RetryingModel
from dragoman.models.whole import answer_whole
from tests.support.scripted_endpoint import CHAT, GHOST, ScriptedEndpoint, Turn, read, settle
from tests.support.virtual_time import run_virtual

DEAD = Turn((), error=ProviderUnreachableError("Nothing answers.", hint="Start it."))
ILL = Turn((), error=ProviderFailedError("It said 500."))
CUT = Turn(("half",), error=StreamBrokenError("It broke off."))


def endpoint(model: ScriptedEndpoint) -> Endpoint:
    return Endpoint(model, Performance(model.provider, model.name))


def chain(*turns: Turn) -> tuple[list[ScriptedEndpoint], FallbackModel]:
    models = [ScriptedEndpoint((turn,), provider=f"p{number}") for number, turn in enumerate(turns)]
    endpoints = [endpoint(model) for model in models]
    return models, FallbackModel(models[0].info if models else ScriptedEndpoint().info, lambda _: endpoints)


def calls(models: Sequence[ScriptedEndpoint]) -> list[int]:
    return [model.calls for model in models]


@pytest.mark.parametrize("error", [ProviderUnreachableError("x"), ProviderFailedError("x"), AuthenticationError("x")])
async def test_the_next_endpoint_answers_where_one_fails(error: ModelError) -> None:
    models, model = chain(Turn((), error=error), Turn(), Turn())
    assert await read(model.complete(GHOST)) == "ab"
    assert await model.embed(["abc"]) == [[3.0]]
    assert calls(models) == [2, 2, 0]


async def test_what_another_endpoint_could_not_do_either_ends_it() -> None:
    models, model = chain(Turn((), error=ContextOverflowError("too long")), Turn())
    with pytest.raises(ContextOverflowError):
        await read(model.chat(CHAT))
    assert calls(models) == [1, 0]


async def test_after_the_first_token_nobody_else_is_asked() -> None:
    models, model = chain(CUT, Turn())
    with pytest.raises(StreamBrokenError):
        await read(model.chat(CHAT))
    assert calls(models) == [1, 0]


async def test_an_empty_chunk_is_no_token() -> None:
    models, model = chain(Turn(("",), error=StreamBrokenError("cut")), Turn())
    assert await read(model.chat(CHAT)) == "ab"
    assert calls(models) == [1, 1]


async def test_a_whole_answer_is_asked_of_the_next_one_even_then() -> None:
    models, model = chain(CUT, Turn(("the ", "whole"), usage=Usage(3, 2)))
    answer = await answer_whole(RetryingModel(model), CHAT)
    assert (answer.text, answer.usage, answer.finish) == ("the whole", Usage(3, 2), "stop")
    assert calls(models) == [1, 1]


async def test_the_error_says_what_each_said_and_what_to_do() -> None:
    models, model = chain(DEAD, ILL, CUT, Turn())
    models[2].turns = (ILL,)
    for ask in (lambda: read(model.chat(CHAT)), lambda: model.answer(CHAT), lambda: model.embed(["x"])):
        with pytest.raises(EveryEndpointFailedError) as caught:
            await ask()
        assert str(caught.value) == (
            "All of 3 endpoints failed: p0/m: Nothing answers; p1/m: It said 500; p2/m: It said 500. Start it."
        )
        assert [error.code for error in caught.value.errors] == ["provider_unreachable", *["provider_failed"] * 2]
    assert calls(models) == [3, 3, 3, 0], "three endpoints are tried at most"


async def test_one_endpoint_s_error_is_handed_on_as_it_is_and_none_is_an_error_of_its_own() -> None:
    _, model = chain(DEAD)
    with pytest.raises(ProviderUnreachableError):
        await read(model.complete(GHOST))
    _, nobody = chain()
    with pytest.raises(NoModelError):
        await read(nobody.complete(GHOST))


async def test_the_chain_is_asked_for_its_order_by_the_request_s_priority() -> None:
    one, other = ScriptedEndpoint(), ScriptedEndpoint()
    orders = {"interactive": [endpoint(one)], "background": [endpoint(other)]}
    model = FallbackModel(one.info, lambda priority: orders[priority])
    await read(model.complete(GHOST))
    await model.embed(["x"])
    assert (one.operations, other.operations) == (["stream"], ["vectors"])


async def test_closing_closes_the_endpoint_at_once() -> None:
    models, model = chain(DEAD, Turn(hangs=True))
    stream = model.chat(CHAT)
    await anext(stream)
    assert models[1].running == 1
    await stream.aclose()
    assert models[1].running == 0


def test_a_chain_that_fails_as_a_whole_is_tried_again_as_a_whole() -> None:
    async def story() -> None:
        models, model = chain(ILL, ILL)
        models[1].turns = (ILL, Turn())
        assert await read(RetryingModel(model).chat(CHAT)) == "ab"
        assert calls(models) == [2, 2]
        assert asyncio.get_running_loop().time() >= 0.25

    run_virtual(story())


async def test_tool_calls_are_put_together_from_their_pieces() -> None:
    async def stream():  # type: ignore[no-untyped-def]
        yield Chunk(thinking="Hm. ")
        yield Chunk(tool_calls=(ToolCallDelta(1, "c2", "search", '{"q"'),))
        yield Chunk(
            thinking="Yes.", tool_calls=(ToolCallDelta(0, "c1", "read_file", "{}"), ToolCallDelta(1, arguments=": 1}"))
        )
        yield Chunk(finish="tool_calls")

    answer = await gather_answer(stream())
    assert answer.thinking == "Hm. Yes."
    assert answer.tool_calls == (ToolCall("c1", "read_file", "{}"), ToolCall("c2", "search", '{"q": 1}'))
    assert answer.finish == "tool_calls"


async def test_a_whole_answer_that_nobody_wants_any_more_is_closed() -> None:
    models, model = chain(Turn(hangs=True))
    task = asyncio.create_task(answer_whole(RetryingModel(model), CHAT))
    await settle()
    assert models[0].running == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert models[0].running == 0
