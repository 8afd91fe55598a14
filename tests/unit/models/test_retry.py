"""What is asked again, how often and how soon, and what never is."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Iterator

import pytest

from dragoman.errors import (
    CircuitOpenError,
    EveryEndpointFailedError,
    ModelError,
    ModelTimeoutError,
    ProviderFailedError,
    ProviderUnreachableError,
    RateLimitedError,
    RequestRejectedError,
    StreamBrokenError,
)
from dragoman.models.base import ChatMessage, ChatRequest
from dragoman.models.faults import FAULTS, find_fault, is_transient, wait_asked
from dragoman.models.retry import RetryingModel
from dragoman.models.whole import answer_whole
from dragoman.models.wrapper import Request, open_stream
from tests.support.scripted_endpoint import CHAT, GHOST, INDEXING, ScriptedEndpoint, Turn, read, settle
from tests.support.virtual_time import run_virtual

FAILS = Turn((), error=ProviderFailedError("500"))
BACKGROUND_CHAT = ChatRequest((ChatMessage("user", "Hello?"),), priority="background")


def family(kind: type[ModelError]) -> Iterator[type[ModelError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from family(child)


def example(kind: type[ModelError]) -> ModelError:
    error = kind.__new__(kind)
    ModelError.__init__(error, "x")
    if isinstance(error, EveryEndpointFailedError):
        error.errors = ()
    return error


TRANSIENT = {
    "circuit_open",
    "endpoint_busy",
    "provider_failed",
    "provider_unreachable",
    "rate_limited",
    "stream_broken",
    "stream_malformed",
    "timeout",
}


@pytest.mark.parametrize("kind", sorted(set(family(ModelError)), key=lambda kind: kind.__name__))
def test_each_error_is_judged_on_purpose(kind: type[ModelError]) -> None:
    assert kind in FAULTS or kind is EveryEndpointFailedError, "say in models/faults.py what this error means"
    error = example(kind)
    assert is_transient(error) is (kind.code in TRANSIENT)
    # Whatever may pass at one endpoint may be avoided at another.
    assert find_fault(error).elsewhere or not find_fault(error).transient


def test_what_is_no_model_error_is_nobodys_to_mend() -> None:
    assert not is_transient(asyncio.CancelledError())
    assert not is_transient(ValueError("x"))


def test_many_errors_pass_when_one_of_them_does_and_as_soon_as_the_first() -> None:
    limited = RateLimitedError("x", retry_after=9)
    both = EveryEndpointFailedError("x", errors=(limited, CircuitOpenError("x", retry_after=2)))
    assert (is_transient(both), wait_asked(both)) == (True, 2)
    vague = EveryEndpointFailedError("x", errors=(limited, ProviderFailedError("x")))
    assert (is_transient(vague), wait_asked(vague)) == (True, None)
    assert not is_transient(EveryEndpointFailedError("x", errors=(RequestRejectedError("x"),)))


@pytest.mark.parametrize(
    ("request_", "attempts", "least", "most"),
    [(GHOST, 2, 0.05, 0.075), (CHAT, 3, 0.75, 1.0), (BACKGROUND_CHAT, 3, 3.0, 4.0), (INDEXING, 3, 3.0, 4.0)],
)
def test_who_waits_decides_how_often_and_how_soon(request_: Request, attempts: int, least: float, most: float) -> None:
    async def story() -> None:
        endpoint = ScriptedEndpoint((FAILS,))
        model = RetryingModel(endpoint)
        with pytest.raises(ProviderFailedError):
            await read(open_stream(model, request_))
        assert endpoint.calls == attempts
        assert least <= asyncio.get_running_loop().time() <= most

    run_virtual(story())


def test_a_second_try_that_works_is_the_answer() -> None:
    async def story() -> None:
        endpoint = ScriptedEndpoint((FAILS, Turn()))
        assert await read(RetryingModel(endpoint).chat(CHAT)) == "ab"
        vectors = ScriptedEndpoint((FAILS, FAILS, Turn()))
        assert await RetryingModel(vectors).embed(["abc"]) == [[3.0]]
        assert (endpoint.calls, endpoint.running, vectors.calls) == (2, 0, 3)

    run_virtual(story())


@pytest.mark.parametrize("first", [True, False])
def test_nothing_is_asked_again_once_something_was_handed_on(first: bool) -> None:
    async def story() -> None:
        cut = Turn(("half",), error=StreamBrokenError("cut"))
        endpoint = ScriptedEndpoint((cut,) if first else (FAILS, cut))
        stream = RetryingModel(endpoint).chat(CHAT)
        assert (await anext(stream)).text == "half"
        with pytest.raises(StreamBrokenError):
            await anext(stream)
        assert endpoint.calls == (1 if first else 2)

    run_virtual(story())


def test_an_empty_chunk_is_not_something() -> None:
    async def story() -> None:
        endpoint = ScriptedEndpoint((Turn(("",), error=StreamBrokenError("cut")), Turn(("", "all"))))
        assert await read(RetryingModel(endpoint).chat(CHAT)) == "all"
        assert (endpoint.calls, endpoint.running) == (2, 0)

    run_virtual(story())


def test_a_whole_answer_is_asked_again_even_then() -> None:
    async def story() -> None:
        endpoint = ScriptedEndpoint((Turn(("half",), error=StreamBrokenError("cut")), Turn(("the ", "whole"))))
        answer = await answer_whole(RetryingModel(endpoint), CHAT)
        assert (answer.text, answer.finish, endpoint.calls) == ("the whole", "stop", 2)

    run_virtual(story())


@pytest.mark.parametrize(
    "error", [error for kind in family(ModelError) if not is_transient(error := example(kind))], ids=lambda e: e.code
)
async def test_what_a_retry_cannot_mend_is_handed_on_at_once(error: ModelError) -> None:
    endpoint = ScriptedEndpoint((Turn((), error=error),))
    with pytest.raises(ModelError) as caught:
        await read(RetryingModel(endpoint).chat(CHAT))

    assert caught.value is error
    assert endpoint.calls == 1


@pytest.mark.parametrize(("asked", "calls", "waited"), [(4.0, 2, 4.0), (6.0, 1, 0.0)])
def test_a_server_that_says_when_to_come_again_is_believed_within_a_bound(
    asked: float, calls: int, waited: float
) -> None:
    async def story() -> None:
        endpoint = ScriptedEndpoint((Turn((), error=RateLimitedError("429", retry_after=asked)), Turn()))
        with contextlib.suppress(RateLimitedError):
            await read(RetryingModel(endpoint).chat(CHAT))
        assert endpoint.calls == calls
        assert asyncio.get_running_loop().time() == pytest.approx(waited)

    run_virtual(story())


@pytest.mark.parametrize(("request_", "calls"), [(GHOST, 1), (CHAT, 1), (BACKGROUND_CHAT, 3)])
def test_a_time_limit_that_ran_out_is_waited_for_again_only_where_nobody_looks_on(
    request_: Request, calls: int
) -> None:
    async def story() -> None:
        endpoint = ScriptedEndpoint((Turn((), first_after=30, error=ModelTimeoutError("late", phase="first_token")),))
        with pytest.raises(ModelTimeoutError):
            await read(open_stream(RetryingModel(endpoint), request_))
        assert endpoint.calls == calls

    run_virtual(story())


def test_attempts_may_be_fewer() -> None:
    async def story() -> None:
        endpoint = ScriptedEndpoint((FAILS,))
        with pytest.raises(ProviderFailedError):
            await read(RetryingModel(endpoint, attempts=1).chat(CHAT))
        assert endpoint.calls == 1

    run_virtual(story())


@pytest.mark.parametrize("second", [Turn((), hangs=True), Turn(hangs=True)])
async def test_a_cancel_while_it_waits_or_tries_again_ends_it_at_once(second: Turn) -> None:
    endpoint = ScriptedEndpoint((Turn((), error=RateLimitedError("429", retry_after=0.01)), second))
    for pause in (0.0, 0.1):
        task = asyncio.create_task(read(RetryingModel(endpoint).chat(CHAT)))
        await asyncio.sleep(pause)
        await settle()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert endpoint.running == 0


async def test_the_last_error_is_raised_and_not_the_first() -> None:
    errors_ = (ProviderUnreachableError("gone"), ProviderFailedError("500"))
    endpoint = ScriptedEndpoint(tuple(Turn((), error=error) for error in errors_))
    with pytest.raises(ProviderFailedError):
        await read(RetryingModel(endpoint).complete(GHOST))


def test_stamina_is_imported_when_something_has_failed_and_not_before() -> None:
    code = (
        "import asyncio, sys\n"
        "from dragoman.models.retry import RetryingModel\n"
        "from tests.support.scripted_endpoint import GHOST, ScriptedEndpoint, read\n"
        "print(asyncio.run(read(RetryingModel(ScriptedEndpoint()).complete(GHOST))))\n"
        "print([name for name in ('stamina', 'tenacity', 'httpx') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["ab", "[]"]
