"""A person's terminal, or the pipe in its place: lines that are waited for without a thread, and text that moves no cursor."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from typing import Final

READ_BYTES: Final = 65_536
"""Read at once: what a pipe holds."""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def is_typed() -> bool:
    """Tell whether the input is somebody's keyboard; a closed one is not."""
    return sys.stdin is not None and sys.stdin.isatty()


def is_watched() -> bool:
    """Tell whether somebody can be asked: both what is typed and what is asked are at a terminal."""
    return is_typed() and sys.stderr.isatty()


def harmless(text: str) -> str:
    """Return a text without what would move the cursor, hide or reorder anything: a model may have read it anywhere."""
    return _CONTROL.sub("", text.replace("\r\n", "\n"))


class InputLines:
    """Lines of standard input; waiting for one can be cancelled at any time."""

    def __init__(self, descriptor: int | None = None) -> None:
        self._descriptor = descriptor
        self._held = b""
        self._has_ended = False

    async def read(self) -> str | None:
        """Return the next line without its end, None at the end of the input."""
        if self._descriptor is None:
            if sys.stdin is None:
                return None
            self._descriptor = sys.stdin.fileno()
        while b"\n" not in self._held and not self._has_ended:
            await self._wait(self._descriptor)
            data = os.read(self._descriptor, READ_BYTES)
            self._held += data
            self._has_ended = not data
        if not self._held and self._has_ended:
            # At a terminal more may come after an end that was typed.
            self._has_ended = False
            return None
        line, _, self._held = self._held.partition(b"\n")
        return line.decode("utf-8", "replace").rstrip("\r")

    @staticmethod
    async def _wait(descriptor: int) -> None:
        """Return when there is something to read."""
        loop, ready = asyncio.get_running_loop(), asyncio.Event()
        try:
            loop.add_reader(descriptor, ready.set)
        except (PermissionError, NotImplementedError):
            # A file is always ready; where the loop cannot wait for input, the read itself does.
            return
        try:
            await ready.wait()
        finally:
            loop.remove_reader(descriptor)
