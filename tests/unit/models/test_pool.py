"""Who may run at an endpoint, who waits, and in which order their turns come."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.errors import CircuitOpenError, EndpointBusyError
from dragoman.models.base import Priority
from dragoman.models.pool import EndpointPool, PooledModel
from tests.support.scripted_endpoint import GHOST, INDEXING, ScriptedEndpoint, Turn, read, settle
from tests.support.virtual_time import run_virtual


class Queue:
    """A pool, and callers that say when it was their turn; each holds its slot until it is let go."""

    def __init__(self, pool: EndpointPool) -> None:
        self.pool = pool
        self.turns: list[str] = []
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._gates: dict[str, asyncio.Event] = {}

    async def come(self, name: str, model: str = "m", priority: Priority = "interactive") -> None:
        self._gates[name] = asyncio.Event()
        self._tasks[name] = asyncio.create_task(self._hold(name, model, priority))
        await settle()

    async def _hold(self, name: str, model: str, priority: Priority) -> None:
        await self.pool.acquire(model, priority)
        try:
            self.turns.append(name)
            await self._gates[name].wait()
        finally:
            self.pool.release(model)

    async def let_go(self, *names: str) -> None:
        for name in names:
            self._gates[name].set()
            await settle()

    async def give_up(self, *names: str) -> None:
        for name in names:
            self._tasks[name].cancel()
        await settle()

    async def drain(self) -> list[str]:
        """Let everybody go, one after the other in the order of their turns; return that order."""
        done = 0
        while done < len(self.turns):
            await self.let_go(self.turns[done])
            done += 1
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        return self.turns


async def test_a_person_goes_before_background_and_each_in_the_order_they_came() -> None:
    queue = Queue(EndpointPool("p", 1))
    for name in ("first", "b1", "b2"):
        await queue.come(name, priority="background")
    for name in ("i1", "i2"):
        await queue.come(name)

    assert (queue.pool.running, queue.pool.waiting) == (1, 4)
    assert await queue.drain() == ["first", "i1", "i2", "b1", "b2"]
    assert (queue.pool.running, queue.pool.waiting) == (0, 0)


async def test_background_has_one_turn_in_so_many() -> None:
    queue = Queue(EndpointPool("p", 1, background_every=3))
    await queue.come("i0")
    for name in ("b1", "b2"):
        await queue.come(name, priority="background")
    for number in range(1, 8):
        await queue.come(f"i{number}")

    assert await queue.drain() == ["i0", "i1", "i2", "b1", "i3", "i4", "b2", "i5", "i6", "i7"]


async def test_who_gives_up_leaves_at_once_and_a_slot_granted_in_that_moment_is_the_next_ones() -> None:
    queue = Queue(EndpointPool("p", 1))
    for name in ("a", "b", "c", "d"):
        await queue.come(name)
    await queue.give_up("b")
    assert queue.pool.waiting == 2

    queue._gates["a"].set()
    await asyncio.sleep(0)
    # Whether c is granted by now or still waits, its cancel must not lose the slot.
    await queue.give_up("c")
    assert await queue.drain() == ["a", "d"]


async def test_a_full_queue_says_so_at_once_and_when_to_come_again() -> None:
    queue = Queue(EndpointPool("shop", 1, queue_length=2))
    for name in ("a", "b", "c"):
        await queue.come(name)

    with pytest.raises(EndpointBusyError, match="2 calls wait for provider 'shop' already") as caught:
        await queue.pool.acquire("m", "interactive")
    assert caught.value.retry_after >= 1
    await queue.give_up("c")
    await queue.come("d")
    assert await queue.drain() == ["a", "b", "d"]


async def test_who_waits_for_an_endpoint_that_is_left_alone_now_is_turned_away_and_nobody_else() -> None:
    queue = Queue(EndpointPool("p", 1))
    await queue.come("a", "A")
    for name, model in (("b", "B"), ("c", "A"), ("d", "B"), ("e", "B")):
        await queue.come(name, model, "background" if name == "d" else "interactive")
    queue._tasks["e"].cancel()
    queue.pool.turn_away("B", lambda: CircuitOpenError("B is ill", retry_after=1))
    queue._tasks["b"].cancel()
    await settle()

    assert isinstance(queue._tasks["d"].exception(), CircuitOpenError)
    assert queue._tasks["b"].cancelled()
    assert queue._tasks["e"].cancelled()
    assert (queue.pool.running, queue.pool.waiting) == (1, 1)
    assert await queue.drain() == ["a", "c"]
    assert queue.pool.has_room


async def test_more_slots_are_used_at_once_and_fewer_as_soon_as_calls_end() -> None:
    queue = Queue(EndpointPool("p", 1))
    for name in "abcd":
        await queue.come(name)
    queue.pool.resize(3)
    await settle()
    assert queue.turns == ["a", "b", "c"]
    queue.pool.resize(1)
    await queue.let_go("a", "b")
    assert queue.turns == ["a", "b", "c"]
    assert await queue.drain() == ["a", "b", "c", "d"]


def test_calls_for_the_model_that_is_loaded_go_first_and_others_wait_until_it_is_idle() -> None:
    async def story() -> None:
        queue = Queue(EndpointPool("p", 2, keeps_models=1, clock=asyncio.get_running_loop().time))
        await queue.come("a1", "A")
        await queue.come("b1", "B")
        assert queue.turns == ["a1"], "there is a slot, but the server would have to unload A while it answers"
        await queue.come("a2", "A")
        await queue.come("b2", "B")
        await queue.come("a3", "A")
        assert queue.turns == ["a1", "a2"]
        assert await queue.drain() == ["a1", "a2", "a3", "b1", "b2"]
        assert queue.pool.loaded == ("B",)

    run_virtual(story())


@pytest.mark.parametrize(("waited", "order"), [(9.0, ["a1", "a2", "b1"]), (11.0, ["a1", "b1", "a2"])])
def test_patience_with_the_loaded_model_ends(waited: float, order: list[str]) -> None:
    async def story() -> None:
        queue = Queue(EndpointPool("p", 2, keeps_models=1, clock=asyncio.get_running_loop().time))
        await queue.come("a1", "A")
        await queue.come("b1", "B")
        await asyncio.sleep(waited)
        await queue.come("a2", "A")
        assert await queue.drain() == order

    run_virtual(story())


def test_a_server_that_swaps_models_does_so_twice_and_not_forty_times() -> None:
    async def swaps(keeps: int | None) -> int:
        queue = Queue(EndpointPool("p", 1, keeps_models=keeps, clock=asyncio.get_running_loop().time))
        for number in range(40):
            await queue.come(f"{number}", "AB"[number % 2])
        models = [int(name) % 2 for name in await queue.drain()]
        return sum(before != after for before, after in itertools.pairwise(models))

    assert run_virtual(swaps(None)) == 39
    assert run_virtual(swaps(1)) == 1


def test_background_for_another_model_does_not_make_a_server_swap_at_every_turn() -> None:
    async def story() -> None:
        queue = Queue(EndpointPool("p", 1, keeps_models=1, background_every=2, clock=asyncio.get_running_loop().time))
        await queue.come("i0", "A")
        await queue.come("b0", "B", "background")
        for number in range(1, 5):
            await queue.come(f"i{number}", "A")
        await queue.let_go("i0", "i1", "i2")
        assert queue.turns == ["i0", "i1", "i2", "i3"]
        await asyncio.sleep(61)
        assert await queue.drain() == ["i0", "i1", "i2", "i3", "b0", "i4"]

    run_virtual(story())


Step = tuple[str, int]
STEPS = st.lists(
    st.tuples(st.sampled_from(["person", "background", "leave", "end", "wait"]), st.integers(0, 5)), max_size=60
)


@given(steps=STEPS, slots=st.integers(1, 3), keeps=st.sampled_from([None, 1, 2]))
def test_no_slot_is_lost_or_given_twice_whatever_happens(steps: Sequence[Step], slots: int, keeps: int | None) -> None:
    async def story() -> None:
        pool = EndpointPool("p", slots, queue_length=8, keeps_models=keeps, clock=asyncio.get_running_loop().time)
        queue = Queue(pool)
        holding: list[str] = []
        for number, (step, choice) in enumerate(steps):
            name = f"{number}"
            if step in ("person", "background"):
                priority: Priority = "interactive" if step == "person" else "background"
                await queue.come(name, "ABC"[choice % 3], priority)
            elif step == "wait":
                await asyncio.sleep(choice * 5)
            elif queue._tasks:
                chosen = list(queue._tasks)[choice % len(queue._tasks)]
                await (queue.give_up(chosen) if step == "leave" else queue.let_go(chosen))
            holding = [one for one in queue.turns if not queue._tasks[one].done()]
            assert pool.running == len(holding) <= slots
            assert keeps is None or (len(pool._running) <= keeps and len(pool.loaded) <= keeps)
            assert pool.waiting <= 8
            free = pool.running < slots and (keeps is None or not pool.running)
            assert not (free and pool.waiting), "somebody waits for nothing"
        await queue.drain()
        assert (pool.running, pool.waiting, pool._running) == (0, 0, {})

    run_virtual(story())


async def test_a_pooled_model_holds_a_slot_as_long_as_its_stream_is_open() -> None:
    endpoint = ScriptedEndpoint((Turn(hangs=True),))
    pool = EndpointPool("p", 1)
    model = PooledModel(endpoint, pool)
    stream = model.complete(GHOST)
    assert (await anext(stream)).text == "a"
    waiting = asyncio.create_task(read(model.complete(INDEXING)))
    await settle()
    assert (pool.running, pool.waiting, endpoint.running) == (1, 1, 1)

    await stream.aclose()
    await settle()
    assert (pool.running, pool.waiting, endpoint.calls) == (1, 0, 2)
    waiting.cancel()
    await settle()
    assert (pool.running, endpoint.running) == (0, 0)


async def test_vectors_are_background_work() -> None:
    endpoint = ScriptedEndpoint()
    pool = EndpointPool("p", 1)
    await pool.acquire("m", "interactive")
    vectors = asyncio.create_task(PooledModel(endpoint, pool).embed(["text"]))
    await settle()
    person = asyncio.create_task(read(PooledModel(endpoint, pool).complete(GHOST)))
    await settle()
    pool.release("m")

    assert (await person, await vectors) == ("ab", [[4.0]])
    assert endpoint.operations == ["stream", "vectors"]
    assert pool.running == 0
