"""What a model is to the rest of Dragoman: requests in, a stream of chunks out, typed errors.

Nothing here knows a wire format.
``providers/`` implement `Provider` and `Model`; wrappers (retry, breaker, pool, metering) implement `Model` around another one.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, get_args

Role = Literal["completion", "chat", "edit", "review", "embedding"]
"""What a model is asked for; ``[models.roles]`` maps each to model names."""

Capability = Literal["completion", "chat", "fim", "tools", "json_schema", "vision", "embedding", "thinking"]
"""What a model can do: stated in settings beats asked of the server beats guessed from its family."""

CAPABILITIES: frozenset[str] = frozenset(get_args(Capability))

FinishReason = Literal["stop", "length", "tool_calls", "cancelled"]

Priority = Literal["interactive", "background"]
"""Who waits for the answer: a person looking on, or nobody; where an endpoint is busy, a person goes first."""

LOWEST_LOGPROB = -100.0
"""What an impossible token counts as: servers send minus infinity or the lowest number they have."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens a call cost, as the server counted them."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Token:
    """A token of an answer: its text, and the natural logarithm of the probability that the model gave it.

    ``logprob`` is a finite number from `LOWEST_LOGPROB` to 0, whatever the server sent.
    """

    text: str
    logprob: float


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of a tool that the model asks for; ``arguments`` is JSON as the model wrote it, which may be wrong.

    ``id`` joins it to its answer: the `ChatMessage` of role ``tool`` that carries the same ``tool_call_id``.
    """

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A piece of a tool call in a stream: of the call at ``index``, its first piece has ``id`` and ``name``.

    The ``arguments`` of all pieces of one index, put together, are the call's JSON.
    """

    index: int
    id: str = ""
    name: str = ""
    arguments: str = ""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a streamed answer; exactly the last one carries ``finish``.

    ``tokens`` are those that ``text`` came from, where they were asked for and the server tells them; empty otherwise.
    The texts of all tokens so far, put together, are the raw answer, so a consumer aligns them with the text by running length.
    They may run ahead of it: what may become a stop text is held back, and what did become one is cut off, but its tokens are
    here. They may end before it: from the first token on that the server says nothing of, there are no more.
    """

    text: str = ""
    thinking: str = ""
    finish: FinishReason | None = None
    usage: Usage | None = None
    tokens: tuple[Token, ...] = ()
    tool_calls: tuple[ToolCallDelta, ...] = ()


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """Text to be continued.

    ``suffix`` is None when ``prompt`` already carries the family's fill-in-the-middle tokens (or has no suffix at all);
    otherwise the provider hands it to its own fill-in-the-middle endpoint.
    ``stop`` strings end the answer and are not part of it.
    ``logprobs`` asks for `Chunk.tokens`; a server that cannot tell them answers without.
    """

    prompt: str
    suffix: str | None = None
    max_tokens: int = 128
    stop: tuple[str, ...] = ()
    temperature: float = 0.0
    seed: int | None = None
    logprobs: bool = False
    priority: Priority = "interactive"


@dataclass(frozen=True, slots=True)
class Image:
    """A picture in a message: its bytes as they stand in the file, and what kind of file (``image/png``)."""

    media_type: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that a model may call; ``parameters`` is the JSON schema of its one argument object."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message of a conversation.

    ``images`` are what a user shows beside the text; ``tool_calls`` are what an assistant asked for, each answered by one
    message of role ``tool`` with that call's ``tool_call_id``.
    """

    role: Literal["system", "user", "assistant", "tool"]
    content: str
    images: tuple[Image, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A conversation to be continued by the assistant; ``json_schema`` constrains the answer where the model can.

    ``tool_choice`` is one of the three words, or the name of the one tool to be called.
    ``thinking`` asks a model that can for its reasoning; without it such a model answers at once where its server allows that.
    """

    messages: tuple[ChatMessage, ...]
    max_tokens: int = 1024
    stop: tuple[str, ...] = ()
    temperature: float = 0.2
    seed: int | None = None
    json_schema: Mapping[str, Any] | None = None
    tools: tuple[Tool, ...] = ()
    tool_choice: Literal["auto", "none", "required"] | str = "auto"
    thinking: bool = False
    priority: Priority = "interactive"


@dataclass(frozen=True, slots=True)
class Prices:
    """What a model's tokens cost, in units of the owner's currency for a million tokens."""

    prompt: float
    completion: float


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model as its provider describes it; ``context_window`` is in tokens, None when nobody knows."""

    name: str
    provider: str
    capabilities: frozenset[Capability] = field(default_factory=frozenset)
    context_window: int | None = None
    size_bytes: int | None = None
    fim_family: str | None = None
    """Key of the fill-in-the-middle template in `dragoman.models.profiles`, None when the model has none."""
    prices: Prices | None = None
    """What its tokens cost, None where neither settings nor server say."""


@dataclass(frozen=True, slots=True)
class ProviderStatus:
    """What a probe found out: whether the provider answers, how fast, and if not, why and what to do."""

    reachable: bool
    latency_ms: float | None = None
    version: str | None = None
    problem: str = ""
    hint: str = ""


class Model(Protocol):
    """One model behind one provider.

    Both calls are async generators: closing one (``aclose``, or cancelling the task that iterates it) closes the connection
    to the model at once. They raise the `ModelError` family only.
    """

    @property
    def info(self) -> ModelInfo:
        """What the model is and can do."""
        ...

    def complete(self, request: CompletionRequest) -> AsyncGenerator[Chunk, None]:
        """Continue a text."""
        ...

    def chat(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        """Answer a conversation."""
        ...

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Return a vector for each text, in their order and all of one length; raises `ModelError`."""
        ...


class Provider(Protocol):
    """A place where models are: an address and a protocol."""

    @property
    def name(self) -> str:
        """The provider's name in the settings."""
        ...

    @property
    def kind(self) -> str:
        """One of ``ollama``, ``localai``, ``openai``, ``llamacpp``, ``embedded``."""
        ...

    @property
    def is_local(self) -> bool:
        """Whether text sent there stays on this machine (a loopback address or a child process)."""
        ...

    @property
    def max_concurrency(self) -> int:
        """How many generations may run there at the same time."""
        ...

    async def probe(self) -> ProviderStatus:
        """Ask whether the provider is there; never raises, returns within its connect limit."""
        ...

    async def models(self) -> list[ModelInfo]:
        """List the models it has now; raises `ModelError`."""
        ...

    def model(self, info: ModelInfo) -> Model:
        """Return the model to call; no I/O."""
        ...

    async def aclose(self) -> None:
        """Close every connection; running calls end with an error."""
        ...
