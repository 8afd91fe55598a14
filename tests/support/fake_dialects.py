"""The wire shapes of three protocols, as the fake model server speaks them (taken from their public documentation)."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.support.fake_answers import embed_words, tokenize
from tests.support.fake_http import Request

if TYPE_CHECKING:
    from tests.support.fake_model import Script

EMBEDDING_PATHS = {"/v1/embeddings": ("openai", "llamacpp"), "/api/embed": ("ollama",)}
GENERATION_PATHS = frozenset(
    {
        "/v1/completions",
        "/v1/chat/completions",
        "/v1/fim/completions",
        "/beta/completions",
        "/completion",
        "/completions",
        "/infill",
        "/api/generate",
        "/api/chat",
    }
)
_DIALECT = {"/completion": "llamacpp", "/completions": "llamacpp", "/infill": "llamacpp"}


@dataclass(frozen=True)
class Piece:
    """A step of a stream."""

    text: str = ""
    thinking: str = ""
    finish: str | None = None
    count: int = 0
    accident: str | None = None
    logprob: float | None = None
    """Told when the request asks for it and the script tells them."""
    call: tuple[int, str, str] | None = None
    """A call of a tool: which, its name, its arguments as JSON."""


def said_last(body: dict[str, Any]) -> str:
    """The text of a chat's last message, pictures left out."""
    content = body["messages"][-1].get("content") or ""
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def calls_tools(body: dict[str, Any]) -> bool:
    """Whether a chat has tools to be called, and is not the one that brings their results."""
    return bool(body.get("tools")) and body.get("tool_choice") != "none" and body["messages"][-1]["role"] != "tool"


def dialect_of(path: str) -> str:
    return _DIALECT.get(path) or ("ollama" if path.startswith("/api/") else "openai")


def refusal(script: Script, path: str) -> dict[str, Any]:
    """The body of a scripted HTTP error."""
    dialect = dialect_of(path)
    message = script.error_message
    if script.error_code == "context":
        if dialect == "openai":
            message = (
                "This model's maximum context length is 4096 tokens. However, your messages resulted in 5000 tokens."
            )
            return {"error": {"message": message, "type": "invalid_request_error", "code": "context_length_exceeded"}}
        if dialect == "llamacpp":
            message = "the request exceeds the available context size, try increasing it"
            detail = {"code": 400, "type": "exceed_context_size_error", "n_prompt_tokens": 5000, "n_ctx": 4096}
            return {"error": {"message": message, **detail}}
        message = "input length exceeds the context length"
    if dialect == "ollama":
        return {"error": message}
    return {"error": {"message": message, "type": "server_error", "code": script.error_code}}


def answer_question(script: Script, request: Request) -> tuple[int, Any] | None:
    """Answer what is not a generation; None when text is to be generated."""
    path, dialects = request.path, script.dialects
    if path in GENERATION_PATHS:
        if dialect_of(path) not in dialects and not (path.startswith("/v1/") and "llamacpp" in dialects):
            return 404, {"error": {"message": "File Not Found", "type": "not_found_error", "code": 404}}
        return _unknown_model(script, request) or _refused(script, request)
    if dialects_of := EMBEDDING_PATHS.get(path):
        if not set(dialects_of) & set(dialects):
            return 404, {"error": {"message": "File Not Found", "type": "not_found_error", "code": 404}}
        return _unknown_model(script, request) or (200, _embeddings(script, request))
    if path == "/v1/models" and ({"openai", "llamacpp"} & set(dialects)):
        return 200, {"object": "list", "data": [_model_entry(script, name) for name in script.models]}
    if "llamacpp" in dialects and (reply := _llamacpp(script, request)) is not None:
        return reply
    if "ollama" in dialects and (reply := _ollama(script, request)) is not None:
        return reply
    return 404, {"error": {"message": "File Not Found", "type": "not_found_error", "code": 404}}


def _embeddings(script: Script, request: Request) -> dict[str, Any]:
    """Vectors of bags of words; OpenAI's shape tells each text's number, so it may come in any order."""
    body = request.json()
    texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
    vectors = [embed_words(text, script.dimensions) for text in texts]
    if request.path == "/api/embed":
        return {"model": body["model"], "embeddings": vectors, "total_duration": 1, "prompt_eval_count": len(texts)}
    data = [{"object": "embedding", "index": at, "embedding": vector} for at, vector in enumerate(vectors)]
    return {"object": "list", "model": body["model"], "data": data[::-1], "usage": {"prompt_tokens": 1}}


def _unknown_model(script: Script, request: Request) -> tuple[int, Any] | None:
    name = request.json().get("model")
    if not script.strict_models or name is None or name in script.models:
        return None
    if dialect_of(request.path) == "ollama":
        return 404, {"error": f"model '{name}' not found"}
    return 404, {"error": {"message": f"The model `{name}` does not exist", "code": "model_not_found"}}


