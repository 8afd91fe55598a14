"""The places models are at, one module a protocol; `make_provider` picks by the endpoint's kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dragoman.models.providers.endpoint import Endpoint
    from dragoman.models.providers.provider import HttpProvider


def make_provider(endpoint: Endpoint) -> HttpProvider:
    """Make the provider of an endpoint; no I/O. Imports the one protocol it needs."""
    if endpoint.kind == "ollama":
        from dragoman.models.providers.ollama import OllamaProvider

        return OllamaProvider(endpoint)
    if endpoint.kind == "llamacpp":
        from dragoman.models.providers.llamacpp import LlamaCppProvider

        return LlamaCppProvider(endpoint)
    if endpoint.kind == "localai":
        from dragoman.models.providers.localai import LocalAIProvider

        return LocalAIProvider(endpoint)
    from dragoman.models.providers.openai import OpenAIProvider

    return OpenAIProvider(endpoint)
