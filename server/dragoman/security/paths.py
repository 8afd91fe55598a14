"""Which files hold keys, by their name and place: they never go to a provider on another machine, in no form."""

from __future__ import annotations

import fnmatch
import os
import re
from pathlib import Path, PurePath

SECRET_FILES = (
    # Keys and certificates with keys.
    *(
        "*.pem",
        "*.key",
        "*.pfx",
        "*.p12",
        "*.p8",
        "*.ppk",
        "*.jks",
        "*.keystore",
        "*.kdbx",
        "*.gpg",
        "*.age",
        "id_*",
    ),
    # Environments, and credentials that tools keep for themselves.
    *(
        ".env*",
        "*.env",
        ".envrc",
        ".npmrc",
        ".yarnrc",
        ".yarnrc.yml",
        ".pypirc",
        ".netrc",
        "_netrc",
        ".git-credentials",
    ),
    *(
        ".pgpass",
        ".my.cnf",
        ".mylogin.cnf",
        ".htpasswd",
        ".dockercfg",
        ".dockerconfigjson",
        ".vault-token",
        ".s3cfg",
        ".boto",
    ),
    *(
        ".terraformrc",
        "terraform.rc",
        "*.tfvars",
        "*.tfvars.json",
        "*.tfstate",
        "*.tfstate.backup",
        ".cargo-credentials",
    ),
    # What people call such files.
    *("credentials", "credentials.*", "*-credentials.json", "*_credentials.json", "client_secret*.json"),
    *("service-account*.json", "service_account*.json", "secrets.*", "secret.*", ".secrets", "*.secrets"),
)
"""File names as shell patterns, in small letters; capitals make no difference."""

SECRET_FOLDERS = frozenset({".ssh", ".gnupg", ".aws", ".azure", ".kube", ".password-store"})
"""Everything in these is a key, or says where one fits."""

SECRET_PLACES = (".docker/config.json", "gh/hosts.yml", ".m2/settings.xml", ".bundle/config", "gcloud/credentials.db")
"""Ends of the paths where well-known tools keep a key under an innocent name."""

_SOURCES = (
    r"py|pyi|ipynb|js|mjs|cjs|jsx|ts|mts|cts|tsx|go|rs|java|kt|kts|scala|c|cc|cpp|h|hpp|cs|rb|php|lua|swift|sql|ex|exs|erl|hs"
    r"|clj|dart|vue|svelte|html?|css|scss|md|rst|tf|proto"
)
_HARMLESS = re.compile(
    rf"\.env[.-](?:example|sample|template|dist)|(?:example|sample|template)\.env|.*\.({_SOURCES})|id_.*\.pub"
)
"""Public halves, templates, and code about secrets, which is read like all other code."""


def is_secret_file(name: str) -> bool:
    """Tell whether a file of that name (without folders) is expected to hold keys."""
    lowered = name.lower()
    if _HARMLESS.fullmatch(lowered):
        return False
    return any(fnmatch.fnmatchcase(lowered, pattern) for pattern in SECRET_FILES)


def is_secret_path(path: str | PurePath) -> bool:
    """Tell whether a file is expected to hold keys by its name, its folders, or those of what it links to; one look at the disk."""
    given = Path(path)
    return _is_secret(given) or ((target := resolved(given)) != given and _is_secret(target))


def resolved(path: Path) -> Path:
    """Return where a path leads with every link followed; the path itself where that cannot be told."""
    try:
        return Path(os.path.realpath(path))
    except (OSError, ValueError):
        return path


def _is_secret(path: PurePath) -> bool:
    return (
        is_secret_file(path.name)
        or path.as_posix().lower().endswith(SECRET_PLACES)
        or any(part.lower() in SECRET_FOLDERS for part in path.parts[:-1])
    )
