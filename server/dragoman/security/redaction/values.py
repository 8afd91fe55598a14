"""Whether a value that something called ``password`` or ``token`` is given is a secret, or a name, a template, a sentence."""

from __future__ import annotations

import re

from dragoman.security.redaction.randomness import entropy, is_hex, looks_random

_TEMPLATE = re.compile(
    r"^\$\w+$|\$[({]|\{[A-Za-z_][\w.:!\[\]'\"]*\}|\{\}|\{\{|^<.*>$|^%[\w(]|%\(\w+\)|^[*xX.•_-]+$|\.\.\.|…"
    r"|^(?:your|my|the|some|example|sample|dummy|fake|placeholder|change|insert|enter|replace|todo)(?:[-_ ]|me$|this$|it$)",
    re.IGNORECASE,
)
_NAMED = re.compile(
    r"pass|pwd|secret|token|key|user|login|auth|cred|field|input|string|hidden|require|option|default|invalid|missing|empty"
    r"|type|value|name|form|reset|change|forgot|confirm|current|text|none|null|true|false|undefined|prompt|redacted|bytes",
    re.IGNORECASE,
)
_TYPE = re.compile(
    r"u?int\d*|float\d*|str|bool(?:ean)?|any|object|char|varchar|void|self|bytes\d*|list|dict|base\d+|utf\d+|sha\d+|md\d|rsa\d*"
    r"|[ehr]s\d+|number|unknown|never|symbol|array|basic|bearer|on|off|yes|no",
    re.IGNORECASE,
)
_CAMEL = re.compile(r"[a-z]*(?:[A-Z][a-z]+)+|[a-z]+(?:[A-Z][a-z]*)+")
_DOTTED = re.compile(r"[A-Za-z_]\w*(?:(?:\.|::|->)\w+)+")
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_PLACE = re.compile(r"\.{0,2}/|~/|[A-Za-z]:\\|[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_NUMBERED = re.compile(r"[A-Za-z]+(?:[-_. ][A-Za-z]+)*[-_. ]?\d{0,3}")
_PATTERN = re.compile(r"\\|\[.*\]|\(\?")
_JOINT = re.compile(r"[_.-]")
_SIGNS = re.compile(r"[^\w\s./:-]", re.ASCII)


def is_password(value: str) -> bool:
    """Tell whether a value given to something called password is one; words alone may be."""
    if len(value) < 4 or _is_obviously_none(value):
        return False
    if any(character.isdigit() for character in value) or _SIGNS.search(value):
        is_numbered_name = _NAMED.search(value) and _NUMBERED.fullmatch(value) and sum(map(str.isdigit, value)) < 2
        return not (_TYPE.fullmatch(value) or is_numbered_name)
    # Letters only: a word may be a password, a name is not.
    return value.isalpha() and not (_NAMED.search(value) or _TYPE.fullmatch(value) or _CAMEL.fullmatch(value))


def is_plain_password(value: str) -> bool:
    """Tell the same of a value without quotes, which in code is a name."""
    if len(value) < 6 or not is_password(value) or _DOTTED.fullmatch(value):
        return False
    return any(character.isdigit() for character in value) or _SIGNS.search(value) is not None


def is_key(value: str, *, at_least: int = 12) -> bool:
    """Tell whether a value given to something called key, token or secret is one: only what looks rolled is."""
    if len(value) < at_least or _is_obviously_none(value) or _NUMBERED.fullmatch(value):
        return False
    if is_hex(value, at_least=16) or _UUID.fullmatch(value):
        return True
    if looks_random(value, classes=2) and not _DOTTED.fullmatch(value):
        return any(len(part) >= 8 and looks_random(part, classes=2) for part in _JOINT.split(value))
    return (
        _PATTERN.search(value) is None
        and _SIGNS.search(value) is not None
        and _is_mixed(value)
        and entropy(value) >= 3.0
    )


def is_short_secret(value: str) -> bool:
    """Tell whether a value given to something that is called just ``secret`` is one."""
    return len(value) >= 6 and _is_mixed(value) and not _is_obviously_none(value) and not _DOTTED.fullmatch(value)


def is_phrase(value: str) -> bool:
    """Tell whether a value given to something called passphrase is several words and no sentence."""
    return len(value) >= 12 and value.count(" ") >= 2 and all(word.isalnum() for word in value.split())


def _is_mixed(value: str) -> bool:
    return any(character.isdigit() for character in value) and any(character.isalpha() for character in value)


def _is_obviously_none(value: str) -> bool:
    return (
        not value.isprintable()
        or any(character.isspace() for character in value)
        or _TEMPLATE.search(value) is not None
        or _PLACE.match(value) is not None
    )
