"""A SARIF log has what code hosts need: rules, places, fingerprints and fixes."""

from __future__ import annotations

import json

from dragoman.agents.reviews.findings import ReviewSession
from dragoman.agents.reviews.sarif import ReviewedFile, as_sarif

TEXT = "def f(x):\r\n    🦀 = '𝒳'; return x / 0\r\n"


def test_a_log_has_rules_places_fingerprints_and_fixes() -> None:
    told = (
        {
            "line": 2,
            "severity": "error",
            "code": "div-zero",
            "message": "Ends.",
            "quote": "return x / 0",
            "fix": "return x",
        },
        {
            "line": 1,
            "severity": "hint",
            "code": "cwe-369",
            "message": "Odd.",
            "quote": "def f(x):",
            "related": [{"line": 2, "message": "There."}],
        },
    )
    findings = ReviewSession("a ü/b.py", TEXT).feed("\n".join(map(json.dumps, told)))
    log = as_sarif([ReviewedFile("a ü/b.py", TEXT, findings)], version="1.2.3", succeeded=True)
    json.dumps(log)
    assert (log["version"], len(log["runs"])) == ("2.1.0", 1)
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [(rule["id"], rule.get("helpUri")) for rule in rules] == [
        ("cwe-369", "https://cwe.mitre.org/data/definitions/369.html"),
        ("div-zero", None),
    ]
    first, second = run["results"]
    assert [(one["ruleId"], one["ruleIndex"], one["level"]) for one in (first, second)] == [
        ("div-zero", 1, "error"),
        ("cwe-369", 0, "note"),
    ]
    place = first["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "a%20%C3%BC/b.py", "uriBaseId": "%SRCROOT%"}
    # Both letters before it count twice in UTF-16.
    region = {"startLine": 2, "startColumn": 16, "endLine": 2, "endColumn": 28}
    assert place["region"] == {**region, "snippet": {"text": "return x / 0"}}
    assert first["partialFingerprints"] == {"dragoman/v1": findings[0].fingerprint}
    (change,) = first["fixes"][0]["artifactChanges"]
    assert change["replacements"] == [{"deletedRegion": region, "insertedContent": {"text": "return x"}}]
    assert "fixes" not in second
    assert "relatedLocations" not in first
    (related,) = second["relatedLocations"]
    assert related["message"] == {"text": "There."}
    assert related["physicalLocation"]["region"] == {"startLine": 2, "startColumn": 5, "endLine": 2, "endColumn": 28}
