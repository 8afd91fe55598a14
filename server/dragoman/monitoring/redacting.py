"""Takes keys and passwords out of text that is going to be logged."""

from __future__ import annotations

import re

HIDDEN = "[hidden]"

_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    # Authorization: Bearer …, "x-api-key": "…", api_key=…
    (
        re.compile(
            r"""(?ix)
            ( (?:proxy-)?authorization | x-api-key | api[-_]?key | (?:access|refresh|auth|id)[-_]?token
            | client[-_]?secret | secret | password | passwd | set-cookie | cookie )
            (\\*["']? \s* [:=,]\s* (?:b(?=["']))? \\*["']?)
            ( (?:(?:bearer|basic|token)\s+)? [^\s"',;)}\]\\]+ )"""
        ),
        rf"\1\2{HIDDEN}",
    ),
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}"), rf"\1 {HIDDEN}"),
    # Keys that say what they are: OpenAI, Anthropic, GitHub, Hugging Face, Google, Slack, AWS, JSON web tokens.
    (re.compile(r"\b(?:sk|pk|rk)-[A-Za-z0-9_-]{16,}"), HIDDEN),
    (re.compile(r"\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_[A-Za-z0-9_]{20,}"), HIDDEN),
    (re.compile(r"\bhf_[A-Za-z0-9]{20,}|\bAIza[0-9A-Za-z_-]{30,}|\bxox[abprs]-[A-Za-z0-9-]{10,}"), HIDDEN),
    (re.compile(r"\bAKIA[0-9A-Z]{16}\b"), HIDDEN),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"), HIDDEN),
    # https://user:password@host
    (re.compile(r"(://)[^/\s:@]+:[^/\s@]+@"), rf"\1{HIDDEN}@"),
)


def redact(text: str) -> str:
    """Return the text with everything that looks like a key or a password replaced by ``[hidden]``."""
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text
