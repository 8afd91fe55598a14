"""What answers: each provider, its models, and which model fills each role and why."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence

from dragoman.models.base import ModelInfo, Role
from dragoman.models.diagnosis.findings import Finding, Severity, sentence
from dragoman.models.manager import ModelManager
from dragoman.models.selection import Choice, Offer
from dragoman.settings import LoadedSettings

ROLES_IN_USE: tuple[Role, ...] = ("completion", "chat", "edit", "review")
SHOWN_MODELS = 6

_WITHOUT: dict[Role, Severity] = {"completion": "error", "embedding": "warning"}
"""How bad it is that nobody fills a role; for embeddings that is asked only where vectors are switched on."""


def check_providers(offers: Sequence[Offer], loaded: LoadedSettings) -> Iterator[Finding]:
    """Yield what each provider answered; usual ports where nothing listens share one line."""
    silent = []
    for offer in offers:
        if offer.source.origin == "embedded":
            continue
        if offer.source.origin == "detected" and not offer.status.reachable:
            if "nothing listens" in offer.status.problem:
                silent.append(offer.source.provider.name)
            else:
                yield _stranger(offer)
            continue
        yield from _check_offer(offer, loaded)
    if silent:
        yield Finding(
            "ok",
            "providers",
            f"Nothing is configured, and nothing listens where {_list(silent)} usually do.",
            code="none",
        )


def _problem(offer: Offer) -> str:
    """Say what is wrong with a provider; who has none of its endpoints is somebody else."""
    problem = offer.status.problem or "It does not answer"
    if "has no such endpoint" in problem:
        return f"Something answers at {_address(offer)}, but it does not speak the protocol of {offer.source.provider.kind!r}."
    return sentence(problem)


def _stranger(offer: Offer) -> Finding:
    return Finding(
        "note",
        f"provider {offer.source.provider.name}",
        _problem(offer),
        "If a model server of another kind runs there, name it under [[providers]].",
        "not_its_kind",
    )


def _check_offer(offer: Offer, loaded: LoadedSettings) -> Iterator[Finding]:
    provider, status = offer.source.provider, offer.status
    subject = f"provider {provider.name}"
    address = _address(offer)
    if not status.reachable or status.problem:
        yield Finding("error", subject, _problem(offer), status.hint, "provider_down")
        return
    version = f", version {status.version}" if status.version else ""
    latency = f" in {status.latency_ms:.0f} ms" if status.latency_ms is not None else ""
    facts = {"address": address, "latency_ms": status.latency_ms, "version": status.version}
    if offer.problem:
        yield Finding(
            "error", subject, f"{address} answers{latency}{version}, but: {offer.problem}", offer.hint, "no_list", facts
        )
        return
    names = [info.name for info in offer.models]
    if not names:
        advice = (
            "Get one with `ollama pull qwen2.5-coder:1.5b-base`."
            if provider.kind == "ollama"
            else "Load a model there, or name it in models of this provider."
        )
        yield Finding(
            "warning", subject, f"{address} answers{latency}{version}, but has no models.", advice, "no_models", facts
        )
        return
    more = f" and {len(names) - SHOWN_MODELS} more" if len(names) > SHOWN_MODELS else ""
    listed = ", ".join(names[:SHOWN_MODELS]) + more
    yield Finding("ok", subject, f"{address} answers{latency}{version}: {listed}.", "", "provider_up", facts)
    yield from _check_default(offer, names, loaded)


def _check_default(offer: Offer, names: Sequence[str], loaded: LoadedSettings) -> Iterator[Finding]:
    """Name a model that the settings count on and the provider does not have."""
    provider = offer.source.provider
    configured = next((entry for entry in loaded.settings.providers if entry.name == provider.name), None)
    if configured is None or configured.default_model is None or configured.default_model in names:
        return
    wanted = configured.default_model
    near = difflib.get_close_matches(wanted, names, n=1, cutoff=0.3)
    advice = f"The nearest is {near[0]!r}." if near else f"It has: {', '.join(names[:SHOWN_MODELS])}."
    if provider.kind == "ollama":
        advice += f" Or get it with `ollama pull {wanted}`."
    yield Finding(
        "warning",
        f"provider {provider.name}",
        f"It has no model {wanted!r}, which is its default_model.",
        advice,
        "unknown_model",
    )


def check_role(role: Role, choice: Choice, manager: ModelManager) -> Iterator[Finding]:
    """Yield who fills the role and why, or why nobody does."""
    subject = "roles"
    ollama = any(offer.source.provider.kind == "ollama" and offer.status.reachable for offer in manager.offers)
    if choice.problem and choice.info is not None:
        yield Finding(
            "warning", subject, sentence(choice.problem), _pull_advice(choice.problem, ollama), "unknown_model"
        )
    if choice.info is None:
        severity = _WITHOUT.get(role, "note")
        yield Finding(
            severity, subject, f"{role}: nobody. {sentence(_without(choice))}", _advice(choice, ollama), "no_model"
        )
        return
    info = choice.info
    why = choice.candidates[0].why if choice.candidates else ""
    yield Finding(
        "ok",
        subject,
        f"{role}: {info.name} of {info.provider}{f' ({why})' if why and why != 'able' else ''}.",
        "",
        "role_filled",
        {"role": role, "model": info.name, "provider": info.provider},
    )
    if role == "completion" and "fim" not in info.capabilities:
        yield _not_fim(info)


def _not_fim(info: ModelInfo) -> Finding:
    kind = "is a chat model and" if "chat" in info.capabilities else "is not made for this and"
    return Finding(
        "warning",
        "roles",
        f"{info.name} {kind} cannot fill in the middle: it does not see the text after the cursor.",
        "Use a model made for completion, such as qwen2.5-coder:1.5b-base; "
        'if this one can, say so with fim = "qwen" (its family) in models of its provider.',
        "not_fim",
        {"model": info.name},
    )


def _without(choice: Choice) -> str:
    unable = [f"{candidate.model} {candidate.why}" for candidate in choice.candidates[:SHOWN_MODELS]]
    return f"{choice.problem.rstrip('.')} ({'; '.join(unable)})." if unable else choice.problem


def _advice(choice: Choice, ollama: bool) -> str:
    if pull := _pull_advice(choice.problem, ollama):
        return pull
    if choice.role == "embedding":
        return ""
    if ollama and choice.role == "completion":
        return "Get one that can with `ollama pull qwen2.5-coder:1.5b-base`, or the embedded model with `dragoman models pull`."
    return "Get the embedded model with `dragoman models pull`, or name a model server under [[providers]]."


def _pull_advice(problem: str, ollama: bool) -> str:
    """Say how to get the model that a problem names, where a server is there that can fetch it."""
    if not problem.startswith("No model matches "):
        return ""
    wanted = problem.split("'")[1]
    if not ollama or set("*?[") & set(wanted):
        return "Correct the name in the settings."
    return f"Correct the name, or get it with `ollama pull {wanted}`."


def _address(offer: Offer) -> str:
    endpoint = getattr(offer.source.provider, "endpoint", None)
    return str(getattr(endpoint, "address", offer.source.provider.name))


def _list(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
