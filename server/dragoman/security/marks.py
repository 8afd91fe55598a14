"""The mark that placeholders of secrets begin with, and what is left of it in an answer that garbled one.

Apart from the tables of `redaction`, so that whoever applies an edit can look without loading them.
"""

from __future__ import annotations

import re

MARK = "DRAGOMAN_SECRET_"

LIKENESS = re.compile(r"dragoman[\W_]{0,3}sec|agoman[\W_]{0,3}secret|dragom[a-z]{0,3}_secr", re.IGNORECASE)
"""The mark, whole or with a letter, its case or its joint lost."""


def garbles_secret(answer: str, source: str) -> bool:
    """Tell whether a hunk of a model's ``answer`` must be refused, for it holds a placeholder that stands for no secret.

    ``answer`` is what came through the model's wrapper: every placeholder that was whole is a secret again by then.
    ``source`` is the text that the hunk replaces; what stands there already, as in code about placeholders, is no damage.
    """
    known = {match[0].lower() for match in LIKENESS.finditer(source)}
    return any(match[0].lower() not in known for match in LIKENESS.finditer(answer))
