"""The inference library behind one small class; the only module that imports it."""

from __future__ import annotations

import http.client
import json
import os
import re
import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dragoman.engine.protocol import Frame, failure

Emit = Callable[[Frame], bool]
"""Takes a frame; returns True when the rest is not wanted any more."""

PROMPT_CACHE_MIB = 128
"""Remembered states of earlier prompts, so that two clients in turn do not evaluate everything again."""

STEP_SECONDS = 0.2
"""A cancel is noticed between two batches, so a batch shall take no longer than this."""

_TOKENS_PER_SECOND = 80.0
_TOKENS_PER_SECOND_BYTES = 491_400_064
"""Prompt evaluation measured on one thread of a small virtual machine, with a model of that many bytes."""


class LoadError(Exception):
    """The model cannot be loaded; ``code`` and ``hint`` go to the clients."""

    def __init__(self, message: str, *, code: str, hint: str) -> None:
        super().__init__(message)
        self.code = code
        self.hint = hint


def batch_tokens(file_bytes: int, threads: int) -> int:
    """Return how many prompt tokens to evaluate at a time: small enough to cancel soon, and a multiple of the kernels' eight."""
    rate = _TOKENS_PER_SECOND * threads * _TOKENS_PER_SECOND_BYTES / max(1, file_bytes)
    return max(8, min(128, int(rate * STEP_SECONDS) // 8 * 8))


def _how_to_get(problem: str) -> str:
    """Say what to install for an import that failed with ``problem``."""
    if "libgomp" in problem:
        return "Install the system's OpenMP library: apt install libgomp1 (Debian, Ubuntu) or dnf install libgomp (Fedora)."
    missing = re.match(r"(lib[\w.+-]+): cannot open shared object", problem)
    return f"Install the system library {missing[1]!r}." if missing else "Run: pip install xllamacpp"


class LoadedModel:
    """A model in memory; raises LoadError when it cannot get there."""

    def __init__(self, path: Path, *, n_ctx: int, threads: int) -> None:
        # OpenMP reads this once, when the library comes in: spinning threads collapse on a busy machine.
        os.environ["OMP_WAIT_POLICY"] = "passive"
        try:
            import xllamacpp
        except ImportError as error:
            raise LoadError(
                f"the inference library cannot be imported: {error}.",
                code="engine_unavailable",
                hint=_how_to_get(str(error)),
            ) from error
        self._key = secrets.token_hex(32)
        parameters = xllamacpp.CommonParams()
        parameters.model.path = str(path)
        parameters.n_ctx = n_ctx
        parameters.n_parallel = 1
        parameters.n_batch = parameters.n_ubatch = batch_tokens(path.stat().st_size, threads)
        parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = threads
        parameters.cache_ram_mib = PROMPT_CACHE_MIB
        parameters.warmup = False
        parameters.fit_params = False
        parameters.verbosity = 2
        if sys.platform != "darwin":
            parameters.n_gpu_layers = 0
        # The library always opens an HTTP port. Nobody is told the key, and no page is served.
        parameters.hostnames = ["127.0.0.1"]
        parameters.port = 0
        parameters.n_threads_http = 1
        parameters.api_keys = [self._key]
        parameters.ui = False
        parameters.endpoint_slots = parameters.endpoint_metrics = parameters.endpoint_props = False
        try:
            self._server: Any = xllamacpp.Server(parameters)
        except Exception as error:
            raise LoadError(
                f"llama.cpp cannot load {path.name!r}: {error}",
                code="load_failed",
                hint="The engine's log says why; `dragoman models pull` replaces a damaged file.",
            ) from error

    def serve(self, job: Frame, emit: Emit) -> None:
        """Do one job and emit its frames."""
        if job["op"] == "count":
            emit({"type": "count", "tokens": self._count(str(job["text"]))})
            return
        body: Frame = {
            "max_tokens": job.get("max_tokens", 128),
            "temperature": job.get("temperature", 0.0),
            "stop": job.get("stop", []),
            "stream": True,
            "return_progress": True,
            "cache_prompt": True,
        }
        if job.get("seed") is not None:
            body["seed"] = job["seed"]
        if job["op"] == "chat":
            body["messages"] = job["messages"]
            if job.get("json_schema") is not None:
                body["response_format"] = {"type": "json_schema", "json_schema": {"schema": job["json_schema"]}}
            if job.get("logprobs"):
                body |= {"logprobs": True, "top_logprobs": job["logprobs"]}
            call = self._server.handle_chat_completions
        else:
            body["prompt"] = job["prompt"]
            if job.get("logprobs"):
                body["logprobs"] = job["logprobs"]
            call = self._server.handle_completions
        stream = _Stream(emit)
        call(body, stream.take)
        if not stream.ended:
            emit(failure("internal", "the inference library stopped without saying why"))

    def _count(self, text: str) -> int:
        """Ask the library's own port, because it has no call in the process for this."""
        connection = http.client.HTTPConnection(urlsplit(self._server.listening_address).netloc, timeout=30)
        try:
            body = json.dumps({"content": text, "parse_special": True})
            headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
            connection.request("POST", "/tokenize", body, headers)
            return len(json.loads(connection.getresponse().read())["tokens"])
        finally:
            connection.close()


class _Stream:
    """Turns the library's chunks into frames."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self.ended = False

    def take(self, chunk: Frame) -> bool:
        """Handle one chunk; True tells the library to stop."""
        if "error" in chunk:
            self.ended = True
            self._emit(_failure_of(chunk["error"]))
            return True
        if "prompt_progress" in chunk:
            progress = chunk["prompt_progress"]
            return self._emit({"type": "progress", "processed": progress["processed"], "total": progress["total"]})
        for choice in chunk.get("choices", ()):
            if self._emit_choice(choice, chunk):
                self.ended = True
                return True
        return False

    def _emit_choice(self, choice: Frame, chunk: Frame) -> bool:
        delta = choice.get("delta", {})
        text = choice.get("text") or delta.get("content") or ""
        thinking = delta.get("reasoning_content") or ""
        frame: Frame = {"type": "text", "text": text}
        if thinking:
            frame["thinking"] = thinking
        if choice.get("logprobs"):
            # The alternatives and the bytes are four fifths of the line, and nobody reads them.
            content = choice["logprobs"].get("content") or []
            frame["logprobs"] = [{"token": one.get("token"), "logprob": one.get("logprob")} for one in content]
        if (text or thinking or "logprobs" in frame) and self._emit(frame):
            return True
        if choice.get("finish_reason"):
            self.ended = True
            return self._emit(_end_of(choice["finish_reason"], chunk.get("timings", {})))
        # Also an empty chunk is a chance to stop: a token may be only half a character.
        return not text and "logprobs" not in frame and self._emit({"type": "text", "text": ""})


def _end_of(finish: str, timings: Frame) -> Frame:
    cached = int(timings.get("cache_n", 0))
    return {
        "type": "end",
        "finish": "length" if finish == "length" else "stop",
        "usage": {
            "prompt": cached + int(timings.get("prompt_n", 0)),
            "completion": int(timings.get("predicted_n", 0)),
            "cached": cached,
        },
        "timings": {"prompt_ms": timings.get("prompt_ms", 0.0), "predicted_ms": timings.get("predicted_ms", 0.0)},
    }


def _failure_of(error: Frame) -> Frame:
    message = str(error.get("message", error))
    if error.get("type") == "exceed_context_size_error":
        tokens, window = int(error.get("n_prompt_tokens", 0)), int(error.get("n_ctx", 0))
        return failure(
            "context_overflow",
            f"the prompt has {tokens} tokens and the model's window {window}",
            "Send less context.",
            excess=tokens - window,
        )
    code = int(error.get("code", 500))
    return failure("rejected" if 400 <= code < 500 else "internal", message)
