"""Writes the fitted weights into the package, with what they came from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.bench.report import ROOT
from tests.bench.silence_fit import CONFIDENCE, RIDGE, Case, fit, log_loss

WEIGHTS = ROOT / "server" / "dragoman" / "completion" / "scoring_weights.py"

_FILE = '''\
"""Weights of the show score, as ``python -m tests.bench.silence --fit`` wrote them; change them with nothing else.

Logistic regression with a ridge of {ridge:g} on {cases} suggestions of the embedded 0.5B model in {packages} Python packages,
of which {right} were right: log loss {with_loss:.3f} with probabilities and {without_loss:.3f} without, in packages left out of
the fit, where the share of right ones alone gives {base:.3f}.
A term of no weight is not here: it never varied, or told nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

WITH_PROBABILITIES: Final[Mapping[str, float]] = {{
{with_weights}}}
"""For answers whose tokens came with probabilities."""

WITHOUT_PROBABILITIES: Final[Mapping[str, float]] = {{
{without_weights}}}
"""For servers that tell none: fitted apart on the same suggestions, because the other terms then mean more."""
'''


def rewrite(cases: Sequence[Case], path: Path = WEIGHTS) -> None:
    """Fit both sets of weights on ``cases`` and write the module that holds them."""
    share = sum(case.right for case in cases) / len(cases)
    text = _FILE.format(
        ridge=RIDGE,
        cases=len(cases),
        packages=len({case.package for case in cases}),
        right=sum(case.right for case in cases),
        with_loss=log_loss(cases),
        without_loss=log_loss(cases, without=CONFIDENCE),
        base=-(share * math.log(share) + (1 - share) * math.log(1 - share)),
        with_weights=_lines(fit(cases)),
        without_weights=_lines(fit(cases, without=CONFIDENCE)),
    )
    path.write_text(text, encoding="utf-8")


def _lines(weights: Mapping[str, float]) -> str:
    return "".join(f'    "{name}": {weight:g},\n' for name, weight in weights.items())
