"""The known services: where they are, what they are asked differently, what they tell of their models, what they refuse."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from dragoman.errors import RequestRejectedError, SettingsError, ToolsUnsupportedError
from dragoman.models.base import ChatMessage, ChatRequest, CompletionRequest, ModelInfo, Prices, Tool
from dragoman.models.profiles import FAMILIES, guess_window, window_of
from dragoman.models.providers import make_provider
from dragoman.models.providers.endpoint import Endpoint, StatedModel
from dragoman.models.providers.presets import PRESETS
from dragoman.models.providers.provider import HttpProvider
from dragoman.settings.providers import PRESET_ADDRESSES, ProviderSettings, address_problem
from tests.support.fake_http import Connection, HttpServer, Request
from tests.support.fake_model import FakeModel, Script

TOOL = Tool("f", "Does f.", {"type": "object", "properties": {}})


@asynccontextmanager
async def preset(name: str | None, fake: FakeModel, **more: Any) -> AsyncIterator[HttpProvider]:
    provider = make_provider(Endpoint("mine", "openai", f"{fake.url}/v1", preset=name, **more))
    try:
        yield provider
    finally:
        await provider.aclose()


async def say(provider: HttpProvider, request: Any, *abilities: Any) -> str:
    model = provider.model(ModelInfo("m", "mine", frozenset(abilities)))
    stream = model.chat(request) if isinstance(request, ChatRequest) else model.complete(request)
    return "".join([chunk.text async for chunk in stream])


def chat(**more: Any) -> ChatRequest:
    return ChatRequest((ChatMessage("user", "x"),), **more)


def test_every_preset_has_an_address_that_its_kind_accepts() -> None:
    assert set(PRESETS) == set(PRESET_ADDRESSES)
    for name, address in PRESET_ADDRESSES.items():
        assert not address_problem("openai", address)
        settings = ProviderSettings.model_validate({"kind": "openai", "preset": name})
        assert settings.address == address
        assert Endpoint("x", "openai", address, preset=name).base_url == address
    own = ProviderSettings.model_validate({"kind": "openai", "preset": "mistral", "base_url": "https://a.example/v1"})
    assert own.address == "https://a.example/v1"


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        ({"kind": "ollama", "preset": "openai"}, "preset is for kind 'openai'"),
        ({"kind": "openai", "preset": "opnai"}, "preset"),
        ({"kind": "llamacpp", "keep_alive": "5m"}, "keep_alive is for kind 'ollama'"),
        ({"kind": "ollama", "keep_alive": "soon"}, "keep_alive"),
        ({"kind": "openai"}, "needs base_url"),
        ({"kind": "ollama", "models": [{"name": "m", "prices": {"prompt": -1, "completion": 1}}]}, "prompt"),
    ],
)
def test_what_makes_no_sense_is_refused(entry: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        ProviderSettings.model_validate(entry)


def test_who_is_paid_is_known() -> None:
    def endpoint(name: str | None = None, *models: StatedModel) -> Endpoint:
        return Endpoint("x", "openai", "http://localhost/v1", preset=name, models=models)

    paid = {name for name in PRESETS if endpoint(name).is_paid}
    assert paid == {"openai", "openrouter", "mistral", "deepseek"}
    assert not endpoint().is_paid
    assert endpoint(None, StatedModel("m", prices=Prices(1, 2))).is_paid
    assert endpoint(None, StatedModel("m", prices=Prices(1, 2))).describe("m").prices == Prices(1, 2)
    # Who names no preset is not charged twice by a second request for the same text either.
    for name, address in PRESET_ADDRESSES.items():
        assert Endpoint("x", "openai", address).is_paid == PRESETS[name].paid
    assert Endpoint("x", "openai", "https://codestral.mistral.ai/v1").preset == "mistral"
    assert Endpoint("x", "openai", "https://models.example.com/v1").preset is None
    with pytest.raises(SettingsError, match="'opnai'"):
        endpoint("opnai")


@pytest.mark.parametrize(
    ("name", "path", "seed"),
    [
        ("mistral", "/v1/fim/completions", "random_seed"),
        ("deepseek", "/beta/completions", "seed"),
        ("dragoman", "/v1/completions", "seed"),
        (None, "/v1/completions", "seed"),
    ],
)
async def test_filling_in_goes_where_the_service_has_it(name: str | None, path: str, seed: str) -> None:
    async with FakeModel(Script(text="middle")) as fake, preset(name, fake) as provider:
        request = CompletionRequest("before", "after", seed=7, logprobs=True)
        assert await say(provider, request) == "middle"
        call = fake.generations[-1]
        assert call.path == path
        assert (call.prefix, call.suffix, call.body[seed]) == ("before", "after", 7)
        assert ("stream_options" in call.body) == ("logprobs" in call.body) == (name != "mistral")


async def test_each_service_is_asked_in_its_own_words() -> None:
    request = chat(thinking=True, json_schema={"type": "object"}, tools=(TOOL,), tool_choice="required", max_tokens=9)
    asked: dict[str, dict[str, Any]] = {}
    async with FakeModel() as fake:
        for name in PRESETS:
            async with preset(name, fake) as provider:
                await say(provider, request, "thinking", "chat")
                asked[name] = fake.generations[-1].body
    assert asked["openai"]["max_completion_tokens"] == 9
    assert all(asked[name]["max_tokens"] == 9 for name in asked if name != "openai")
    assert asked["mistral"]["tool_choice"] == "any"
    assert asked["vllm"]["tool_choice"] == "required"
    assert asked["deepseek"]["response_format"] == {"type": "json_object"}
    assert asked["openrouter"]["response_format"]["type"] == "json_schema"
    assert asked["vllm"]["chat_template_kwargs"] == {"enable_thinking": True}
    assert asked["openrouter"]["reasoning"] == {"enabled": True}
    assert asked["openai"]["reasoning_effort"] == "medium"
    assert asked["deepseek"]["thinking"] == {"type": "enabled"}


@pytest.mark.parametrize(
    ("refused", "instead"),
    [
        ("max_completion_tokens", {"max_tokens": 9}),
        ("reasoning_effort", {}),
        ("temperature", {}),
        ("stop", {}),
        ("response_format", {}),
    ],
)
async def test_a_refused_parameter_is_left_out_by_every_further_call(refused: str, instead: dict[str, Any]) -> None:
    async with FakeModel(Script(refuses=[refused])) as fake, preset("openai", fake) as provider:
        request = chat(thinking=True, json_schema={"type": "object"}, max_tokens=9, stop=("s",))
        for _ in range(2):
            assert await say(provider, request, "thinking", "chat") == "pa"
        assert len(fake.generations) == 3
        body = fake.generations[-1].body
        assert refused not in body
        assert instead.items() <= body.items()
        if refused == "response_format":
            assert (
                "json_schema" not in provider.as_learnt(ModelInfo("m", "mine", frozenset({"json_schema"}))).capabilities
            )


async def test_a_service_that_knows_neither_name_of_the_limit_is_asked_without() -> None:
    async with (
        FakeModel(Script(refuses=["max_tokens", "max_completion_tokens"])) as fake,
        preset(None, fake) as provider,
    ):
        assert await say(provider, chat(max_tokens=9))
        assert [{"max_tokens", "max_completion_tokens"} & one.body.keys() for one in fake.generations] == [
            {"max_tokens"},
            {"max_completion_tokens"},
            set(),
        ]


@pytest.mark.parametrize(
    ("status", "message", "learnt"),
    [
        (400, '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set', True),
        (404, "No endpoints found that support tool use. Try disabling 'f'.", True),
        (422, {"detail": [{"loc": ["body", "tools"], "msg": "Extra inputs are not permitted", "input": "P"}]}, True),
        (400, "Invalid value for tool_choice: 'required'", False),
    ],
)
async def test_tools_are_refused_in_many_words(status: int, message: Any, learnt: bool) -> None:
    async def handle(request: Request, connection: Connection) -> None:
        await connection.send_json({"error": {"message": message}} if isinstance(message, str) else message, status)

    server = HttpServer(handle)
    try:
        url = f"http://127.0.0.1:{await server.start()}/v1"
        provider = make_provider(Endpoint("mine", "openai", url))
        with pytest.raises(ToolsUnsupportedError):
            await say(provider, chat(tools=(TOOL,), tool_choice="required"), "tools")
        known = provider.as_learnt(ModelInfo("m", "mine", frozenset({"tools"})))
        assert ("tools" not in known.capabilities) == learnt
        with pytest.raises(RequestRejectedError) as caught:
            await say(provider, chat())
        assert not isinstance(caught.value, ToolsUnsupportedError) or status in (400, 404)
        await provider.aclose()
    finally:
        await server.aclose()


# -- what lists of models tell -----------------------------------------------------------------------------------------

LISTED = {
    "vllm": {"id": "Qwen/Qwen2.5-Coder-7B-Instruct", "max_model_len": 16384},
    "openrouter": {
        "id": "some/model",
        "context_length": 131072,
        "architecture": {"input_modalities": ["text", "image"]},
        "supported_parameters": ["tools", "structured_outputs", "reasoning", "seed"],
        "pricing": {"prompt": "0.00000025", "completion": "0.000002"},
    },
    "mistral": {
        "id": "codestral-latest",
        "max_context_length": 262144,
        "capabilities": {"completion_chat": True, "completion_fim": True, "function_calling": True, "vision": False},
    },
    "deepseek": {"id": "deepseek-chat"},
    "dragoman": {"id": "local/qwen2.5-coder", "capabilities": ["completion", "fim", "odd"], "context_window": 4096},
}
EXPECTED: dict[str, tuple[set[str], int | None, str | None, Prices | None]] = {
    "vllm": ({"completion", "chat", "fim", "tools", "json_schema"}, 16384, "qwen", None),
    "openrouter": (
        {"completion", "chat", "tools", "json_schema", "thinking", "vision"},
        131072,
        None,
        Prices(0.25, 2.0),
    ),
    # They put the model's own tokens around the text themselves.
    "mistral": ({"completion", "chat", "fim", "tools", "json_schema"}, 262144, None, None),
    "deepseek": ({"completion", "chat", "fim", "tools", "json_schema"}, None, None, None),
    "dragoman": ({"completion", "fim"}, 4096, None, None),
}


async def listed(name: str, entries: list[Any], native: list[Any] | None = None) -> list[ModelInfo]:
    async def handle(request: Request, connection: Connection) -> None:
        if request.path == "/api/v0/models" and native is not None:
            await connection.send_json({"data": native})
        else:
            await connection.send_json({"data": entries}, 200 if request.path == "/v1/models" else 404)

    server = HttpServer(handle)
    try:
        provider = make_provider(Endpoint("x", "openai", f"http://127.0.0.1:{await server.start()}/v1", preset=name))
        try:
            return await provider.models()
        finally:
            await provider.aclose()
    finally:
        await server.aclose()


@pytest.mark.parametrize("name", LISTED)
async def test_what_a_service_tells_of_its_models_is_believed(name: str) -> None:
    (info,) = await listed(name, [LISTED[name]])
    assert (info.capabilities, info.context_window, info.fim_family, info.prices) == EXPECTED[name]


async def test_lm_studio_tells_more_on_a_page_of_its_own() -> None:
    entries = [{"id": name} for name in ("text-embedding-x", "qwen2-vl", "loaded", "old")]
    native = [
        {"id": "text-embedding-x", "type": "embeddings", "state": "not-loaded", "max_context_length": 2048},
        {"id": "qwen2-vl", "type": "vlm", "state": "not-loaded", "max_context_length": 32768, "capabilities": []},
        {
            "id": "loaded",
            "type": "llm",
            "arch": "starcoder2",
            "state": "loaded",
            "max_context_length": 32768,
            "loaded_context_length": 8192,
            "capabilities": ["tool_use"],
        },
    ]
    embedding, vision, loaded, old = await listed("lm-studio", entries, native)
    assert (embedding.capabilities, embedding.context_window) == ({"embedding"}, 2048)
    assert "vision" in vision.capabilities
    assert "tools" not in vision.capabilities
    # It loads a model with this window, whatever the model was trained on.
    assert vision.context_window == 4096
    assert (loaded.context_window, loaded.fim_family) == (8192, "starcoder2")
    assert "tools" in loaded.capabilities
    assert (old.context_window, "tools" in old.capabilities) == (None, True)
    assert len(await listed("lm-studio", entries)) == 4


# -- windows that nobody tells -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "tokens"),
    [
        ("mistral:7b-instruct", 4096),
        ("llama2_13b", 8192),
        ("yi-34b-chat", 16384),
        ("llama3:70b", 16384),
        # Not sizes of the table, though they hold one.
        ("smollm2:1.7b", 2048),
        ("gemma2:27b", 2048),
        ("mystery", 2048),
        ("qwen2.5-coder:7b", FAMILIES["qwen"].window),
        ("granite-code:3b", 2048),
    ],
)
def test_a_window_is_guessed_by_family_and_by_size(name: str, tokens: int) -> None:
    assert guess_window(name) == tokens


def test_a_guessed_window_is_told_apart_and_never_beats_a_told_one() -> None:
    told = window_of(ModelInfo("llama3:70b", "x", context_window=131072))
    assert (told.tokens, told.guessed) == (131072, False)
    guessed = window_of(ModelInfo("llama3:70b", "x"))
    assert (guessed.tokens, guessed.guessed) == (16384, True)
