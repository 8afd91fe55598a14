"""What a request needs of a model, beyond the role: held against every candidate before any preference counts."""

from __future__ import annotations

from dataclasses import dataclass

from dragoman.models.base import Capability, ModelInfo


@dataclass(frozen=True, slots=True)
class Requirements:
    """Hard needs of one request.

    ``tokens`` are those of the prompt and the answer together; a window that nobody knows is taken to be wide enough.
    ``local_only`` leaves out every provider that is not on this machine.
    ``name`` is the one model that will do, by its exact name.
    """

    capabilities: frozenset[Capability] = frozenset()
    tokens: int = 0
    local_only: bool = False
    name: str | None = None


NONE = Requirements()

_SUBSTITUTED: frozenset[Capability] = frozenset({"tools", "json_schema"})
"""What a model without it is helped to by instructions: better one that has it, but no reason to refuse."""

_LACKS: dict[Capability, str] = {
    "completion": "continues no text",
    "chat": "has no chat template",
    "fim": "does not fill in the middle",
    "vision": "sees no pictures",
    "embedding": "makes no embeddings",
    "thinking": "does not reason first",
}


def find_unmet(needs: Requirements, info: ModelInfo, *, is_local: bool) -> str:
    """Say what a model lacks, as a part of a sentence; empty when it has all that is needed."""
    if needs.name is not None and info.name != needs.name:
        return f"is not {needs.name!r}, which was asked for"
    if needs.local_only and not is_local:
        return "is not on this machine"
    for capability in sorted(needs.capabilities - _SUBSTITUTED - info.capabilities):
        return _LACKS.get(capability, f"cannot do {capability}")
    if info.context_window is not None and needs.tokens > info.context_window:
        return f"reads {info.context_window:,} tokens, the request has {needs.tokens:,}"
    return ""


def count_substituted(needs: Requirements, info: ModelInfo) -> int:
    """Return how many of the needed abilities a model would have to be helped to: fewer is better."""
    return len(needs.capabilities & _SUBSTITUTED - info.capabilities)
