"""Weights of the show score, as ``python -m tests.bench.silence --fit`` wrote them; change them with nothing else.

Logistic regression with a ridge of 1 on 39 suggestions of the embedded 0.5B model in 12 Python packages,
of which 14 were right: log loss 0.575 with probabilities and 0.637 without, in packages left out of
the fit, where the share of right ones alone gives 0.653.
A term of no weight is not here: it never varied, or told nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

WITH_PROBABILITIES: Final[Mapping[str, float]] = {
    "constant": 0.877,
    "length": -0.304,
    "lines": -1.17,
    "echo": 0.338,
    "repetition": -0.114,
    "unknown_identifiers": 0.005,
    "loose_end": 0.32,
    "in_word": 0.525,
    "empty_line": -0.35,
    "sum_logprob": 0.748,
    "mean_logprob": 0.609,
    "min_logprob": 0.311,
    "first_logprob": 0.507,
}
"""For answers whose tokens came with probabilities."""

WITHOUT_PROBABILITIES: Final[Mapping[str, float]] = {
    "constant": -0.239,
    "length": -0.189,
    "lines": -1.243,
    "echo": 0.476,
    "repetition": -0.115,
    "unknown_identifiers": -0.065,
    "loose_end": 0.408,
    "in_word": 0.473,
    "empty_line": -0.446,
}
"""For servers that tell none: fitted apart on the same suggestions, because the other terms then mean more."""
