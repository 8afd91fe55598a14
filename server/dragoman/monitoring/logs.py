"""Logs: JSON lines in a bounded file, or readable lines on stderr; never stdout, which belongs to the protocol.

The standard library's logging carries them: it is there anyway, where structlog would add some 80 ms to the start.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import logging.handlers
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dragoman.errors import SettingsError
from dragoman.monitoring import bug
from dragoman.monitoring.redacting import redact

FILE_BYTES = 5 * 1024 * 1024
"""A day of heavy use at level info stays below this."""
KEPT_FILES = 2
LINE_CHARACTERS = 20_000
"""A line longer than this is cut: one message must not push out all others."""

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
CHATTY = ("httpx", "httpx2", "httpcore", "httpcore2", "mcp", "asyncio", "pygls", "hpack", "urllib3", "watchfiles")
"""Libraries that log each request or task: heard from level warning on, unless debug is asked for."""

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """One JSON object a line, with the names of the Elastic Common Schema."""

    def format(self, record: logging.LogRecord) -> str:
        """Render a record; what was passed as ``extra`` stands under ``dragoman``."""
        entry: dict[str, Any] = {
            "@timestamp": _timestamp(record.created),
            "log.level": record.levelname.lower(),
            "message": _cut(redact(record.getMessage())),
            "log.logger": record.name,
            "process.pid": record.process,
        }
        if record.exc_info and record.exc_info[0] is not None:
            entry["error.type"] = record.exc_info[0].__name__
            entry["error.stack_trace"] = _cut(redact(self.formatException(record.exc_info)))
        extra = {key: value for key, value in vars(record).items() if key not in _STANDARD}
        if extra:
            entry["dragoman"] = json.loads(redact(json.dumps(extra, default=repr)))
        return json.dumps(entry, ensure_ascii=False, default=repr)


class TextFormatter(logging.Formatter):
    """A line for a person: time, level, room, message."""

    def format(self, record: logging.LogRecord) -> str:
        """Render a record, with its traceback below if it has one."""
        moment = time.strftime("%H:%M:%S", time.localtime(record.created))
        name = record.name.removeprefix("dragoman.")
        line = f"{moment}.{int(record.msecs):03d} {record.levelname.lower():7} {name}: {record.getMessage()}"
        if record.exc_info and record.exc_info[0] is not None:
            line += "\n" + self.formatException(record.exc_info)
        return _cut(redact(line))


class _QuietStderr(logging.StreamHandler[Any]):
    """Writes to whatever stderr is now, and stays silent when the editor has closed it."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the library's name
        """Drop the record: there is nowhere left to complain."""


class _QuietFile(logging.handlers.RotatingFileHandler):
    """Writes to a file and stays silent on a full disk: the user's session matters more than its log."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the library's name
        """Drop the record."""


def configure_logs(
    *,
    level: str | None = None,
    file: Path | None = None,
    style: str = "json",
    environ: Mapping[str, str] | None = None,
) -> None:
    """Send all logs to ``file`` (``style`` json or text), or readable to stderr when there is none.

    The level is the environment's ``DRAGOMAN_LOG``, else ``level``, else warning on stderr and info in a file.
    Can be called again, when the settings have changed.
    Raises SettingsError for an unknown level and for a file that cannot be written.
    """
    number = _level(
        (os.environ if environ is None else environ).get("DRAGOMAN_LOG") or level, has_file=file is not None
    )
    handler = _file_handler(file) if file is not None else _QuietStderr()
    handler.setFormatter(JsonFormatter() if file is not None and style == "json" else TextFormatter())
    root = logging.getLogger()
    for old in list(root.handlers):
        if isinstance(old, _QuietStderr | _QuietFile):
            root.removeHandler(old)
            old.close()
    root.addHandler(handler)
    root.setLevel(number)
    for name in CHATTY:
        logging.getLogger(name).setLevel(number if number <= logging.DEBUG else max(number, logging.WARNING))
    logging.captureWarnings(capture=True)


def close_logs() -> None:
    """Flush and close what `configure_logs` opened."""
    root = logging.getLogger()
    for handler in list(root.handlers):
        if isinstance(handler, _QuietStderr | _QuietFile):
            root.removeHandler(handler)
            handler.close()
    logging.captureWarnings(capture=False)


def install_loop_handler(loop: asyncio.AbstractEventLoop) -> None:
    """Report what nobody caught in a task or callback as a bug, instead of a traceback on stderr."""
    loop.set_exception_handler(_report_uncaught)


def _report_uncaught(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    details: dict[str, Any] = {}
    if isinstance(error := context.get("exception"), BaseException):
        details["error"] = error
    for key in ("task", "future", "handle", "transport"):
        if key in context:
            details[key] = repr(context[key])
    bug.report(str(context.get("message") or "unhandled exception in the event loop"), **details)


def _level(name: str | None, *, has_file: bool) -> int:
    if not name:
        return logging.INFO if has_file else logging.WARNING
    try:
        return LEVELS[name.strip().lower()]
    except KeyError:
        raise SettingsError(
            f"{name!r} is not a log level.", hint=f"Use one of {', '.join(LEVELS)} in DRAGOMAN_LOG or log_level."
        ) from None


def _file_handler(path: Path) -> _QuietFile:
    path = path.expanduser()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = _QuietFile(path, maxBytes=FILE_BYTES, backupCount=KEPT_FILES, encoding="utf-8", errors="replace")
    except OSError as error:
        raise SettingsError(
            f"The log file {str(path)!r} cannot be written: {error.strerror or error}.",
            hint="Name another one with --log-file.",
        ) from None
    with contextlib.suppress(OSError):
        path.chmod(0o600)
    return handler


def _timestamp(created: float) -> str:
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(created))
    return f"{whole}.{int(created % 1 * 1000):03d}Z"


def _cut(text: str) -> str:
    return text if len(text) <= LINE_CHARACTERS else f"{text[:LINE_CHARACTERS]}… [{len(text)} characters]"
