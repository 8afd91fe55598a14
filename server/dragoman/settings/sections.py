"""What each table of ``dragoman.toml`` holds: types, defaults and a sentence for every key."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

Strategy = Literal["adaptive", "least_busy", "round_robin", "weighted", "priority"]
ContextSource = Literal["open_files", "recent_edits", "imports", "symbols", "similar", "diagnostics", "git_diff"]
LogLevel = Literal["debug", "info", "warning", "error"]

Milliseconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Tokens = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Section(BaseModel):
    """A table of settings: it cannot be changed, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class RoleSettings(Section):
    """Which models do what, by name or pattern (``*`` and ``?``): the first that is available and able wins.

    An empty list leaves the choice to Dragoman.
    """

    completion: tuple[str, ...] = Field(
        default=("qwen2.5-coder*",),
        description="Models for ghost text; the default is a preference only, a list of your own is binding.",
    )
    chat: tuple[str, ...] = Field(default=(), description="Models for conversations and explanations.")
    edit: tuple[str, ...] = Field(default=(), description="Models that change code on request.")
    review: tuple[str, ...] = Field(default=(), description="Models that review code.")
    embedding: tuple[str, ...] = Field(
        default=("nomic-embed-text*",),
        description="Models that turn text into vectors for search; the default is a preference only.",
    )


class ModelsSettings(Section):
    """How models are chosen."""

    strategy: Strategy = Field(
        default="adaptive", description="How requests are shared among providers that offer the same model."
    )
    local_only: bool = Field(
        default=False, description="Ask no model that is not on this machine, whatever is configured."
    )
    roles: RoleSettings = Field(default_factory=RoleSettings, description="Which models do what.")


class LanguageSettings(Section):
    """Where ghost text is wanted."""

    exclude: tuple[str, ...] = Field(
        default=("plaintext",), description="Language identifiers in which nothing is suggested."
    )


class CompletionSettings(Section):
    """Ghost text while you type."""

    enabled: bool = Field(default=True, description="Whether anything is suggested at all.")
    debounce_ms: Literal["adaptive"] | Milliseconds = Field(
        default="adaptive",
        description="How long to wait after a key before a model is asked, in milliseconds; "
        "`adaptive` learns it from your typing, 0 switches it off.",
    )
    max_tokens: Tokens = Field(default=128, description="The longest suggestion, in tokens.")
    multiline: Literal["auto", "always", "never"] = Field(
        default="auto", description="Whether a suggestion may run over several lines."
    )
    show_after_ms: Milliseconds = Field(
        default=300,
        description="After how many milliseconds the lines that are complete are shown; "
        "the rest is there when these are taken.",
    )
    show_threshold: Share = Field(
        default=0.08,
        description="How likely right a suggestion must be to be shown unasked, from 0 to 1; 0 shows every one. "
        "What you ask for is always shown.",
    )
    trigger: Literal["automatic", "invoked"] = Field(
        default="automatic", description="Suggest while you type, or only when you ask for it."
    )
    prefetch: bool = Field(
        default=False,
        description="Ask for what comes behind a suggestion while it is on screen, when the model has nothing else to do: "
        "the next one is there at once, for about twice the calls.",
    )
    languages: LanguageSettings = Field(default_factory=LanguageSettings, description="Where ghost text is wanted.")


class ContextSettings(Section):
    """What a model gets to read."""

    max_tokens: Tokens = Field(default=4000, description="The longest prompt of a conversation, in tokens.")
    history_window: Annotated[int, Field(ge=0)] = Field(
        default=10, description="How many messages before the newest a conversation carries along."
    )
    completion_tokens: Annotated[int, Field(ge=0)] = Field(
        default=1024, description="The most tokens that other files may add to a ghost-text prompt."
    )
    sources: tuple[ContextSource, ...] = Field(
        default=("open_files", "recent_edits", "imports", "symbols", "similar", "diagnostics", "git_diff"),
        description="Where context is taken from.",
    )
    vectors: bool = Field(
        default=False,
        description="Find similar code by its meaning too: every piece of the workspace goes to the model of the role "
        "`embedding` while you do nothing; needs the extra `vectors`.",
    )


class ReviewSettings(Section):
    """Diagnostics from a model."""

    on_save: bool = Field(default=False, description="Review a file each time it is saved.")


class AgentLimitSettings(Section):
    """What one run of an agent may spend."""

    steps: Annotated[int, Field(ge=1)] | None = Field(default=None, description="Answers of the model in one run.")
    tokens: Tokens | None = Field(default=None, description="Tokens of all prompts and answers of one run.")
    seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = Field(
        default=None, description="How long a run may take, without the time in which it waits for you."
    )
    money: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = Field(
        default=None, description="What a run may cost, where the models' prices are known."
    )


