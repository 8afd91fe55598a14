"""How many tokens of a model's window a conversation may have, and how many are kept for the answer."""

from __future__ import annotations

from dataclasses import dataclass

from dragoman.context.limits import ANSWER_TOKENS, ANSWER_TOKENS_LEAST, ANSWER_WINDOW_SHARE


@dataclass(frozen=True, slots=True)
class Budget:
    """Tokens for the prompt and for the answer; ``prompt`` may be below 1 where the answer alone fills the window.

    ``window`` is the model's, None where nobody knows it, and ``by_window`` says that it is what bounds the prompt.
    """

    prompt: int
    answer: int
    window: int | None = None
    by_window: bool = False


def answer_tokens(requested: int | None, window: int | None) -> int:
    """Return the tokens kept for the answer: those that were asked for, else a third of the window between two bounds."""
    if requested is not None:
        return requested
    share = ANSWER_TOKENS if window is None else window // ANSWER_WINDOW_SHARE
    return max(ANSWER_TOKENS_LEAST, min(ANSWER_TOKENS, share))


def make_budget(most: int, window: int | None, requested: int | None = None, *, margin: float = 1.0) -> Budget:
    """Return the budget of a prompt: ``most`` tokens, and no more than the window has beside the answer.

    ``margin`` is how many of the model's own tokens one counted token may be: the window holds so many times fewer.
    ``most`` bounds what the user pays for, and is taken at its word.
    """
    answer = answer_tokens(requested, window)
    if window is None:
        return Budget(most, answer)
    beside = int((window - answer) / margin)
    return Budget(min(most, beside), answer, window, by_window=beside < most)
