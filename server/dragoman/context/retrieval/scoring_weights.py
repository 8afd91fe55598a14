"""Weights of the chances of names, fitted on the development packages by `python -m tests.bench.context_fit`."""

from __future__ import annotations

from typing import Final

BIAS: Final = -8.1

WEIGHTS: Final[dict[str, float]] = {
    "receiver": 4.5,
    "base_member": 0.25,
    "typed_member": 0.6,
    "imported_member": 3.4,
    "star_member": 3.4,
    "imported_parameter": 0.7,
    "own_file": 0.5,
    "sibling": 0.15,
    "importer": 0.3,
    "similar": 1.8,
    "similar_window": 2.1,
    "similar_count": 3.4,
    "focus": 0.4,
    "edited": 3.3,
    "similar_line": 1.45,
    "words": 1.5,
    "telling_words": 0.95,
    "private": -1.4,
    "dunder": -1.2,
}
