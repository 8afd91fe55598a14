"""Time as the engine sees it, replaceable in tests."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """A source of monotonic seconds."""

    def __call__(self) -> float:
        """Return seconds since an arbitrary start; never goes back."""
        ...


monotonic: Clock = time.monotonic
