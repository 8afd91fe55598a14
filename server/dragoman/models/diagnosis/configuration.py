"""What is configured: files, what is wrong in them, and settings that keep suggestions away."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from dragoman.extras import why_no_vectors
from dragoman.models.diagnosis.findings import Finding
from dragoman.models.providers.endpoint import is_loopback
from dragoman.settings import LoadedSettings

PROXY_VARIABLES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")


def check_settings(loaded: LoadedSettings) -> Iterator[Finding]:
    """Yield the state of every source of settings, then every problem in them."""
    for source in loaded.sources:
        if source.path is not None:
            state = "cannot be read" if source.broken else "read" if source.present else "not there"
            keys = f", {len(source.keys)} keys" if source.keys else ""
            yield Finding("ok", "settings", f"{source.label} ({source.name}): {state}{keys}.", code="settings_source")
        elif source.keys:
            yield Finding("ok", "settings", f"{source.label}: sets {', '.join(source.keys)}.", code="settings_source")
    for problem in loaded.problems:
        yield Finding(
            problem.severity,
            "settings",
            f"{problem.place}: {problem.message}",
            problem.hint,
            "settings_error" if problem.severity == "error" else "settings_refused",
        )


def check_completion_settings(loaded: LoadedSettings) -> Iterator[Finding]:
    """Yield what the settings themselves keep from being suggested."""
    completion = loaded.settings.completion
    if not completion.enabled:
        where = loaded.origin("completion.enabled") or "the settings"
        yield Finding(
            "error",
            "completion",
            f"Completion is switched off in {where}.",
            "Set completion.enabled = true.",
            "disabled",
        )
    if completion.trigger == "invoked":
        yield Finding(
            "note",
            "completion",
            "Suggestions come only when you ask for them.",
            'Set completion.trigger = "automatic" to see them while you type.',
            "invoked_only",
        )
    if excluded := completion.languages.exclude:
        set_in = loaded.origin("completion.languages.exclude")
        yield Finding(
            "note" if set_in else "ok",
            "completion",
            f"Nothing is suggested in {', '.join(excluded)}.",
            f"That is set in {set_in}; change completion.languages.exclude if you want it." if set_in else "",
            "language_excluded",
        )


def check_vectors(loaded: LoadedSettings) -> Iterator[Finding]:
    """Yield what vectors lack where they are switched on."""
    if loaded.settings.context.vectors and (lack := why_no_vectors()):
        sentence, _, advice = lack.partition(". ")
        yield Finding("warning", "context", f"{sentence}, so nothing is found by its meaning.", advice, "no_vectors")


def check_proxies(loaded: LoadedSettings, environ: Mapping[str, str] | None = None) -> Iterator[Finding]:
    """Yield what stands between this machine and the providers."""
    environ = os.environ if environ is None else environ
    variable = next((name for name in PROXY_VARIABLES if environ.get(name) or environ.get(name.lower())), None)
    for provider in loaded.settings.providers:
        address = provider.address
        if address is None:
            continue
        subject = f"provider {provider.name}"
        if provider.proxy and is_loopback(address):
            yield Finding(
                "warning",
                subject,
                f"{address} is on this machine, but is asked through the proxy {_host(provider.proxy)}, "
                "which has another idea of what localhost is.",
                "Take proxy out of this provider.",
                "proxy_for_loopback",
            )
        elif variable and not provider.proxy and not is_loopback(address):
            yield Finding(
                "note",
                subject,
                f"{address} is asked through the proxy that {variable} names.",
                "If it should not be, add its host to NO_PROXY.",
                "proxy_from_environment",
            )
    if variable and any(provider.address and is_loopback(provider.address) for provider in loaded.settings.providers):
        yield Finding(
            "ok", "network", f"{variable} is set; addresses on this machine are asked without it.", code="proxy"
        )


def _host(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
