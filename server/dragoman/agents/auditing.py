"""Notes in the audit log what agents did: every call of a tool and how it ended, and every run. Listens to the bus."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from dragoman.agents.events import RunEvent
from dragoman.agents.limits import AUDITED_CHARS, AUDITED_DETAILS, AUDITED_READ_CHARS
from dragoman.errors import DragomanError

if TYPE_CHECKING:
    from dragoman.security.redaction import Redactor

logger = logging.getLogger(__name__)

SAYING = ("path", "paths", "target", "source", "argv", "command", "pattern", "query", "url", "name", "revision")
"""Arguments that say what a call was about; texts that were written are in the files, and a command's output nowhere."""


def is_audited(event: RunEvent) -> bool:
    """Tell whether an event is one that `RunAudit` hears; most of a stream is not."""
    return event.type in {"tool_call", "tool_result"} or event.is_last


class Log(Protocol):
    """What is needed of `dragoman.storage.repositories.audit.AuditLog`."""

    async def add(
        self, actor: str, action: str, *, target: str = ..., outcome: str = ..., details: Mapping[str, Any] | None = ...
    ) -> int:
        """Add an entry; raises StorageError."""
        ...


class RunAudit:
    """Hears what happens in runs; what cannot be noted is said once in the log of the program, and the run goes on."""

    def __init__(self, open_log: Callable[[], Awaitable[Log]]) -> None:
        self._open_log = open_log
        self._called: dict[tuple[str, str], tuple[str, str]] = {}
        self._redactor: Redactor | None = None
        self._has_failed = False

    async def hear(self, event: RunEvent) -> None:
        """Note an event, if it is one to be noted."""
        call = (event.run_id, str(event.data.get("callId", "")))
        if event.type == "tool_call":
            self._called[call] = f"tool:{event.data.get('tool')}", _subject(event.data.get("arguments"))
        elif event.type == "tool_result":
            details = event.data.get("details") or {}
            denied = details.get("denied")
            outcome = f"denied by {denied}" if denied else "failed" if event.data.get("failed") else "ok"
            told = {key: value for key, value in details.items() if key in AUDITED_DETAILS}
            action, target = self._called.pop(call, (f"tool:{event.data.get('tool')}", ""))
            await self._add(event, action, target, outcome, told)
        elif event.is_last:
            for one in [one for one in self._called if one[0] == event.run_id]:
                # The run ended while it was at work: what it had done by then is done.
                await self._add(event, *self._called.pop(one), "cancelled", {})
            told = {"seconds": round(event.seconds, 3), **(event.data.get("usage") or {})}
            await self._add(event, event.operation, "", event.type, told)

    async def _add(self, event: RunEvent, action: str, target: str, outcome: str, details: Mapping[str, Any]) -> None:
        try:
            log = await self._open_log()
            shown = await asyncio.to_thread(self._redacted, target)
            told = {"run_id": event.run_id, **details}
            await log.add(f"agent:{event.agent}", action, target=shown, outcome=outcome, details=told)
        except DragomanError as error:
            if not self._has_failed:
                logger.warning("What agents do is not noted in the audit log: %s", error)
            self._has_failed = True
        else:
            self._has_failed = False

    def _redacted(self, target: str) -> str:
        """Return what a call was about without secrets: a command may carry one."""
        from dragoman.security.redaction import Redactor

        if self._redactor is None:
            self._redactor = Redactor()
        return self._redactor.redact(target[:AUDITED_READ_CHARS])[:AUDITED_CHARS]


def _subject(arguments: Any) -> str:
    """Return what a call is about, in a line."""
    if not isinstance(arguments, Mapping):
        return ""
    said = (arguments.get(key) for key in SAYING)
    return " ".join(" ".join(map(str, one)) if isinstance(one, list) else str(one) for one in said if one)
