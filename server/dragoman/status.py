"""What state completion is in, in one word and one sentence: for the status bar, ``dragoman.status`` and the doctor."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dragoman.limits import SLOW_FIRST_TEXT_S
from dragoman.models.diagnosis.reasons import explain_reason
from dragoman.models.providers.embedded import EmbeddedProvider
from dragoman.models.selection import Choice

if TYPE_CHECKING:
    from dragoman.app import App

State = Literal["ready", "loading", "busy", "no_model", "problem", "off"]


@dataclass(frozen=True, slots=True)
class Status:
    """The state, a sentence for a person, what to do about it, and what it is about."""

    state: State
    sentence: str
    advice: str = ""
    model: str = ""
    provider: str = ""
    reason: str = "ok"
    index: str = ""
    """A sentence about the index of the workspace; empty when there is nothing to say of it."""

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON-able values."""
        return asdict(self)


def describe(app: App, *, pulling: bool = False, warming: bool = False) -> Status:
    """Describe completion as it is now; no waiting.

    ``pulling`` says that a model is being downloaded, ``warming`` that the embedded one was told to start.
    """
    settings = app.settings
    if app.loaded.errors:
        return Status(
            "problem",
            str(app.loaded.errors[0]),
            "Correct the settings; the last good ones still apply.",
            reason="settings",
        )
    if not settings.completion.enabled:
        return Status("off", "Completion is switched off.", "Set completion.enabled to true.", reason="disabled")
    if pulling:
        return Status("loading", "The model is being downloaded.", reason="loading")
    choice = app.models.current("completion")
    if not app.models.offers:
        return Status("loading", "Looking for models.", reason="loading")
    if choice.info is None or choice.source is None:
        return _without_model(app, choice)
    name, provider = choice.info.name, choice.source.provider
    about = {"model": name, "provider": provider.name}
    starting = {"starting", "loading", "idle"} if warming else {"starting", "loading"}
    if isinstance(provider, EmbeddedProvider) and provider.state.phase in starting:
        return Status("loading", f"{name} is being loaded.", reason="loading", **about)
    if isinstance(provider, EmbeddedProvider) and provider.state.phase == "failed":
        return Status(
            "problem", _sentence(provider.state.problem), "Run `dragoman doctor`.", reason="model_error", **about
        )
    return _with_model(app, name, about)


def describe_index(states: Sequence[Mapping[str, Any]]) -> str:
    """Say how far the indexes of an editor's folders are and what is wrong with them; "" when all is well.

    ``states`` have ``state``, ``files``, ``total`` and ``problem`` each.
    """
    sentences = dict.fromkeys(_as_sentence(one["problem"]) for one in states if one.get("problem"))
    scanning = [one for one in states if one.get("state") == "scanning"]
    total = sum(one["total"] for one in scanning)
    if scanning:
        done = min(sum(one["files"] for one in scanning), total)
        share = f" {100 * done // total} % of {total:,} files." if total else "."
        sentences[f"Indexing the workspace{':' if total else ''}{share}"] = None
    return " ".join(sentences)


def _without_model(app: App, choice: Choice) -> Status:
    if any(offer.source.origin == "configured" for offer in app.models.offers):
        return Status("problem", _as_sentence(choice.problem), choice.hint, reason="no_model")
    sentence = f"{choice.problem} Names from the document are completed."
    return Status("no_model", sentence, choice.hint, reason="no_model")


def _with_model(app: App, name: str, about: dict[str, str]) -> Status:
    last = app.completion.last
    if last.reason == "model_error":
        return Status("problem", _as_sentence(last.detail), "Run `dragoman doctor`.", reason=last.reason, **about)
    if last.reason in {"language_excluded", "ignored_file", "too_large", "binary"}:
        return Status("off", last.detail, explain_reason(last.reason)[1], reason=last.reason, **about)
    choice = app.models.current("completion")
    if choice.problem:
        return Status(
            "ready", f"{name} completes. {choice.problem}", "Correct models.roles.completion.", reason="ok", **about
        )
    if choice.info is not None and "fim" not in choice.info.capabilities:
        return Status("ready", *explain_reason("not_fim"), reason="not_fim", **about)
    if last.reason in {"filtered", "empty_answer", "unlikely"}:
        return Status("ready", *explain_reason(last.reason, last.detail), reason=last.reason, **about)
    if app.completion.first_text_s > SLOW_FIRST_TEXT_S:
        sentence, advice = explain_reason("slow", f"its last answer began after {app.completion.first_text_s:.0f} s")
        return Status("ready", sentence, advice, reason="slow", **about)
    if app.settings.completion.trigger == "invoked":
        return Status("ready", f"{name} completes when you ask for it.", reason="ok", **about)
    return Status("ready", f"{name} completes.", reason="ok", **about)


def _as_sentence(text: str) -> str:
    """Begin with a capital and end with a full stop: an error's message may do neither."""
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '!', '?', '…')) else '.'}"


def _sentence(problem: str) -> str:
    return f"The embedded model cannot be started: {problem.rstrip('.')}."


def describe_process() -> dict[str, int]:
    """Count what this process holds: tasks, threads, open files (-1 where the platform does not tell)."""
    folder = Path("/proc/self/fd")
    return {
        "pid": os.getpid(),
        "tasks": len(asyncio.all_tasks()),
        "threads": threading.active_count(),
        "fds": sum(1 for _ in folder.iterdir()) if folder.exists() else -1,
    }