class AgentSettings(Section):
    """One agent, by its name; one with a built-in agent's name changes that one, and keeps what is not written here."""

    description: str = Field(default="", description="What the agent is for, in a sentence.")
    prompt: str = Field(default="", description="The agent's instructions.")
    role: Literal["chat", "edit", "review"] | None = Field(
        default=None, description="Which of `[models.roles]` it asks; `chat` otherwise."
    )
    model: str | None = Field(default=None, description="The model it uses, by its exact name; the role's otherwise.")
    tools: tuple[str, ...] = Field(
        default=(), description="The tools it may use; without this key, all that only read."
    )
    permissions: dict[str, Literal["allow", "ask", "deny"]] = Field(
        default={},
        description="What needs no question and what is forbidden: a class (`read`, `write`, `run`, `network`) or a tool's name, "
        'alone or with a pattern, such as `"run:pytest *" = "allow"` or `"write:docs/**" = "allow"`. '
        "A project's own files may allow reading and writing only.",
    )
    limits: AgentLimitSettings = Field(default_factory=AgentLimitSettings, description="What one run of it may spend.")


class WorkflowSettings(Section):
    """One workflow, by its name."""

    description: str = Field(default="", description="What the workflow is for, in a sentence.")
    steps: tuple[dict[str, Any], ...] = Field(
        default=(), description="Steps in order: `name` with `agent` and `task`, or `parallel` with steps of its own."
    )
    output: str | None = Field(default=None, description="Template of the result, the last step's output otherwise.")


class McpServerSettings(Section):
    """One server that offers tools, by its name."""

    command: str | None = Field(default=None, description="The program to start.")
    args: tuple[str, ...] = Field(default=(), description="Its arguments.")
    env: dict[str, str] = Field(default={}, description="Environment variables it gets.")
    url: str | None = Field(default=None, description="Its address, if it is reached over HTTP.")
    headers: dict[str, str] = Field(default={}, description="HTTP headers that it gets, such as one with a key.")


class McpSettings(Section):
    """Servers that offer tools to agents."""

    servers: dict[str, McpServerSettings] = Field(default={}, description="Tool servers by name.")
    trusted: tuple[str, ...] = Field(
        default=(),
        description="Names of servers that are believed when they say that a tool only looks: it is then called without a "
        "question; only your own settings file can name them.",
    )


class StorageSettings(Section):
    """Where conversations, runs and caches are kept."""

    database_url: str | None = Field(
        default=None,
        description="`sqlite:///…` or `postgresql+psycopg://…`; a file in the user's data folder otherwise.",
    )
    cache_url: str = Field(default="memory://", description="`memory://` or `redis://…`.")
    files_quota_mb: Annotated[int, Field(ge=1)] = Field(
        default=2048,
        description="The most megabytes that files of runs may take; the oldest that are not pinned go when more come.",
    )
    retention_days: Annotated[int, Field(ge=1)] | None = Field(
        default=None,
        description="After how many days archived messages and conversations, ended runs, usage and audit entries are deleted; "
        "never if this is not set.",
    )


class LimitSettings(Section):
    """How much one client may ask for."""

    requests_per_minute: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="Requests a client may make within a sliding minute; no limit otherwise."
    )


class GatewaySettings(Section):
    """The HTTP door."""

    auth: Literal["keys", "none"] = Field(
        default="keys", description="`keys` asks every caller for one; `none` is possible on a loopback address only."
    )
    limits: LimitSettings = Field(default_factory=LimitSettings, description="How much one client may ask for.")


class SecuritySettings(Section):
    """Protection of keys and files."""

    redact: bool = Field(
        default=True,
        description="Replace keys, tokens and passwords before anything is sent to a provider that is not on this machine; "
        "only your own settings file can switch it off.",
    )
    redact_extra: tuple[str, ...] = Field(
        default=(),
        description="Regular expressions of what else is secret, each looked for line by line; "
        "what its first group matches is replaced, where it has one.",
    )

    @field_validator("redact_extra")
    @classmethod
    def _check_patterns(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            try:
                matches_nothing = re.compile(pattern).match("") is not None
            except re.error as error:
                raise ValueError(f"must be regular expressions, but {pattern!r} is none: {error}") from None
            if matches_nothing:
                raise ValueError(f"must not match an empty text, as {pattern!r} does")
        return patterns


class MonitoringSettings(Section):
    """Logs and measurements."""

    log_level: LogLevel = Field(default="info", description="The least severe message that is logged.")
    log_format: Literal["json", "text"] = Field(
        default="json", description="Lines of JSON for machines, or plain lines for people, in the log file."
    )
