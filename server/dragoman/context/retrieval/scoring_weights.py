"""Weights of the chances of names, fitted on the development packages by `python -m tests.bench.context_fit` and rounded.

Signals that no hidden line of theirs has were set by hand: a receiver, open files, and edits.
"""

from __future__ import annotations

from typing import Final

BIAS: Final = -7.75

WEIGHTS: Final[dict[str, float]] = {
    "receiver": 4.5,
    "base_member": -0.1,
    "typed_member": 0.9,
    "imported_member": 2.9,
    "star_member": 2.9,
    "imported_parameter": 0.35,
    "own_file": 0.3,
    "sibling": -0.1,
    "importer": 0.3,
    "similar": 0.6,
    "similar_window": 1.45,
    "similar_count": 3.4,
    "focus": 0.4,
    "edited": 3.3,
    "similar_line": 1.3,
    "words": 0.8,
    "telling_words": 1.6,
    "private": -1.3,
    "dunder": -1.3,
}
