"""Processes that hear Ctrl+C, whoever runs the tests: a shell starts what it runs in the background deaf to it."""

from __future__ import annotations

import signal


def heed_interrupts() -> None:
    """Let the process that is about to be started end by an interrupt; a ``preexec_fn``."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
