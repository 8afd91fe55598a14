"""Downloads that a model server makes for us: their progress, in one form for all."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any, Final, Protocol, runtime_checkable

_UNITS: Final = {"": 1, "k": 1, "m": 2, "g": 3, "t": 4}
_SIZE: Final = re.compile(r"^\s*(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[kmgt]?)(?P<binary>i?)b\s*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class PullProgress:
    """A step of a download: what is done, and bytes of the current file where they are known."""

    status: str
    completed: int | None = None
    total: int | None = None


@runtime_checkable
class Puller(Protocol):
    """A provider that fetches models on request."""

    def pull(self, name: str) -> AsyncGenerator[PullProgress, None]:
        """Let the server download a model; yields its progress, ends when it is there, raises `ModelError`.

        Closing the generator ends the download as far as the server lets one.
        """
        ...


def count_bytes(size: Any) -> int | None:
    """Read a size as people write it, such as ``4.1 GiB``; a number is one of bytes. None for what is neither."""
    if isinstance(size, int | float):
        return int(size)
    found = _SIZE.match(size) if isinstance(size, str) else None
    if found is None:
        return None
    unit = found["unit"].lower()
    base = 1024 if found["binary"] else 1000
    return int(float(found["number"]) * (base ** _UNITS[unit] if unit else 1))
