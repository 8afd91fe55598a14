"""The wrappers over real connections: what they end is closed at the server's side, what they wait for is what it said."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from dragoman.errors import EveryEndpointFailedError
from dragoman.models.balancing import Balancer, Endpoint
from dragoman.models.base import ChatMessage, ChatRequest, CompletionRequest, ModelInfo
from dragoman.models.breaker import Breaker, GuardedModel
from dragoman.models.hedging import HedgedModel
from dragoman.models.performance import MeasuredModel, Performance
from dragoman.models.pool import EndpointPool, PooledModel
from dragoman.models.providers import make_provider
from dragoman.models.providers.endpoint import Endpoint as Address
from dragoman.models.retry import RetryingModel
from tests.support.fake_model import FakeModel, Script
from tests.support.scripted_endpoint import read

INFO = ModelInfo("m", "p", frozenset({"completion", "chat"}))
ASK = CompletionRequest("def f():\n    return ")
TALK = ChatRequest((ChatMessage("user", "Hello?"),))


@asynccontextmanager
async def stacked(
    *scripts: Script, slots: int = 8
) -> AsyncIterator[tuple[list[FakeModel], list[Endpoint], RetryingModel]]:
    """Servers in the order of the settings, and one model over all of them."""
    async with AsyncExitStack() as stack:
        servers, endpoints = [], []
        for number, script in enumerate(scripts):
            server = await stack.enter_async_context(FakeModel(script))
            name = f"p{number}"
            provider = make_provider(Address(name, "openai", f"{server.url}/v1"))
            stack.push_async_callback(provider.aclose)
            breaker, pool, performance = Breaker(name), EndpointPool(name, slots), Performance(name, "m")
            model = MeasuredModel(PooledModel(GuardedModel(provider.model(INFO), breaker), pool), performance)
            servers.append(server)
            endpoints.append(Endpoint(model, performance, breaker, pool))
        balancer = Balancer("priority")
        chain = HedgedModel(INFO, lambda priority: balancer.order(endpoints, priority))
        yield servers, endpoints, RetryingModel(chain)


async def test_the_loser_of_a_race_is_hung_up_on() -> None:
    async with stacked(Script(silent=True), Script(text="quick\n")) as (servers, endpoints, model):
        for _ in range(20):
            now = asyncio.get_running_loop().time()
            endpoints[0].performance.hear(now)
        assert await read(model.complete(ASK)) == "quick\n"
        await servers[0].wait_for(lambda one: one.in_flight == 0)
        assert [one.hung_up for one in servers[0].generations] == [True]
        assert [one.finished for one in servers[1].generations] == [True]


async def test_retry_after_is_honoured_and_the_server_is_asked_twice() -> None:
    script = Script(text="late\n", status=429, fail_times=1, retry_after="1")
    async with stacked(script) as (servers, _, model):
        assert await read(model.chat(TALK)) == "late\n"
        first, second = servers[0].generations
        assert second.arrived - first.arrived >= 1.0


async def test_what_each_of_two_dead_servers_said_is_in_the_error() -> None:
    async with stacked(Script(status=503), Script(silent=True)) as (servers, _, model):
        await servers[1].aclose()
        with pytest.raises(EveryEndpointFailedError, match=r"p0/m: .*503.*; p1/m: .*p1") as caught:
            await read(model.complete(ASK))
        assert [error.code for error in caught.value.errors] == ["provider_failed", "provider_unreachable"]


async def test_a_storm_of_cancels_leaves_no_generation_running_at_the_servers() -> None:
    chance = random.Random(3)
    slow = Script(endless=True, token_delay=0.002)
    async with stacked(slow, slow) as (servers, endpoints, model):
        tasks = [asyncio.create_task(read((model.chat(TALK), model.complete(ASK))[n % 2])) for n in range(60)]
        await servers[0].wait_for(lambda one: one.in_flight == 8)
        for task in chance.sample(tasks, len(tasks)):
            task.cancel()
            if chance.random() < 0.3:
                await asyncio.sleep(0.001)
        await asyncio.wait(tasks)
        for server in servers:
            await server.wait_for(lambda one: one.in_flight == 0)
            assert all(one.hung_up or one.finished for one in server.generations)
            assert server.max_in_flight <= 8
        for endpoint in endpoints:
            assert endpoint.pool is not None
            assert (endpoint.pool.running, endpoint.pool.waiting, endpoint.performance.in_flight) == (0, 0, 0)
