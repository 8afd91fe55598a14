"""The known services that speak OpenAI's protocol, one row each: where they differ from it, and whether they cost money.

Their usual addresses stand in `dragoman.settings.providers`, because settings are checked without this room.
Taken from each service's own reference of its HTTP interface.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

Thinking = Literal["none", "template", "reasoning", "effort", "effort_or_none", "switch"]
"""How a service is told whether to reason: not at all; an argument of the chat template (vLLM, llama.cpp);
``reasoning.enabled`` (OpenRouter); ``reasoning_effort``, which knows no "none" (OpenAI) or does (Dragoman);
``thinking.type`` (DeepSeek)."""


@dataclass(frozen=True, slots=True)
class Preset:
    """What is known of a service before it is asked.

    ``fim_path`` is its fill-in-the-middle endpoint, behind ``base_url``, or behind the server's root with ``~`` before it;
    None where ``/completions`` takes them.
    ``limit_field`` is the chat's limit of tokens; either name is given up for the other when it is refused.
    ``seed_field`` is the name of the seed, ``stream_usage`` whether it wants to be asked for the usage of a stream.
    ``schema`` is how an answer is held to a schema: by it, or to JSON of any shape only.
    ``required`` is the word that forces a tool call, ``fim_models`` a pattern of the models that fill in where the list of
    models does not tell. ``empty_hint`` is what to do when that list is empty.
    """

    name: str
    paid: bool = False
    fim_path: str | None = None
    limit_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    seed_field: str = "seed"
    stream_usage: bool = True
    schema: Literal["json_schema", "json_object"] = "json_schema"
    required: str = "required"
    thinking: Thinking = "none"
    fills_in: bool = False
    """Whether it puts a model's own tokens around a prefix and a suffix, for every model that can fill in."""
    fim_models: str = ""
    logprobs: bool = True
    """Whether its completions tell the probabilities of their tokens to who asks."""
    empty_hint: str = ""
    hosts: tuple[str, ...] = ()
    """Where it is known by its address, without being named in the settings."""

    def url(self, base_url: str, path: str) -> str:
        """Return the whole address of ``path``, which may be one of this table's with ``~`` for the server's root."""
        if path.startswith("~"):
            return base_url.removesuffix("/v1") + path[1:]
        return base_url + path


PLAIN: Final = Preset("")
"""A server of which nothing is known but that it speaks the protocol."""

LOCALAI: Final = Preset("localai", empty_hint="Install one: dragoman models pull NAME --provider PROVIDER.")
"""LocalAI, which is a kind of its own for its gallery and its readiness page."""

PRESETS: Final[Mapping[str, Preset]] = {
    preset.name: preset
    for preset in (
        Preset(
            "openai",
            paid=True,
            limit_field="max_completion_tokens",
            thinking="effort",
            hosts=("api.openai.com",),
        ),
        Preset("vllm", thinking="template", empty_hint="Start it with 'vllm serve MODEL'."),
        Preset("lm-studio", empty_hint="Download one in LM Studio, or run 'lms get MODEL'."),
        Preset("openrouter", paid=True, thinking="reasoning", hosts=("openrouter.ai",)),
        Preset(
            "mistral",
            paid=True,
            fim_path="/fim/completions",
            fills_in=True,
            fim_models="codestral(?!.*embed)",
            logprobs=False,
            seed_field="random_seed",
            stream_usage=False,
            required="any",
            hosts=("api.mistral.ai", "codestral.mistral.ai"),
        ),
        Preset(
            "deepseek",
            paid=True,
            fim_path="~/beta/completions",
            fills_in=True,
            fim_models=r"deepseek-(chat|v\d)",
            schema="json_object",
            thinking="switch",
            hosts=("api.deepseek.com",),
        ),
        Preset("dragoman", thinking="effort_or_none", fills_in=True, empty_hint="Configure a provider at the gateway."),
    )
}


def preset_at(host: str | None) -> str | None:
    """Name the service whose own address this is; None for any other."""
    return next((preset.name for preset in PRESETS.values() if host in preset.hosts), None)


def thinking_parameters(how: Thinking, thinking: bool) -> dict[str, Any]:
    """Return the parameters that switch a model's reasoning on or off; none where the service has no switch.

    OpenAI's models cannot be kept from reasoning altogether, so "off" is the least effort that every one of them knows.
    """
    match how:
        case "template":
            return {"chat_template_kwargs": {"enable_thinking": thinking}}
        case "reasoning":
            return {"reasoning": {"enabled": thinking}}
        case "effort":
            return {"reasoning_effort": "medium" if thinking else "low"}
        case "effort_or_none":
            return {"reasoning_effort": "medium" if thinking else "none"}
        case "switch":
            return {"thinking": {"type": "enabled" if thinking else "disabled"}}
        case _:
            return {}
