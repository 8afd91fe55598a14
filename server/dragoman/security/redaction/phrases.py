"""Secrets that stand where an address, a header, a shell, a markup or a statement has its place for them."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dragoman.security.redaction.values import is_key, is_password, is_plain_password


@dataclass(frozen=True, slots=True)
class Phrase:
    """A place for a secret: where the pattern's group ``secret`` is, in lines that hold one of ``needs``, if it is one."""

    kind: str
    needs: tuple[str, ...]
    pattern: re.Pattern[str]
    is_secret: Callable[[re.Match[str]], bool]


_TRIVIAL = frozenset(
    {"pass", "passw", "password", "passwd", "pwd", "pw", "secret", "token", "user", "username", "xxx", "xxxx"}
)
_TEMPLATE = re.compile(r"[{<$%*]|\.\.\.")


def find_phrases(line: str) -> Iterator[tuple[int, int, str]]:
    """Yield start, end and kind of each."""
    for phrase in PHRASES:
        if any(need in line for need in phrase.needs):
            for match in phrase.pattern.finditer(line):
                if phrase.is_secret(match):
                    yield (*match.span("secret"), phrase.kind)


def _in_url(match: re.Match[str]) -> bool:
    return match["secret"].lower() not in _TRIVIAL and not _TEMPLATE.match(match["secret"])


def _in_query(match: re.Match[str]) -> bool:
    if match["strong"] and is_plain_password(match["secret"]):
        return True
    return is_key(match["secret"]) or "%" in match["secret"]


def _in_header(match: re.Match[str]) -> bool:
    value, scheme = match["secret"], match[1].lower()
    if scheme == "bearer" and len(value) >= 16 and sum(character.isdigit() for character in value) > 1:
        return True
    return is_key(value) or (scheme == "basic" and _is_user_and_password(value))


def _is_user_and_password(text: str) -> bool:
    try:
        return b":" in base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        return False


def _in_flag(match: re.Match[str]) -> bool:
    value = match["secret"]
    if match["strong"] and (is_plain_password(value) or (match["quote"] and is_password(value))):
        return True
    return is_key(value)


def _in_markup(match: re.Match[str]) -> bool:
    return is_key(match["secret"]) if match["weak"] else is_password(match["secret"])


def _is_any(match: re.Match[str]) -> bool:
    return is_password(match["secret"]) or is_key(match["secret"])


PHRASES = (
    Phrase(
        "url",
        ("://",),
        re.compile(
            r"[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s/?#:@'\"`<>]{0,200}:(?P<secret>[^\s'\"`<>/]{2,200})@(?=[\w.\[$%{-])"
        ),
        _in_url,
    ),
    Phrase(
        "query",
        ("=",),
        re.compile(
            r"(?i)[?&][\w-]{0,30}(?:token|key|secret|sig|signature|(?P<strong>password|pwd)|auth)=(?P<secret>[^&\s\"'`<>#]{6,})"
        ),
        _in_query,
    ),
    Phrase(
        "header",
        ("earer", "EARER", "asic", "BASIC", "oken", "TOKEN", "pikey", "piKey", "APIKEY"),
        re.compile(r"(?i)\b(basic|bearer|token|apikey)[ :]+(?P<secret>[A-Za-z0-9._~+/=-]{8,})"),
        _in_header,
    ),
    Phrase(
        "connection",
        (";",),
        re.compile(
            r"(?i)\b(?:password|pwd|accountkey|sharedaccesskey|sharedsecret\w*)\s*=\s*(?P<secret>[^;\"'\s]{3,})(?=[;\"']|\s*$)"
        ),
        _is_any,
    ),
    Phrase(
        "flag",
        ("-",),
        re.compile(
            r"(?i)(?<![\w-])--?[\w-]{0,30}(?:(?P<strong>passw(?:or)?d)|token|secret|key)(?:=|\s+|[\"'],\s*(?=[\"']))"
            r"(?P<quote>[\"'])?(?P<secret>[^\s\"']{4,})"
        ),
        _in_flag,
    ),
    Phrase(
        "flag",
        ("curl", "http"),
        re.compile(r"(?:-u|--user)[ =]+[\"']?[^\s:\"']{1,100}:(?P<secret>[^\s\"']{3,})"),
        lambda match: is_password(match["secret"]),
    ),
    Phrase(
        "flag",
        (" -p",),
        re.compile(
            r"\b(?:sshpass|mysql\w*|mariadb\w*|docker\s+login|mongo\w*)\s.{0,200}?-p\s?[\"']?(?P<secret>[^\s\"']{4,})"
        ),
        lambda match: is_password(match["secret"]),
    ),
    Phrase(
        "pair",
        ("uth",),
        re.compile(r"(?:auth\s*=|Auth)\s*\(\s*[\"'][^\"']{1,80}[\"']\s*,\s*[\"'](?P<secret>[^\"']{4,})[\"']?"),
        lambda match: is_password(match["secret"]),
    ),
    Phrase(
        "words",
        ("oken ", "OKEN ", "ecret ", "ECRET ", "ey ", "EY "),
        re.compile(r"(?i)(?:token|secret|key)\s+(?P<secret>[A-Za-z0-9+/_=-]{16,})"),
        lambda match: is_key(match["secret"], at_least=16),
    ),
    Phrase(
        "netrc",
        ("login",),
        re.compile(r"\blogin\s+\S{1,100}\s+password\s+(?P<secret>\S+)"),
        lambda _match: True,
    ),
    Phrase(
        "markup",
        ("<",),
        re.compile(
            r"(?i)<[\w.:-]{0,30}(?:password|pwd|(?P<weak>secret|token|key))[\w.-]{0,20}>(?P<secret>[^<\s\"'`]{4,})(?=</|$)"
        ),
        _in_markup,
    ),
    Phrase(
        "sql",
        ("'",),
        re.compile(r"(?i)\b(?:identified\s+by|password)\s+(?:as\s+)?'(?P<secret>[^']{3,})'?"),
        lambda match: is_password(match["secret"]),
    ),
)
"""Every place that is known, each looked for only in lines that can hold it."""
