"""When the index's process looks for garbage: between questions, so that no answer waits for it.

A question makes some ten thousand short-lived objects, and Python would look through everything that lives in the middle of it.
"""

from __future__ import annotations

import gc

from dragoman.limits import INDEX_GARBAGE, INDEX_GARBAGE_MOST, INDEX_GARBAGE_WHOLE


class Garbage:
    """Collects what Python would collect by itself, at better moments; switches that off for this process."""

    def __init__(self) -> None:
        self._turns = 0

    def begin(self) -> None:
        """Take over; what is there by now is never looked through again."""
        gc.disable()
        gc.freeze()

    def collect_if_much(self) -> None:
        """Collect now if so much has gathered that memory matters more than who waits."""
        if gc.get_count()[0] > INDEX_GARBAGE_MOST:
            self._collect()

    def collect_at_leisure(self) -> None:
        """Collect if there is anything worth it; for moments when nobody waits."""
        if gc.get_count()[0] > INDEX_GARBAGE:
            self._collect()

    def _collect(self) -> None:
        self._turns += 1
        gc.collect(2 if self._turns % INDEX_GARBAGE_WHOLE == 0 else 1)
