"""Which files hold keys by their name."""

from __future__ import annotations

import fnmatch

SECRET_FILES = (".env*", "*.pem", "*.key", "id_*", ".npmrc", ".pypirc", ".netrc", "*.pfx", "*.p12", "*.keystore")
"""File names (shell patterns) that never go to a provider on another machine."""

_HARMLESS = (
    ".env.example",
    ".env.sample",
    ".env.template",
    "id_*.pub",
    "id_*.py",
    "id_*.ts",
    "id_*.js",
    "id_*.go",
    "id_*.rs",
)


def is_secret_file(name: str) -> bool:
    """Tell whether a file of that name (without folders) is expected to hold keys."""
    lowered = name.lower()
    if any(fnmatch.fnmatchcase(lowered, pattern) for pattern in _HARMLESS):
        return False
    return any(fnmatch.fnmatchcase(lowered, pattern) for pattern in SECRET_FILES)
