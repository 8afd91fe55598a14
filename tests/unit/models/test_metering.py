"""One record for each call, however it ended, and nothing of what was said in it."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from dragoman.errors import ProviderFailedError, StreamBrokenError
from dragoman.models.base import ChatMessage, ChatRequest, CompletionRequest, Prices, Usage
from dragoman.models.metering import CallMeter, CallRecord, MeteredModel
from tests.support.scripted_endpoint import CHAT, GHOST, ScriptedEndpoint, Turn, read
from tests.support.virtual_time import run_virtual


def metered(endpoint: ScriptedEndpoint) -> tuple[MeteredModel, list[CallRecord]]:
    meter, records = CallMeter(), list[CallRecord]()
    meter.listen(records.append)
    now = asyncio.get_running_loop().time
    return MeteredModel(endpoint, meter, role="completion", request_id=lambda: "r1", clock=now), records


def test_a_record_has_the_servers_counts_the_times_and_the_cost() -> None:
    async def story() -> None:
        turn = Turn(first_after=0.5, between=1.0, usage=Usage(1000, 20, 900))
        model, records = metered(ScriptedEndpoint((turn,), prices=Prices(2.0, 10.0)))
        await read(model.complete(GHOST))
        (record,) = records
        assert (record.provider, record.model, record.role, record.request_id) == ("p", "m", "completion", "r1")
        assert (record.operation, record.outcome, record.success) == ("completion", "ok", True)
        assert (record.first_token, record.duration) == pytest.approx((0.5, 2.5))
        assert (record.prompt_tokens, record.completion_tokens, record.cached_tokens) == (1000, 20, 900)
        assert not record.estimated
        assert record.cost == pytest.approx(0.0022)

    run_virtual(story())


async def test_what_the_server_does_not_tell_is_estimated_and_says_so() -> None:
    model, records = metered(ScriptedEndpoint((Turn(("word " * 36,)),)))
    await read(model.complete(CompletionRequest("x" * 360, "y" * 36)))
    await read(model.chat(ChatRequest((ChatMessage("user", "é" * 30),))))
    await model.embed(["x" * 36, "y" * 36])
    first, second, third = records
    assert (first.prompt_tokens, first.completion_tokens, first.estimated, first.cost) == (110, 50, True, None)
    assert (second.operation, second.prompt_tokens) == ("chat", 20)
    assert (third.operation, third.prompt_tokens, third.completion_tokens) == ("embedding", 20, 0)


async def test_every_end_has_its_outcome() -> None:
    endpoint = ScriptedEndpoint(
        (
            Turn((), error=ProviderFailedError("500")),
            Turn(("half",), error=StreamBrokenError("cut")),
            Turn(hangs=True),
            Turn((), hangs=True),
            Turn(error=ProviderFailedError("500")),
        )
    )
    model, records = metered(endpoint)
    for failure in (ProviderFailedError, StreamBrokenError):
        with pytest.raises(failure):
            await read(model.chat(CHAT))
    async with aclosing(model.chat(CHAT)) as stream:
        await anext(stream)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await read(model.chat(CHAT))
    with pytest.raises(ProviderFailedError):
        await model.embed(["x"])

    assert [record.outcome for record in records] == [
        "provider_failed",
        "stream_broken",
        "cancelled",
        "cancelled",
        "provider_failed",
    ]
    assert [record.success for record in records] == [False, False, True, True, False]
    assert [record.first_token is None for record in records] == [True, False, False, True, True]
    assert [bool(record.prompt_tokens) for record in records] == [False, True, True, True, False]


async def test_nothing_of_the_prompt_or_the_answer_is_in_a_record() -> None:
    model, records = metered(ScriptedEndpoint((Turn(("the answer",)),)))
    await read(model.complete(CompletionRequest("the prompt", "the suffix")))
    assert not any(word in repr(records) for word in ("answer", "prompt'", "the prompt", "suffix"))


async def test_a_listener_that_fails_harms_neither_the_call_nor_the_others(caplog: pytest.LogCaptureFixture) -> None:
    meter, records = CallMeter(), list[CallRecord]()

    def fail(record: CallRecord) -> None:
        raise RuntimeError(record.outcome)

    stop = meter.listen(fail)
    meter.listen(records.append)
    model = MeteredModel(ScriptedEndpoint(), meter)
    assert await read(model.complete(GHOST)) == "ab"
    assert "a listener to model calls failed" in caplog.text
    stop()
    stop()
    caplog.clear()
    assert await read(model.complete(GHOST)) == "ab"
    assert (len(records), caplog.text) == (2, "")
