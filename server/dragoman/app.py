"""The composition root: builds every part in the order it depends on the others, starts it and stops it.

Nothing else constructs services; read it as the table of contents.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dragoman.completion.engine import CompletionEngine
from dragoman.completion.policy import CompletionPolicy, Target
from dragoman.errors import ModelError
from dragoman.models.discovery import find_sources, read_wishes
from dragoman.models.manager import ModelManager
from dragoman.security.trust import TrustStore
from dragoman.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from dragoman.completion.acceptance import AcceptanceTracker
    from dragoman.settings import LoadedSettings, Settings


class App:
    """One running Dragoman: settings, models, completion."""

    def __init__(self, loaded: LoadedSettings, acceptance: AcceptanceTracker | None = None) -> None:
        settings = loaded.settings
        self.loaded = loaded
        self.models = ModelManager(
            find_sources(settings),
            read_wishes(settings),
            redact=settings.security.redact,
            redact_extra=settings.security.redact_extra,
        )
        self.completion = CompletionEngine(
            ModelTargets(self.models), completion_policy(settings), acceptance=acceptance
        )

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self.loaded.settings

    async def aclose(self) -> None:
        """Stop everything, the youngest part first."""
        await self.completion.aclose()
        await self.models.aclose()


def build(
    *,
    workspace: Path | None = None,
    config_file: Path | None = None,
    editor: Mapping[str, Any] | None = None,
    trusted: bool | None = None,
    previous: LoadedSettings | None = None,
    acceptance: AcceptanceTracker | None = None,
) -> App:
    """Read the settings and build the app; raises `dragoman.errors.SettingsError` only for a key that is missing.

    ``trusted`` is the editor's own word on the workspace; None asks our list of trusted folders.
    ``acceptance`` follows what becomes of suggestions; it outlives the app, its owner closes it.
    """
    if trusted is None:
        trusted = workspace is not None and TrustStore.default().is_trusted(workspace)
    loaded = load_settings(
        workspace=workspace, config_file=config_file, editor=editor, trusted=trusted, previous=previous
    )
    return App(loaded, acceptance)


def completion_policy(settings: Settings) -> CompletionPolicy:
    """Translate ``[completion]`` for the engine."""
    section = settings.completion
    return CompletionPolicy(
        enabled=section.enabled,
        debounce=section.debounce_ms if section.debounce_ms == "adaptive" else section.debounce_ms / 1000,
        max_tokens=section.max_tokens,
        multiline=section.multiline,
        prefetch=section.prefetch,
        show_threshold=section.show_threshold,
        show_after=section.show_after_ms / 1000,
        automatic=section.trigger == "automatic",
        excluded_languages=frozenset(section.languages.exclude),
    )


class ModelTargets:
    """The model manager as the completion engine sees it."""

    def __init__(self, models: ModelManager) -> None:
        self._models = models

    async def completion_target(self) -> Target:
        """Return the model for the next suggestion."""
        source, info = await self._models.source_for("completion")
        provider = source.provider
        return Target(
            self._models.model(source, info),
            provider=provider.name,
            is_local=provider.is_local,
            small=provider.kind == "embedded",
            max_concurrency=provider.max_concurrency,
        )

    def report_failure(self, provider: str, error: ModelError) -> None:
        """Pass a failed call on to the manager."""
        self._models.report_failure(provider, error)
