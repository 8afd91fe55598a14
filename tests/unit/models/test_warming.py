"""Models are loaded after the start and kept loaded while they are used, on this machine only."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from dragoman.errors import ProviderUnreachableError
from dragoman.models.base import Capability, ChatRequest, CompletionRequest, ModelInfo
from dragoman.models.warming import Warmed, Warmer, warm
from tests.support.scripted_endpoint import ScriptedEndpoint, Turn, settle
from tests.support.virtual_time import run_virtual

DEAD = Turn((), error=ProviderUnreachableError("Nothing answers."))


@dataclass
class Able(ScriptedEndpoint):
    can: frozenset[Capability] = field(default_factory=frozenset)

    @property
    def info(self) -> ModelInfo:
        return ModelInfo("m", "p", self.can)


@pytest.mark.parametrize(
    ("can", "operation"), [({"fim", "chat"}, CompletionRequest), ({"chat"}, ChatRequest), ({"embedding"}, None)]
)
async def test_the_smallest_request_that_a_model_can_answer_loads_it(
    can: set[Capability], operation: type | None
) -> None:
    model = Able(can=frozenset(can))
    assert await warm(model)
    assert model.operations == ["vectors" if operation is None else "stream"]
    for request in model.asked:
        assert isinstance(request, operation or object)
        assert (request.max_tokens, request.priority) == (1, "background")


def test_one_that_cannot_be_loaded_is_no_harm() -> None:
    async def story() -> None:
        assert not await warm(ScriptedEndpoint((DEAD,)))
        hanging = ScriptedEndpoint((Turn((), hangs=True),))
        assert not await warm(hanging)
        assert hanging.running == 0

    run_virtual(story())


def test_local_models_are_loaded_at_once_and_kept_while_they_are_used() -> None:
    async def story() -> None:
        now = asyncio.get_running_loop().time
        dead, idle, far, steady, used = (ScriptedEndpoint((turn,)) for turn in (DEAD, Turn(), Turn(), Turn(), Turn()))
        ago = 25.0
        chosen = [
            Warmed(dead, is_local=True),
            Warmed(idle, is_local=True),
            Warmed(far, is_local=False),
            Warmed(steady, is_local=True, unloads=False),
            Warmed(used, is_local=True, last_used=lambda: now() - ago),
        ]
        warmer = Warmer(lambda: chosen, clock=now)
        warmer.start()
        warmer.start()
        await settle()
        assert [one.calls for one in (dead, idle, far, steady, used)] == [1, 1, 0, 1, 1]

        await asyncio.sleep(245)
        assert idle.calls == 2
        assert used.calls == 1, "it will not be unloaded before the next look"
        ago = 100.0
        await asyncio.sleep(240)
        assert (idle.calls, used.calls) == (3, 2)

        await asyncio.sleep(3_600)
        assert idle.calls == 8, "nobody has asked for half an hour"
        assert used.calls == 17
        assert (far.calls, steady.calls) == (0, 1)

        await warmer.aclose()
        calls = used.calls
        await asyncio.sleep(1_000)
        assert used.calls == calls
        assert len(asyncio.all_tasks()) == 1

    run_virtual(story())


def test_closing_ends_a_warm_up_that_is_under_way() -> None:
    async def story() -> None:
        loading = ScriptedEndpoint((Turn((), hangs=True),))
        warmer = Warmer(lambda: [Warmed(loading, is_local=True)])
        warmer.start()
        await settle()
        assert loading.running == 1
        await warmer.aclose()
        assert loading.running == 0

    run_virtual(story())
