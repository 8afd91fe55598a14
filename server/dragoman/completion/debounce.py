"""When to ask: at once on the first key of a burst, then in the user's own rhythm."""

from __future__ import annotations

from typing import Literal

from dragoman.clock import Clock, monotonic
from dragoman.limits import DEBOUNCE_MAX_S, DEBOUNCE_MIN_S, TYPING_GAP_S, USUAL_ACCEPTANCE


class Debouncer:
    """Learns how fast the user types and how fast the model answers."""

    def __init__(self, setting: float | Literal["adaptive"], clock: Clock = monotonic) -> None:
        self._setting = setting
        self._clock = clock
        self._last_key: float | None = None
        self._interval = 0.2
        self._latency = 0.3

    def delay(self, acceptance: float = USUAL_ACCEPTANCE) -> float:
        """Note a key and return the seconds to wait for another one before the model is asked.

        ``acceptance`` is the share of suggestions that the user took lately: who takes few is asked about less.
        """
        now = self._clock()
        gap = None if self._last_key is None else now - self._last_key
        self._last_key = now
        if gap is not None and gap < TYPING_GAP_S:
            self._interval += 0.2 * (gap - self._interval)
        if self._setting != "adaptive":
            return self._setting
        if gap is None or gap >= TYPING_GAP_S:
            return 0.0
        # A fast model may be asked often; a slow one should be asked about a text that will still stand when it answers.
        wanted = 1.3 * self._interval if self._latency > self._interval else 0.5 * self._latency
        wanted *= min(max(1.5 - acceptance / (2 * USUAL_ACCEPTANCE), 0.7), 1.5)
        return min(max(wanted, DEBOUNCE_MIN_S), DEBOUNCE_MAX_S)

    def answered(self, seconds: float) -> None:
        """Learn from the time to a model's first text."""
        self._latency += 0.3 * (min(seconds, 10.0) - self._latency)
