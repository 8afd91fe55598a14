"""Where a provider is and what its owner stated about it: plain values, checked when they are made."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

from dragoman.errors import SettingsError
from dragoman.models.base import Capability, ModelInfo, Prices, Role
from dragoman.models.profiles import FAMILIES, family_of, guess_capabilities
from dragoman.models.providers.presets import LOCALAI, PLAIN, PRESETS, Preset, preset_at

Kind = Literal["openai", "localai", "llamacpp", "ollama"]

SERVER_SUFFIX = "suffix"
"""Value of ``StatedModel.fim`` for a server that fills in the middle by itself, given a ``suffix`` parameter."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Limits of a call in seconds: to connect, until the first token, between two, and for the whole call."""

    connect: float = 2.0
    first_token: float = 30.0
    idle: float = 20.0
    total: float = 120.0


@dataclass(frozen=True, slots=True)
class StatedModel:
    """What the settings state about a model; it overrides what its server says.

    ``fim`` is a family of `dragoman.models.profiles`, or ``"suffix"``, or None when nothing is stated.
    ``abilities`` says yes or no to single capabilities.
    """

    name: str
    roles: tuple[Role, ...] = ()
    fim: str | None = None
    context_window: int | None = None
    abilities: Mapping[Capability, bool] = field(default_factory=dict)
    prices: Prices | None = None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A provider's address with everything that was stated about it.

    ``base_url`` is normalised when the value is made; raises SettingsError, with the right address, for one that cannot be.
    ``max_concurrency`` None means what the server says, else a default of its kind.
    ``preset`` names a row of `dragoman.models.providers.presets`, found by the address where nobody says;
    ``keep_alive`` is how long Ollama keeps a model loaded.
    """

    name: str
    kind: Kind
    base_url: str = field(repr=False)
    api_key: str | None = field(default=None, repr=False)
    max_concurrency: int | None = None
    timeouts: Timeouts = Timeouts()
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    proxy: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    models: tuple[StatedModel, ...] = ()
    default_model: str | None = None
    preset: str | None = None
    keep_alive: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "base_url", normalise_base_url(self.kind, self.base_url))
        key = (self.api_key or "").strip()
        if not (key.isascii() and key.isprintable()):
            hint = "Copy it again: it may hold nothing but visible ASCII characters."
            raise SettingsError(f"The api_key of provider {self.name!r} cannot be sent.", hint=hint)
        object.__setattr__(self, "api_key", key or None)
        if self.preset is None and self.kind == "openai":
            object.__setattr__(self, "preset", preset_at(urlsplit(self.base_url).hostname))
        if self.preset is not None and self.preset not in PRESETS:
            raise SettingsError(f"There is no preset {self.preset!r}.", hint=f"Known: {', '.join(PRESETS)}.")
        for model in self.models:
            if model.fim not in (None, SERVER_SUFFIX) and model.fim not in FAMILIES:
                known = ", ".join(sorted([*FAMILIES, SERVER_SUFFIX]))
                raise SettingsError(f"model {model.name!r} has an unknown fim {model.fim!r}.", hint=f"Known: {known}.")

    @property
    def address(self) -> str:
        """The address to show: without user and password."""
        parts = urlsplit(self.base_url)
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))

    @property
    def is_local(self) -> bool:
        """Whether text sent there stays on this machine: a loopback address, and no proxy elsewhere in between."""
        return is_loopback(self.base_url) and (self.proxy is None or is_loopback(self.proxy))

    @property
    def habits(self) -> Preset:
        """What is known of the service from its preset."""
        return PRESETS[self.preset] if self.preset else (LOCALAI if self.kind == "localai" else PLAIN)

    @property
    def is_paid(self) -> bool:
        """Whether a call costs money: a service that asks for it, or prices that somebody stated."""
        return self.habits.paid or any(model.prices is not None for model in self.models)

    def stated(self, name: str) -> StatedModel | None:
        """Return what is stated about a model."""
        return next((model for model in self.models if model.name == name), None)

    def describe(
        self,
        name: str,
        *,
        discovered: frozenset[Capability] | None = None,
        context_window: int | None = None,
        size_bytes: int | None = None,
        architecture: str = "",
        alias: str = "",
        fills_in: bool = False,
        prices: Prices | None = None,
    ) -> ModelInfo:
        """Join what is stated, what the server told (``discovered``, None for nothing) and what the name suggests.

        ``alias`` is a second name, such as the path of the model's file.
        ``fills_in`` says that the server puts the family's tokens around a prefix and a suffix itself.
        """
        family = None if fills_in else family_of(name, architecture) or (family_of(alias) if alias else None)
        able = set(guess_capabilities(name, architecture) if discovered is None else discovered)
        info = ModelInfo(
            name, self.name, frozenset(able), context_window, size_bytes, family if "fim" in able else None, prices
        )
        stated = self.stated(name)
        return info if stated is None else _override(info, stated, family)


def _override(info: ModelInfo, stated: StatedModel, family: str | None) -> ModelInfo:
    able = set(info.capabilities)
    if stated.fim is not None:
        able |= {"fim", "completion"}
        family = None if stated.fim == SERVER_SUFFIX else stated.fim
    able |= {ability for ability, yes in stated.abilities.items() if yes}
    able -= {ability for ability, yes in stated.abilities.items() if not yes}
    return replace(
        info,
        capabilities=frozenset(able),
        fim_family=family if "fim" in able else None,
        context_window=stated.context_window or info.context_window,
        prices=stated.prices or info.prices,
    )


def is_loopback(url: str) -> bool:
    """Whether a URL points at this machine: 127.0.0.0/8, ::1 or localhost."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


_ENDPOINTS = re.compile(
    r"/(v1/)?(chat/completions|(?:fim/)?completions?|models|embeddings|infill|health|props|"
    r"api/(generate|chat|tags|show|version|embed|embeddings)|api)$"
)
_SCHEME = re.compile(r"^[a-z][a-z0-9+.-]*://", re.IGNORECASE)


def normalise_base_url(kind: str, url: str) -> str:
    """Return the address in the form its kind needs, without a trailing slash.

    For ``openai`` and ``localai`` that ends in ``/v1`` (another path of the provider's own is kept), for ``ollama`` and
    ``llamacpp`` it is the server's root. A pasted endpoint (``…/v1/chat/completions``) is cut back.
    """
    text = url.strip()
    example = {"ollama": "http://localhost:11434", "llamacpp": "http://localhost:8080"}.get(
        kind, "http://localhost:1234/v1"
    )
    if not _SCHEME.match(text):
        text = f"http://{text}"
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise SettingsError(
            f"base_url {url!r} is not an address: {error}.", hint=f"Write it like {example!r}."
        ) from error
    if parts.scheme.lower() not in ("http", "https") or not host or " " in text or parts.query or parts.fragment:
        raise SettingsError(
            f"base_url {url!r} is not an http or https address without a query.", hint=f"Write it like {example!r}."
        )
    path = parts.path.rstrip("/")
    if kind in ("openai", "localai"):
        cut = re.sub(r"/(chat/completions|(?:fim/)?completions|models|embeddings)$", "", path)
        path = cut or "/v1"
    else:
        path = re.sub(r"/v1$", "", _ENDPOINTS.sub("", path))
    return urlunsplit((parts.scheme.lower(), parts.netloc, path, "", ""))
