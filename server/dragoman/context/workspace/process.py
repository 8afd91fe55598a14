"""What the index's two processes do when they start: take their pipes, log through them, and never outlive their parent."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import signal
import sys

from dragoman.context.workspace.protocol import Channel

_PR_SET_PDEATHSIG = 1


class ChannelLog(logging.Handler):
    """Sends records to the server, whose log they belong to."""

    def __init__(self, channel: Channel) -> None:
        super().__init__()
        self._channel = channel

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record as an event; a traceback is appended to its message."""
        message = record.getMessage()
        if record.exc_info and record.exc_info[0] is not None:
            message += "\n" + logging.Formatter().formatException(record.exc_info)
        self._channel.send({"event": "log", "level": record.levelno, "logger": record.name, "message": message})


def enter() -> Channel:
    """Make this process one of the index's: private files, quiet standard streams, logs to its parent."""
    os.umask(0o077)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C in a terminal is meant for the server, which then ends us.
    channel = Channel.claim()
    root = logging.getLogger()
    root.addHandler(ChannelLog(channel))
    root.setLevel(logging.INFO)
    logging.getLogger("watchfiles").setLevel(logging.WARNING)
    return channel


def die_with_parent() -> None:
    """Ask the kernel, where it can, to end this process with the thread that started it."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def step_back() -> None:
    """Leave processor and disk to everybody else."""
    with contextlib.suppress(OSError, AttributeError):
        os.nice(19)
    with contextlib.suppress(ImportError, OSError, AttributeError, ValueError):
        import psutil

        psutil.Process().ionice(psutil.IOPRIO_CLASS_IDLE)
