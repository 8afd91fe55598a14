"""Findings as SARIF 2.1.0, the format in which code hosts take the results of analyses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from dragoman.agents.reviews.anchors import NumberedText
from dragoman.agents.reviews.findings import Finding, link_of
from dragoman.agents.tools.documents import TextEdit

SCHEMA_URI: Final = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS: Final[Mapping[str, str]] = {"error": "error", "warning": "warning", "information": "note", "hint": "note"}


@dataclass(slots=True)
class ReviewedFile:
    """A file that was reviewed, as it was then, and what was found."""

    path: str
    text: str
    findings: list[Finding] = field(default_factory=list)


def as_sarif(files: Sequence[ReviewedFile], *, version: str, succeeded: bool) -> dict[str, Any]:
    """Return a SARIF log of one run; paths are relative to the project's folder."""
    codes = sorted({one.code for file in files for one in file.findings})
    rules = {code: index for index, code in enumerate(codes)}
    results = [result for file in files for result in _results(file, rules)]
    driver = {
        "name": "Dragoman",
        "semanticVersion": version,
        "rules": [_rule(code) for code in codes],
    }
    run = {
        "tool": {"driver": driver},
        "invocations": [{"executionSuccessful": succeeded}],
        "columnKind": "utf16CodeUnits",
        "artifacts": [{"location": _location(file.path)} for file in files],
        "results": results,
    }
    return {"$schema": SCHEMA_URI, "version": "2.1.0", "runs": [run]}


def _rule(code: str) -> dict[str, Any]:
    link = link_of(code)
    return {
        "id": code,
        "shortDescription": {"text": code.replace("-", " ")},
        **({"helpUri": link} if link is not None else {}),
    }


def _results(file: ReviewedFile, rules: Mapping[str, int]) -> Iterable[dict[str, Any]]:
    numbered = NumberedText(file.text)
    for finding in file.findings:
        region = _region(numbered, finding.start, finding.end)
        place = {"artifactLocation": _location(file.path), "region": {**region, "snippet": {"text": finding.quote}}}
        result: dict[str, Any] = {
            "ruleId": finding.code,
            "ruleIndex": rules[finding.code],
            "level": _LEVELS[finding.severity],
            "message": {"text": finding.message},
            "locations": [{"physicalLocation": place}],
            "partialFingerprints": {"dragoman/v1": finding.fingerprint},
        }
        if finding.related:
            result["relatedLocations"] = [
                {
                    "physicalLocation": {
                        "artifactLocation": _location(file.path),
                        "region": _region(numbered, one.start, one.end),
                    },
                    "message": {"text": one.message},
                }
                for one in finding.related
            ]
        if finding.fix:
            replacements = [_replacement(numbered, edit) for edit in finding.fix]
            change = {"artifactLocation": _location(file.path), "replacements": replacements}
            result["fixes"] = [{"description": {"text": finding.message}, "artifactChanges": [change]}]
        yield result


def _replacement(numbered: NumberedText, edit: TextEdit) -> dict[str, Any]:
    return {"deletedRegion": _region(numbered, edit.start, edit.end), "insertedContent": {"text": edit.text}}


def _region(numbered: NumberedText, start: int, end: int) -> dict[str, int]:
    line, end_line = numbered.line_of(start), numbered.line_of(end)
    return {
        "startLine": line,
        "startColumn": _column(numbered, line, start),
        "endLine": end_line,
        "endColumn": _column(numbered, end_line, end),
    }


def _column(numbered: NumberedText, line: int, offset: int) -> int:
    before = numbered.text[numbered.starts[line - 1] : offset]
    return len(before.encode("utf-16-le", "surrogatepass")) // 2 + 1


def _location(path: str) -> dict[str, str]:
    return {"uri": quote(path, safe="/", errors="surrogateescape"), "uriBaseId": "%SRCROOT%"}
