"""The model that comes with the install: library, file, process, memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress

import psutil  # type: ignore[import-untyped,unused-ignore]

from dragoman.errors import ModelError
from dragoman.models.diagnosis.findings import Finding, Severity, sentence
from dragoman.models.providers.embedded import EmbeddedProvider
from dragoman.models.weights import InstalledModel
from dragoman.models.weights.files import describe_size

SUBJECT = "embedded model"
HEADROOM = 1.5
"""Loaded with its cache a model takes about this many times its file."""


async def check_embedded(provider: EmbeddedProvider, *, needed: bool) -> AsyncIterator[Finding]:
    """Yield the state of the embedded model; ``needed`` says that completion has nobody else, which makes faults graver."""
    bad: Severity = "error" if needed else "note"
    status = await provider.probe()
    if status.version is None:
        yield Finding(
            bad,
            SUBJECT,
            "Its inference library is not installed.",
            "Run: pip install xllamacpp",
            "no_library",
        )
    else:
        yield Finding("ok", SUBJECT, f"xllamacpp {status.version} is installed.", "", "library")
    installed = await provider.store.installed()
    if not installed:
        yield Finding(
            bad,
            SUBJECT,
            f"There is no model in {provider.store.folder}.",
            "Get one with `dragoman models pull`: it is fetched once and then works without a network.",
            "no_weights",
        )
        return
    for model in installed:
        yield await _check_file(provider, model, bad)
        async for finding in _check_engine(provider, model):
            yield finding
    if status.problem and status.version is not None and all(model.health == "ok" for model in installed):
        yield Finding(bad, SUBJECT, sentence(status.problem), status.hint, "engine")


async def _check_file(provider: EmbeddedProvider, model: InstalledModel, bad: Severity) -> Finding:
    try:
        checked = await provider.store.verify(model.name)
    except (ModelError, OSError) as error:
        return Finding(bad, SUBJECT, sentence(str(error)), "", "weights")
    if checked.health != "ok":
        again = f"Run: dragoman models pull {checked.name}"
        return Finding("error" if bad == "error" else "warning", SUBJECT, checked.problem, again, "wrong_hash")
    whose = "its SHA-256 is right" if checked.entry is not None else "a file of your own"
    return Finding(
        "ok",
        SUBJECT,
        f"{checked.name} is there ({describe_size(checked.bytes)}, {whose}).",
        "",
        "weights",
        {"path": str(checked.path), "bytes": checked.bytes, "sha256": checked.sha256},
    )


async def _check_engine(provider: EmbeddedProvider, model: InstalledModel) -> AsyncIterator[Finding]:
    if model.health != "ok":
        return
    info = None
    with suppress(ModelError):
        info = await (await provider.engine(model.name)).ask_info()
    if info is not None:
        resident = sum(_resident(info.get(key)) for key in ("pid", "worker_pid"))
        yield Finding(
            "ok",
            SUBJECT,
            f"Its process runs ({info.get('state')}), with {describe_size(resident)} of memory.",
            "",
            "engine_running",
            {"state": info.get("state"), "resident_bytes": resident},
        )
        return
    available = psutil.virtual_memory().available
    if available < model.bytes * HEADROOM:
        yield Finding(
            "warning",
            SUBJECT,
            f"Only {describe_size(available)} of memory is free, and {model.name} needs about "
            f"{describe_size(int(model.bytes * HEADROOM))}.",
            "Close something, or use a smaller model.",
            "memory",
        )
    else:
        yield Finding(
            "ok", SUBJECT, "Its process is not running; it starts with the first suggestion.", "", "engine_idle"
        )


def _resident(pid: object) -> int:
    if isinstance(pid, int) and pid > 0:
        with suppress(psutil.Error):
            return int(psutil.Process(pid).memory_info().rss)
    return 0
