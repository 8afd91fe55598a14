"""What a check came to: one sentence, how bad it is, and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

Severity = Literal["ok", "note", "warning", "error"]

_ORDER: dict[Severity, int] = {"ok": 0, "note": 1, "warning": 2, "error": 3}


@dataclass(frozen=True, slots=True)
class Finding:
    """One result of a check: ``sentence`` says what is, ``advice`` what to do about it (empty when nothing is to do)."""

    severity: Severity
    subject: str
    sentence: str
    advice: str = ""
    code: str = ""
    """Stable name of what was found, for scripts and tests."""
    facts: dict[str, Any] = field(default_factory=dict)
    """Measured values behind the sentence."""

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for ``--json``."""
        return {
            "severity": self.severity,
            "subject": self.subject,
            "code": self.code,
            "sentence": self.sentence,
            "advice": self.advice,
            **({"facts": self.facts} if self.facts else {}),
        }


def worst(findings: Iterable[Finding]) -> Severity:
    """Return the highest severity among the findings, ``ok`` when there is none."""
    return max((finding.severity for finding in findings), key=_ORDER.__getitem__, default="ok")


def sentence(text: str) -> str:
    """Begin with a capital and end with a full stop."""
    text = text.strip()
    if text and text[0].islower():
        text = text[0].upper() + text[1:]
    return text if text.endswith((".", "?", "!")) else f"{text}."