def _refused(script: Script, request: Request) -> tuple[int, Any] | None:
    """Refuse what the script refuses, in the words of the dialect."""
    body, dialect = request.json(), dialect_of(request.path)
    for name in script.refuses:
        if name not in body:
            continue
        if dialect == "ollama":
            return 400, {"error": f"registry.ollama.ai/library/{body['model']} does not support {name}"}
        if name == "tools" and "llamacpp" in script.dialects:
            message = "tools param requires --jinja flag"
            return 500, {"error": {"code": 500, "message": message, "type": "server_error"}}
        message = f"Unsupported parameter: '{name}' is not supported with this model."
        return 400, {"error": {"message": message, "type": "invalid_request_error", "param": name}}
    return None


def _model_entry(script: Script, name: str) -> dict[str, Any]:
    entry: dict[str, Any] = {"id": name, "object": "model", "created": 1700000000, "owned_by": "fake"}
    if "llamacpp" in script.dialects:
        entry["meta"] = {"vocab_type": 2, "n_vocab": 151936, "n_ctx_train": script.context, "size": 491400064}
    return entry


def _llamacpp(script: Script, request: Request) -> tuple[int, Any] | None:
    loading = (503, {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}})
    if request.path == "/health":
        return (200, {"status": "ok"}) if script.ready else loading
    if request.path == "/props":
        settings = {"n_ctx": script.context, "params": {"n_predict": -1}}
        props = {
            "default_generation_settings": settings,
            "total_slots": script.slots,
            "model_alias": script.models[0],
            "model_path": f"/models/{script.models[0]}.gguf",
            "chat_template": "{{ messages }}",
            "modalities": {"vision": False, "audio": False},
            "build_info": "b0-fake",
        }
        return (200, props) if script.ready else loading
    if request.path == "/tokenize":
        return 200, {"tokens": list(range(len(tokenize(request.json()["content"]))))}
    if request.path == "/slots":
        return 200, [{"id": index, "is_processing": False} for index in range(script.slots)]
    return None


def _ollama(script: Script, request: Request) -> tuple[int, Any] | None:
    if request.path == "/api/version":
        return 200, {"version": "0.0.0-fake"}
    details = {"family": script.family, "families": [script.family], "format": "gguf", "quantization_level": "Q4_K_M"}
    if request.path == "/api/tags":
        tags = [{"name": name, "model": name, "size": 986061892, "details": details} for name in script.models]
        return 200, {"models": tags}
    if request.path == "/api/ps":
        return 200, {"models": script.loaded}
    if request.path == "/api/show":
        name = request.json().get("model")
        if name not in script.models:
            return 404, {"error": f"model '{name}' not found"}
        info = {"general.architecture": script.family, f"{script.family}.context_length": script.context}
        return 200, {"details": details, "model_info": info, "capabilities": script.capabilities}
    return None


def stream_lines(script: Script, path: str, body: dict[str, Any]) -> Lines:
    """Pick the wire shape for a generation."""
    shapes: dict[str, type[Lines]] = {"/v1/completions": OpenAiText, "/beta/completions": OpenAiText}
    # Mistral's endpoint for filling in answers in the shape of a chat.
    shapes |= {"/v1/chat/completions": OpenAiChat, "/v1/fim/completions": OpenAiChat}
    shape = shapes.get(path) or (Ollama if path.startswith("/api/") else LlamaCpp)
    return shape(body, script)


class Lines(ABC):
    """Turns pieces into the bytes of one protocol."""

    content_type = "text/event-stream"

    def __init__(self, body: dict[str, Any], script: Script) -> None:
        self.body = body
        self.model = body.get("model", script.models[0])
        self.piece = script.call_piece
        self.object_arguments = script.object_arguments
        self.tells = script.logprobs is not None and bool(body.get("logprobs") or body.get("n_probs"))
        self.prompt_tokens = len(tokenize(json.dumps(body.get("messages") or body.get("prompt", ""))))

    def render(self, piece: Piece) -> list[bytes]:
        if piece.accident == "garbage":
            return [self.frame(b"{this is not json")]
        if piece.accident == "invalid_utf8":
            return [self.frame(b'{"broken": "\xff\xfe\xc3"}')]
        if piece.accident == "error":
            return [self.frame(json.dumps(self.error()).encode())]
        return [self.frame(json.dumps(value, ensure_ascii=False).encode()) for value in self.values(piece)] + (
            [b"data: [DONE]\n\n"] if piece.finish and isinstance(self, OpenAiText) else []
        )

    def frame(self, data: bytes) -> bytes:
        return b"data: " + data + b"\n\n"

    def error(self) -> dict[str, Any]:
        return {"error": {"message": "scripted failure in the stream", "type": "server_error", "code": 500}}

    @abstractmethod
    def values(self, piece: Piece) -> list[dict[str, Any]]:
        """Put a piece into the protocol's objects."""

    def whole(self, text: str) -> dict[str, Any]:
        return self.values(Piece(text=text, finish="stop"))[-1]


