"""Weights of the chances of names, fitted on the development packages by `python -m tests.bench.context_fit`."""

from __future__ import annotations

from typing import Final

BIAS: Final = -8.1

WEIGHTS: Final[dict[str, float]] = {
    "receiver": 3.5,
    "base_member": 0.2,
    "typed_member": 0.8,
    "imported_member": 2.6,
    "module_member": -0.1,
    "star_member": 0.5,
    "imported_parameter": 0.75,
    "parameter": -0.15,
    "own_file": 0.5,
    "sibling": -0.2,
    "importer": 0.3,
    "similar": 2.0,
    "similar_window": 2.3,
    "similar_count": 2.4,
    "focus": 0.4,
    "edited": 0.8,
    "similar_line": 2.0,
    "words": 1.5,
    "telling_words": 1.0,
    "private": -1.2,
    "dunder": 0.0,
}
