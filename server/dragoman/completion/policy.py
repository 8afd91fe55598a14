"""What the engine is told: the settings it follows and the model it asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from dragoman.completion.query import CompletionQuery
from dragoman.context.snippets import NOTHING, Context
from dragoman.errors import ModelError
from dragoman.models.base import Model, ModelInfo

Multiline = Literal["auto", "always", "never"]

if TYPE_CHECKING:
    from dragoman.security.redaction import Redactor


@dataclass(frozen=True, slots=True)
class CompletionPolicy:
    """The ``[completion]`` settings as the engine reads them; times in seconds."""

    enabled: bool = True
    debounce: float | Literal["adaptive"] = "adaptive"
    max_tokens: int = 128
    multiline: Multiline = "auto"
    show_after: float = 0.3
    automatic: bool = True
    prefetch: bool = False
    show_threshold: float = 0.0
    """Suggestions that are less likely than this to be right are not shown while typing; 0 to 1."""
    excluded_languages: frozenset[str] = frozenset({"plaintext"})


@dataclass(frozen=True, slots=True)
class Target:
    """The model that answers, and what the engine must know of the place where it runs."""

    model: Model
    provider: str
    is_local: bool
    small: bool
    """Whether it runs on this machine's processor, where every token of the prompt counts."""
    max_concurrency: int
    context_tokens: int | None = None
    """The most context that is worth its time there; None leaves it to the settings."""
    redactor: Redactor | None = None
    """What takes secrets out of all that goes there, where anything does."""

    @property
    def info(self) -> ModelInfo:
        """What the model is and can do."""
        return self.model.info


class ContextSource(Protocol):
    """Who knows what else in the workspace a model should read; never raises."""

    def prepare(self, asked: CompletionQuery, *, tokens: int | None = None) -> None:
        """Begin to look, so that it is there when the model is called; returns at once."""
        ...

    async def gather(self, asked: CompletionQuery, *, tokens: int | None = None, patient: bool = False) -> Context:
        """Return what is there within some milliseconds, at most ``tokens`` of it (None: as the settings say)."""
        ...

    def current(self, uri: str) -> Context:
        """Return what the last question of a document had."""
        ...


class NoContext:
    """Knows nothing."""

    def prepare(self, asked: CompletionQuery, *, tokens: int | None = None) -> None:
        """Do nothing."""

    async def gather(self, asked: CompletionQuery, *, tokens: int | None = None, patient: bool = False) -> Context:  # noqa: ARG002
        """Return nothing."""
        return NOTHING

    def current(self, uri: str) -> Context:  # noqa: ARG002
        """Return nothing."""
        return NOTHING


class Targets(Protocol):
    """Who picks the model; raises `NoModelError` when there is none."""

    async def completion_target(self) -> Target:
        """Return the model for the next suggestion."""
        ...

    def report_failure(self, provider: str, error: ModelError) -> None:
        """Learn that a call to ``provider`` failed."""
        ...
