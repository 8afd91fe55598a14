"""Which messages belong together: an assistant's tool calls and their answers are read by a model together or not at all."""

from __future__ import annotations

from collections.abc import Sequence

from dragoman.models.base import ChatMessage


def units_of(messages: Sequence[ChatMessage]) -> list[range]:
    """Return the places of what may be read, in order: single messages, and calls with all of their answers.

    Answers stand right behind their calls, as every server demands.
    What is left out are orphans: calls of which one has no answer there, and answers that nobody there asked for.
    """
    units: list[range] = []
    at = 0
    while at < len(messages):
        message = messages[at]
        if message.role == "tool":
            at += 1
            continue
        end = at + 1
        if message.role == "assistant" and message.tool_calls:
            open_calls = [call.id for call in message.tool_calls]
            while end < len(messages) and messages[end].role == "tool":
                answered = messages[end].tool_call_id or ""
                if answered not in open_calls:
                    break
                open_calls.remove(answered)
                end += 1
            if open_calls:
                at = end
                continue
        units.append(range(at, end))
        at = end
    return units


def last_question(messages: Sequence[ChatMessage]) -> int | None:
    """Return the place of the newest message of a user, None where there is none."""
    return next((at for at in reversed(range(len(messages))) if messages[at].role == "user"), None)


def first_kept(messages: Sequence[ChatMessage], most: int) -> int:
    """Return the place of the oldest message that stays live where ``most`` may: pairs go whole.

    Nothing that belongs to the running turn goes, however long it is: neither its question nor what followed.
    """
    first = max(0, len(messages) - most)
    units = units_of(messages)
    for unit in units:
        if unit.start < first < unit.stop:
            first = unit.stop
    question = last_question(messages)
    if question is None:
        # Nobody has asked yet: the turn begins with what was said last.
        question = units[-1].start if units else 0
    return min(first, question)
