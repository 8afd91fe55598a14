"""What ``[[providers]]`` holds: an address, a protocol, a key's whereabouts, limits."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_core import PydanticCustomError

from dragoman.settings.sections import Section

ProviderKind = Literal["ollama", "localai", "openai", "llamacpp", "embedded"]
PresetName = Literal["openai", "vllm", "lm-studio", "openrouter", "mistral", "deepseek", "dragoman"]
RoleName = Literal["completion", "chat", "edit", "review", "embedding"]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]

DEFAULT_ADDRESSES: dict[str, str] = {
    "ollama": "http://localhost:11434",
    "localai": "http://localhost:8080/v1",
    "llamacpp": "http://localhost:8080",
}
"""Where each kind listens when its ``base_url`` is not given; ``openai`` needs a preset for one, ``embedded`` has no address."""

PRESET_ADDRESSES: dict[PresetName, str] = {
    "openai": "https://api.openai.com/v1",
    "vllm": "http://localhost:8000/v1",
    "lm-studio": "http://localhost:1234/v1",
    "openrouter": "https://openrouter.ai/api/v1",
    "mistral": "https://api.mistral.ai/v1",
    "deepseek": "https://api.deepseek.com/v1",
    "dragoman": "http://localhost:8420/v1",
}
"""Where each preset of kind ``openai`` is when its ``base_url`` is not given; what each can do stands in
`dragoman.models.providers.presets`."""


class KeyFromEnvironment(Section):
    """A key that stands in an environment variable."""

    env: str = Field(min_length=1, description="The variable's name.")


class KeyFromKeyring(Section):
    """A key that the desktop's keyring holds."""

    keyring: str = Field(pattern=r"^[^/]+/.+$", description="Where it is, as `service/name`.")


class RetrySettings(Section):
    """What happens when a call fails before its first token."""

    attempts: Annotated[int, Field(ge=1, le=10)] = Field(default=3, description="How often a call is made at most.")


class TimeoutSettings(Section):
    """How long each phase of a call may take, in seconds."""

    connect: Seconds = Field(default=2.0, description="Seconds until the connection stands.")
    first_token: Seconds = Field(default=30.0, description="Seconds from the request to the first token.")
    idle: Seconds = Field(default=20.0, description="Seconds between two tokens.")
    total: Seconds = Field(default=120.0, description="Seconds for the whole answer.")


class PriceSettings(Section):
    """What a model's tokens cost, in units of your currency for a million tokens."""

    prompt: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(description="A million tokens of the prompt.")
    completion: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(
        description="A million tokens of the answer."
    )


class ModelEntry(Section):
    """A model of a provider, stated instead of discovered; what is stated here beats what the server says."""

    name: str = Field(min_length=1, description="The model's name at the provider.")
    roles: tuple[RoleName, ...] = Field(default=(), description="The roles it may fill; all it is able to otherwise.")
    fim: str | bool | None = Field(
        default=None,
        description="Its fill-in-the-middle family such as `qwen`, or whether it has one; found out otherwise.",
    )
    context_window: Annotated[int, Field(ge=256)] | None = Field(default=None, description="Its window, in tokens.")
    tools: bool | None = Field(default=None, description="Whether it can call tools.")
    json_schema: bool | None = Field(default=None, description="Whether its answers can be held to a JSON schema.")
    vision: bool | None = Field(default=None, description="Whether it sees pictures.")
    embedding: bool | None = Field(default=None, description="Whether it makes vectors.")
    thinking: bool | None = Field(default=None, description="Whether it reasons before it answers.")
    prices: PriceSettings | None = Field(
        default=None, description="What it costs, for the meter: `{ prompt = 0.25, completion = 2.0 }`."
    )


