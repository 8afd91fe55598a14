"""What is configured, what answers, whether it works, and what to do about what does not: for the doctor and the status bar."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from dragoman.models.diagnosis.configuration import (
    check_completion_settings,
    check_proxies,
    check_settings,
    check_vectors,
)
from dragoman.models.diagnosis.embedded import check_embedded
from dragoman.models.diagnosis.fim import LIMIT_S, FimProbe, check_fim, judge, probe_fim
from dragoman.models.diagnosis.findings import Finding, Severity, worst
from dragoman.models.diagnosis.reasons import explain_reason
from dragoman.models.diagnosis.sources import ROLES_IN_USE, check_providers, check_role
from dragoman.models.manager import ModelManager
from dragoman.models.providers.embedded import EmbeddedProvider
from dragoman.settings import LoadedSettings

__all__ = [
    "ROLES_IN_USE",
    "FimProbe",
    "Finding",
    "Severity",
    "check_completion_settings",
    "check_embedded",
    "check_fim",
    "check_providers",
    "check_proxies",
    "check_role",
    "check_settings",
    "check_vectors",
    "conclude",
    "diagnose",
    "explain_reason",
    "judge",
    "probe_fim",
    "worst",
]


async def diagnose(
    loaded: LoadedSettings,
    manager: ModelManager,
    *,
    generate: bool = True,
    limit: float = LIMIT_S,
    on_wait: Callable[[str], None] = lambda _: None,
) -> AsyncIterator[Finding]:
    """Run every check in the order of a request's way and yield the findings as they come.

    ``generate`` False leaves out the probe that makes the model write.
    ``limit`` is in seconds, for one probe; ``on_wait`` hears what is being waited for.
    Never raises for a fault of a model or a provider.
    """
    for finding in check_settings(loaded):
        yield finding
    on_wait("asking the model servers")
    await manager.refresh()
    for finding in (*check_proxies(loaded), *check_providers(manager.offers, loaded)):
        yield finding
    choice = manager.current("completion")
    embedded = [source for source in manager.providers if isinstance(source, EmbeddedProvider)]
    for provider in embedded:
        on_wait("checking the embedded model's file")
        needed = choice.info is None or choice.info.provider == provider.name
        async for finding in check_embedded(provider, needed=needed):
            yield finding
    # Where nobody completes, nobody chats either, for the same reason: saying it once is enough.
    wanted = (*ROLES_IN_USE, "embedding") if loaded.settings.context.vectors else ROLES_IN_USE
    for role in wanted if choice.info is not None else ("completion",):
        for finding in check_role(role, manager.current(role), manager):
            yield finding
    for finding in (*check_vectors(loaded), *check_completion_settings(loaded)):
        yield finding
    if generate and choice.source is not None and choice.info is not None:
        for finding in await check_fim(manager.model(choice.source, choice.info), limit=limit, on_wait=on_wait):
            yield finding


def conclude(findings: list[Finding]) -> Finding:
    """Sum the findings up in one sentence; the severity decides the exit code."""
    errors = [finding for finding in findings if finding.severity == "error"]
    warnings = [finding for finding in findings if finding.severity == "warning"]
    if errors:
        first = errors[-1] if errors[-1].subject == "completion" else errors[0]
        more = f" ({len(errors) - 1} more above)" if len(errors) > 1 else ""
        return Finding("error", "verdict", f"Something needs you: {first.sentence}{more}", first.advice, first.code)
    if warnings:
        first = warnings[0]
        return Finding(
            "warning", "verdict", f"It works, with a reservation: {first.sentence}", first.advice, first.code
        )
    return Finding("ok", "verdict", "Everything works: open a file and type.", "", "ok")
