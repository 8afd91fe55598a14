"""Reports of states that cannot happen: logged, counted, and fatal in tests.

Call `report` where an ``assert`` would take the user's session down with it.
"""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass
from typing import Any

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Bug:
    """One recorded impossibility."""

    message: str
    details: dict[str, Any]


recorded: deque[Bug] = deque(maxlen=100)
"""The newest bugs of this process; the test suite fails when it is not empty."""


def report(message: str, **details: Any) -> None:
    """Record that something impossible happened and go on; an ``error`` detail is logged with its traceback."""
    recorded.append(Bug(message, details))
    error = details.pop("error", None)
    rendered = ", ".join(f"{key}={value!r}" for key, value in details.items())
    logger.error("bug: %s (%s)", message, rendered, exc_info=error if isinstance(error, BaseException) else None)
