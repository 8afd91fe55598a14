"""What goes into the prompt, in an order that stays: a server's cache holds as long as the beginning is the same."""

from __future__ import annotations

from collections.abc import Sequence

from dragoman.context.snippets import Snippet


def pack(found: Sequence[Snippet], before: Sequence[Snippet], budget: int) -> tuple[Snippet, ...]:
    """Return what was found within ``budget`` tokens, with what was there before first and in its old order.

    ``found`` is in the order of its worth, the most valuable last: where the budget is short the first ones go.
    """
    kept: list[Snippet] = []
    left = budget
    for snippet in reversed(found):
        if snippet.tokens <= left:
            kept.append(snippet)
            left -= snippet.tokens
    kept.reverse()
    places = {(one.path, one.text): at for at, one in enumerate(before)}
    old = sorted((one for one in kept if (one.path, one.text) in places), key=lambda one: places[one.path, one.text])
    return (*old, *(one for one in kept if (one.path, one.text) not in places))
