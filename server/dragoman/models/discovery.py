"""Where models come from: the settings, or, when they name no provider, this machine's usual ports and the embedded model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from dragoman.errors import SettingsError
from dragoman.models.base import Capability, Prices, Role
from dragoman.models.providers import make_provider
from dragoman.models.providers.broken import BrokenProvider
from dragoman.models.providers.embedded import EmbeddedProvider
from dragoman.models.providers.endpoint import Endpoint, Kind, StatedModel, Timeouts
from dragoman.models.providers.presets import PRESETS
from dragoman.models.selection import Habits, Source, Wishes
from dragoman.settings import resolve_key

if TYPE_CHECKING:
    from dragoman.settings import ModelEntry, ProviderSettings, Settings

_PROBE = Timeouts(connect=1.0)
"""A server on this machine accepts within a second or is not there."""

USUAL_PORTS: tuple[tuple[str, Kind, str], ...] = (
    ("ollama", "ollama", "http://127.0.0.1:11434"),
    ("localai", "localai", "http://127.0.0.1:8080/v1"),
    ("lm-studio", "openai", "http://127.0.0.1:1234/v1"),
    ("llama.cpp", "llamacpp", "http://127.0.0.1:8080"),
)
"""What is looked for when nothing is configured; each must answer its own protocol's probe, for anything may sit on a port."""

ROLES: tuple[Role, ...] = ("completion", "chat", "edit", "review", "embedding")


def find_sources(settings: Settings) -> list[Source]:
    """Return every place to ask for models, in order of preference; no I/O beyond reading keys."""
    configured = [_configured(provider) for provider in settings.providers]
    if any(source.provider.kind == "embedded" for source in configured):
        return configured
    detected = [] if configured else [_detected(*usual) for usual in USUAL_PORTS]
    return [*configured, *detected, Source(EmbeddedProvider(), "embedded")]


def read_wishes(settings: Settings) -> dict[Role, Wishes]:
    """Return what the settings ask for each role."""
    roles = settings.models.roles
    return {role: Wishes(getattr(roles, role), written=role in roles.model_fields_set) for role in ROLES}


def _configured(provider: ProviderSettings) -> Source:
    try:
        return _usable(provider)
    except SettingsError as error:
        return Source(BrokenProvider(provider.name, provider.kind, error))


def _usable(provider: ProviderSettings) -> Source:
    stated = {entry.name: frozenset(cast("Sequence[Role]", entry.roles)) for entry in provider.models if entry.roles}
    if provider.kind == "embedded":
        embedded = EmbeddedProvider(name=provider.name, model=provider.default_model)
        return Source(embedded, "configured", stated, provider.default_model, _habits(provider, paid=False))
    key = resolve_key(provider)
    limits = provider.timeouts
    endpoint = Endpoint(
        name=provider.name,
        kind=provider.kind,
        base_url=provider.address or "",
        api_key=key.get_secret_value() if key else None,
        max_concurrency=provider.max_concurrency if "max_concurrency" in provider.model_fields_set else None,
        timeouts=Timeouts(limits.connect, limits.first_token, limits.idle, limits.total),
        headers={name: value.get_secret_value() for name, value in provider.headers.items()},
        proxy=provider.proxy,
        ca_file=provider.ca_file,
        models=tuple(_stated(entry) for entry in provider.models),
        default_model=provider.default_model,
        preset=provider.preset,
        keep_alive=provider.keep_alive,
    )
    habits = _habits(provider, paid=endpoint.is_paid)
    return Source(make_provider(endpoint), "configured", stated, provider.default_model, habits)


def _habits(provider: ProviderSettings, *, paid: bool) -> Habits:
    return Habits(provider.weight, provider.retry.attempts, provider.loaded_models, paid)


def _stated(entry: ModelEntry) -> StatedModel:
    abilities: dict[Capability, bool] = {}
    stated: tuple[Capability, ...] = ("tools", "json_schema", "vision", "embedding", "thinking")
    for ability in stated:
        value = getattr(entry, ability)
        if value is not None:
            abilities[ability] = value
    # A bare yes or no leaves the template to the model's name, and to the server itself where the name says nothing.
    if isinstance(entry.fim, bool):
        abilities["fim"] = entry.fim
    family = entry.fim if isinstance(entry.fim, str) else None
    prices = Prices(entry.prices.prompt, entry.prices.completion) if entry.prices else None
    return StatedModel(entry.name, entry.roles, family, entry.context_window, abilities, prices)


def _detected(name: str, kind: Kind, address: str) -> Source:
    preset = name if name in PRESETS else None
    endpoint = Endpoint(name=name, kind=kind, base_url=address, timeouts=_PROBE, preset=preset)
    return Source(make_provider(endpoint), "detected")
