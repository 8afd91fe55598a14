"""Special tokens of any family, and the marks of chat templates, are noise in a text."""

from __future__ import annotations

import re

from dragoman.completion.postprocess.place import Place

_ANY_FAMILY = re.compile(
    r"<\|[a-z_]{2,32}\|>|<\|(?:end|fim|im|file|repo)[a-z_]*\Z"
    r"|<(?:fim_(?:prefix|suffix|middle|pad)|file_sep|repo_name|reponame|filename|gh_stars|endoftext)>"
    r"|<(?:start|end)_of_turn>|[ \t]?▁?<(?:PRE|SUF|MID|EOT)>"
    r"|<｜[^｜\n]{2,32}｜>|\[/?INST\]|\[(?:PREFIX|SUFFIX|MIDDLE)\]|<</?SYS>>"
    r"|<think>|</think>"
    r"|^[ \t]*(?:###[ ](?:Response|Instruction|Input|Output):|(?:User|Human|Assistant):[ \t])",
    re.MULTILINE,
)


def strip_special_tokens(text: str, place: Place) -> str:
    """End the text at the first special token: what follows answers another question."""
    while True:
        ends = [match.start()] if (match := _ANY_FAMILY.search(text)) else []
        ends += [at for token in place.special if (at := text.find(token)) >= 0]
        # Without a beginning it is no struck-out text of HTML but a sentence's end.
        if "<s>" not in place.head and (at := text.find("</s>")) >= 0 and "<s>" not in text[:at]:
            ends.append(at)
        if not ends:
            return text
        # What is left may end with half of another token.
        text = text[: min(ends)]
