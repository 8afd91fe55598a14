"""Who fills a role, and why: the manager over providers that are scripted, not mocked."""

from __future__ import annotations

import asyncio

import pytest

from dragoman.errors import ModelNotFoundError, NoModelError, ProviderUnreachableError
from dragoman.models.manager import ModelManager
from dragoman.models.selection import Source, Wishes, matches
from tests.support.scripted_providers import Place

FIM = frozenset({"completion", "fim"})
CHAT = frozenset({"completion", "chat"})
WISHES = {"completion": Wishes(("qwen2.5-coder*",))}


async def choice(*sources: Source, wishes=WISHES, role="completion"):
    manager = ModelManager(sources, wishes)
    try:
        return await manager.choose(role)
    finally:
        await manager.aclose()


async def test_the_default_pattern_prefers_and_does_not_bind() -> None:
    both = Place("a", {"starcoder2": FIM, "qwen2.5-coder:1.5b": FIM})
    assert (await choice(Source(both))).info.name == "qwen2.5-coder:1.5b"

    other = await choice(Source(Place("a", {"starcoder2": FIM})))
    assert other.info.name == "starcoder2"
    assert not other.problem


async def test_a_pattern_that_nothing_matches_is_told_with_the_nearest_name() -> None:
    result = await choice(
        Source(Place("a", {"qwen2.5-coder:1.5b": FIM})), wishes={"completion": Wishes(("qwen25-coder",), written=True)}
    )

    assert "qwen25-coder" in result.problem
    assert "qwen2.5-coder:1.5b" in result.problem
    assert result.info is not None


async def test_a_model_stated_for_another_role_does_not_complete() -> None:
    source = Source(Place("a", {"talker": FIM, "coder": FIM}), stated_roles={"talker": frozenset({"chat"})})

    result = await choice(source)

    assert result.info.name == "coder"
    assert [c.verdict for c in result.candidates if c.model == "talker"] == ["excluded"]


async def test_a_detected_ollama_without_fill_in_the_middle_leaves_completion_to_the_embedded_model() -> None:
    ollama = Source(Place("ollama", {"llama3": CHAT}), "detected")
    embedded = Source(Place("embedded", {"qwen2.5-coder-0.5b-instruct": FIM | {"chat"}}, kind="embedded"), "embedded")

    assert (await choice(ollama, embedded)).source is embedded
    assert (await choice(ollama, embedded, role="chat")).source is ollama


async def test_a_configured_provider_that_is_down_is_a_problem_not_a_reason_to_go_elsewhere() -> None:
    down = Source(Place("mine", up=False))
    embedded = Source(Place("embedded", {"m": FIM}, kind="embedded"), "embedded")
    manager = ModelManager([down, embedded], WISHES)

    with pytest.raises(ProviderUnreachableError, match="does not answer"):
        await manager.for_role("completion")
    await manager.aclose()


async def test_a_configured_provider_for_another_role_leaves_completion_to_the_embedded_model() -> None:
    talker = Source(Place("mine", {"gpt": frozenset({"chat"})}))
    embedded = Source(Place("embedded", {"m": FIM}, kind="embedded"), "embedded")

    assert (await choice(talker, embedded)).source is embedded


async def test_nobody_is_an_error_that_says_how_to_get_somebody() -> None:
    manager = ModelManager([Source(Place("ollama", up=False), "detected")], WISHES)

    with pytest.raises(NoModelError) as caught:
        await manager.for_role("completion")

    assert "dragoman models pull" in caught.value.hint
    await manager.aclose()


async def test_a_pinned_model_wins_until_it_is_unpinned() -> None:
    manager = ModelManager([Source(Place("a", {"qwen2.5-coder": FIM, "other": FIM}))], WISHES)
    await manager.refresh()
    manager.pin("completion", "other")
    assert manager.current("completion").info.name == "other"

    manager.pin("completion", None)

    assert manager.current("completion").info.name == "qwen2.5-coder"
    await manager.aclose()


