"""Several endpoints as one model: who shares, who stands in, and who never does."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping

import pytest

from dragoman.errors import NoModelError, ProviderUnreachableError, RequestRejectedError
from dragoman.models.balancing import StrategyName
from dragoman.models.base import Capability, ChatMessage, ChatRequest, CompletionRequest, Model, Role
from dragoman.models.manager import ModelManager
from dragoman.models.metering import CallRecord
from dragoman.models.requirements import Requirements
from dragoman.models.selection import Habits, Source, Wishes
from dragoman.models.whole import answer_whole
from tests.support.scripted_providers import Place

FIM = frozenset({"completion", "fim"})
CHAT = frozenset({"completion", "chat"})
DOWN = ProviderUnreachableError("Nothing answers.")
HELLO = ChatRequest((ChatMessage("user", "hello"),))


def manage(
    *sources: Source, strategy: StrategyName = "round_robin", wishes: Mapping[Role, Wishes] | None = None, **rest: bool
) -> ModelManager:
    manager = ModelManager(sources, wishes or {}, strategy=strategy, **rest)
    # The lots that are drawn are the same in each run.
    manager.router._chance = random.Random(7)
    return manager


async def say(model: Model) -> str:
    return (await answer_whole(model, HELLO)).text


async def test_the_same_model_at_two_providers_shares_the_requests() -> None:
    manager = manage(*(Source(Place(name, {"coder:latest": CHAT, "other": CHAT})) for name in "ab"))
    model = await manager.for_role("chat")

    said = Counter([await say(model) for _ in range(6)])

    assert said == {"a/coder:latest": 3, "b/coder:latest": 3}
    await manager.aclose()


async def test_weights_are_the_providers_shares() -> None:
    manager = manage(
        Source(Place("a", {"coder": CHAT}), habits=Habits(weight=3)),
        Source(Place("b", {"coder": CHAT})),
        strategy="weighted",
    )
    model = await manager.for_role("chat")

    assert Counter([await say(model) for _ in range(8)]) == {"a/coder": 6, "b/coder": 2}
    await manager.aclose()


async def test_the_next_endpoint_answers_when_one_fails_and_the_ill_one_is_left_alone_after_a_while() -> None:
    bad, good = Place("a", {"coder": CHAT}), Place("b", {"coder": CHAT})
    manager = manage(Source(bad), Source(good), strategy="priority")
    bad.fail("coder", *[DOWN] * 100)
    model = await manager.for_role("chat")

    assert {await say(model) for _ in range(20)} == {"b/coder"}
    asked = bad.said["coder"].asked
    assert 0 < asked < 10
    assert manager.router.states()["a", "coder"] == "open"

    _, ranked = await manager.explain("chat")
    assert [one.endpoint.name for one in ranked] == ["b/coder", "a/coder"]
    assert "left alone" in ranked[1].why
    await manager.aclose()


async def test_another_model_answers_a_chat_when_the_best_one_is_down() -> None:
    first, second = Place("a", {"large": CHAT}), Place("b", {"small": CHAT})
    manager = manage(Source(first), Source(second), wishes={"chat": Wishes(("large", "small"), written=True)})
    first.fail("large", *[DOWN] * 100)

    assert await say(await manager.for_role("chat")) == "b/small"
    await manager.aclose()


@pytest.mark.parametrize("named", [False, True])
async def test_text_leaves_the_machine_because_a_server_is_down_only_where_a_person_said_so(named: bool) -> None:
    near, far = Place("near", {"coder": CHAT}), Place("far", {"coder": CHAT, "cloud": CHAT}, is_local=False)
    wishes = {"chat": Wishes(("coder", "cloud"), written=True)} if named else {}
    manager = manage(Source(near), Source(far), strategy="priority", wishes=wishes)
    near.fail("coder", *[DOWN] * 100)
    model = await manager.for_role("chat")

    if named:
        assert await say(model) == "far/coder"
    else:
        with pytest.raises(ProviderUnreachableError):
            await say(model)
        assert not far.said or far.said["coder"].asked == 0
    await manager.aclose()


async def test_ghost_text_stays_on_the_machine_even_where_both_places_were_named() -> None:
    """Files of keys and ignored files may be read by a model here, and it is decided for the winner alone."""
    near, far = Place("near", {"qwen2.5-coder": FIM}), Place("far", {"qwen2.5-coder": FIM}, is_local=False)
    manager = manage(Source(near), Source(far), wishes={"completion": Wishes(("qwen*",), written=True)})
    model = await manager.for_role("completion")
    said = set()
    for _ in range(4):
        async for chunk in model.complete(CompletionRequest("x")):
            said.add(chunk.text)
    near.fail("qwen2.5-coder", *[DOWN] * 100)
    with pytest.raises(ProviderUnreachableError):
        async for _ in model.complete(CompletionRequest("x")):
            pass

    assert said == {"near/qwen2.5-coder", ""}
    assert not far.said or far.said["qwen2.5-coder"].asked == 0
    await manager.aclose()


async def test_nobody_but_the_same_family_stands_in_for_ghost_text() -> None:
    best = Place("a", {"qwen2.5-coder": FIM})
    other = Place("b", {"starcoder2": CHAT})
    manager = manage(Source(best), Source(other))
    best.fail("qwen2.5-coder", *[DOWN] * 100)
    model = await manager.for_role("completion")

    with pytest.raises(ProviderUnreachableError):
        async for _ in model.complete(CompletionRequest("x")):
            pass
    assert "starcoder2" not in other.said or other.said["starcoder2"].asked == 0
    await manager.aclose()


async def test_a_request_that_is_wrong_is_asked_once_and_nowhere_else() -> None:
    first, second = Place("a", {"coder": CHAT}), Place("b", {"coder": CHAT})
    manager = manage(Source(first), Source(second), strategy="priority")
    first.fail("coder", *[RequestRejectedError("No.")] * 5)

    with pytest.raises(RequestRejectedError):
        await say(await manager.for_role("chat"))
    assert first.said["coder"].asked == 1
    assert not second.said or second.said["coder"].asked == 0
    await manager.aclose()


@pytest.mark.parametrize(
    ("needs", "why"),
    [
        (Requirements(frozenset({"vision"})), "sees no pictures"),
        (Requirements(tokens=9_000), "reads 8,192 tokens, the request has 9,000"),
        (Requirements(local_only=True), "is not on this machine"),
        (Requirements(name="codr"), "is not 'codr', which was asked for"),
    ],
)
async def test_what_a_request_needs_rules_models_out_and_the_error_says_why(needs: Requirements, why: str) -> None:
    place = Place("a", {"coder": CHAT}, is_local=False, window=8_192)
    manager = manage(Source(place))

    with pytest.raises(NoModelError, match="No model can answer this request: 'coder' ") as caught:
        await manager.for_role("chat", needs)
    assert why in str(caught.value)
    await manager.aclose()


async def test_a_model_with_tools_of_its_own_goes_before_one_that_must_be_helped() -> None:
    with_tools: frozenset[Capability] = frozenset({"chat", "tools"})
    manager = manage(Source(Place("a", {"plain": CHAT, "able": with_tools})))

    assert (await manager.decide("chat", Requirements(frozenset({"tools"})))).able[0].info.name == "able"
    assert (await manager.decide("chat")).able[0].info.name == "plain"
    await manager.aclose()


async def test_local_only_holds_for_every_request() -> None:
    near, far = Place("near", {"small": CHAT}), Place("far", {"large": CHAT}, is_local=False)
    manager = manage(Source(far), Source(near), local_only=True)

    assert await say(await manager.for_role("chat")) == "near/small"
    await manager.aclose()


async def test_each_call_is_told_with_its_role_and_its_outcome() -> None:
    first, second = Place("a", {"coder": CHAT}), Place("b", {"coder": CHAT})
    manager = manage(Source(first), Source(second), strategy="priority")
    first.fail("coder", DOWN)
    told: list[CallRecord] = []
    manager.router.meter.listen(told.append)

    await say(await manager.for_role("chat"))

    assert [(one.provider, one.role, one.outcome) for one in told] == [
        ("a", "chat", "provider_unreachable"),
        ("b", "chat", "ok"),
    ]
    await manager.aclose()