class OpenAiText(Lines):
    """/v1/completions."""

    object_name = "text_completion"

    def choice(self, piece: Piece) -> dict[str, Any]:
        told = {"tokens": [piece.text], "token_logprobs": [piece.logprob], "top_logprobs": None, "text_offset": [0]}
        logprobs = told if self.tells and piece.text else None
        return {"index": 0, "text": piece.text, "finish_reason": piece.finish, "logprobs": logprobs}

    def values(self, piece: Piece) -> list[dict[str, Any]]:
        head = {"id": "cmpl-1", "object": self.object_name, "created": 1700000000, "model": self.model}
        values: list[dict[str, Any]] = [{**head, "choices": [self.choice(piece)]}]
        if piece.finish and (self.body.get("stream_options") or {}).get("include_usage"):
            usage = {
                "prompt_tokens": self.prompt_tokens,
                "completion_tokens": piece.count,
                "total_tokens": self.prompt_tokens + piece.count,
                "prompt_tokens_details": {"cached_tokens": 0},
            }
            values.append({**head, "choices": [], "usage": usage})
        return values


class OpenAiChat(OpenAiText):
    """/v1/chat/completions."""

    object_name = "chat.completion.chunk"

    def values(self, piece: Piece) -> list[dict[str, Any]]:
        if piece.call is None:
            return super().values(piece)
        at, name, arguments = piece.call
        if self.object_arguments:
            deltas: list[dict[str, Any]] = [{"function": {"name": name, "arguments": json.loads(arguments)}}]
        else:
            head = {"index": at, "id": f"call_{at}", "type": "function", "function": {"name": name, "arguments": ""}}
            parts = [arguments[i : i + self.piece] for i in range(0, len(arguments), self.piece)]
            deltas = [head, *({"index": at, "function": {"arguments": part}} for part in parts)]
        return [
            {"id": "cmpl-1", "object": self.object_name, "choices": [{"index": 0, "delta": {"tool_calls": [delta]}}]}
            for delta in deltas
        ]

    def choice(self, piece: Piece) -> dict[str, Any]:
        delta: dict[str, Any] = {}
        if piece.thinking:
            delta["reasoning_content"] = piece.thinking
        if piece.text:
            delta |= {"role": "assistant", "content": piece.text}
        return {"index": 0, "delta": delta, "finish_reason": piece.finish}

    def whole(self, text: str) -> dict[str, Any]:
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        return {**super().whole(text), "object": "chat.completion", "choices": [choice]}


class LlamaCpp(Lines):
    """/completion and /infill of llama.cpp's server."""

    def values(self, piece: Piece) -> list[dict[str, Any]]:
        value: dict[str, Any] = {"index": 0, "content": piece.text, "tokens": [1], "stop": False, "id_slot": 0}
        if self.tells and piece.text:
            told = {"id": 1, "token": piece.text, "bytes": list(piece.text.encode()), "logprob": piece.logprob}
            value["completion_probabilities"] = [{**told, "top_logprobs": [told]}]
        if piece.finish:
            value |= {
                "stop": True,
                "stop_type": "limit" if piece.finish == "length" else "eos",
                "stopping_word": "",
                "tokens_predicted": piece.count,
                "tokens_evaluated": self.prompt_tokens,
                "tokens_cached": self.prompt_tokens + piece.count,
                "truncated": False,
                "timings": {"prompt_n": self.prompt_tokens, "cache_n": 0, "predicted_n": piece.count},
            }
        return [value]


class Ollama(Lines):
    """/api/generate and /api/chat: one JSON object a line."""

    content_type = "application/x-ndjson"

    def frame(self, data: bytes) -> bytes:
        return data + b"\n"

    def error(self) -> dict[str, Any]:
        return {"error": "scripted failure in the stream"}

    def values(self, piece: Piece) -> list[dict[str, Any]]:
        value: dict[str, Any] = {"model": self.model, "created_at": "2026-01-01T00:00:00Z", "done": bool(piece.finish)}
        if "messages" in self.body:
            value["message"] = {"role": "assistant", "content": piece.text}
            if piece.thinking:
                value["message"]["thinking"] = piece.thinking
            if piece.call is not None:
                _, name, arguments = piece.call
                value["message"]["tool_calls"] = [{"function": {"name": name, "arguments": json.loads(arguments)}}]
        else:
            value["response"] = piece.text
        if self.tells and piece.text:
            value["logprobs"] = [{"token": piece.text, "logprob": piece.logprob, "bytes": list(piece.text.encode())}]
        if piece.finish:
            value |= {
                # Calls of tools have no word of their own here.
                "done_reason": "length" if piece.finish == "length" else "stop",
                "prompt_eval_count": self.prompt_tokens,
                "eval_count": piece.count,
                "total_duration": 1,
            }
        return [value]