async def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    manager = ModelManager([Source(Place("a", {"qwen2.5-coder": FIM}))], WISHES)

    with pytest.raises(ModelNotFoundError) as caught:
        await manager.named("qwen2.5-codr")

    assert "qwen2.5-coder" in caught.value.hint
    await manager.aclose()


async def test_many_callers_share_one_reading_and_a_stale_one_is_read_again_behind_their_backs() -> None:
    now = [0.0]
    place = Place("a", {"qwen2.5-coder": FIM})
    manager = ModelManager([Source(place)], WISHES, clock=lambda: now[0])
    await asyncio.gather(*(manager.choose("completion") for _ in range(50)))
    assert place.asked == 1

    now[0] += 1_000
    assert (await manager.choose("completion")).info is not None
    async with asyncio.timeout(10):
        while place.asked < 2:
            await asyncio.sleep(0)
    await manager.aclose()
    assert place.closed


async def test_the_same_model_is_the_same_object() -> None:
    manager = ModelManager([Source(Place("a", {"qwen2.5-coder": FIM}))], WISHES)

    assert await manager.for_role("completion") is await manager.for_role("completion")
    await manager.aclose()


async def test_a_closed_manager_asks_nobody() -> None:
    place = Place("a", {"qwen2.5-coder": FIM})
    manager = ModelManager([Source(place)], WISHES)
    await manager.aclose()
    await manager.refresh()

    assert place.asked == 0


@pytest.mark.parametrize(
    ("name", "pattern", "fits"),
    [
        ("qwen2.5-coder:1.5b-base", "qwen2.5-coder*", True),
        ("Qwen/Qwen2.5-Coder-7B", "qwen2.5-coder*", True),
        ("starcoder2", "qwen*", False),
        ("starcoder2", "STARCODER2", True),
    ],
)
def test_patterns_see_neither_case_nor_a_registry_s_path(name: str, pattern: str, fits: bool) -> None:
    assert matches(name, pattern) is fits


async def test_a_model_that_comes_or_goes_is_noticed(caplog: pytest.LogCaptureFixture) -> None:
    place = Place("a", {"old": CHAT})
    manager = ModelManager([Source(place)], {})
    changes = []
    manager.on_change = lambda: changes.append([info.name for info in manager.catalog()])
    await manager.refresh()
    place.has = {"new": CHAT}
    with caplog.at_level("INFO", logger="dragoman.models.manager"):
        await manager.refresh()
    await manager.aclose()

    assert changes == [["old"], ["new"]]
    assert [record.getMessage() for record in caplog.records] == [
        "model 'new' of 'a' is there now",
        "model 'old' of 'a' is gone",
    ]


@pytest.mark.parametrize(("kind", "local", "asked"), [("ollama", True, 1), ("ollama", False, 0), ("openai", True, 0)])
async def test_the_model_for_ghost_text_is_loaded_before_it_is_asked_for(kind: str, local: bool, asked: int) -> None:
    place = Place("a", {"qwen2.5-coder": FIM}, kind=kind, is_local=local)
    manager = ModelManager([Source(place)], WISHES)
    await manager.refresh()
    told = []
    manager.router.meter.listen(told.append)

    manager.warmer.start()
    for _ in range(20):
        await asyncio.sleep(0)
    await manager.aclose()

    assert (place.said["qwen2.5-coder"].asked if place.said else 0) == asked
    assert told == []


async def test_a_text_is_embedded_once() -> None:
    place = Place("a", {"nomic-embed-text": frozenset({"embedding"})})
    manager = ModelManager([Source(place)], {})

    assert await manager.embed(["one", "two", "one"]) == [[1.0], [1.0], [1.0]]
    assert await manager.embed(["two"]) == [[1.0]]
    assert place.said["nomic-embed-text"].embedded == ["one", "two"]
    await manager.aclose()
