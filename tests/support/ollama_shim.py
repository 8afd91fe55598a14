"""A shim, not Ollama: a real llama.cpp server behind the wire shapes that Ollama documents. For tests only.

No package of Ollama can be installed where the tests run, so its protocol is put in front of the real engine:
`/api/version`, `/api/tags`, `/api/ps`, `/api/show`, `/api/pull`, `/api/generate` (raw, and with a suffix) and
`/api/chat` with tools, streamed as one JSON object a line. A client that hangs up closes the engine's connection, as Ollama does.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import httpx

from tests.support.fake_http import Connection, HttpServer, HungUp, Request
from tests.support.fake_model import Script
from tests.support.fake_pulls import pull


@contextlib.asynccontextmanager
async def shim(engine_url: str, name: str = "qwen2.5-coder:0.5b") -> AsyncIterator[str]:
    """Serve the engine at ``engine_url`` as the Ollama model ``name``; yields the shim's root address."""
    # No connection is used twice: the engine may close a kept one at the very moment when the next question is sent on it.
    once = httpx.Limits(max_keepalive_connections=0)
    async with httpx.AsyncClient(base_url=engine_url, timeout=300, trust_env=False, limits=once) as engine:
        front = _Shim(engine, name)
        server = HttpServer(front.handle)
        port = await server.start()
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            await server.aclose()


class _Shim:
    def __init__(self, engine: httpx.AsyncClient, name: str) -> None:
        self._engine = engine
        self._name = name

    async def handle(self, request: Request, connection: Connection) -> None:
        body = request.json()
        if request.path == "/api/version":
            await connection.send_json({"version": "0.0.0-shim"})
        elif request.path == "/api/tags":
            await connection.send_json({"models": [{"name": self._name, "model": self._name, "size": 1}]})
        elif request.path == "/api/ps":
            loaded = {"name": self._name, "model": self._name, "size": 1, "size_vram": 0, "context_length": 2048}
            await connection.send_json({"models": [{**loaded, "expires_at": "2026-01-01T00:30:00.123456789Z"}]})
        elif request.path == "/api/pull":
            await pull(Script(models=[self._name]), request, connection)
        elif request.path in ("/api/show", "/api/generate", "/api/chat") and body.get("model") != self._name:
            await connection.send_json({"error": f"model '{body.get('model')}' not found"}, 404)
        elif request.path == "/api/show":
            facts = {"general.architecture": "qwen2", "qwen2.context_length": 32768}
            await connection.send_json({"model_info": facts, "capabilities": ["completion", "insert", "tools"]})
        elif request.path == "/api/generate":
            await self._relay(connection, self._generate(body))
        elif request.path == "/api/chat":
            await self._relay(connection, self._chat(body))
        else:
            await connection.send_body(b"404 page not found", 404)

    async def _relay(self, connection: Connection, values: AsyncGenerator[dict[str, Any], None]) -> None:
        """Pass the engine's answer on line by line; stop the engine as soon as the client hangs up."""

        async def pump() -> None:
            async with contextlib.aclosing(values):
                await connection.start_stream("application/x-ndjson")
                async for value in values:
                    line = {"model": self._name, "created_at": "2026-01-01T00:00:00Z", **value}
                    await connection.send_piece(json.dumps(line).encode() + b"\n")
                await connection.end_stream()

        work = asyncio.create_task(pump())
        gone = asyncio.create_task(connection.gone.wait())
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            if not work.done():
                work.cancel()
            with contextlib.suppress(asyncio.CancelledError, HungUp):
                await work

    async def _generate(self, body: dict[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
        options = body.get("options", {})
        ask: dict[str, Any] = {"stream": True, "cache_prompt": True, **_sampling(options)}
        if "suffix" in body:
            path, ask = "/infill", {**ask, "input_prefix": body["prompt"], "input_suffix": body["suffix"]}
        else:
            path, ask = "/completion", {**ask, "prompt": body["prompt"]}
        if body.get("logprobs"):
            ask["n_probs"] = 1
        async for value in self._events(path, ask):
            if value.get("stop"):
                reason = "length" if value.get("stop_type") == "limit" else "stop"
                counts = {"prompt_eval_count": value["tokens_evaluated"], "eval_count": value["tokens_predicted"]}
                yield {"response": value.get("content", ""), "done": True, "done_reason": reason, **counts}
            else:
                told = [
                    {"token": one["token"], "logprob": one["logprob"]}
                    for one in value.get("completion_probabilities", ())
                ]
                yield {"response": value["content"], "done": False, **({"logprobs": told} if told else {})}

    async def _chat(self, body: dict[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
        options = body.get("options", {})
        ask: dict[str, Any] = {"stream": True, "messages": _messages(body["messages"]), **_sampling(options)}
        if body.get("tools"):
            ask["tools"] = body["tools"]
        ask["stream_options"] = {"include_usage": True}
        if "format" in body:
            schema = {"name": "answer", "schema": body["format"]}
            ask["response_format"] = {"type": "json_schema", "json_schema": schema}
        reason = "stop"
        usage: dict[str, int] = {}
        calls: dict[int, dict[str, str]] = {}
        async for value in self._events("/v1/chat/completions", ask):
            if "error" in value:
                yield value
                return
            usage = value.get("usage") or usage
            for choice in value.get("choices", []):
                reason = choice.get("finish_reason") or reason
                for call in choice["delta"].get("tool_calls", []):
                    at = calls.setdefault(call["index"], {"name": "", "arguments": ""})
                    at["name"] += call["function"].get("name") or ""
                    at["arguments"] += call["function"].get("arguments") or ""
                if text := choice["delta"].get("content"):
                    yield {"message": {"role": "assistant", "content": text}, "done": False}
        counts = {"prompt_eval_count": usage.get("prompt_tokens", 0), "eval_count": usage.get("completion_tokens", 0)}
        if calls:
            told = [{"function": {**one, "arguments": json.loads(one["arguments"])}} for one in calls.values()]
            yield {"message": {"role": "assistant", "content": "", "tool_calls": told}, "done": False}
        yield {
            "message": {"role": "assistant", "content": ""},
            "done": True,
            "done_reason": reason if reason == "length" else "stop",
            **counts,
        }

    async def _events(self, path: str, ask: dict[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
        async with self._engine.stream("POST", path, json=ask) as reply:
            if reply.status_code != 200:
                await reply.aread()
                # Ollama reports a failure after the stream began in a line of its own.
                yield {"error": reply.json()["error"]["message"]}
                return
            async for line in reply.aiter_lines():
                if line.startswith("data: ") and line != "data: [DONE]":
                    yield json.loads(line.removeprefix("data: "))


def _messages(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Put Ollama's messages into the engine's words: its calls have objects for arguments, its results a tool's name."""
    told = []
    for message in messages:
        one = {name: message[name] for name in ("role", "content", "tool_call_id") if name in message}
        if calls := message.get("tool_calls"):
            functions = [call["function"] for call in calls]
            one["tool_calls"] = [
                {
                    "id": call.get("id", ""),
                    "type": "function",
                    "function": {"name": function["name"], "arguments": json.dumps(function["arguments"])},
                }
                for call, function in zip(calls, functions, strict=True)
            ]
        told.append(one)
    return told


def _sampling(options: dict[str, Any]) -> dict[str, Any]:
    ask = {"n_predict": options.get("num_predict", -1), "max_tokens": options.get("num_predict", -1)}
    ask |= {key: options[key] for key in ("temperature", "seed", "stop") if key in options}
    return ask
