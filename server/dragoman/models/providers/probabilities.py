"""What servers say about the tokens of an answer, in their three shapes, read into `Token`s that fit the text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from dragoman.models.base import LOWEST_LOGPROB, Token

Entries = Sequence[tuple[str, float | None]]
"""Tokens as a server tells them: text and log-probability, None where it does not say one."""


def entries_of(value: Any) -> Entries:
    """Read ``completion_probabilities`` (llama.cpp), ``logprobs`` of a choice (OpenAI, old and new) or of a line (Ollama).

    Whatever is of another shape is read as nothing; nothing here raises.
    """
    if isinstance(value, dict):
        content = value.get("content")
        if isinstance(content, list):
            return entries_of(content)
        texts, logprobs = value.get("tokens"), value.get("token_logprobs")
        if isinstance(texts, list) and isinstance(logprobs, list) and len(texts) == len(logprobs):
            return [(_text(text), _number(logprob)) for text, logprob in zip(texts, logprobs, strict=True)]
        return ()
    if isinstance(value, list):
        return [_entry(one) for one in value]
    return ()


def _entry(value: Any) -> tuple[str, float | None]:
    if not isinstance(value, dict):
        return "", None
    if "logprob" not in value and "prob" in value:
        # llama.cpp with `post_sampling_probs`, which a server may have on by default.
        chance = _finite(value["prob"])
        logprob = None if chance is None else _number(math.log(chance) if chance > 0 else LOWEST_LOGPROB)
    else:
        logprob = _number(value.get("logprob"))
    return _text(value.get("token")), logprob


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _number(value: Any) -> float | None:
    """Return a log-probability within its bounds; None for what is no number."""
    if value == -math.inf:
        return LOWEST_LOGPROB
    number = _finite(value)
    return None if number is None else min(0.0, max(LOWEST_LOGPROB, number))


def _finite(value: Any) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


class TokenReader:
    """Makes tokens of a stream's entries, so that their texts put together are the text of the stream.

    Servers cut a character of several tokens in their own ways: they leave out the entry of its first half, or put the mark for
    a broken character there. What the text says is right, so the last token of such a step gets what is missing.
    """

    def __init__(self) -> None:
        self._ahead = ""
        """Token text that the stream's text has yet to reach: held back by the server, or a stop text."""
        self._silent = False

    def take(self, text: str, entries: Entries) -> tuple[Token, ...]:
        """Return the tokens of one step with this text; from the first unknown one on, none."""
        if self._silent:
            return ()
        tokens: list[Token] = []
        for piece, logprob in entries:
            if logprob is None:
                self._silent = True
                break
            tokens.append(Token(piece, logprob))
        said = self._ahead + "".join(token.text for token in tokens)
        if said.startswith(text):
            self._ahead = said[len(text) :]
        elif tokens and not self._silent and text.startswith(self._ahead):
            tokens = _fitted(tokens, text[len(self._ahead) :])
            self._ahead = ""
        else:
            # Text without tokens: nothing behind it can be aligned any more. What is told up to here still holds.
            self._silent = True
            return tuple(tokens) if text.startswith(said) else ()
        return tuple(tokens)


def _fitted(tokens: Sequence[Token], text: str) -> list[Token]:
    """Give the tokens texts that make up ``text``: their own as long as they agree with it, the rest to the last one."""
    fitted = []
    for token in tokens[:-1]:
        own = token.text if text.startswith(token.text) else ""
        fitted.append(Token(own, token.logprob))
        text = text[len(own) :]
    return [*fitted, Token(text, tokens[-1].logprob)]
