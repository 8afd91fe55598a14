"""Weights of the show score, as ``python -m tests.bench.silence --fit`` wrote them; change them with nothing else.

Logistic regression with a ridge of 1 on 174 suggestions of the embedded 0.5B model in 12 Python packages,
of which 49 were right: log loss 0.445 with probabilities and 0.537 without, in packages left out of
the fit, where the share of right ones alone gives 0.594.
A term of no weight is not here: it never varied, or told nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

WITH_PROBABILITIES: Final[Mapping[str, float]] = {
    "constant": 1.194,
    "length": -0.322,
    "lines": -0.646,
    "echo": 0.426,
    "repetition": -0.215,
    "unknown_identifiers": -1.772,
    "in_word": 0.26,
    "empty_line": -0.374,
    "sum_logprob": 1.469,
    "mean_logprob": 1.184,
    "min_logprob": 0.778,
    "first_logprob": 0.301,
}
"""For answers whose tokens came with probabilities."""

WITHOUT_PROBABILITIES: Final[Mapping[str, float]] = {
    "constant": -0.304,
    "length": -0.366,
    "lines": -0.69,
    "echo": 1.054,
    "repetition": -0.241,
    "unknown_identifiers": -1.954,
    "in_word": 0.093,
    "empty_line": -0.682,
}
"""For servers that tell none: fitted apart on the same suggestions, because the other terms then mean more."""
