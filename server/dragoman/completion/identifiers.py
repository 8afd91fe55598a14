"""Completion without a model: the rest of a word that already stands in the document."""

from __future__ import annotations

import re
from collections import Counter

from dragoman.completion.query import CompletionQuery

_WORD = re.compile(r"[^\W\d]\w*")
_SEARCHED_LINES = 500
_SHORTEST_HEAD = 2
_SHORTEST_GAIN = 2
_LONGEST_LINE = 2_000


def complete_identifier(query: CompletionQuery) -> str:
    """Return what is missing of the identifier at the cursor, empty when the document suggests nothing.

    The most frequent word that begins with what was typed wins, the nearest among equals.
    """
    line = query.text.line(query.line).rstrip("\r\n")
    head, rest = line[: query.character], line[query.character :]
    match = re.search(r"[^\W\d]\w*$", head[-200:])
    if match is None or len(match.group()) < _SHORTEST_HEAD or _WORD.match(rest) or rest[:1].isdigit():
        return ""
    typed = match.group()
    counts: Counter[str] = Counter()
    nearest: dict[str, int] = {}
    first = max(0, query.line - _SEARCHED_LINES)
    last = min(query.text.line_count, query.line + _SEARCHED_LINES)
    for index in range(first, last):
        content = query.text.line(index)
        if len(content) > _LONGEST_LINE or typed not in content:
            continue
        if index == query.line:
            content = head[: len(head) - len(typed)] + " " + rest
        for word in _WORD.findall(content):
            if word.startswith(typed) and len(word) >= len(typed) + _SHORTEST_GAIN:
                counts[word] += 1
                distance = abs(index - query.line)
                nearest[word] = min(distance, nearest.get(word, distance))
    if not counts:
        return ""
    best = max(counts, key=lambda word: (counts[word], -nearest[word]))
    return best[len(typed) :]