class ProviderSettings(Section):
    """A place where models are."""

    name: str = Field(default="", description="What you call it; its kind if you do not say.")
    kind: ProviderKind = Field(description="The protocol it speaks.")
    preset: PresetName | None = Field(
        default=None,
        description="Which of the known services of kind `openai` it is: gives its address and its habits.",
    )
    base_url: str | None = Field(
        default=None,
        description="Its address: ends in `/v1` for `openai` and `localai`, the server's root for `ollama` and "
        "`llamacpp`; the usual port on this machine if you do not say.",
    )
    api_key: KeyFromEnvironment | KeyFromKeyring | SecretStr | None = Field(
        default=None,
        description='Where its key is: `{ env = "NAME" }` or `{ keyring = "service/name" }`; '
        "the key itself is accepted only in the user's own file.",
    )
    max_concurrency: Annotated[int, Field(ge=1)] = Field(
        default=4, description="How many answers it may generate at the same time."
    )
    weight: Annotated[float, Field(gt=0, allow_inf_nan=False)] = Field(
        default=1, description="Its share of the requests when the strategy is `weighted`."
    )
    loaded_models: Annotated[int, Field(ge=1)] | None = Field(
        default=None,
        description="How many models its server holds in memory at a time, if that is few: "
        "requests are then put in an order that loads models rarely.",
    )
    default_model: str | None = Field(default=None, description="The model to use when its models cannot be listed.")
    retry: RetrySettings = Field(default_factory=RetrySettings, description="What happens when a call fails.")
    proxy: str | None = Field(default=None, description="Address of the proxy that leads there.")
    ca_file: str | None = Field(default=None, description="File with the certificate authority that signed for it.")
    keep_alive: Annotated[str, Field(pattern=r"^-?\d+(\.\d+)?((ms|s|m|h)(\d+(\.\d+)?(ms|s|m|h))*)?$")] | None = Field(
        default=None,
        description="How long an Ollama server keeps a model loaded after a call, such as `30m`; `-1` for ever.",
    )
    headers: dict[str, SecretStr] = Field(default={}, description="More headers for every request.")
    timeouts: TimeoutSettings = Field(default_factory=TimeoutSettings, description="Time limits, in seconds.")
    models: tuple[ModelEntry, ...] = Field(default=(), description="Its models, stated instead of discovered.")

    @property
    def address(self) -> str | None:
        """The address in use, without a slash at the end; None for the embedded model."""
        preset = PRESET_ADDRESSES[self.preset] if self.preset else None
        url = self.base_url or preset or DEFAULT_ADDRESSES.get(self.kind)
        return url.rstrip("/") if url else None

    @field_validator("base_url", "proxy")
    @classmethod
    def _check_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            parts = urlsplit(value)
            usable = parts.scheme in {"http", "https", "socks5", "socks5h"} and bool(parts.hostname)
            _ = parts.port
        except ValueError:
            raise ValueError("must be an address such as 'http://localhost:11434'") from None
        if not usable:
            fixed = f"http://{value.removeprefix('//')}"
            raise ValueError(
                f"must be an address such as {fixed if '://' not in value else 'http://localhost:11434'!r}"
            )
        if parts.username or parts.password:
            raise ValueError("must not hold a password; use api_key or headers")
        return value

    @model_validator(mode="after")
    def _check_address(self) -> ProviderSettings:
        if self.preset and self.kind != "openai":
            raise ValueError(f"has kind {self.kind!r}: preset is for kind 'openai' only")
        if self.keep_alive and self.kind != "ollama":
            raise ValueError(f"has kind {self.kind!r}: keep_alive is for kind 'ollama' only")
        if self.kind == "openai" and not self.base_url and not self.preset:
            # A type of its own: another layer may still give the address.
            raise PydanticCustomError("provider_incomplete", "needs base_url, such as 'http://localhost:1234/v1'")
        if problem := address_problem(self.kind, self.base_url):
            raise ValueError(problem)
        return self


def address_problem(kind: str, base_url: str | None) -> str:
    """Say what is wrong with an address for a kind of provider, and which would be right; empty if nothing is."""
    if kind == "embedded":
        return "must not have base_url: the embedded model has no address" if base_url else ""
    if not base_url:
        return ""
    parts = urlsplit(base_url)
    path = parts.path.rstrip("/")
    root = f"{parts.scheme}://{parts.netloc}"
    if kind in {"openai", "localai"} and not path.endswith("/v1"):
        for endpoint in ("/chat/completions", "/completions", "/embeddings", "/models"):
            path = path.removesuffix(endpoint)
        right = root + (path if path.endswith("/v1") else f"{path}/v1")
        return f"has kind {kind!r}, whose base_url ends in /v1: write {right!r} instead of {base_url!r}"
    if kind in {"ollama", "llamacpp"} and path:
        right = root
        for tail in ("/v1", "/api"):
            if (cut := path.find(tail)) > 0:
                right = root + path[:cut]
        if not path.endswith(("/v1", "/api")) and "/v1/" not in path and "/api/" not in path:
            return ""  # A reverse proxy may serve it below a path of its own.
        return f"has kind {kind!r}, whose base_url is the server's root: write {right!r} instead of {base_url!r}"
    return ""
