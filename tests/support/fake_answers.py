"""What the fake model says: picked by rules, or read off a target file (the perfect model)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")

Answer = Callable[[str, str], str]
"""(text before the cursor, text after it) → what to say."""

_MARKERS = (
    # (before prefix, between prefix and suffix, before the answer): prefix first
    ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"),
    ("<fim_prefix>", "<fim_suffix>", "<fim_middle>"),
    ("<PRE>", "<SUF>", "<MID>"),
    ("<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"),
)


def split_prompt(prompt: str, suffix: str | None = None) -> tuple[str, str]:
    """Take a fill-in-the-middle prompt of any known shape apart into (prefix, suffix)."""
    if suffix:
        return prompt, suffix
    if prompt.startswith("[SUFFIX]"):
        after, _, before = prompt.removeprefix("[SUFFIX]").partition("[PREFIX]")
        return before, after
    for begin, hole, end in _MARKERS:
        if hole in prompt:
            before, _, after = prompt.rpartition(hole)
            return before.rpartition(begin)[2], after.rpartition(end)[0]
    return prompt, ""


def answer_by_rules(rules: Sequence[tuple[str, str]], default: str) -> Answer:
    """Say the text of the first rule whose substring is in the text before the cursor."""

    def answer(prefix: str, suffix: str) -> str:
        return next((text for needle, text in rules if needle in prefix), default)

    return answer


def answer_from_target(target: str) -> Answer:
    """Say how the target file really goes on: the place is where the longest tail of the prefix occurs in it."""

    def answer(prefix: str, suffix: str) -> str:
        place = _locate(target, prefix)
        if place is None:
            return ""
        # The suffix as it stands, else without the blank lines before it, which the editor may have changed.
        anchors = (suffix[:60], suffix.lstrip("\n")[:40])
        ends = (target.find(anchor, place) for anchor in anchors if anchor.strip())
        end = next((at for at in ends if at >= 0), len(target))
        return target[place:end]

    return answer


def _locate(target: str, prefix: str) -> int | None:
    for length in (4000, 1000, 250, 80, 40, 20, 10):
        tail = prefix[-length:]
        if tail and (at := target.find(tail)) >= 0:
            return at + len(tail)
    return 0 if not prefix else None


def tokenize(text: str) -> list[str]:
    """Cut into pieces such as a model streams: a word with the blanks before it."""
    return re.findall(r"\s*\w+|\s*[^\w\s]|\s+", text)


def embed_words(text: str, dimensions: int) -> list[float]:
    """Embed a text by the parts of its names: `loadUser` is near `user_loading`, whatever else is written around them."""
    vector = [0.0] * dimensions
    for word in _WORDS.findall(text):
        digest = hashlib.shake_128(word.lower()[:4].encode()).digest(dimensions)
        for at, byte in enumerate(digest):
            vector[at] += byte - 127.5
    return vector
