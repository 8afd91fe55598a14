"""When to ask: at once on the first key of a burst, then in the user's own rhythm."""

from __future__ import annotations

from typing import Literal

from dragoman.clock import Clock, monotonic
from dragoman.limits import (
    CONTRADICTED_S,
    DEBOUNCE_MAX_S,
    DEBOUNCE_MIN_S,
    RHYTHM_FAST,
    RHYTHM_SLOW,
    SLOW_ANSWER_S,
    TYPING_GAP_S,
    USUAL_ACCEPTANCE,
    WASTED_FACTOR,
    WASTED_MOST,
)


class Debouncer:
    """Learns how fast the user types, how fast the model answers, and how often asking was for nothing."""

    def __init__(self, setting: float | Literal["adaptive"], clock: Clock = monotonic) -> None:
        self._setting = setting
        self._clock = clock
        self._key = -TYPING_GAP_S
        self._gap = TYPING_GAP_S
        self._edge = True
        """Whether this burst's first question is still to reach a model."""
        self._interval = 0.2
        self._latency = 0.3
        self._wasted = 0

    def key(self) -> None:
        """Note a key."""
        now = self._clock()
        self._gap = now - self._key
        self._key = now
        if self._gap < TYPING_GAP_S:
            self._interval += 0.2 * (self._gap - self._interval)
        else:
            self._edge = True

    def delay(self, acceptance: float = USUAL_ACCEPTANCE, *, contradicted: bool = False) -> float:
        """Return the seconds from now to wait for another key before the model is asked.

        ``acceptance`` is the share of suggestions that the user took lately: who takes few is asked about less.
        ``contradicted`` says that the key went against what was on screen: one key in twenty is a typing error, and is
        taken back before an answer to it could be read.
        """
        return max(0.0, self._key + self._rest(acceptance, contradicted=contradicted) - self._clock())

    def _rest(self, acceptance: float, *, contradicted: bool) -> float:
        if self._setting != "adaptive":
            return self._setting
        if contradicted:
            return CONTRADICTED_S
        if self._edge:
            return 0.0
        # A fast model may be asked between two keys; a slow one should be asked about a text that will still stand when it
        # answers, and heats the machine for nothing if it does not.
        patience = min(max(self._latency / SLOW_ANSWER_S, RHYTHM_FAST), RHYTHM_SLOW)
        wanted = min(patience * self._interval, 0.5 * self._latency)
        wanted *= WASTED_FACTOR ** min(self._wasted, WASTED_MOST)
        wanted *= min(max(1.5 - acceptance / (2 * USUAL_ACCEPTANCE), 0.7), 1.5)
        return min(max(wanted, DEBOUNCE_MIN_S), DEBOUNCE_MAX_S)

    def asked(self) -> None:
        """Learn that a question reached a model."""
        self._edge = False

    def answered(self, seconds: float) -> None:
        """Learn from the time to a model's first text."""
        self._latency += 0.3 * (min(seconds, 10.0) - self._latency)

    def wasted(self) -> None:
        """Learn that a call was given up before any of its answer was shown."""
        self._wasted += 1

    def shown(self) -> None:
        """Learn that an answer came in time."""
        self._wasted = 0
