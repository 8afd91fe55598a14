"""From a model's words to a suggestion: one filter a file, applied in the order of `FILTERS`.

A filter takes the text that would be inserted at the cursor and what is known of the place, and returns the text that
should be, empty to show nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from dragoman.completion.postprocess import (
    blank,
    brackets,
    indentation,
    prose,
    selected_item,
    special_tokens,
    suffix_lines,
    suffix_overlap,
    syntax,
    trailing_space,
)
from dragoman.completion.postprocess.place import Place

Filter = Callable[[str, Place], str]

FILTERS: tuple[tuple[str, Filter], ...] = (
    ("special tokens", special_tokens.strip_special_tokens),
    ("prose", prose.drop_prose),
    ("indentation", indentation.match_indentation),
    ("suffix lines", suffix_lines.cut_repeated_lines),
    ("suffix overlap", suffix_overlap.cut_overlap),
    ("brackets", brackets.balance_brackets),
    ("syntax", syntax.require_syntax),
    ("selected item", selected_item.require_selected_item),
    ("trailing space", trailing_space.strip_trailing_space),
    ("blank", blank.drop_blank),
)
"""Every filter with the name that ``filtered`` outcomes mention, in order."""


def polish(text: str, place: Place) -> tuple[str, str]:
    """Apply all filters; return the text and, when it became empty, the name of the filter that emptied it."""
    for name, apply in FILTERS:
        text = apply(text, place)
        if not text:
            return "", name
    return text, ""
