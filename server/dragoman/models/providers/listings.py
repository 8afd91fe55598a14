"""What servers of OpenAI's protocol tell in their lists of models: windows, abilities and prices, each in its own words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, cast, get_args

from dragoman.models.base import Capability, ModelInfo, Prices
from dragoman.models.profiles import guess_capabilities
from dragoman.models.providers.endpoint import Endpoint

_WINDOW_KEYS: Final = (
    "max_model_len",
    "n_ctx",
    "context_length",
    "max_context_length",
    "context_window",
    "n_ctx_train",
)
"""What servers call the window in their list of models, the one in force before the one trained on."""

LM_STUDIO_WINDOW: Final = 4096
"""Tokens of context that LM Studio loads a model with unless its user says otherwise."""

_OURS: Final = frozenset(get_args(Capability))

_WORDS: Final[Mapping[str, tuple[Capability, ...]]] = {
    "completion_chat": ("completion", "chat", "json_schema"),
    "completion_fim": ("completion", "fim"),
    "function_calling": ("tools",),
    "vision": ("vision",),
    "reasoning": ("thinking",),
}
"""Mistral's words for what a model can do."""


def read_entry(endpoint: Endpoint, entry: Mapping[str, Any], native: Mapping[str, Any] | None = None) -> ModelInfo:
    """Describe a model by its entry in ``/v1/models``, and by LM Studio's own entry (``native``) where there is one.

    What neither tells of its abilities is guessed from its name; tools and schemas are then taken for granted until the
    server refuses them.
    """
    name = str(entry["id"])
    habits = endpoint.habits
    architecture = str(native.get("arch") or "") if native else ""
    able = _told(entry)
    if able is None:
        able = set(guess_capabilities(name, architecture))
        if "chat" in able:
            able |= {"tools", "json_schema"}
    if habits.fim_path and not _tells_fim(entry):
        able.discard("fim")
        if re.search(habits.fim_models, name.lower()):
            able.add("fim")
    if native:
        _learn_native(able, native)
    meta = entry.get("meta")
    told = {**entry, **meta} if isinstance(meta, dict) else entry
    window = next((value for key in _WINDOW_KEYS if isinstance(value := told.get(key), int) and value > 0), None)
    size = told.get("size")
    return endpoint.describe(
        name,
        discovered=frozenset(able),
        context_window=_native_window(native) if native else window,
        size_bytes=size if isinstance(size, int) else None,
        architecture=architecture,
        fills_in=habits.fills_in,
        prices=_prices(entry.get("pricing")),
    )


def _told(entry: Mapping[str, Any]) -> set[Capability] | None:
    """Return the abilities that an entry tells in full, None when it does not."""
    words = entry.get("capabilities")
    if isinstance(words, list):
        # Our own gateway's words.
        known = {cast("Capability", word) for word in words if word in _OURS}
        return known if known & {"completion", "chat", "embedding"} else None
    if isinstance(words, dict):
        able = {ability for word, abilities in _WORDS.items() if words.get(word) is True for ability in abilities}
        return able if able & {"completion", "chat"} else None
    parameters = entry.get("supported_parameters")
    if isinstance(parameters, list):
        return _told_by_parameters(parameters, entry.get("architecture"))
    return None


def _told_by_parameters(parameters: list[Any], architecture: Any) -> set[Capability]:
    """Read OpenRouter's list of the parameters that a model takes."""
    able: set[Capability] = {"completion", "chat"}
    words: tuple[tuple[str, Capability], ...] = (
        ("tools", "tools"),
        ("structured_outputs", "json_schema"),
        ("reasoning", "thinking"),
    )
    able |= {ability for word, ability in words if word in parameters}
    inputs = architecture.get("input_modalities") if isinstance(architecture, dict) else None
    if isinstance(inputs, list) and "image" in inputs:
        able.add("vision")
    return able


def _tells_fim(entry: Mapping[str, Any]) -> bool:
    words = entry.get("capabilities")
    return isinstance(words, dict) and "completion_fim" in words


def _learn_native(able: set[Capability], native: Mapping[str, Any]) -> None:
    """Correct what was guessed by what LM Studio says of the model."""
    if native.get("type") == "embeddings":
        able.clear()
        able.add("embedding")
        return
    able.discard("embedding")
    able |= {"completion", "chat", "json_schema"}
    if native.get("type") == "vlm":
        able.add("vision")
    words = native.get("capabilities")
    if isinstance(words, list):
        able.discard("tools")
        if "tool_use" in words:
            able.add("tools")


def _native_window(native: Mapping[str, Any]) -> int | None:
    """Return the window that LM Studio has loaded the model with, or will."""
    loaded, most = native.get("loaded_context_length"), native.get("max_context_length")
    if isinstance(loaded, int) and loaded > 0:
        return loaded
    if not isinstance(most, int):
        return None
    return most if native.get("state") == "loaded" else min(most, LM_STUDIO_WINDOW)


def _prices(told: Any) -> Prices | None:
    """Read OpenRouter's prices, which are texts for a single token; None where they are missing or depend on the call."""
    if not isinstance(told, dict):
        return None
    try:
        prompt, completion = float(told["prompt"]) * 1e6, float(told["completion"]) * 1e6
    except (KeyError, TypeError, ValueError):
        return None
    return Prices(round(prompt, 6), round(completion, 6)) if prompt >= 0 and completion >= 0 else None
