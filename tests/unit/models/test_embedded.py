"""The embedded provider where something is missing: each time one error that says what to do."""

from __future__ import annotations

import asyncio
import importlib.util
from pathlib import Path

import psutil
import pytest

from dragoman.errors import (
    EngineUnavailableError,
    ModelNotFoundError,
    OutOfMemoryError,
    ProviderFailedError,
    RequestRejectedError,
    WeightsError,
)
from dragoman.models.base import CompletionRequest, ModelInfo
from dragoman.models.providers.embedded import EmbeddedProvider
from dragoman.models.weights import DEFAULT_MODEL, WeightsStore, import_file
from tests.support.gguf import write_tiny_model


@pytest.fixture(autouse=True)
def library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pretend that the inference library is there: nothing here gets as far as using it."""
    real = importlib.util.find_spec
    spec = real("json")
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: spec if name == "xllamacpp" else real(name, *rest)
    )


async def call(provider: EmbeddedProvider, info: ModelInfo) -> None:
    async for _ in provider.model(info).complete(CompletionRequest("x", max_tokens=1)):
        pass


async def test_without_weights_it_says_how_to_get_them() -> None:
    provider = EmbeddedProvider()
    with pytest.raises(WeightsError) as caught:
        await provider.models()
    assert caught.value.hint == f"Run: dragoman models pull {DEFAULT_MODEL}"
    with pytest.raises(WeightsError):
        await provider.warm_up()
    with pytest.raises(WeightsError):
        await call(provider, ModelInfo(DEFAULT_MODEL, "embedded"))
    status = await provider.probe()
    assert (status.reachable, status.hint) == (False, caught.value.hint)
    await provider.aclose()


async def test_without_the_library_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None)
    provider = EmbeddedProvider()
    with pytest.raises(EngineUnavailableError) as caught:
        await provider.models()
    assert caught.value.hint == "Run: pip install xllamacpp"
    assert "not installed" in (await provider.probe()).problem
    await provider.aclose()


async def test_a_damaged_model_is_never_started(tmp_path: Path) -> None:
    store = WeightsStore()
    store.folder.mkdir(parents=True)
    write_tiny_model(store.folder / "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf")
    others = psutil.Process().children()
    provider = EmbeddedProvider()
    with pytest.raises(WeightsError, match="has the SHA-256"):
        await call(provider, ModelInfo(DEFAULT_MODEL, "embedded"))
    assert psutil.Process().children() == others
    await provider.aclose()


async def test_own_models_are_listed_with_what_their_name_tells(tmp_path: Path) -> None:
    store = WeightsStore()
    await import_file(store, write_tiny_model(tmp_path / "Qwen2.5-Coder-7B-mine.gguf"))
    await import_file(store, write_tiny_model(tmp_path / "prose.gguf", 20_000))
    provider = EmbeddedProvider("mine", n_ctx=2048)
    coder, prose = await provider.models()
    assert (coder.name, coder.fim_family, coder.provider, coder.context_window) == (
        "Qwen2.5-Coder-7B-mine",
        "qwen",
        "mine",
        2048,
    )
    assert "fim" in coder.capabilities
    assert prose.fim_family is None
    assert "fim" not in prose.capabilities
    with pytest.raises(RequestRejectedError, match="'prose' cannot fill in the middle"):
        provider.model(prose).complete(CompletionRequest("a", suffix="b"))
    assert [info.name for info in await EmbeddedProvider(model="prose").models()] == ["prose"]
    with pytest.raises(ModelNotFoundError, match="'nobody'"):
        await call(provider, ModelInfo("nobody", "mine"))
    await provider.aclose()


async def test_a_file_can_be_named_by_its_path(tmp_path: Path) -> None:
    path = write_tiny_model(tmp_path / "codegemma-2b.gguf")
    (info,) = await EmbeddedProvider(model=path).models()
    assert (info.name, info.fim_family, info.size_bytes) == ("codegemma-2b", "codegemma", 10_000)
    with pytest.raises(WeightsError, match="cannot be read"):
        await EmbeddedProvider(model=tmp_path / "missing.gguf").models()


async def test_short_memory_is_believed_for_a_while_and_told_by_the_probe(tmp_path: Path) -> None:
    provider = EmbeddedProvider(model=write_tiny_model(tmp_path / "tiny.gguf"), available_memory=1024 * 1024)
    (info,) = await provider.models()
    for _ in range(3):
        with pytest.raises(OutOfMemoryError, match=r"takes 208 MiB of memory and 1 MiB is free"):
            await call(provider, info)
    assert provider.state.phase == "failed"
    status = await provider.probe()
    # It can be asked again, when there may be more memory; until then the problem is known.
    assert status.reachable
    assert "208 MiB" in status.problem
    await provider.aclose()


async def test_a_closed_provider_can_be_asked_again_and_closed_again(tmp_path: Path) -> None:
    provider = EmbeddedProvider(model=write_tiny_model(tmp_path / "tiny.gguf"), available_memory=1)
    (info,) = await provider.models()
    with pytest.raises(OutOfMemoryError):
        await call(provider, info)
    engine = await provider.engine(info.name)
    await provider.aclose()
    await provider.aclose()
    with pytest.raises(Exception, match="closed"):
        await engine.attach()
    assert len(asyncio.all_tasks()) == 1


def test_the_errors_are_those_a_caller_catches() -> None:
    assert issubclass(OutOfMemoryError, EngineUnavailableError)
    assert not issubclass(ProviderFailedError, EngineUnavailableError)
