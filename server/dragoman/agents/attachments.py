"""Files of keys that a conversation carries: attached by name, or in a diff; whoever was shown one sends nothing elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from dragoman.security.paths import is_secret_path

_ATTACHED = re.compile(
    r"^Attached, ([^\n]*?)(?:, lines \d+ to \d+)?(?: \(the first [\d,]+ of [\d,]+ lines\))?:$", re.MULTILINE
)
"""How an attachment begins; `dragoman.assistance.mentions.section` writes it."""
_DIFFERS = re.compile(r"^diff --git \"?a/([^\n]*?)\"? \"?b/([^\n]*?)\"?$", re.MULTILINE)


def keys_in(texts: Iterable[str]) -> frozenset[Path]:
    """Return the files of keys, as they are named there, of which the texts show anything."""
    named = {
        name
        for text in texts
        for found in (_ATTACHED, _DIFFERS)
        for one in found.finditer(text)
        for name in one.groups()
    }
    return frozenset(path for name in named if is_secret_path(path := Path(name)))
