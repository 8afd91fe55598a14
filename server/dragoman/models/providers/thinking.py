"""Reasoning that a model writes into its answer, taken out of it as it streams: ``<think>…</think>`` and its like."""

from __future__ import annotations

from typing import Final

_PAIRS: Final = (
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("[THINK]", "[/THINK]"),
)
"""How models mark it: Qwen, DeepSeek and most others; some tunes; Gemma's; Mistral's."""

_OPENERS: Final = tuple(opener for opener, _ in _PAIRS)


class ThinkSplitter:
    """Tells reasoning from answer, whatever pieces the text comes in.

    A mark counts at the beginning of the answer only, or directly behind another reasoning: an answer may speak of such
    marks, and code may hold them. White space around the reasoning belongs to neither.
    """

    def __init__(self) -> None:
        self._held = ""
        self._closer = ""
        self._answering = False
        self._marked = False
        self._thought = False

    def feed(self, text: str) -> tuple[str, str]:
        """Take in more text; return what of it is certain to be reasoning, and what is certain to be answer."""
        if self._answering:
            return "", text
        thinking = ""
        self._held += text
        while True:
            if self._closer:
                before, found, after = self._held.partition(self._closer)
                thinking += self._think(before if found else self._release())
                if not found:
                    return thinking, ""
                self._held, self._closer = after, ""
            held = self._held.lstrip()
            opener = next((one for one in _OPENERS if held.startswith(one)), None)
            if opener is not None:
                self._held, self._closer = held[len(opener) :].lstrip("\n"), dict(_PAIRS)[opener]
                self._thought = False
            elif any(one.startswith(held) for one in _OPENERS):
                # Nothing but white space yet, or the beginning of a mark.
                return thinking, ""
            else:
                return thinking, self._answer()

    def end(self) -> tuple[str, str]:
        """Return what was held back, as `feed` does: the text ended before it was decided."""
        if self._answering:
            return "", ""
        if self._closer:
            held, self._held = self._held, ""
            return self._think(held), ""
        return "", self._answer()

    def _answer(self) -> str:
        held, self._held = self._held, ""
        self._answering = True
        return held.lstrip() if self._marked else held

    def _think(self, text: str) -> str:
        self._marked = True
        if not self._thought:
            # The lines after the mark are empty where the model did not think at all.
            text = text.lstrip("\n")
        self._thought = self._thought or bool(text)
        return text

    def _release(self) -> str:
        """Return what cannot be the beginning of the closing mark any more; keep the rest."""
        longest = min(len(self._held), len(self._closer) - 1)
        keep = next((n for n in range(longest, 0, -1) if self._closer.startswith(self._held[-n:])), 0)
        certain, self._held = self._held[: len(self._held) - keep], self._held[len(self._held) - keep :]
        return certain
