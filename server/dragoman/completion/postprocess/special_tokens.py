"""Special tokens of any family are noise in a text."""

from __future__ import annotations

import re

from dragoman.completion.postprocess.place import Place

_ANY_FAMILY = re.compile(
    r"<\|[a-z_]{2,32}\|>"
    r"|<(?:fim_(?:prefix|suffix|middle|pad)|file_sep|endoftext)>|</s>"
    r"|<｜[^｜\n]{2,32}｜>|▁<(?:PRE|SUF|MID|EOT)>"
)


def strip_special_tokens(text: str, place: Place) -> str:
    """End the text at the first special token: what follows answers another question."""
    ends = [match.start()] if (match := _ANY_FAMILY.search(text)) else []
    ends += [at for token in place.special if (at := text.find(token)) >= 0]
    return text[: min(ends)] if ends else text
