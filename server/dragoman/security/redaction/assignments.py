"""Values given to suspicious names, in code and in every kind of configuration."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dragoman.security.redaction.values import is_key, is_password, is_phrase, is_plain_password, is_short_secret

_STRONG = r"passw(?:or)?d|passwd|passphrase|pwd|(?<![a-z])(?:pass|pw)(?=[\"'\s:=])"
_WEAK = (
    r"secret|token|(?:api|access|private|auth|encryption|signing|master|account|license|shared)[-_. ]?key|key|credential"
    r"|auth|bearer|signature|salt|cookie|session|webhook|connection[-_. ]?string|dsn"
)
NAMES = (
    *("pass", "pwd", "pw", "secret", "token", "key", "credential", "auth", "bearer", "signature", "salt", "cookie"),
    *("session", "webhook", "connection", "dsn"),
)
"""One of these is in every line, in small letters, in which `find_assignments` can find anything."""

# From the keyword on: what is before it in the name says nothing and would cost a search from every letter.
_QUOTED = re.compile(
    rf"""(?ix)
    (?: (?P<strong>{_STRONG}) | (?P<weak>{_WEAK}) ) (?P<rest>[\w.-]{{0,40}}) (?P<closed>\\?["'`]?) [\])]?
    (?: \s* (?: :\s*[\w.\[\]|\ ]{{1,30}}=(?!=) | := | => | [!=]==? | = | : | <- ) \s*
      | \s*,\s*["']?value["']?\s*[:=]\s* | (?P<loose> \s*,\s* | \(\s* | \s+value\s*=\s* | \s+(?=["']) ) )
    [rbuf@$]{{0,2}} (?P<open>\\?["'`]{{1,3}})
    """
)
_PLAIN = re.compile(
    rf"""(?ix) ^\s* (?:export\s+|setx?\s+|env\s+|arg\s+|-\s+|\$env:|[#;]+\s*|//\s*)?
    (?P<key> ["']? [\w.\-/]{{0,60}}? (?: (?P<strong>{_STRONG}) | (?P<weak>{_WEAK}) ) (?P<rest>[\w.-]{{0,40}}) ["']? )
    (?P<before>\s*) (?P<op>[:=]) (?P<after>\s*) (?P<value>[^\s"'`(){{}}\[\],<>]+) \s* $
    """
)
_HARMLESS_REST = re.compile(
    r"[-_.]?(?:field|ur[il]|path|file|dir|name|type|len|length|min|max|size|count|regex|pattern|label|prompt|help|hint|error"
    r"|message|msg|policy|reset|validator|placeholder|env|var|header|prefix|suffix|algorithm|provider|class|mode|format"
    r"|required|enabled|input|id|ttl|expir\w*|timeout|lifetime|limit|endpoint|version|status|column|attr\w*|param\w*|scheme"
    r"|issuer|audience|backend|manager|store|storage|template|title|text|changed?|hashers?|ring|sha\d*|md5|hash|digest"
    r"|fingerprint|checksum)s?",
    re.IGNORECASE,
)


_VALUE = re.compile(r"^\s*(?:-\s*)?[\"']?value[\"']?\s*[:=]\s*(?P<quote>[\"']?)(?P<value>[^\s\"',]+)(?P=quote),?\s*$")
_NAME = re.compile(rf"(?i)\bname[\"']?\s*[:=]\s*[\"']?[\w.-]{{0,60}}?(?:(?P<strong>{_STRONG}|pass\b|pw\b)|{_WEAK})")


def find_value(line: str) -> tuple[int, int] | None:
    """Return where the value stands in a line that gives one to the name in the line above, as lists of variables do."""
    match = _VALUE.match(line) if "value" in line else None
    return None if match is None else match.span("value")


def is_named_secret(above: str, value: str) -> bool:
    """Tell whether the line above such a line has a suspicious name, and the value is a secret."""
    match = _NAME.search(above)
    return match is not None and (is_key(value) or (match["strong"] is not None and is_password(value)))


def find_assignments(line: str) -> Iterator[tuple[int, int, str]]:
    """Yield start, end and kind of what ``line`` gives to names such as ``password``, in quotes or as a line of settings."""
    lowered = line.lower()
    if not any(name in lowered for name in NAMES):
        return
    for match in _QUOTED.finditer(line):
        start = match.end()
        end = _end_of_string(line, start, match["open"])
        if start < end and _is_quoted_secret(line, match, line[start:end]):
            yield start, end, "assignment"
    if (setting := _PLAIN.match(line)) is not None and _is_plain_secret(setting):
        yield (*setting.span("value"), "assignment")


def _end_of_string(line: str, start: int, opening: str) -> int:
    """Return where a string ends that was opened with ``opening``, the line's end where it is not closed."""
    if opening.startswith("\\"):
        end = line.find("\\", start)
        return len(line) if end < 0 else end
    if len(opening) == 2:
        return start  # An empty string.
    position = start
    while position < len(line):
        if line[position] == "\\":
            position += 2
        elif line.startswith(opening, position):
            return position
        else:
            position += 1
    return len(line)


def _is_quoted_secret(line: str, match: re.Match[str], value: str) -> bool:
    rest, loose = match["rest"], match["loose"]
    if _HARMLESS_REST.fullmatch(rest) or (
        loose and not (match["closed"] or _is_setter(line, match) or loose.isspace())
    ):
        return False
    if match["strong"]:
        if match["strong"].lower() == "passphrase" and is_phrase(value):
            return True
        return is_password(value) and not (loose and (rest or value.isalpha()))
    is_bare = match["weak"].lower() == "secret" and not rest and not loose
    return (is_bare and is_short_secret(value)) or is_key(value)


def _is_setter(line: str, match: re.Match[str]) -> bool:
    """Tell whether a name before a bracket is a method that takes the secret alone, as ``setPassword("…")`` does."""
    before = line[: match.start()]
    is_alone = not before or before[-1] in ". " or before.endswith("set")
    return match["loose"].startswith("(") and not match["rest"] and is_alone


def _is_plain_secret(match: re.Match[str]) -> bool:
    value, rest = match["value"].rstrip(";"), match["rest"]
    if _HARMLESS_REST.fullmatch(rest):
        return False
    close = not (match["before"] or match["after"])
    if not match["strong"]:
        is_bare = match["weak"].lower() == "secret" and not rest and close and match["op"] == "="
        return (is_bare and is_short_secret(value)) or is_key(value, at_least=16)
    if is_plain_password(value):
        return True
    key = match["key"].strip("\"'")
    is_environment = key == key.upper() and match["op"] == "=" and close
    is_yaml = (
        match["op"] == ":" and match["after"] == " " and not match["before"] and value.islower() and value.isalpha()
    )
    return (is_environment or is_yaml) and is_password(value)
